//! The strictness of the simulated service: it refuses every request that the real service might refuse.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use onepassword_users_simulator::{Config, Simulator};
use reqwest::{Client, Method};
use serde_json::Value;

struct Caller {
    simulator: Simulator,
    client: Client,
    token: String,
}

impl Caller {
    async fn new() -> Self {
        // The host installs its TLS provider on first use. There is no host here.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let simulator = Simulator::start(Config { users: 30, ..Config::default() }).await.unwrap();
        let token = simulator.issue_token();
        let client = Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        Self { simulator, client, token }
    }

    /// Sends a request, and returns the status, the body and the recorded reason.
    async fn send(
        &self,
        method: Method,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> (u16, Value, Option<String>) {
        let mut request = self.client.request(method, format!("{}{target}", self.simulator.base_url())).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let body = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
        let record = self.simulator.take_records().pop().unwrap();
        assert_eq!(record.status, status);
        (status, body, record.reason)
    }

    async fn call(&self, method: Method, target: &str, body: String) -> (u16, Value, Option<String>) {
        let target = target.replace("ACCOUNT", self.simulator.account_id());
        let bearer = format!("Bearer {}", self.token);
        self.send(method, &target, &[("authorization", &bearer), ("user-agent", "Tests/1")], body).await
    }

    async fn form(&self, path: &str, basic: Option<(&str, &str)>, body: &'static str) -> (u16, Value, Option<String>) {
        use base64::Engine;
        let pair = basic.map(|(id, secret)| base64::engine::general_purpose::STANDARD.encode(format!("{id}:{secret}")));
        let authorization = pair.map(|pair| format!("Basic {pair}")).unwrap_or_default();
        let headers = [
            ("authorization", authorization.as_str()),
            ("user-agent", "Tests/1"),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        self.send(Method::POST, path, &headers, body).await
    }

    fn credentials(&self) -> Option<(&str, &str)> {
        Some((self.simulator.client_id(), self.simulator.client_secret()))
    }
}

#[tokio::test]
async fn undocumented_requests_are_refused() {
    let caller = Caller::new().await;
    let id = caller.simulator.account(|account| account.people()[0].id.clone());
    let none = String::new;
    let (get, post) = (Method::GET, Method::POST);
    for (method, target, body, status, code, reason) in [
        (&get, "/v1/accounts/ACCOUNT/people".to_owned(), none(), 404, 5, "Not Found"),
        (&get, "/v2/accounts/ACCOUNT/users".into(), none(), 404, 5, "Not Found"),
        (&get, "/v1/accounts/ACCOUNT/users/".into(), none(), 404, 5, "user not found"),
        (&get, "/v1/accounts/ACCOUNT/users/NOBODY".into(), none(), 404, 5, "user not found"),
        (&post, "/v1/accounts/ACCOUNT/users".into(), none(), 501, 12, "Method Not Allowed"),
        (&get, format!("/v1/accounts/ACCOUNT/users/{id}:suspend"), none(), 501, 12, "Method Not Allowed"),
        (&get, "/v1/accounts/ANOTHER/users".into(), none(), 403, 7, "account"),
        (
            &get,
            "/v1/accounts/ACCOUNT/users?maxPageSize=10".into(),
            none(),
            400,
            3,
            "unknown query parameter: maxPageSize",
        ),
        (&get, "/v1/accounts/ACCOUNT/users?pageToken=x".into(), none(), 400, 3, "unknown query parameter: pageToken"),
        (&get, "/v1/accounts/ACCOUNT/users?max_page_size=1001".into(), none(), 400, 3, "1000"),
        (&get, "/v1/accounts/ACCOUNT/users?max_page_size=1&max_page_size=2".into(), none(), 400, 3, "twice"),
        (&get, "/v1/accounts/ACCOUNT/users?filter=user.isGone()".into(), none(), 400, 3, "InvalidArgument"),
        (&get, "/v1/accounts/ACCOUNT/users?page_token=altered".into(), none(), 400, 3, "page_token"),
        (&get, format!("/v1/accounts/ACCOUNT/users/{id}?x=1"), none(), 400, 3, "unknown query parameter"),
        (&get, "/v1/accounts/ACCOUNT/users".into(), "{}".to_owned(), 400, 3, "body"),
        (&post, format!("/v1/accounts/ACCOUNT/users/{id}:suspend"), "{}".into(), 400, 3, "body"),
        (&post, format!("/v1/accounts/ACCOUNT/users/{id}:suspend"), "x".repeat(100_000), 400, 3, "body"),
    ] {
        let (got, body, recorded) = caller.call(method.clone(), &target, body).await;
        assert_eq!((got, &body["code"]), (status, &Value::from(code)), "{target}: {body}");
        assert!(recorded.as_deref().unwrap().contains(reason), "{target}: {recorded:?}");
    }
    let state = caller.simulator.account(|account| account.person(&id).unwrap().state.clone());
    assert_eq!(state, "ACTIVE");
}

#[tokio::test]
async fn bad_user_agents_and_credentials_are_refused() {
    let caller = Caller::new().await;
    let target = format!("/v1/accounts/{}/users", caller.simulator.account_id());
    let bearer = format!("Bearer {}", caller.token);
    for agent in ["", "Tests", "/1", "Tests/", "()/1"] {
        let headers = [("authorization", bearer.as_str()), ("user-agent", agent)];
        let (status, body, _) = caller.send(Method::GET, &target, &headers, "").await;
        assert_eq!((status, &body["code"]), (400, &Value::from(3)), "{agent}");
    }
    for authorization in ["", "Bearer", "Bearer x", "Basic x", &caller.token] {
        let headers = [("authorization", authorization), ("user-agent", "Tests/1")];
        let (status, body, _) = caller.send(Method::GET, &target, &headers, "").await;
        assert_eq!((status, &body["code"]), (401, &Value::from(16)), "{authorization}");
    }
}

#[tokio::test]
async fn pages_have_25_users_by_default_and_signed_tokens() {
    let caller = Caller::new().await;
    let list = "/v1/accounts/ACCOUNT/users".to_owned();
    let (_, first, _) = caller.call(Method::GET, &list, String::new()).await;
    assert_eq!(first["results"].as_array().unwrap().len(), 25);
    let token = first["next_page_token"].as_str().unwrap();
    let (_, second, _) = caller.call(Method::GET, &format!("{list}?page_token={token}"), String::new()).await;
    assert_eq!(second["results"].as_array().unwrap().len(), 5);
    let keys: Vec<&String> = second.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["results"], "the last page has no other key");
    let keys: Vec<&String> = second["results"][0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["id", "email", "display_name", "state", "create_time", "path"]);
    let other_filter = format!("{list}?page_token={token}&filter=user.isActive()");
    assert_eq!(caller.call(Method::GET, &other_filter, String::new()).await.0, 400);
    for place in 0..token.len() {
        let mut altered = token.to_owned().into_bytes();
        altered[place] = if altered[place] == b'A' { b'B' } else { b'A' };
        let altered = format!("{list}?page_token={}", String::from_utf8(altered).unwrap());
        assert_eq!(caller.call(Method::GET, &altered, String::new()).await.0, 400, "{altered}");
    }
}

#[tokio::test]
async fn tokens_are_issued_for_http_basic_only_and_can_be_revoked() {
    let caller = Caller::new().await;
    let form = "grant_type=client_credentials";
    for path in ["/v1/oauth/token", "/v1beta1/users/oauth2/token"] {
        for body in [form, "grant_type=client_credentials&scope=openid"] {
            let (status, body, _) = caller.form(path, caller.credentials(), body).await;
            assert_eq!(
                (status, &body["expires_in"], &body["token_type"]),
                (200, &Value::from(900), &Value::from("Bearer"))
            );
        }
        for (credentials, body, status, error) in [
            (None, form, 401, "invalid_client"),
            (Some((caller.simulator.client_id(), "wrong")), form, 401, "invalid_client"),
            (caller.credentials(), "", 400, "invalid_request"),
            (caller.credentials(), "grant_type=password", 400, "unsupported_grant_type"),
            (caller.credentials(), "grant_type=client_credentials&scope=admin", 400, "invalid_scope"),
            (caller.credentials(), "grant_type=client_credentials&client_id=x", 400, "invalid_request"),
            (caller.credentials(), "grant_type=client_credentials&client_secret=x", 400, "invalid_request"),
            (caller.credentials(), "grant_type=client_credentials&x=y", 400, "invalid_request"),
        ] {
            let (got, response, _) = caller.form(path, credentials, body).await;
            assert_eq!((got, &response["error"]), (status, &Value::from(error)), "{body}");
        }
        let query = format!("{path}?{form}");
        assert_eq!(caller.form(&query, caller.credentials(), form).await.0, 400);
    }
    let list = "/v1/accounts/ACCOUNT/users";
    assert_eq!(caller.call(Method::GET, list, String::new()).await.0, 200);
    assert_eq!(caller.form("/v1/oauth/revoke", caller.credentials(), "token=unknown").await.0, 200);
    assert_eq!(caller.form("/v1/oauth/revoke", caller.credentials(), "x=y").await.0, 400);
    assert_eq!(caller.call(Method::GET, list, String::new()).await.0, 200);
    let form = Box::leak(format!("token={}", caller.token).into_boxed_str());
    assert_eq!(caller.form("/v1/oauth/revoke", caller.credentials(), form).await.0, 200);
    assert_eq!(caller.call(Method::GET, list, String::new()).await.0, 401);
}

#[tokio::test]
async fn the_headers_of_a_dialect_are_sent() {
    use onepassword_users_simulator::{Dialect, Routes};
    let caller = Caller::new().await;
    let portal = Dialect { routes: Routes::Portal, compress: true, ..Dialect::default() };
    let simulator = Simulator::start(Config { users: 3, dialect: portal, ..Config::default() }).await.unwrap();
    for (base, status, content_type, encoding) in [
        (caller.simulator.base_url(), 401, "application/json", None),
        (simulator.base_url(), 403, "text/html", Some("gzip")),
    ] {
        let url = format!("{base}/v1/accounts/A/users");
        let response = caller.client.get(url).header("user-agent", "Tests/1").send().await.unwrap();
        let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap());
        assert_eq!((response.status().as_u16(), header("content-type")), (status, Some(content_type)));
        assert_eq!(header("content-encoding"), encoding);
        assert_eq!(header("www-authenticate"), (status == 401).then_some("Basic, Bearer"));
    }
}
