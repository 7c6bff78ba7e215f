//! The control interface: JSON over HTTP, on loopback only.
//!
//! | call | effect |
//! |---|---|
//! | `GET /cases` | lists the cases |
//! | `POST /cases/NAME` | starts a case: the answer is the id of the run and its [`Task`](crate::Task) |
//! | `POST /runs/ID` | takes a [`Report`] and answers with the [`Verdict`](crate::Verdict); the run is over then |

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fmt, io};

use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::case::Case;
use crate::judge::Report;
use crate::play::Play;

/// The longest report, in bytes. The longest result of a case has 8 MiB.
const MAX_REPORT: usize = 64 * 1024 * 1024;
/// The time in which a report has to come.
const MAX_RUN: Duration = Duration::from_secs(120);
/// The most runs at one time.
const MAX_RUNS: usize = 64;
/// The most connections at one time.
const MAX_CONNECTIONS: usize = 256;

/// The control interface of a set of cases.
pub struct Control {
    listener: TcpListener,
    shared: Arc<Shared>,
}

struct Shared {
    cases: Vec<Case>,
    runs: Mutex<Runs>,
}

#[derive(Default)]
struct Runs {
    last: u64,
    playing: BTreeMap<u64, Arc<Play>>,
}

impl Control {
    /// Listens on a port of loopback: this one, or a free one if it is 0.
    ///
    /// # Errors
    ///
    /// The port is not free.
    pub async fn bind(port: u16, cases: Vec<Case>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        Ok(Self { listener, shared: Arc::new(Shared { cases, runs: Mutex::default() }) })
    }

    /// The address that it listens on.
    ///
    /// # Errors
    ///
    /// The operating system does not tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until it is dropped.
    pub async fn serve(self) {
        let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        while let Ok(permit) = permits.clone().acquire_owned().await {
            let Ok((stream, _)) = self.listener.accept().await else {
                // Out of file descriptors: some become free.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let shared = self.shared.clone();
            tokio::spawn(async move {
                let service = hyper::service::service_fn(|request| {
                    let shared = shared.clone();
                    async move { Ok::<_, Infallible>(shared.answer(request).await) }
                });
                // A caller that breaks its connection is no failure.
                let _ =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                drop(permit);
            });
        }
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").field("listener", &self.listener).finish_non_exhaustive()
    }
}

/// A problem of the caller.
struct Refusal(StatusCode, String);

impl Shared {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (status, json) = match self.route(request).await {
            Ok(json) => (StatusCode::OK, json),
            Err(Refusal(status, problem)) => (status, json!({ "error": problem })),
        };
        let mut response = Response::new(Full::new(Bytes::from(json.to_string())));
        *response.status_mut() = status;
        let json = http::HeaderValue::from_static("application/json");
        response.headers_mut().insert(http::header::CONTENT_TYPE, json);
        response
    }

    async fn route(self: Arc<Self>, request: Request<Incoming>) -> Result<Value, Refusal> {
        let path = request.uri().path().to_owned();
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        match (request.method(), segments.as_slice()) {
            (&Method::GET, ["cases"]) => Ok(self.list()),
            (&Method::POST, ["cases", name]) => self.start(name).await,
            (&Method::POST, ["runs", id]) => self.judge(id, request).await,
            (_, ["cases"] | ["cases" | "runs", _]) => {
                Err(Refusal(StatusCode::METHOD_NOT_ALLOWED, "GET /cases, POST /cases/NAME, POST /runs/ID".into()))
            }
            _ => Err(Refusal(StatusCode::NOT_FOUND, "there is no such path".into())),
        }
    }

    fn list(&self) -> Value {
        let line = |case: &Case| json!({ "name": case.name, "about": case.about });
        json!({ "cases": self.cases.iter().map(line).collect::<Vec<_>>() })
    }

    async fn start(self: Arc<Self>, name: &str) -> Result<Value, Refusal> {
        let case = self.cases.iter().find(|case| case.name == name);
        let case = case.ok_or_else(|| Refusal(StatusCode::NOT_FOUND, "there is no such case".into()))?;
        let play =
            Play::start(case).await.map_err(|error| Refusal(StatusCode::SERVICE_UNAVAILABLE, error.to_string()))?;
        let mut task = serde_json::to_value(play.task()).unwrap_or_default();
        let id = {
            let mut runs = self.runs();
            if runs.playing.len() >= MAX_RUNS {
                return Err(Refusal(StatusCode::SERVICE_UNAVAILABLE, format!("there are {MAX_RUNS} runs already")));
            }
            runs.last += 1;
            let id = runs.last;
            runs.playing.insert(id, Arc::new(play));
            id
        };
        if let Value::Object(members) = &mut task {
            members.insert("run".into(), id.to_string().into());
        }
        let shared = Arc::downgrade(&self);
        tokio::spawn(async move {
            tokio::time::sleep(MAX_RUN).await;
            if let Some(shared) = shared.upgrade() {
                shared.runs().playing.remove(&id);
            }
        });
        Ok(task)
    }

    async fn judge(&self, id: &str, request: Request<Incoming>) -> Result<Value, Refusal> {
        let body = Limited::new(request.into_body(), MAX_REPORT).collect().await;
        let body =
            body.map_err(|_| Refusal(StatusCode::BAD_REQUEST, "the report cannot be read, or is too long".into()))?;
        let report: Report = serde_json::from_slice(&body.to_bytes())
            .map_err(|error| Refusal(StatusCode::BAD_REQUEST, format!("the report does not have its form: {error}")))?;
        let play = id.parse().ok().and_then(|id: u64| self.runs().playing.remove(&id));
        let play = play.ok_or_else(|| Refusal(StatusCode::NOT_FOUND, "there is no such run".into()))?;
        let verdict = play.judge(&report).await;
        Ok(serde_json::to_value(verdict).unwrap_or_default())
    }

    fn runs(&self) -> MutexGuard<'_, Runs> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
