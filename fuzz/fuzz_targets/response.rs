//! Any bytes as the answer to any request.

#![no_main]

#[path = "../../core/tests/checks/mod.rs"]
mod checks;
#[path = "../../core/tests/driver/mod.rs"]
mod driver;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::response(bytes));
