//! Bindings generated from `wit/`: the interfaces that a component imports from the host, and those that it exports.
//!
//! These inline worlds leave out the WASI imports. wasmtime's own bindings provide them, in a later minor version that is
//! compatible with 0.2.0.

#![allow(missing_docs, reason = "generated code; the documentation is in wit/")]
#![allow(clippy::allow_attributes_without_reason, reason = "generated code has allow attributes without reasons")]

/// The exports of every connector over WASI, and its imports beside WASI.
pub(crate) mod connector {
    wasmtime::component::bindgen!({
        inline: "
            package local:connector;
            world any-connector {
                import automation:connector/settings@0.1.0;
                import automation:connector/secrets@0.1.0;
                export automation:connector/failures@0.1.0;
                export automation:connector/manifest@0.1.0;
                export automation:connector/connector@0.1.0;
            }
        ",
        path: "../wit",
        imports: { default: async },
        exports: { default: async },
    });
}

/// The typed interface of the 1Password connector.
pub(crate) mod users {
    wasmtime::component::bindgen!({
        inline: "
            package local:users;
            world typed-users {
                export onepassword:users/types@0.1.0;
                export onepassword:users/actions@0.1.0;
            }
        ",
        path: "../wit",
        exports: { default: async },
        additional_derives: [Clone, PartialEq],
    });
}

/// The exports of every connector without imports. Calls to it do not wait for anything, so they are synchronous.
pub(crate) mod steps {
    wasmtime::component::bindgen!({
        inline: "
            package local:steps;
            world any-steps {
                export automation:connector/failures@0.1.0;
                export automation:connector/manifest@0.1.0;
                export automation:connector/steps@0.1.0;
            }
        ",
        path: "../wit",
    });
}
