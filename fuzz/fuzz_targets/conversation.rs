//! Any bytes as a whole conversation.

#![no_main]

#[path = "../../core/tests/checks/mod.rs"]
mod checks;
#[path = "../../core/tests/driver/mod.rs"]
mod driver;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::conversation(bytes));
