//! Bindings generated from the WIT, including those of WASI, so that the imports are exactly those of `wit/world.wit`.

#![allow(unsafe_code, clippy::indexing_slicing, reason = "generated code lifts and lowers by pointers")]
#![allow(missing_debug_implementations, unreachable_pub, dead_code, reason = "generated code")]
#![allow(clippy::allow_attributes_without_reason, reason = "generated code allows without reasons")]

wit_bindgen::generate!({
    path: [
        "../../wit/deps/wasi-io",
        "../../wit/deps/wasi-clocks",
        "../../wit/deps/wasi-http",
        "../../wit/deps/automation-connector",
        "wit",
    ],
    world: "example:badge-access/component",
    generate_all,
});

/// The type that implements the exports.
pub struct Component;

export!(Component);
