//! The actions: what to send to the service, and what its answers mean.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec;

use serde_json::{Map, Value, json};

use crate::bindings::exports::automation::connector::connector::Output;
use crate::bindings::exports::automation::connector::failures::{Failure, FailureClass, ServiceError, SubjectKind};
use crate::bindings::wasi::http::types::Method;
use crate::failure::{
    BADGE_NOT_FOUND, INVALID_ARGUMENT, INVALID_RESPONSE, OTHER, PERMISSION_DENIED, RATE_LIMITED, UNAUTHENTICATED,
    UNAVAILABLE, failure,
};
use crate::http::{Response, Service, clean};

/// Runs an action.
pub(crate) fn invoke(action: &str, arguments: &str) -> Result<Output, Failure> {
    match action {
        "get-badge" => {
            let arguments = Arguments::parse(arguments, &["badge"])?;
            let badge = Badge::look_up(&Service::from_settings()?, arguments.badge()?)?;
            Ok(output(&badge.json(), format!("badge {} is {}", badge.id, clean(&badge.state)), false))
        }
        "block-badge" => change(arguments, "block", "blocked"),
        "unblock-badge" => change(arguments, "unblock", "active"),
        _ => Err(bad_argument("action", "there is no such action")),
    }
}

/// Lists one badge, which needs the setting, the secret and the permission to read.
pub(crate) fn test() -> Result<Output, Failure> {
    let body = get(&Service::from_settings()?, "/v1/badges?limit=1")?;
    if !body.get("badges").is_some_and(Value::is_array) {
        return Err(not_understood());
    }
    let not_tested = "not tested: it shows only in a change";
    let report = json!({"ok": true, "checks": [
        {"check": "read badges", "result": "permitted"},
        {"check": "block badges", "result": not_tested},
    ]});
    Ok(output(&report, "settings and credentials are right".into(), false))
}

/// Looks first, changes, and looks again. `changed` is claimed only if the last look shows the wanted state.
fn change(arguments: &str, route: &str, wanted: &str) -> Result<Output, Failure> {
    let arguments = Arguments::parse(arguments, &["badge", "dry_run"])?;
    let (id, dry_run) = (arguments.badge()?, arguments.dry_run()?);
    let service = Service::from_settings()?;
    let result = |outcome: &str, badge: &Badge| {
        let summary = format!("badge {} is {} ({outcome})", badge.id, clean(&badge.state));
        output(&json!({"outcome": outcome, "badge": badge.json()}), summary, outcome == "changed")
    };
    let before = Badge::look_up(&service, id)?;
    if before.state == wanted {
        return Ok(result("unchanged", &before));
    }
    if dry_run {
        return Ok(result("would-change", &before));
    }
    let sent = match service.exchange(&Method::Post, &format!("/v1/badges/{id}/{route}")) {
        Ok(response) => accepted(response, true),
        Err(failure) => Err(failure),
    };
    if let Err(failure) = &sent
        && !failure.may_have_changed
    {
        return Err(failure.clone());
    }
    let problem = match (Badge::look_up(&service, id), sent) {
        (Ok(after), _) if after.state == wanted => return Ok(result("changed", &after)),
        (_, Err(failure)) | (Err(failure), Ok(_)) => failure,
        (Ok(_), Ok(_)) => failure(INVALID_RESPONSE, "the service accepted the change and does not show it", ""),
    };
    // The change was sent, and nothing shows its outcome.
    Err(Failure { may_have_changed: true, remedy: "Look at the badge before you report anything.".into(), ..problem })
}

/// The arguments of an action.
struct Arguments(Map<String, Value>);

impl Arguments {
    /// Parses the arguments. An unknown name is an error: a misspelt `dry_run` must not make a change.
    fn parse(text: &str, names: &[&str]) -> Result<Self, Failure> {
        let text = if text.trim().is_empty() { "{}" } else { text };
        let Ok(Value::Object(members)) = serde_json::from_str(text) else {
            return Err(bad_argument("arguments", "the arguments are not a JSON object"));
        };
        match members.keys().find(|name| !names.contains(&name.as_str())) {
            Some(name) => Err(bad_argument(&clean(name), "there is no such argument")),
            None => Ok(Self(members)),
        }
    }

