//! Fuzz target: any bytes as the response to any request.

#![no_main]

use onepassword_users_test_kit::checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::response(bytes));
