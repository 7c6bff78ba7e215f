//! The HTTP server of an application, on loopback.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::handler::ProxyHandler;

use crate::application::Application;
use crate::instance::Instances;
use crate::state::Counts;

/// A running server. Dropping it stops the server.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    counts: Arc<Counts>,
    lookups: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves an application on a port of 127.0.0.1, or on any free port if it is 0. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// Fails if the port is in use.
    pub async fn start(application: Application, port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let (counts, lookups) = (application.counts.clone(), application.variables.lookups.clone());
        let task = tokio::spawn(serve(listener, ProxyHandler::new(Instances(application))));
        Ok(Self { address, counts, lookups, task })
    }

    /// The base URL: `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The number of instances that were started.
    #[must_use]
    pub fn instances(&self) -> usize {
        self.counts.instances.load(Ordering::Relaxed)
    }

    /// The number of look-ups of variables.
    #[must_use]
    pub fn lookups(&self) -> usize {
        self.lookups.load(Ordering::Relaxed)
    }

    /// The peak memory of any instance, in bytes.
    #[must_use]
    pub fn peak_memory(&self) -> usize {
        self.counts.peak_memory.load(Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, handler: ProxyHandler<Instances>) {
    // Dropping this task drops all connections.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                let _ = stream.set_nodelay(true);
                let handler = handler.clone();
                let service = service_fn(move |request| {
                    let handler = handler.clone();
                    async move { Ok::<_, Infallible>(handle(&handler, request).await) }
                });
                connections.spawn(
                    hyper::server::conn::http1::Builder::new()
                        .timer(TokioTimer::new())
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn handle(handler: &ProxyHandler<Instances>, request: http::Request<Incoming>) -> http::Response<WasiBody> {
    if !handler.state().0.manifest.routes(request.uri().path()) {
        return empty(404);
    }
    match handler.handle((), absolute(request)).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "a request failed");
            empty(500)
        }
    }
}

/// Gives a request an absolute URI: components read its scheme and authority.
fn absolute(request: http::Request<Incoming>) -> http::Request<WasiBody> {
    let (mut parts, body) = request.into_parts();
    let mut uri = std::mem::take(&mut parts.uri).into_parts();
    let host = parts.headers.get(http::header::HOST).and_then(|host| host.to_str().ok()?.parse().ok());
    uri.scheme = Some(http::uri::Scheme::HTTP);
    uri.authority = uri.authority.or(host).or_else(|| Some(http::uri::Authority::from_static("localhost")));
    parts.uri = http::Uri::from_parts(uri).unwrap_or_default();
    let body = body.map_err(|_| wasmtime_wasi_http::Error::HttpProtocolError).boxed_unsync();
    http::Request::from_parts(parts, body)
}

fn empty(status: u16) -> http::Response<WasiBody> {
    let body = Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync();
    let mut response = http::Response::new(body);
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    response
}
