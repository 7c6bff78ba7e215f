//! Request handling: authentication, routing, the action, the response, and the log line.

use std::pin::pin;
use std::time::Duration;

use http::header::{self, HeaderName, HeaderValue};
use http_body_util::BodyExt;
use onepassword_users_core::{ChangeMode, Error, Session, UserRef};
use serde::Serialize;
use spin_sdk::http::{Method, Request};
use spin_sdk::wasip3::http::types::Response;

use crate::access::{Caller, Credential, Role};
use crate::body::{self, Headers};
use crate::checks::{self, Reason};
use crate::clock::within;
use crate::driver::{run, session};
use crate::json::{FoundUser, FoundUsers, Health};
use crate::list::{JsonList, List};
use crate::log::Entry;
use crate::log_line::Log;
use crate::problem::{self, Problem};
use crate::route::{self, PUBLIC, Route};
use crate::turns::Turn;

/// The timeout for receiving a request body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";

/// Handles a request.
pub(crate) async fn handle(request: Request) -> Response {
    let mut log = Log::start();
    let is_head = request.method() == Method::HEAD;
    match respond(request, &mut log).await {
        Ok(Content::Stream(list)) if !is_head => list.into_stream(log),
        Ok(Content::List(list)) => list.into_response(log),
        Ok(Content::Json(text)) if !is_head => {
            log.write(200);
            body::whole(200, JSON, Vec::new(), text)
        }
        Ok(content) => {
            log.write(200);
            body::empty(
                200,
                if matches!(content, Content::Stream(_)) { "application/x-ndjson" } else { JSON },
                Vec::new(),
            )
        }
        Err(problem) => {
            let status = problem.kind().status;
            log.problem(&problem);
            log.write(status);
            let headers = problem_headers(&problem);
            if is_head {
                body::empty(status, PROBLEM, headers)
            } else {
                body::whole(status, PROBLEM, headers, line(&problem).unwrap_or_default())
            }
        }
    }
}

/// The content of a successful response.
enum Content {
    /// JSON.
    Json(Vec<u8>),
    /// A list as one JSON object.
    List(JsonList),
    /// A list to stream, one user per line.
    Stream(List),
}

async fn respond(request: Request, log: &mut Log) -> Result<Content, Problem> {
    let (head, body) = request.into_parts();
    let value = |name: HeaderName| head.headers.get(name).map(HeaderValue::as_bytes);

    // Authentication comes before routing: a caller without a key learns no routes and adds no text to the log.
    let caller = if PUBLIC.contains(&head.uri.path()) {
        None
    } else {
        Some(authenticate(value(header::AUTHORIZATION).unwrap_or_default(), log).await?)
    };
    log.entry.request = format!("{} {}", head.method, head.uri.path());
    log.entry.key = caller.as_ref().map(|caller| caller.label.clone());
    let accept: Vec<&[u8]> = head.headers.get_all(header::ACCEPT).iter().map(HeaderValue::as_bytes).collect();
    let route = Route::parse(head.method.as_str(), head.uri.path(), head.uri.query(), &accept.join(&b','));
    // The public paths say that the keys are not usable before anything else, as the others do.
    if caller.is_none() {
        checks::live().await.map_err(|reason| refused(reason, log))?;
    }
    let route = route?;
    log.entry.action = Some(route.action());
    log.entry.user = route.user().map(Into::into);
    let role = caller.map(|caller| caller.role);
    if role < route.required_role() {
        return Err(Problem::forbidden());
    }
    let body = match route.max_body() {
        Some(max) => read_body(body, max, route.body_remedy()).await?,
        None => Vec::new(),
    };
    let is_call = !matches!(route, Route::OpenApi | Route::Health | Route::Ready);
    let is_head = head.method == Method::HEAD;
    let role = role.unwrap_or(Role::Reader);
    let result = run_route(route, role, is_head, value(header::CONTENT_TYPE), &body, log).await;
    if is_call {
        checks::note(result.as_ref().map(|_| ()));
    }
    result
}

