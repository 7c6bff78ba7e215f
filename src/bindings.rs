//! Bindings generated from `wit/`. Those for WASI come from the `wasi` crate, whose imports are exactly WASI 0.2.0.

#![allow(unsafe_code, clippy::indexing_slicing, reason = "generated code lifts and lowers by pointers")]
#![allow(missing_debug_implementations, unreachable_pub, reason = "generated code")]
#![allow(clippy::allow_attributes_without_reason, reason = "generated code has allow attributes without reasons")]

wit_bindgen::generate!({
    world: "plugin",
    generate_all,
    with: {
        "wasi:clocks/monotonic-clock@0.2.0": wasi::clocks::monotonic_clock,
        "wasi:http/outgoing-handler@0.2.0": wasi::http::outgoing_handler,
        "wasi:http/types@0.2.0": wasi::http::types,
        "wasi:io/error@0.2.0": wasi::io::error,
        "wasi:io/poll@0.2.0": wasi::io::poll,
        "wasi:io/streams@0.2.0": wasi::io::streams,
    },
});

/// The type that implements the component's exports.
pub struct Component;

export!(Component);
