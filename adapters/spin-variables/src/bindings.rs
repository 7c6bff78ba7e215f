//! Bindings generated from `wit/` and from the connector's own contract, which is not copied.

#![allow(unsafe_code, clippy::indexing_slicing, reason = "generated code lifts and lowers by pointers")]
#![allow(missing_debug_implementations, unreachable_pub, reason = "generated code")]
#![allow(clippy::allow_attributes_without_reason, reason = "generated code allows without reasons")]

wit_bindgen::generate!({
    world: "automation:spin-variables/adapter",
    path: ["../../wit/deps/automation-connector", "wit"],
    generate_all,
});

/// What the component exports are the functions of this type.
pub struct Adapter;

export!(Adapter);
