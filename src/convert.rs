//! Conversions from the core's requests to `wasi:http` 0.2, and from its error codes to the core's.

onepassword_users_wasi_driver::convert!(wasi::http::types);
