//! One HTTP exchange over `wasi:http`, with every wait bounded by a timer of our own: a host may ignore request options, and
//! wasmtime 48 keeps each until the instance ends. So none are sent.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::time::Duration;

use onepassword_users_core::{Request, Response, TransportError, TransportFault};
use onepassword_users_wasi_driver::{announced_length, error, nanos};
use wasi::clocks::monotonic_clock;
use wasi::http::outgoing_handler;
use wasi::http::types::{self, Fields, IncomingResponse, OutgoingBody, OutgoingRequest};
use wasi::io::poll::{Pollable, poll};
use wasi::io::streams::{OutputStream, StreamError};
use zeroize::{Zeroize, Zeroizing};

use crate::convert::{describe, transport_error};

/// How much is read at once, in bytes.
const CHUNK: u64 = 64 * 1024;

/// Sends a request and reads the whole answer.
pub(crate) fn exchange(request: &Request) -> Result<Response, TransportError> {
    let outgoing = outgoing(request).map_err(|what| error(TransportFault::Internal, what))?;
    let body = match request.body {
        Some(bytes) => Some((bytes, outgoing.body().map_err(|()| error(TransportFault::Internal, "the body"))?)),
        None => None,
    };
    let response = outgoing_handler::handle(outgoing, None).map_err(transport_error)?;
    let timers = Timers { gap: after(request.idle_timeout), total: after(request.total_timeout) };
    if let Some((bytes, body)) = body {
        // A server may answer before it has read the body. Writing then fails, and the answer is there all the same.
        let _ = write(body, bytes, &timers);
    }
    loop {
        match response.get() {
            Some(Ok(Ok(incoming))) => {
                let timers = Timers { gap: after(request.idle_timeout), ..timers };
                return read(&incoming, request, timers);
            }
            Some(Ok(Err(code))) => return Err(transport_error(code)),
            Some(Err(())) => return Err(error(TransportFault::Internal, "the answer was taken")),
            None => timers.wait_for(&response.subscribe())?,
        }
    }
}

/// The request as a resource of the host; the error names the part that the host refused.
fn outgoing(request: &Request) -> Result<OutgoingRequest, &'static str> {
    let headers = Fields::new();
    for (name, value) in &request.headers {
        let value = Zeroizing::new(value.expose().as_bytes().to_vec());
        headers.append(&(*name).to_string(), &value).map_err(|_| *name)?;
    }
    let outgoing = OutgoingRequest::new(headers);
    describe(&outgoing, request)?;
    Ok(outgoing)
}

fn write(body: OutgoingBody, mut bytes: &[u8], timers: &Timers) -> Result<(), TransportError> {
    if !bytes.is_empty() {
        let stream: OutputStream = body.write().map_err(|()| error(TransportFault::Internal, "the body"))?;
        while !bytes.is_empty() {
            let room = stream.check_write().map_err(stream_error)?;
            let (now, later) = bytes.split_at(bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX)));
            if now.is_empty() {
                timers.wait_for(&stream.subscribe())?;
            } else {
                stream.write(now).map_err(stream_error)?;
                bytes = later;
            }
        }
        stream.flush().map_err(stream_error)?;
    }
    OutgoingBody::finish(body, None).map_err(transport_error)
}

fn read(incoming: &IncomingResponse, request: &Request, mut timers: Timers) -> Result<Response, TransportError> {
    let headers = incoming.headers().entries();
    // Room for all of it at once: a body that grows leaves copies of itself behind.
    let room = announced_length(&headers, request.max_body);
    let mut response = Response::new(incoming.status(), Vec::with_capacity(room));
    response.headers = headers;

    let body = incoming.consume().map_err(|()| error(TransportFault::Internal, "the answer's body"))?;
    let stream = body.stream().map_err(|()| error(TransportFault::Internal, "the answer's body"))?;
    loop {
        match stream.read(CHUNK) {
            Ok(chunk) if chunk.is_empty() => timers.wait_for(&stream.subscribe())?,
            Ok(mut chunk) => {
                timers.gap = after(request.idle_timeout);
                if response.body.len() + chunk.len() > request.max_body {
                    return Err(error(TransportFault::TooLarge { status: response.status }, ""));
                }
                response.body.extend_from_slice(&chunk);
                chunk.zeroize();
            }
            Err(StreamError::Closed) => return Ok(response),
            Err(failed) => return Err(stream_error(failed)),
        }
    }
}

/// Bounds the waits for what the host may never deliver.
struct Timers {
    /// Goes off when nothing came for too long.
    gap: Pollable,
    /// Goes off when the whole exchange takes too long, however busily it drips.
    total: Pollable,
}

impl Timers {
    /// Returns when there is something to look at, or with an error when the time is over.
    fn wait_for(&self, other: &Pollable) -> Result<(), TransportError> {
        let ready = poll(&[other, &self.gap, &self.total]);
        if ready.contains(&2) || !ready.contains(&0) { Err(error(TransportFault::Timeout, "")) } else { Ok(()) }
    }
}

fn after(duration: Duration) -> Pollable {
    monotonic_clock::subscribe_duration(nanos(duration))
}

fn stream_error(failed: StreamError) -> TransportError {
    match failed {
        StreamError::Closed => error(TransportFault::Broken, ""),
        StreamError::LastOperationFailed(cause) => {
            types::http_error_code(&cause).map_or_else(|| error(TransportFault::Broken, ""), transport_error)
        }
    }
}
