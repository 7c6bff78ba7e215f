//! Access control: keys, roles, and unusable key settings.

use onepassword_users_spin_host::{Application, Failure, Options};
use reqwest::Method;

use crate::harness::{Harness, READER, RESPONDER, Response, Setup, WENDY};

const ROUTES: [(Method, &str); 9] = [
    (Method::GET, "/v1/users"),
    (Method::GET, "/v1/users/wendy.appleseed@example.com"),
    (Method::POST, "/v1/users/wendy.appleseed@example.com:suspend"),
    (Method::POST, "/v1/users/wendy.appleseed@example.com:reactivate"),
    (Method::POST, "/v1/test"),
    (Method::GET, "/openapi.json"),
    (Method::POST, "/v1/users:find"),
    (Method::GET, "/nothing"),
    (Method::DELETE, "/v1/users"),
];

#[tokio::test]
async fn without_a_key_every_route_is_unauthorized() {
    let harness = Harness::new().await;
    for (method, path) in ROUTES {
        let request = || harness.request(method.clone(), path);
        for request in [
            request(),
            request().header("authorization", ""),
            request().header("authorization", READER),
            request().basic_auth("soc", Some(READER)),
            request().bearer_auth(&READER[1..]),
            request().bearer_auth(format!("{RESPONDER}x")),
            request().bearer_auth(format!("soc:{READER}")),
            request().header("cookie", format!("Authorization={READER}")),
            harness.request(method.clone(), &format!("{path}?access_token={RESPONDER}")),
        ] {
            let response = Response::of(request).await;
            assert_eq!((response.status, response.code()), (401, "unauthorized"), "{method} {path}");
            assert_eq!(response.header("www-authenticate"), "Bearer");
        }
    }
    assert_eq!(harness.requests(), (0, 0), "the service gets no request");
}

#[tokio::test]
async fn readers_may_only_read_and_responders_may_do_everything() {
    let harness = Harness::new().await;
    for (method, path) in &ROUTES[..6] {
        let response = |key| Response::of(harness.request(method.clone(), path).bearer_auth(key));
        assert_eq!(response(RESPONDER).await.status, 200, "{method} {path}");
        let reader = response(READER).await;
        if path.contains(':') {
            assert_eq!((reader.status, reader.code()), (403, "forbidden"), "{path}");
            assert_eq!(reader.header("www-authenticate"), "Bearer error=\"insufficient_scope\"");
        } else {
            assert_eq!(reader.status, 200, "{path}");
        }
    }
    let find = harness.request(Method::POST, "/v1/users:find").bearer_auth(READER);
    let find = find.header("content-type", "application/json").body(r#"{"users":[]}"#);
    assert_eq!(Response::of(find).await.status, 200, "a search only reads");
    let dry = harness.request(Method::POST, &format!("/v1/users/{WENDY}:suspend")).bearer_auth(READER);
    let dry = dry.header("content-type", "application/json").body(r#"{"dry_run":true}"#);
    assert_eq!(Response::of(dry).await.code(), "forbidden", "a dry run needs the permission, too");
    let keys: Vec<_> = harness.log().into_iter().map(|line| line["key"].as_str().unwrap().to_owned()).collect();
    assert!(keys.iter().any(|key| key == "soc") && keys.iter().any(|key| key == "ir"));
}

#[tokio::test]
async fn two_keys_of_a_role_work_at_once_for_rotation() {
    let old = "old-key-canary-cccccccccccccccccccc";
    let harness = Setup::new().await.set("responder_keys", &format!("{old}, {RESPONDER}\n")).serve().await;
    for key in [old, RESPONDER] {
        let path = format!("/v1/users/{WENDY}:suspend");
        assert_eq!(Response::of(harness.request(Method::POST, &path).bearer_auth(key)).await.status, 200);
    }
    let labels: Vec<_> = harness.log().into_iter().map(|line| line["key"].clone()).collect();
    // The change has two lines, and what follows has nothing to change.
    assert_eq!(labels, ["responder-1", "responder-1", "responder-2"]);
}

#[tokio::test]
async fn unusable_keys_close_every_route() {
    for (readers, responders, problem) in [
        ("", "", "neither reader_keys nor responder_keys has a key"),
        ("short", RESPONDER, "reader_keys: entry 1 is a key of less than 32 characters"),
        (READER, "ir:short", "responder_keys: entry 1 is a key of less than 32 characters"),
        (RESPONDER, RESPONDER, "share a key"),
    ] {
        let harness = Setup::new().await.set("reader_keys", readers).set("responder_keys", responders).serve().await;
        let routes = ROUTES.into_iter().chain([(Method::GET, "/healthz")]);
        for (method, path) in routes {
            let response = Response::of(harness.request(method.clone(), path).bearer_auth(RESPONDER)).await;
            assert_eq!((response.status, response.code()), (503, "keys-not-usable"), "{method} {path}");
            assert!(!response.json.to_string().contains(problem), "the reason is only in the log");
            let log = harness.log();
            assert!(log[0]["problem"].as_str().unwrap().contains(problem), "{log:?}");
            assert!(!log[0].to_string().contains("canary"));
        }
        assert_eq!(harness.requests(), (0, 0));
    }
}

/// The provider of the keys fails or hangs. Requests are refused in bounded time.
#[tokio::test]
async fn unreadable_keys_close_every_route() {
    for failure in [Failure::Refuses("the vault is sealed".into()), Failure::Hangs] {
        let mut setup = Setup::new().await;
        setup.failures = [("responder_keys".to_owned(), failure)].into();
        let harness = setup.serve().await;
        let response = harness.get("/v1/users").await;
        assert_eq!(
            (response.status, response.code(), &response.json["retryable"]),
            (503, "keys-not-readable", &true.into())
        );
        assert!(harness.log()[0]["problem"].as_str().unwrap().starts_with("the variable responder_keys: "));
    }
}

/// One of the two key variables may be empty. Nobody has its role then.
#[tokio::test]
async fn one_key_variable_is_enough() {
    let harness = Setup::new().await.set("responder_keys", "").serve().await;
    assert_eq!(harness.get("/v1/users?limit=1").await.status, 200);
    assert_eq!(harness.post(&format!("/v1/users/{WENDY}:suspend"), "").await.status, 401);
}

/// As in Spin, the application does not start.
#[tokio::test]
async fn missing_and_invalid_variables_are_refused() {
    for name in ["account_id", "client_id", "client_secret", "reader_keys", "responder_keys"] {
        let mut setup = Setup::new().await;
        setup.variables.remove(name);
        let error = Application::load(&setup.manifest, &setup.variables, Options::default()).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("required"), "{error}");
    }
    for (name, value) in
        [("surprise", "1"), ("base_url", "api.1password.eu"), ("base_url", "https://api.1password.eu/v1")]
    {
        let setup = Setup::new().await.set(name, value);
        let error = Application::load(&setup.manifest, &setup.variables, Options::default()).unwrap_err().to_string();
        assert!(error.contains(name) || error.contains(value), "{error}");
    }
}
