//! Bindings generated from `wit/`: the interfaces that the component imports from the host, and those that it exports.
//!
//! This inline world leaves out the WASI imports. wasmtime's own bindings provide them, in a later minor version that is
//! compatible with 0.2.0.

#![allow(missing_docs, reason = "generated code; the documentation is in wit/")]
#![allow(clippy::allow_attributes_without_reason, reason = "generated code has allow attributes without reasons")]

wasmtime::component::bindgen!({
    inline: "
        package local:host;
        world plugin {
            import automation:connector/settings@0.1.0;
            import automation:connector/secrets@0.1.0;
            export onepassword:users/types@0.1.0;
            export onepassword:users/actions@0.1.0;
        }
    ",
    path: "../wit",
    exports: { default: async },
    additional_derives: [Clone, PartialEq],
});