/// Finds the caller. The keys are read for each request, so that a new one takes effect immediately, but only for a header that
/// has the form of a key.
async fn authenticate(authorization: &[u8], log: &mut Log) -> Result<Caller, Problem> {
    let credential = Credential::parse(authorization).ok_or_else(Problem::unauthorized)?;
    let keys = checks::keys().await.map_err(|reason| refused(reason, log))?;
    keys.authenticate(credential).ok_or_else(Problem::unauthorized)
}

/// The problem of a check that failed. Its reason is for the log only.
fn refused((kind, reason): Reason, log: &mut Log) -> Problem {
    log.entry.problem = Some(reason);
    Problem::of_service(kind)
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
    role: Role,
    is_head: bool,
    content_type: Option<&[u8]>,
    body: &[u8],
    log: &mut Log,
) -> Result<Content, Problem> {
    let options = |entry: &mut Entry| {
        let options = route::change_options(content_type, body)?;
        entry.dry_run = options.dry_run;
        Ok::<_, Problem>(if options.dry_run { ChangeMode::DryRun } else { ChangeMode::Apply })
    };
    let change = match route {
        Route::Suspend(user) => session().suspend_user(user, options(&mut log.entry)?),
        Route::Reactivate(user) => session().reactivate_user(user, options(&mut log.entry)?),
        Route::List { query, ndjson } => {
            let list = List::start(query, role).await?;
            // The first part of a list is enough for its head.
            if is_head {
                log.entry.outcome = "ok";
            }
            return Ok(match (ndjson, is_head) {
                (true, _) => Content::Stream(list),
                (false, true) => Content::Json(Vec::new()),
                (false, false) => Content::List(list.into_json().await?),
            });
        }
        Route::Get(user) => {
            // An id is one request, an address a search.
            let _turn = if matches!(user, UserRef::Email(_)) { Some(Turn::wait(role).await?) } else { None };
            let user = run(session().get_user(user), |_| {}).await?;
            log.entry.outcome = "found";
            log.entry.user_id = Some(user.id.clone());
            return json(&user);
        }
        Route::Find => return find(content_type, body, role, &mut log.entry).await,
        Route::Test => {
            route::no_options(content_type, body)?;
            // In a session of its own, so that the test uses the credentials, not a cached token.
            let report = run(Session::new().test(), |_| {}).await?;
            log.entry.outcome = "ok";
            return json(&report);
        }
        Route::OpenApi => {
            log.entry.outcome = "ok";
            return Ok(Content::Json(crate::OPENAPI.into()));
        }
        Route::Health | Route::Ready => {
            if route == Route::Ready {
                checks::ready().await.map_err(|reason| refused(reason, log))?;
            }
            log.entry.outcome = "ok";
            return json(&Health { status: "ok" });
        }
    };
    let change = run(change, |request| log.before(request)).await?;
    log.entry.outcome = change.outcome.name();
    log.entry.user_id = Some(change.user.id.clone());
    log.entry.user_email = Some(change.user.email.clone());
    json(&change)
}

/// Looks several users up. The log gets their number, and none of their names.
async fn find(content_type: Option<&[u8]>, body: &[u8], role: Role, entry: &mut Entry) -> Result<Content, Problem> {
    // The message may quote the body.
    let hide = |problem: &Problem| entry.problem = Some(problem.kind().title.into());
    let references = route::users_to_find(content_type, body).inspect_err(hide)?.users.references;
    entry.users = Some(references.len());
    let turn = Turn::wait(role).await?;
    let users = run(session().find_users(references.iter().map(UserRef::from).collect()), |_| {}).await?;
    drop(turn);
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
    Ok(Content::Json(text))
}

/// A value as JSON, with a line break at its end for terminals.
fn line(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut text = serde_json::to_vec(value)?;
    text.push(b'\n');
    Ok(text)
}

/// The headers of a problem.
fn problem_headers(problem: &Problem) -> Headers {
    let mut headers = Headers::new();
    if let Some(allow) = problem.allow {
        headers.push(("allow", allow.into()));
    }
    if let Some(seconds) = problem.failure.retry_after {
        headers.push(("retry-after", seconds.to_string()));
    }
    match problem.kind().code {
        "unauthorized" => headers.push(("www-authenticate", "Bearer".into())),
        "forbidden" => headers.push(("www-authenticate", "Bearer error=\"insufficient_scope\"".into())),
        _ => {}
    }
    headers
}
