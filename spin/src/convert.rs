//! Conversions from the core's requests to `wasi:http` 0.3, and from its error codes to the core's.

/// The types of `wasi:http` 0.3, under the names that they have in 0.2.
pub(crate) mod types {
    pub(crate) use spin_sdk::wasip3::http::types::{
        ErrorCode, Fields, Method, Request as OutgoingRequest, Response as IncomingResponse, Scheme,
    };
}

onepassword_users_wasi_driver::convert!(crate::convert::types);
