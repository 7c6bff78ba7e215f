//! Responses and their bodies. Each body is written by a task of its own, which bounds the time that the client may take.

use std::time::Duration;

use spin_sdk::wasip3::http::types::{ErrorCode, Fields, Response};
use spin_sdk::wasip3::{wit_future, wit_stream};
use spin_sdk::wit_bindgen::{FutureWriter, StreamWriter, spawn};

use crate::clock::within;

/// The most bytes that are written at once.
const CHUNK_SIZE: usize = 64 * 1024;

/// The longest time that a client may take for a chunk.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(30);

/// The client of a response is gone, or reads too slowly.
pub(crate) struct Gone;

/// The body of a response that is being written. Dropping it breaks the connection, so that the body does not look complete.
pub(crate) struct Body {
    stream: StreamWriter<u8>,
    result: FutureWriter<Result<Option<Fields>, ErrorCode>>,
}

impl Body {
    /// Writes a part of the body.
    pub(crate) async fn write(&mut self, part: &[u8]) -> Result<(), Gone> {
        for chunk in part.chunks(CHUNK_SIZE) {
            match within(CLIENT_TIMEOUT, self.stream.write_all(chunk.to_vec())).await {
                Some(unwritten) if unwritten.is_empty() => {}
                _ => return Err(Gone),
            }
        }
        Ok(())
    }

    /// Ends the body as complete.
    pub(crate) async fn end(self) {
        drop(self.stream);
        let _ = within(CLIENT_TIMEOUT, self.result.write(Ok(None))).await;
    }
}

/// Headers, without those that every response has.
pub(crate) type Headers = Vec<(&'static str, String)>;

/// Starts a response.
pub(crate) fn start(status: u16, content_type: &str, headers: Headers) -> (Response, Body) {
    let fields = Fields::new();
    let common = [("content-type", content_type), ("cache-control", "no-store"), ("x-content-type-options", "nosniff")];
    for (name, value) in common.into_iter().chain(headers.iter().map(|(name, value)| (*name, value.as_str()))) {
        // Cannot fail: names and values are this application's own.
        let _ = fields.append(name, value.as_bytes());
    }
    let (stream, contents) = wit_stream::new();
    let (result, trailers) = wit_future::new(|| Err(ErrorCode::InternalError(Some("the body is incomplete".into()))));
    let (response, _sent) = Response::new(fields, Some(contents), trailers);
    let _ = response.set_status_code(status);
    (response, Body { stream, result })
}

/// A response with this body.
pub(crate) fn whole(
    status: u16,
    content_type: &str,
    mut headers: Headers,
    text: impl AsRef<[u8]> + 'static,
) -> Response {
    headers.push(("content-length", text.as_ref().len().to_string()));
    let (response, mut body) = start(status, content_type, headers);
    spawn(async move {
        if body.write(text.as_ref()).await.is_ok() {
            body.end().await;
        }
    });
    response
}

/// A response to `HEAD`.
pub(crate) fn empty(status: u16, content_type: &str, headers: Headers) -> Response {
    let (response, body) = start(status, content_type, headers);
    spawn(body.end());
    response
}
