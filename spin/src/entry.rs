//! The entry point that Spin calls.

#![allow(unsafe_code, reason = "generated code exports functions of the canonical ABI")]

use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    crate::service::handle(request).await
}
