//! An example connector, for an imaginary door-access service: gets, blocks and unblocks badges.
//!
//! It is built from nothing but the WIT. `docs/writing-a-connector.md` explains each file.

#![cfg_attr(target_family = "wasm", no_std)]
#![cfg(target_family = "wasm")]

extern crate alloc;

mod actions;
mod bindings;
mod failure;
mod http;
mod runtime;

use alloc::string::String;

use bindings::Component;
use bindings::exports::automation::connector::connector::{self, Output};
use bindings::exports::automation::connector::failures::Failure;
use bindings::exports::automation::connector::manifest;

impl manifest::Guest for Component {
    fn describe() -> String {
        include_str!("../manifest.json").into()
    }
}

impl connector::Guest for Component {
    fn invoke(action: String, arguments: String) -> Result<Output, Failure> {
        actions::invoke(&action, &arguments)
    }

    fn test() -> Result<Output, Failure> {
        actions::test()
    }
}
