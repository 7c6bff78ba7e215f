//! Bindings generated from `wit/` and from the connector's WIT package.

#![allow(unsafe_code, clippy::indexing_slicing, reason = "generated code lifts and lowers by pointers")]
#![allow(missing_debug_implementations, unreachable_pub, reason = "generated code")]
#![allow(clippy::allow_attributes_without_reason, reason = "generated code allows without reasons")]

wit_bindgen::generate!({
    world: "onepassword:users-steps/steps-only",
    path: ["../wit/deps/automation-connector", "wit"],
    generate_all,
});

/// The type that implements the exports.
pub(crate) struct Component;

export!(Component);
