//! Fuzz target: any bytes as a conversation.

#![no_main]

use onepassword_users_test_kit::checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::conversation(bytes));
