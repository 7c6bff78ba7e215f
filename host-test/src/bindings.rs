//! Bindings generated from `wit/`: what the host lends to the component, and what it calls.
//!
//! The world is written out here without its WASI imports: those are wasmtime's own, in a later minor version that serves
//! 0.2.0 as well.

#![allow(missing_docs, reason = "generated code; the documentation stands in wit/")]
#![allow(clippy::allow_attributes_without_reason, reason = "generated code allows without reasons")]

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
