//! The Spin application, served over HTTP. Its failures are problem documents.

use std::collections::BTreeMap;
use std::path::Path;

use onepassword_users_host::catalogue;
use onepassword_users_spin_host::{Application, Log, Manifest, Options, Server};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Map, Value};

use super::{Call, Failed, Observed, Reference, Settings, Stop, not_applicable};

/// A key of each list.
const READER: &str = "acceptance-reader-key-aaaaaaaaaaaaaa";
const RESPONDER: &str = "acceptance-responder-key-bbbbbbbbbbb";

#[derive(Debug)]
pub(crate) struct Face {
    manifest: Manifest,
    client: reqwest::Client,
}

/// The name of a setting, secret or argument in the application.
pub(crate) fn spell(name: &str) -> String {
    name.replace('-', "_")
}

impl Face {
    pub(crate) fn new() -> Result<Self, String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spin/spin.toml");
        let manifest = Manifest::read(&path).map_err(|error| error.to_string())?;
        manifest.build().map_err(|error| error.to_string())?;
        // It may be installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build();
        Ok(Self { manifest, client: client.map_err(|error| error.to_string())? })
    }

    pub(crate) async fn session(&self, settings: &Settings) -> Result<Session<'_>, Stop> {
        // A required variable that is empty counts as not set.
        let required = catalogue::SETTINGS.iter().chain(&catalogue::SECRETS).filter(|value| value.is_required);
        let mut variables: BTreeMap<String, String> =
            required.map(|value| (spell(value.name), String::new())).collect();
        variables.extend(settings.iter().map(|(name, value)| (spell(name), value.clone())));
        variables.insert("reader_keys".into(), format!("soc:{READER}"));
        variables.insert("responder_keys".into(), format!("ir:{RESPONDER}"));
        let options = Options { log: Log::new(|_| ()), ..Options::default() };
        let application = Application::load(&self.manifest, &variables, options)
            .map_err(|error| format!("the application cannot be loaded: {error}"))?;
        let server = Server::start(application, 0).await.map_err(|error| error.to_string())?;
        Ok(Session { client: &self.client, server })
    }
}

pub(crate) struct Session<'a> {
    client: &'a reqwest::Client,
    server: Server,
}

/// A request of the API.
struct Request {
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    body: Option<String>,
}

impl Request {
    fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), query: Vec::new(), body: None }
    }

    fn of(call: &Call) -> Result<Self, Stop> {
        if matches!(call.action.as_str(), "find-users" | "test") {
            let path = if call.action == "test" { "/v1/test" } else { "/v1/users:find" };
            let body = (call.action != "test").then(|| call.arguments());
            return Ok(Self { body, ..Self::new(Method::POST, path) });
        }
        if call.action == "describe" {
            return not_applicable("the API describes itself with OpenAPI, and not the connector");
        }
        let Some(arguments) = call.arguments.as_object().filter(|_| call.text.is_none()) else {
            return not_applicable("the arguments are parts of a URL and members of a body");
        };
        let mut rest = arguments.clone();
        match call.action.as_str() {
            "list-users" => Ok(Self { query: query(rest)?, ..Self::new(Method::GET, "/v1/users") }),
            "get-user" => {
                let path = format!("/v1/users/{}", user(&mut rest)?);
                Ok(Self { query: query(rest)?, ..Self::new(Method::GET, path) })
            }
            "suspend-user" | "reactivate-user" => {
                let verb = if call.action == "suspend-user" { "suspend" } else { "reactivate" };
                let path = format!("/v1/users/{}:{verb}", user(&mut rest)?);
                rest.retain(|_, value| !value.is_null());
                let body = (!rest.is_empty()).then(|| Value::Object(rest).to_string());
                Ok(Self { body, ..Self::new(Method::POST, path) })
            }
            action => Ok(Self::new(Method::POST, format!("/v1/{action}"))),
        }
    }
}

/// Takes the user out of the arguments, as a part of a path.
fn user(arguments: &mut Map<String, Value>) -> Result<String, Stop> {
    let user = arguments.remove("user").unwrap_or_default();
    if user.is_null() {
        return Ok(String::new());
    }
    match Reference::parse(&user).map(|user| user.text().map(str::to_owned)) {
        Some(Some(user)) => Ok(utf8_percent_encode(&user, NON_ALPHANUMERIC).to_string()),
        Some(None) => not_applicable("the URL names a user by one text, an id or an address"),
        None => not_applicable("a user is a part of the URL, which is always a text"),
    }
}

/// The parameters of a query. A member that is null is left out.
fn query(arguments: Map<String, Value>) -> Result<Vec<(String, String)>, Stop> {
    let parameter = |(name, value): (String, Value)| match (name.as_str(), value) {
        (_, Value::Null) => None,
        ("limit", Value::String(_)) => Some(not_applicable("a parameter of a query is always a text")),
        (_, Value::String(text)) => Some(Ok((name, text))),
        ("state" | "page_token", _) => Some(not_applicable("a parameter of a query is always a text")),
        (_, value) => Some(Ok((name, value.to_string()))),
    };
    arguments.into_iter().filter_map(parameter).collect()
}

impl Session<'_> {
    pub(crate) async fn call(&self, call: &Call) -> Result<Observed, Stop> {
        let Request { method, path, query, body } = Request::of(call)?;
        let is_change = matches!(call.action.as_str(), "suspend-user" | "reactivate-user");
        let mut url =
            reqwest::Url::parse(&format!("{}{path}", self.server.url())).map_err(|error| error.to_string())?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let key = if is_change { RESPONDER } else { READER };
        let mut request = self.client.request(method, url).bearer_auth(key);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let response = request.send().await.map_err(|error| error.to_string())?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.map_err(|error| error.to_string())?;
        if text.contains(READER) || text.contains(RESPONDER) {
            return Err(Stop::Broken("a response holds a key".into()));
        }
        let json: Value =
            serde_json::from_str(&text).map_err(|error| format!("HTTP {status} without JSON: {error}"))?;
        check(status, &headers, &json)?;
        if status == 200 {
            let changed = is_change.then(|| json.get("outcome").is_some_and(|outcome| outcome == "changed"));
            return Ok(Observed { result: Ok(json), changed });
        }
        let failed = Failed { record: Some(json), http_status: Some(status), ..Failed::default() };
        Ok(Observed { result: Err(failed), changed: None })
    }
}

/// Checks that the headers say what the document says.
fn check(status: u16, headers: &HeaderMap, json: &Value) -> Result<(), String> {
    let media_type = if status == 200 { "application/json" } else { "application/problem+json" };
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let retry_after = json.get("retry_after").and_then(Value::as_u64).map(|seconds| seconds.to_string());
    let is_problem = status != 200;
    let checks = [
        ("content-type", header("content-type") == Some(media_type)),
        ("cache-control", header("cache-control") == Some("no-store")),
        ("retry-after", !is_problem || header("retry-after") == retry_after.as_deref()),
        ("status", !is_problem || json.get("status").and_then(Value::as_u64) == Some(u64::from(status))),
        ("detail", !is_problem || json.get("detail") == json.get("message")),
    ];
    match checks.iter().find(|(_, holds)| !holds) {
        Some((name, _)) => {
            Err(format!("the {name} of the response with HTTP {status} does not fit its document: {json}"))
        }
        None => Ok(()),
    }
}
