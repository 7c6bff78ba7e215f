//! Request handling: authentication, routing, the action, the response, and the log line.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::iter;
use http::header::{self, HeaderName, HeaderValue};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use onepassword_users_core::{ChangeMode, Error, LookupErrorKind, Secret, Session, UserRef};
use serde::Serialize;
use spin_sdk::http::{BoxBody, Request, Response, StatusCode, box_body};

use crate::access::{Caller, Keys};
use crate::clock::within;
use crate::driver::{look_up, run, session};
use crate::json::{FoundUser, FoundUsers, Health};
use crate::list::{JsonList, List, Reservation};
use crate::log::Entry;
use crate::log_line::Log;
use crate::problem::{self, Problem};
use crate::route::{self, HEALTH, Route};

/// The timeout for receiving a request body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Handles a request.
pub(crate) async fn handle(request: Request) -> Response<BoxBody> {
    let mut log = Log::start();
    match respond(request, &mut log.entry).await {
        Ok(Content::Lines(list)) => response(200, "application/x-ndjson", list.into_stream(log)),
        Ok(Content::Json(text, reservation)) => {
            log.write();
            sized_response(200, "application/json", text, reservation)
        }
        Err(problem) => {
            log.problem(&problem);
            log.write();
            problem_response(&problem)
        }
    }
}

/// The content of a successful response.
enum Content {
    /// JSON in pieces, and the memory reserved for it.
    Json(Vec<Bytes>, Option<Reservation>),
    /// A list to stream, one user per line.
    Lines(List),
}

async fn respond(request: Request, entry: &mut Entry) -> Result<Content, Problem> {
    let (head, body) = request.into_parts();
    let value = |name: HeaderName| head.headers.get(name).map(HeaderValue::as_bytes);
    entry.status = 200;

    let keys = keys(entry).await?;
    // Authentication comes before routing: a caller without a key learns no routes and adds no text to the log.
    let is_public = head.uri.path() == HEALTH;
    let caller = if is_public { None } else { Some(authenticate(keys, value(header::AUTHORIZATION))?) };
    entry.request = format!("{} {}", head.method, head.uri.path());
    entry.key = caller.as_ref().map(|caller| caller.label.clone());
    let accept: Vec<&[u8]> = head.headers.get_all(header::ACCEPT).iter().map(HeaderValue::as_bytes).collect();
    let route = Route::parse(head.method.as_str(), head.uri.path(), head.uri.query(), &accept.join(&b','))?;
    entry.action = Some(route.action());
    entry.user = route.user().map(Into::into);
    if caller.map(|caller| caller.role) < route.required_role() {
        return Err(Problem::forbidden());
    }
    let body = match route.max_body() {
        Some(max) => read_body(body, max, route.body_remedy()).await?,
        None => Vec::new(),
    };
    run_route(route, value(header::CONTENT_TYPE), &body, entry).await
}

/// The accepted keys. They are read for each request, so that a new key takes effect immediately.
async fn keys(entry: &mut Entry) -> Result<Keys, Problem> {
    let keys = match look_up(&["reader_keys", "responder_keys"], Secret::new).await {
        Ok(lists) => {
            let list = |place: usize| lists.get(place).and_then(Option::as_ref).map_or("", Secret::expose);
            Keys::parse(list(0), list(1)).map_err(|reason| (problem::KEYS_NOT_USABLE, reason))
        }
        Err(error) => {
            let kind = match error.kind {
                LookupErrorKind::Denied => problem::KEYS_NOT_USABLE,
                LookupErrorKind::Unavailable => problem::KEYS_NOT_READABLE,
            };
            Err((kind, format!("the variable {}: {}", error.name.unwrap_or_default(), error.reason)))
        }
    };
    keys.map_err(|(kind, reason)| {
        entry.problem = Some(reason);
        Problem::keys(kind)
    })
}

fn authenticate(keys: Keys, authorization: Option<&[u8]>) -> Result<Caller, Problem> {
    keys.authenticate(authorization.unwrap_or_default()).ok_or_else(Problem::unauthorized)
}

/// Reads a request body of at most `max` bytes, within [`BODY_TIMEOUT`].
async fn read_body(
    body: spin_sdk::wasip3::http_compat::IncomingRequestBody,
    max: usize,
    remedy: &str,
) -> Result<Vec<u8>, Problem> {
    const AGAIN: &str = "Send the request again.";
    let read = async {
        let mut body = pin!(body);
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Problem::new(problem::INCOMPLETE_BODY, "the body ended early", AGAIN))?;
            bytes.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
            if bytes.len() > max {
                let message = format!("the body is longer than {max} bytes");
                return Err(Problem::new(problem::CONTENT_TOO_LARGE, message, remedy));
            }
        }
        Ok(bytes)
    };
    let timeout = || Err(Problem::new(problem::BODY_TIMEOUT, "the body did not arrive in time", AGAIN));
    within(BODY_TIMEOUT, read).await.unwrap_or_else(timeout)
}

