//! One HTTP exchange over `wasi:http`. Every wait has a timer of its own, and no request options are sent: a host may ignore
//! them, and wasmtime 48 keeps each of them until the instance ends.

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

/// The size of one read, in bytes.
const CHUNK_SIZE: u64 = 64 * 1024;

/// Sends a request and reads the whole response.
pub(crate) fn exchange(request: &Request) -> Result<Response, TransportError> {
    let outgoing = outgoing(request).map_err(|what| error(TransportFault::Internal, what))?;
    let body = match request.body {
        Some(bytes) => {
            Some((bytes, outgoing.body().map_err(|()| error(TransportFault::Internal, "the request body"))?))
        }
        None => None,
    };
    let response = outgoing_handler::handle(outgoing, None).map_err(transport_error)?;
    let timers = Timers { idle: after(request.idle_timeout), total: after(request.total_timeout) };
    if let Some((bytes, body)) = body {
        // A failure to write is ignored: a server may respond before it has read the body.
        let _ = write(body, bytes, &timers);
    }
    loop {
        match response.get() {
            Some(Ok(Ok(incoming))) => {
                let timers = Timers { idle: after(request.idle_timeout), ..timers };
                return read(&incoming, request, timers);
            }
            Some(Ok(Err(code))) => return Err(transport_error(code)),
            Some(Err(())) => return Err(error(TransportFault::Internal, "the response")),
            None => timers.wait_for(&response.subscribe())?,
        }
    }
}

/// Creates the request as a resource of the host. The error names the part that the host refused.
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
        let stream: OutputStream = body.write().map_err(|()| error(TransportFault::Internal, "the request body"))?;
        while !bytes.is_empty() {
            let capacity = stream.check_write().map_err(stream_error)?;
            let (now, later) = bytes.split_at(bytes.len().min(usize::try_from(capacity).unwrap_or(usize::MAX)));
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
    // Allocated once: a growing body would leave unwiped copies behind.
    let capacity = announced_length(&headers, request.max_body);
    let mut response = Response::new(incoming.status(), Vec::with_capacity(capacity));
    response.headers = headers;

    let body = incoming.consume().map_err(|()| error(TransportFault::Internal, "the response body"))?;
    let stream = body.stream().map_err(|()| error(TransportFault::Internal, "the response body"))?;
    loop {
        match stream.read(CHUNK_SIZE) {
            Ok(chunk) if chunk.is_empty() => timers.wait_for(&stream.subscribe())?,
            Ok(mut chunk) => {
                timers.idle = after(request.idle_timeout);
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

/// The timers of an exchange.
struct Timers {
    /// Ready when the idle timeout has elapsed.
    idle: Pollable,
    /// Ready when the total timeout has elapsed. The idle timeout alone would not end a response that trickles in.
    total: Pollable,
}

impl Timers {
    /// Waits until `other` is ready. Fails with a timeout if a timer is ready first.
    fn wait_for(&self, other: &Pollable) -> Result<(), TransportError> {
        let ready = poll(&[other, &self.idle, &self.total]);
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
