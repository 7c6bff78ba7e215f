//! Fuzz target: any text as any setting, id or page token.

#![no_main]

use onepassword_users_test_kit::checks;

libfuzzer_sys::fuzz_target!(|text: &str| checks::settings(text));
