//! The server: serves the model over HTTP on loopback, records every request, and injects faults.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::account::Account;
use crate::dialect::Dialect;
use crate::service::{Application, Operation, Request, Service, TOKEN_LIFETIME};

/// The maximum number of records that are kept, the latest ones.
const MAX_RECORDS: usize = 10_000;

/// The options of a [`Simulator`].
#[derive(Debug, Clone)]
pub struct Config {
    /// The number of users in the account.
    pub users: usize,
    /// The seed of the account. The same seed gives the same account.
    pub seed: u64,
    /// The lifetime of a token. The default is 900 s, as documented.
    pub token_lifetime: Duration,
    /// The maximum number of users on a page. A request with a larger `max_page_size` gets smaller pages.
    pub page_size: usize,
    /// The form of the answers. The default is the documented one.
    pub dialect: Dialect,
    /// The port on 127.0.0.1, or 0 for any free port.
    pub port: u16,
}

impl Default for Config {
    fn default() -> Self {
        let dialect = Dialect::default();
        Self { users: 2500, seed: 1, token_lifetime: TOKEN_LIFETIME, page_size: 1000, dialect, port: 0 }
    }
}

/// A running server. Dropping it stops the server.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    account_id: String,
    application: Application,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

/// A received request and the status of its response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The method.
    pub method: String,
    /// The path and query, as received.
    pub target: String,
    /// The headers in the order received, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
    /// The status of the response, or 0 if there was none.
    pub status: u16,
    /// The reason for a refusal.
    pub reason: Option<String>,
}

/// A fault of one request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The request is ignored, and gets this response.
    Reply {
        /// The status.
        status: u16,
        /// Additional headers.
        headers: Vec<(String, String)>,
        /// The body.
        body: String,
    },
    /// The response is delayed.
    Delay(Duration),
    /// The request is ignored, and the connection is closed.
    Close,
    /// The request is carried out, and the connection is closed without a response.
    Lose,
}

impl Fault {
    /// A response with a JSON body and no additional headers.
    #[must_use]
    pub fn reply(status: u16, body: &str) -> Self {
        Self::Reply { status, headers: Vec::new(), body: body.into() }
    }
}

struct Shared {
    /// The start of the model's time.
    start: Instant,
    service: Mutex<Service>,
    records: Mutex<VecDeque<Record>>,
    faults: Mutex<HashMap<Operation, VecDeque<Fault>>>,
    connections: AtomicUsize,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Simulator {
    /// Generates the account and starts the server on the current tokio runtime.
    ///
    /// # Errors
    ///
    /// Fails if the port is in use.
    pub async fn start(config: Config) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, config.port)).await?;
        let address = listener.local_addr()?;
        let account = Account::generate(config.users, config.seed);
        let account_id = account.id().to_owned();
        let mut service = Service::new(account, config.seed.wrapping_add(1));
        service.set_token_lifetime(config.token_lifetime);
        service.set_page_size(config.page_size);
        service.set_dialect(config.dialect);
        let application = service.application().clone();
        let shared = Arc::new(Shared {
            start: Instant::now(),
            service: Mutex::new(service),
            records: Mutex::default(),
            faults: Mutex::default(),
            connections: AtomicUsize::new(0),
        });
        let server = tokio::spawn(serve(listener, shared.clone()));
        Ok(Self { address, account_id, application, shared, server })
    }

    /// The base URL: `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The account's id.
    #[must_use]
    pub fn account_id(&self) -> &str {
        &self.account_id
    }

    /// The client id of an application with all four permissions.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.application.client_id
    }

    /// That application's secret.
    #[must_use]
    pub fn client_secret(&self) -> &str {
        &self.application.client_secret
    }

    /// The e-mail address of an active user who can be suspended.
    #[must_use]
    pub fn example_email(&self) -> String {
        "wendy.appleseed@example.com".into()
    }

    /// Adds an application with these permissions.
    #[must_use]
    pub fn add_application(&self, permissions: &[Operation]) -> Application {
        lock(&self.shared.service).add_application(permissions)
    }

    /// Reads the account, or changes it without the service.
    pub fn account<T>(&self, access: impl FnOnce(&mut Account) -> T) -> T {
        access(lock(&self.shared.service).account_mut())
    }

    /// Issues a token for the application with all permissions, as for a platform that runs OAuth itself.
    #[must_use]
    pub fn issue_token(&self) -> String {
        lock(&self.shared.service).issue_token(&self.application.client_id, self.shared.now())
    }

    /// Revokes all tokens.
    pub fn revoke_tokens(&self) {
        lock(&self.shared.service).revoke_tokens();
    }

    /// Injects a fault into the next request for this operation. The faults of an operation form a queue.
    pub fn inject(&self, operation: Operation, fault: Fault) {
        lock(&self.shared.faults).entry(operation).or_default().push_back(fault);
    }

    /// The requests since the last call, oldest first, but at most the latest 10,000.
    pub fn take_records(&self) -> Vec<Record> {
        lock(&self.shared.records).drain(..).collect()
    }

    /// The number of accepted connections.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Locks a mutex, even after a panic: no critical section leaves its state inconsistent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    // Dropping this task drops all connections.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    shared.connections.fetch_add(1, Ordering::Relaxed);
                    connections.spawn(connection(stream, shared.clone()));
                }
                // The error may be transient, such as too many open files.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    // A small response must not wait for an acknowledgement.
    let _ = stream.set_nodelay(true);
    let service = hyper::service::service_fn(move |request| {
        let shared = shared.clone();
        async move { shared.handle(request).await }
    });
    // The client may close the connection.
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// The error that closes a connection without a response.
fn closed() -> io::Error {
    io::Error::other("closed by a fault")
}

