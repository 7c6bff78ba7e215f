//! The built component, as bytes, for hosts and for tools that compose components.
//!
//! The build script of this crate builds the component from the workspace. If the toolchain lacks the target
//! `wasm32-wasip2`, it installs it with rustup.
//!
//! ```
//! // A component, in the binary format of layer 1.
//! assert!(onepassword_users_component::COMPONENT.starts_with(b"\0asm\x0d\0\x01\0"));
//! ```

#![forbid(unsafe_code)]
#![warn(missing_docs)]

/// The component of this version.
pub const COMPONENT: &[u8] = include_bytes!(env!("ONEPASSWORD_USERS_COMPONENT"));
