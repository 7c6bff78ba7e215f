//! Turns the core's requests into those of `wasi:http` 0.2, and its error codes into the core's.

onepassword_users_wasi_driver::convert!(wasi::http::types);
