//! Any text as any setting, id or page token.

#![no_main]

#[path = "../../core/tests/checks/mod.rs"]
mod checks;
#[path = "../../core/tests/driver/mod.rs"]
mod driver;

libfuzzer_sys::fuzz_target!(|text: &str| checks::settings(text));
