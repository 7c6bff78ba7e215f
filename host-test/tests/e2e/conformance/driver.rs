//! A small driver of the component without imports, and its faults. It shows how little a driver is: a session, a loop around
//! `step`, and an HTTP client.

use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use onepassword_users_component::STEPS;
use onepassword_users_conformance::{LookupFailure, Outcome, Report, Task, TaskAction};
use serde_json::json;
use tokio::sync::Notify;
use wasmtime::component::{Component, Linker, ResourceAny};
use wasmtime::{Engine, Store};

use self::bindings::AnySteps;
use self::bindings::exports::automation::connector::failures;
use self::bindings::exports::automation::connector::steps::{
    Body, End, Event, LookupError, LookupErrorKind, Pause, Request, Response, Step, TransportError, TransportFault,
};
use super::library::{join_all, look_up};

pub(super) mod bindings {
    wasmtime::component::bindgen!({
        inline: "
            package local:driver;
            world any-steps {
                export automation:connector/failures@0.1.0;
                export automation:connector/manifest@0.1.0;
                export automation:connector/steps@0.1.0;
            }
        ",
        path: "../wit",
    });
}

/// A fault of a driver. Each exists in some HTTP client, or is an easy mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It follows redirects, and does not say so.
    FollowsRedirects,
    /// It sends a request again if the connection broke.
    SendsAgain,
    /// It does not wait.
    DoesNotWait,
    /// It decodes bodies without the bytes that are not UTF-8.
    DropsBadBytes,
    /// It decodes bodies with the character set of `Content-Type`.
    ReadsLatin1,
    /// It takes the idle timeout for that of the whole exchange.
    IdleIsTotal,
    /// It has no idle timeout.
    NoIdleTimeout,
    /// It sends cookies back.
    KeepsCookies,
    /// It says that it decoded a body, and did not.
    SaysDecoded,
    /// Its audit does not note changes.
    NoAudit,
    /// It logs the authorization.
    LogsAuthorization,
    /// It forgets all parts of a result but the last.
    LastPartOnly,
    /// It has credentials of its own for the host, from a file such as `.netrc`.
    OwnAuthorization,
    /// It takes a body that was cut off for a whole one.
    TakesWhatCame,
    /// It reads bodies to their end, and then says that they are too large.
    NoMaxBody,
    /// It runs one action after another.
    OneAtATime,
    /// It goes on with an action that its caller has dropped.
    GoesOnAfterDrop,
}

pub(super) static COMPILED: LazyLock<(Engine, Component)> = LazyLock::new(|| {
    let engine = Engine::default();
    let component = Component::new(&engine, STEPS).unwrap();
    (engine, component)
});

/// A session, and what its actions share.
struct Driver {
    task: Task,
    fault: Option<Fault>,
    inner: Mutex<(Store<()>, AnySteps, ResourceAny)>,
    client: reqwest::Client,
    progress: Notify,
    started: Instant,
    log: Mutex<String>,
    audit: Mutex<Vec<String>>,
    cookies: Mutex<Vec<String>>,
}

/// Runs the actions of a task, and reports what came of them.
pub(super) async fn run(task: Task, fault: Option<Fault>) -> Report {
    let (engine, component) = &*COMPILED;
    let mut store = Store::new(engine, ());
    let steps = AnySteps::instantiate(&mut store, component, &Linker::new(engine)).unwrap();
    let session = steps.automation_connector_steps().session().call_constructor(&mut store).unwrap();
    let redirects = match fault {
        Some(Fault::FollowsRedirects) => reqwest::redirect::Policy::limited(3),
        _ => reqwest::redirect::Policy::none(),
    };
    let driver = Arc::new(Driver {
        fault,
        inner: Mutex::new((store, steps, session)),
        client: client(redirects),
        progress: Notify::new(),
        started: Instant::now(),
        log: Mutex::default(),
        audit: Mutex::default(),
        cookies: Mutex::default(),
        task,
    });
    let actions = driver.task.actions.iter();
    let outcomes = if driver.task.together && fault != Some(Fault::OneAtATime) {
        join_all(actions.map(|action| driver.act(action))).await
    } else {
        let mut outcomes = Vec::new();
        for action in actions {
            outcomes.push(driver.act(action).await);
        }
        outcomes
    };
    let log = driver.log.lock().unwrap().clone();
    let audit = driver.audit.lock().unwrap().clone();
    Report { outcomes, log, audit: Some(audit) }
}

/// A client that sends nothing on its own.
pub(super) fn client(redirects: reqwest::redirect::Policy) -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().redirect(redirects).retry(reqwest::retry::never()).referer(false);
    client.no_proxy().tls_certs_only([]).build().unwrap()
}

