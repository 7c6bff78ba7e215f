//! One HTTP exchange over `wasi:http` 0.3. Every wait has a timer of its own, since a host may ignore request options.

use std::future::IntoFuture;
use std::pin::pin;

use futures::future::{Either, select};
use onepassword_users_core::{Request, Response, TransportError, TransportFault};
use onepassword_users_wasi_driver::{announced_length, error};
use spin_sdk::wasip3::http::client;
use spin_sdk::wasip3::{wit_future, wit_stream};
use spin_sdk::wit_bindgen::StreamResult;
use zeroize::{Zeroize, Zeroizing};

use crate::clock::within;
use crate::convert::types::{Fields, IncomingResponse, OutgoingRequest};
use crate::convert::{describe, transport_error};

/// The size of one read, in bytes.
const CHUNK_SIZE: usize = 64 * 1024;

/// Sends a request and reads the whole response.
pub(crate) async fn exchange(request: &Request) -> Result<Response, TransportError> {
    let timeout = || error(TransportFault::Timeout, "");
    // The idle timeout alone would not end a response that trickles in.
    within(request.total_timeout, async {
        let incoming = within(request.idle_timeout, send(request)).await.ok_or_else(timeout)??;
        let mut response = Response::new(incoming.get_status_code(), Vec::new());
        response.headers = incoming.get_headers().copy_all();
        // Allocated once: a growing body would leave unwiped copies behind.
        response.body.reserve_exact(announced_length(&response.headers, request.max_body));

        let (_processed, processed) = wit_future::new(|| Ok(()));
        let (mut stream, trailers) = IncomingResponse::consume_body(incoming, processed);
        let mut chunk = Zeroizing::new(Vec::with_capacity(CHUNK_SIZE));
        loop {
            let read = stream.read(std::mem::take(&mut *chunk));
            let (result, bytes) = within(request.idle_timeout, read).await.ok_or_else(timeout)?;
            *chunk = bytes;
            if response.body.len() + chunk.len() > request.max_body {
                return Err(error(TransportFault::TooLarge { status: response.status }, ""));
            }
            response.body.extend_from_slice(&chunk);
            // Wipes the chunk and keeps its capacity.
            chunk.zeroize();
            match result {
                StreamResult::Complete(_) => {}
                StreamResult::Dropped | StreamResult::Cancelled => break,
            }
        }
        // The trailers tell whether the body is complete.
        within(request.idle_timeout, trailers.into_future()).await.ok_or_else(timeout)?.map_err(transport_error)?;
        Ok(response)
    })
    .await
    .unwrap_or_else(|| Err(timeout()))
}

/// Sends a request and waits for the head of the response.
async fn send(request: &Request) -> Result<IncomingResponse, TransportError> {
    let (body, contents) = match request.body {
        Some(bytes) if !bytes.is_empty() => {
            let (writer, reader) = wit_stream::new();
            (Some((writer, bytes.to_vec())), Some(reader))
        }
        _ => (None, None),
    };
    let (trailers, no_trailers) = wit_future::new(|| Ok(None));
    let (outgoing, _sent) = OutgoingRequest::new(headers(request)?, contents, no_trailers, None);
    describe(&outgoing, request).map_err(|what| error(TransportFault::Internal, what))?;
    let response = pin!(client::send(outgoing));
    let write = pin!(async {
        if let Some((mut writer, bytes)) = body {
            writer.write_all(bytes).await;
        }
        // A failure to write is ignored: a server may respond before it has read the body.
        let _ = trailers.write(Ok(None)).await;
    });
    let response = match select(response, write).await {
        Either::Left((response, _)) => response,
        Either::Right(((), response)) => response.await,
    };
    response.map_err(transport_error)
}

fn headers(request: &Request) -> Result<Fields, TransportError> {
    let headers = Fields::new();
    for (name, value) in &request.headers {
        let set = headers.append(name, value.expose().as_bytes());
        set.map_err(|_| error(TransportFault::Internal, name))?;
    }
    Ok(headers)
}