impl Shared {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    async fn handle(&self, request: http::Request<Incoming>) -> io::Result<http::Response<Full<Bytes>>> {
        let (parts, body) = request.into_parts();
        // A longer body is replaced, and refused by the service.
        let body = match Limited::new(body, 64 * 1024).collect().await {
            Ok(body) => body.to_bytes(),
            Err(_) => Bytes::from_static(b"(longer than 64 KiB)"),
        };
        let mut record = Record {
            method: parts.method.to_string(),
            target: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
            headers: parts
                .headers
                .iter()
                .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
                .collect(),
            body: String::from_utf8_lossy(&body).into_owned(),
            status: 0,
            reason: None,
        };
        let path = parts.uri.path();
        let fault = Operation::of_path(path).and_then(|operation| lock(&self.faults).get_mut(&operation)?.pop_front());
        match &fault {
            Some(Fault::Close) => {
                self.add_record(record);
                return Err(closed());
            }
            Some(Fault::Reply { status, headers, body }) => {
                record.status = *status;
                self.add_record(record);
                let mut response = http::Response::builder().status(*status);
                for (name, value) in headers {
                    response = response.header(name, value);
                }
                return response.body(body.clone().into()).map_err(|_| closed());
            }
            Some(Fault::Delay(delay)) => tokio::time::sleep(*delay).await,
            Some(Fault::Lose) | None => {}
        }
        let headers: Vec<(&str, &str)> = parts
            .headers
            .iter()
            // A value that is not text counts as empty.
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default()))
            .collect();
        let (method, query) = (parts.method.as_str(), parts.uri.query());
        let response = {
            let mut service = lock(&self.service);
            service.handle(&Request { method, path, query, headers: &headers, body: &body }, self.now())
        };
        if matches!(fault, Some(Fault::Lose)) {
            self.add_record(record);
            return Err(closed());
        }
        record.status = response.status;
        record.reason = response.reason;
        tracing::info!(status = record.status, reason = record.reason, "{} {}", record.method, record.target);
        self.add_record(record);
        let mut builder = http::Response::builder().status(response.status);
        if !response.headers.iter().any(|(name, _)| name == "content-type") {
            builder = builder.header("content-type", "application/json");
        }
        for (name, value) in response.headers {
            builder = builder.header(name, value);
        }
        if response.status == 401 {
            builder = builder.header("www-authenticate", "Basic, Bearer");
        }
        builder.body(response.body.into()).map_err(|_| closed())
    }

    fn add_record(&self, record: Record) {
        let mut records = lock(&self.records);
        if records.len() == MAX_RECORDS {
            records.pop_front();
        }
        records.push_back(record);
    }
}