impl Driver {
    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// Runs an action, or drops it after a while.
    async fn act(self: &Arc<Self>, action: &TaskAction) -> Outcome {
        let limit = action.drop_after_ms.map_or(Duration::MAX, Duration::from_millis);
        let (driver, owned) = (self.clone(), action.clone());
        let work = async move { driver.drive(&owned).await };
        if self.has(Fault::GoesOnAfterDrop) {
            let _going_on = tokio::spawn(work);
            tokio::time::sleep(limit).await;
            return Outcome::Dropped;
        }
        tokio::time::timeout(limit, work).await.unwrap_or(Outcome::Dropped)
    }

    async fn drive(&self, action: &TaskAction) -> Outcome {
        let settings = self.settings().await;
        let running = {
            let (store, steps, session) = &mut *self.inner.lock().unwrap();
            let sessions = steps.automation_connector_steps().session();
            match action.action.as_str() {
                "test" => sessions.call_begin_test(store, *session, settings.as_deref(), 1),
                name => sessions.call_begin(store, *session, name, &action.arguments, settings.as_deref(), 1),
            }
            .unwrap()
        };
        let running = Running { driver: self, action: running };
        let (mut event, mut output) = (Event::Start, String::new());
        loop {
            let progress = self.progress.notified();
            let step = {
                let (store, steps, _) = &mut *self.inner.lock().unwrap();
                let now = self.started.elapsed().as_nanos() as u64;
                steps.automation_connector_steps().action().call_step(store, running.action, now, &event).unwrap()
            };
            if !matches!(step, Step::Wait(Pause { may_end_early: true, .. })) {
                self.progress.notify_waiters();
            }
            event = match step {
                Step::LookUpSettings(names) => self.values(&names, &self.task.settings).await,
                Step::LookUpSecrets(names) => self.values(&names, &self.task.secrets).await,
                Step::Send(request) => match self.send(request).await {
                    Ok(response) => Event::Response(response),
                    Err(error) => Event::NoResponse(error),
                },
                Step::Wait(_) if self.has(Fault::DoesNotWait) => Event::Elapsed,
                Step::Wait(Pause { duration, may_end_early }) => {
                    let wait = tokio::time::sleep(Duration::from_nanos(duration));
                    if may_end_early {
                        tokio::select! { () = wait => {} () = progress => {} }
                    } else {
                        wait.await;
                    }
                    Event::Elapsed
                }
                Step::Part(part) => {
                    output.push_str(&part);
                    Event::More
                }
                Step::Done(End { output: last, summary, changed }) => {
                    if self.has(Fault::LastPartOnly) {
                        output.clear();
                    }
                    return Outcome::Done { output: output + &last, summary, changed };
                }
                Step::Failed(failure) => return Outcome::Failed(record(failure)),
            };
        }
    }

    /// All settings that are set, unless one of them cannot be read.
    async fn settings(&self) -> Option<Vec<(String, String)>> {
        let failing = self.task.failing_lookups.keys().chain(&self.task.hanging_lookups);
        let names: Vec<&str> = failing.chain(self.task.settings.keys()).map(String::as_str).collect();
        let names: Vec<&str> = names.into_iter().filter(|name| !name.starts_with("client-")).collect();
        let limit = Duration::from_millis(self.task.lookup_limit_ms);
        tokio::time::timeout(limit, look_up(&self.task, &names)).await.ok()?.ok()?;
        Some(self.task.settings.clone().into_iter().collect())
    }

