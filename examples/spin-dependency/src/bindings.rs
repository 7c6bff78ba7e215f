//! Bindings generated from the component's WIT package.

#![allow(unsafe_code, clippy::indexing_slicing, reason = "generated code lifts and lowers by pointers")]
#![allow(missing_debug_implementations, unreachable_pub, reason = "generated code")]
#![allow(clippy::allow_attributes_without_reason, reason = "generated code allows without reasons")]

spin_sdk::wit_bindgen::generate!({
    inline: "
        package example:offboarding;

        world app {
            import onepassword:users/actions@0.1.0;
        }
    ",
    path: "../../wit",
    world: "example:offboarding/app",
    runtime_path: "::spin_sdk::wit_bindgen::rt",
    generate_all,
});