    /// The id of a badge. It becomes a part of a path, so it has no other characters.
    fn badge(&self) -> Result<&str, Failure> {
        let id = self.0.get("badge").and_then(Value::as_str).unwrap_or_default();
        if matches!(id.len(), 1..=32) && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            Ok(id)
        } else {
            Err(bad_argument("badge", "the argument badge is not 1 to 32 letters and digits"))
        }
    }

    fn dry_run(&self) -> Result<bool, Failure> {
        match self.0.get("dry_run") {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(dry_run)) => Ok(*dry_run),
            Some(_) => Err(bad_argument("dry_run", "the argument dry_run is neither true nor false")),
        }
    }
}

fn bad_argument(name: &str, message: &str) -> Failure {
    failure(INVALID_ARGUMENT, message, "Correct the call.").about(SubjectKind::Argument, name)
}

/// A badge, as the service shows it.
struct Badge {
    id: String,
    holder: String,
    state: String,
}

impl Badge {
    fn look_up(service: &Service, id: &str) -> Result<Self, Failure> {
        let body = get(service, &format!("/v1/badges/{id}"))?;
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(String::from);
        match (text("id"), text("holder"), text("state")) {
            // Another badge than the one that was asked for proves nothing.
            (Some(found), Some(holder), Some(state)) if found == id => Ok(Self { id: found, holder, state }),
            _ => Err(not_understood()),
        }
    }

    fn json(&self) -> Value {
        json!({"id": self.id, "holder": self.holder, "state": self.state})
    }
}

/// Sends a GET and reads the answer as JSON.
fn get(service: &Service, path: &str) -> Result<Value, Failure> {
    let response = accepted(service.exchange(&Method::Get, path)?, false)?;
    serde_json::from_str(&response.body).map_err(|_| not_understood())
}

/// The response of a success, or the failure that the status means.
fn accepted(response: Response, is_change: bool) -> Result<Response, Failure> {
    let body = serde_json::from_str::<Value>(&response.body).unwrap_or_default();
    let text = |name: &str| body.get("error")?.get(name)?.as_str().map(clean);
    let (code, message, remedy) = match response.status {
        200..=299 => return Ok(response),
        401 => (UNAUTHENTICATED, "the service does not accept the key", "Check api-key."),
        403 => (PERMISSION_DENIED, "the key lacks the permission", "Give the key the permission."),
        // Only in the service's own words: a proxy knows nothing of badges.
        404 if text("code").as_deref() == Some("badge-not-found") => {
            (BADGE_NOT_FOUND, "there is no such badge", "Check the id of the badge.")
        }
        429 => (RATE_LIMITED, "there were too many requests", "Try again later."),
        408 | 500..=599 => (UNAVAILABLE, "the service failed", "Try again later."),
        300..=399 | 404 => (INVALID_RESPONSE, "the answer is not one of the service", "Check base-url."),
        _ => (OTHER, "the service refused the action", "Read the message of the service."),
    };
    let failure = Failure {
        retry_after: response.retry_after.filter(|_| code.1 == FailureClass::Retry),
        // A refusal changes nothing. After any other answer, the change may have been made.
        may_have_changed: is_change && !matches!(response.status, 400..=407 | 409..=499),
        service: Some(ServiceError {
            status: response.status,
            code: text("code"),
            message: text("message").unwrap_or_default(),
        }),
        ..failure(code, message, remedy)
    };
    Err(if response.status == 401 { failure.about(SubjectKind::Secret, "api-key") } else { failure })
}

fn not_understood() -> Failure {
    failure(INVALID_RESPONSE, "the answer is not one of the service", "Check base-url, and proxies in between.")
}

fn output(json: &Value, summary: String, changed: bool) -> Output {
    Output { parts: vec![json.to_string()], summary, changed }
}