/// Runs the action of a route, and records its outcome.
async fn run_route(
    route: Route,
    content_type: Option<&[u8]>,
    body: &[u8],
    entry: &mut Entry,
) -> Result<Content, Problem> {
    let mut options = || {
        let options = route::change_options(content_type, body)?;
        entry.dry_run = options.dry_run;
        Ok::<_, Problem>(if options.dry_run { ChangeMode::DryRun } else { ChangeMode::Apply })
    };
    let change = match route {
        Route::Suspend(user) => session().suspend_user(user, options()?),
        Route::Reactivate(user) => session().reactivate_user(user, options()?),
        Route::List { query, ndjson: true } => return Ok(Content::Lines(List::start(query).await?)),
        Route::List { query, ndjson: false } => {
            let JsonList { text, users, reservation } = List::start(query).await?.into_json().await?;
            entry.outcome = "listed";
            entry.users = Some(users);
            return Ok(Content::Json(text, Some(reservation)));
        }
        Route::Get(user) => {
            let user = run(session().get_user(user)).await?;
            entry.outcome = "found";
            entry.user_id = Some(user.id.clone());
            return json(&user);
        }
        Route::Find => return find(content_type, body, entry).await,
        Route::Test => {
            route::no_options(content_type, body)?;
            // In a session of its own, so that the test uses the credentials, not a cached token.
            let report = run(Session::new().test()).await?;
            entry.outcome = "ok";
            return json(&report);
        }
        Route::OpenApi => {
            entry.outcome = "ok";
            return Ok(Content::Json(vec![Bytes::from_static(crate::OPENAPI.as_bytes())], None));
        }
        Route::Health => {
            entry.outcome = "ok";
            return json(&Health { status: "ok" });
        }
    };
    let change = run(change).await?;
    entry.outcome = change.outcome.name();
    entry.user_id = Some(change.user.id.clone());
    json(&change)
}

/// Looks several users up. The log gets their number, and none of their names.
async fn find(content_type: Option<&[u8]>, body: &[u8], entry: &mut Entry) -> Result<Content, Problem> {
    // The message may quote the body.
    let hide = |problem: &Problem| entry.problem = Some(problem.kind().title.into());
    let references = route::users_to_find(content_type, body).inspect_err(hide)?.users.references;
    entry.users = Some(references.len());
    let users = run(session().find_users(references.iter().map(UserRef::from).collect())).await?;
    entry.outcome = "found";
    let results = references.into_iter().zip(users).map(|(input, user)| match user {
        Ok(user) => FoundUser { input, user: Some(user), error: None },
        Err(error) => FoundUser { input, user: None, error: Some(problem::failure(error)) },
    });
    json(&FoundUsers { results: results.collect() })
}

fn json(value: &impl Serialize) -> Result<Content, Problem> {
    let text = line(value).map_err(|error| Error::Other {
        problem: format!("the application could not write the response: {error}"),
        service: None,
    })?;
    Ok(Content::Json(vec![text], None))
}

/// A value as JSON, with a line break at its end for terminals.
fn line(value: &impl Serialize) -> serde_json::Result<Bytes> {
    let mut text = serde_json::to_vec(value)?;
    text.push(b'\n');
    Ok(text.into())
}

fn problem_response(problem: &Problem) -> Response<BoxBody> {
    let text = line(problem).unwrap_or_default();
    let mut response = sized_response(problem.kind().status, "application/problem+json", vec![text], None);
    let headers = response.headers_mut();
    if let Some(allow) = problem.allow {
        headers.insert(header::ALLOW, HeaderValue::from_static(allow));
    }
    if let Some(seconds) = problem.failure.retry_after {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    match problem.kind().code {
        "unauthorized" => headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
        "forbidden" => {
            let scope = HeaderValue::from_static("Bearer error=\"insufficient_scope\"");
            headers.insert(header::WWW_AUTHENTICATE, scope)
        }
        _ => None,
    };
    response
}

/// A response of known length. Its body holds the reservation until it is dropped.
fn sized_response(
    status: u16,
    content_type: &'static str,
    text: Vec<Bytes>,
    reservation: Option<Reservation>,
) -> Response<BoxBody> {
    let length = text.iter().map(Bytes::len).sum::<usize>().into();
    let frames = text.into_iter().map(move |part| {
        let _ = &reservation;
        Ok::<_, Infallible>(Frame::data(part))
    });
    let mut response = response(status, content_type, box_body(StreamBody::new(iter(frames))));
    response.headers_mut().insert(header::CONTENT_LENGTH, length);
    response
}

fn response(status: u16, content_type: &'static str, body: BoxBody) -> Response<BoxBody> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    for (name, value) in [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
