//! The built components, as bytes, for hosts and for tools that compose components.
//!
//! The build script of this crate builds them from the workspace. If the toolchain lacks the target
//! `wasm32-wasip2`, it installs it with rustup.
//!
//! ```
//! // Components, in the binary format of layer 1.
//! for component in [onepassword_users_component::COMPONENT, onepassword_users_component::STEPS] {
//!     assert!(component.starts_with(b"\0asm\x0d\0\x01\0"));
//! }
//! ```

#![forbid(unsafe_code)]
#![warn(missing_docs)]

/// The component of this version over WASI: it sends its requests itself.
pub const COMPONENT: &[u8] = include_bytes!(env!("ONEPASSWORD_USERS_COMPONENT"));

/// The component of this version without imports: it says what to do, and the host does it.
pub const STEPS: &[u8] = include_bytes!(env!("ONEPASSWORD_USERS_STEPS"));