    async fn values(&self, names: &[String], values: &std::collections::BTreeMap<String, String>) -> Event {
        let limit = Duration::from_millis(self.task.lookup_limit_ms);
        let borrowed: Vec<&str> = names.iter().map(String::as_str).collect();
        let error = match tokio::time::timeout(limit, look_up(&self.task, &borrowed)).await {
            Ok(Ok(())) => return Event::Values(names.iter().map(|name| values.get(name).cloned()).collect()),
            Ok(Err((name, LookupFailure { kind, message, .. }))) => {
                let is_denied = kind == "denied";
                let kind = if is_denied { LookupErrorKind::Denied } else { LookupErrorKind::Unavailable };
                LookupError { kind, name: Some(name.into()), message }
            }
            Err(_) => LookupError {
                kind: LookupErrorKind::Unavailable,
                name: None,
                message: "the look-up took too long".into(),
            },
        };
        Event::LookupFailed(error)
    }

    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        if let Some(user) = request.changes.clone().filter(|_| !self.has(Fault::NoAudit)) {
            self.audit.lock().unwrap().push(user);
        }
        let total = if self.has(Fault::IdleIsTotal) { request.idle_timeout } else { request.total_timeout };
        let total = Duration::from_nanos(total.min(request.total_timeout));
        let exchange = async {
            match self.exchange(&request).await {
                Err(error) if self.has(Fault::SendsAgain) && error.fault == TransportFault::Broken => {
                    self.exchange(&request).await
                }
                result => result,
            }
        };
        tokio::time::timeout(total, exchange).await.unwrap_or_else(|_| Err(fault(TransportFault::Timeout)))
    }

    async fn exchange(&self, request: &Request) -> Result<Response, TransportError> {
        let idle = if self.has(Fault::NoIdleTimeout) { u64::MAX } else { request.idle_timeout };
        let idle = Duration::from_nanos(idle);
        let method: reqwest::Method = request.method.parse().unwrap();
        let mut built = self.client.request(method, &request.url);
        for line in request.headers.lines() {
            let (name, value) = line.split_once(": ").unwrap();
            built = built.header(name, value);
        }
        let authorization = request.authorization.clone().unwrap_or_default();
        if self.has(Fault::LogsAuthorization) {
            self.log.lock().unwrap().push_str(&authorization);
        }
        built = match self.has(Fault::OwnAuthorization) {
            true => built.basic_auth("me", Some("password")),
            false => built.header("authorization", authorization),
        };
        for cookie in self.cookies.lock().unwrap().iter() {
            built = built.header("cookie", cookie);
        }
        if let Some(body) = &request.body {
            built = built.header("content-length", body.len()).body(body.clone());
        }
        let is_late = |_| fault(TransportFault::Timeout);
        let answer = tokio::time::timeout(idle, built.send()).await.map_err(is_late)?;
        let mut answer = answer.map_err(|error| {
            fault(if error.is_connect() { TransportFault::Connect } else { TransportFault::Broken })
        })?;
        let status = answer.status().as_u16();
        let mut headers = String::new();
        for (name, value) in answer.headers() {
            let value = String::from_utf8_lossy(value.as_bytes());
            headers.push_str(&format!("{name}: {value}\n"));
            if self.has(Fault::KeepsCookies) && name == "set-cookie" {
                self.cookies.lock().unwrap().extend(value.split(';').next().map(str::to_owned));
            }
        }
        let (mut bytes, mut is_too_large) = (Vec::new(), false);
        loop {
            match tokio::time::timeout(idle, answer.chunk()).await.map_err(is_late)? {
                Ok(None) => break,
                Err(_) if self.has(Fault::TakesWhatCame) => break,
                Ok(Some(chunk)) if bytes.len() + chunk.len() <= request.max_body as usize => {
                    bytes.extend_from_slice(&chunk);
                }
                Ok(Some(_)) => is_too_large = true,
                Err(_) if is_too_large => break,
                Err(_) => return Err(fault(TransportFault::Broken)),
            }
            if is_too_large && !self.has(Fault::NoMaxBody) {
                break;
            }
        }
        if is_too_large {
            return Err(TransportError { status: Some(status), ..fault(TransportFault::TooLarge) });
        }
        let body = match self.fault {
            Some(Fault::DropsBadBytes) => {
                let valid: String = bytes.utf8_chunks().map(|chunk| chunk.valid()).collect();
                Body::Text(valid)
            }
            Some(Fault::ReadsLatin1) => Body::Text(bytes.iter().copied().map(char::from).collect()),
            _ => match String::from_utf8(bytes) {
                Ok(text) => Body::Text(text),
                Err(error) => Body::Bytes(error.into_bytes()),
            },
        };
        let decoded = self.has(Fault::SaysDecoded);
        Ok(Response { status, url: None, headers, body, decoded })
    }
}

fn fault(fault: TransportFault) -> TransportError {
    TransportError { fault, status: None, detail: String::new() }
}

/// An action in progress. Dropping it drops the component's as well.
struct Running<'a> {
    driver: &'a Driver,
    action: ResourceAny,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.action.resource_drop(&mut self.driver.inner.lock().unwrap().0).unwrap();
        self.driver.progress.notify_waiters();
    }
}

/// A failure record in JSON, with underscores in its names.
pub(super) fn record(failure: failures::Failure) -> serde_json::Value {
    let kind = |kind| match kind {
        failures::SubjectKind::Argument => "argument",
        failures::SubjectKind::Setting => "setting",
        failures::SubjectKind::Secret => "secret",
    };
    json!({
        "code": failure.code,
        "class": format!("{:?}", failure.class).rsplit("::").next().unwrap().to_ascii_lowercase(),
        "message": failure.message,
        "remedy": failure.remedy,
        "retryable": failure.retryable,
        "retry_after": failure.retry_after,
        "may_have_changed": failure.may_have_changed,
        "subject": failure.subject.map(|subject| json!({ "kind": kind(subject.kind), "name": subject.name })),
        "user_id": failure.user_id,
        "candidates": failure.candidates,
        "more_candidates": failure.more_candidates,
        "service": failure.service.map(|service| {
            json!({ "status": service.status, "code": service.code, "message": service.message })
        }),
    })
}
