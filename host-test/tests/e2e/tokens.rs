//! The token cache: tokens are obtained, reused, renewed, and never used with another identity.

use std::time::Duration;

use onepassword_users_host::catalogue::ErrorCode;
use onepassword_users_host::types::ChangeMode;
use onepassword_users_simulator::{Config, Fault, Operation, PERMISSIONS};
use onepassword_users_test_kit::harness::{Harness, email, expect_failure, id};

const WENDY: &str = "wendy.appleseed@example.com";

#[tokio::test]
async fn a_token_is_reused() {
    let harness = Harness::new().await;
    let wendy = harness.id(WENDY);
    let mut counts = Vec::new();
    for _ in 0..3 {
        harness.connector.get_user(id(&wendy)).await.unwrap();
        counts.push(harness.requests().len());
    }
    assert_eq!(counts, [2, 1, 1], "get by id");

    let harness = Harness::new().await;
    harness.connector.suspend_user(id(&wendy), ChangeMode::Apply).await.unwrap();
    assert_eq!(harness.requests().len(), 3, "a change by id: token, look-up, change");
    harness.connector.reactivate_user(id(&wendy), ChangeMode::Apply).await.unwrap();
    assert_eq!(harness.requests().len(), 2, "with the token: look-up, change");

    let harness = Harness::new().await;
    harness.connector.reactivate_user(id(&wendy), ChangeMode::Apply).await.unwrap();
    assert_eq!(harness.requests().len(), 2, "unchanged: token, look-up");
    harness.connector.reactivate_user(id(&wendy), ChangeMode::Apply).await.unwrap();
    assert_eq!(harness.requests().len(), 1, "with the token: look-up");
    assert_eq!(harness.simulator.connections(), 1, "all requests use one connection");
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires() {
    let harness =
        Harness::with(Config { users: 10, token_lifetime: Duration::from_secs(10), ..Config::default() }).await;
    let wendy = harness.id(WENDY);
    let start = tokio::time::Instant::now();
    harness.connector.get_user(id(&wendy)).await.unwrap();
    harness.connector.get_user(id(&wendy)).await.unwrap();
    assert_eq!(harness.requests().len(), 3);
    // It is renewed when a fifth of its lifetime is left: after 8 s.
    tokio::time::sleep_until(start + Duration::from_millis(8500)).await;
    harness.connector.get_user(id(&wendy)).await.unwrap();
    let records = harness.simulator.take_records();
    assert_eq!(records.iter().map(|record| record.status).collect::<Vec<_>>(), [200, 200], "no 401 on the way");
    assert!(records[0].target.ends_with("/token"));
}

#[tokio::test]
async fn a_revoked_token_is_replaced_once() {
    let harness = Harness::new().await;
    let wendy = harness.id(WENDY);
    harness.connector.get_user(id(&wendy)).await.unwrap();
    harness.simulator.revoke_tokens();
    harness.requests();
    harness.connector.suspend_user(id(&wendy), ChangeMode::Apply).await.unwrap();
    let statuses: Vec<u16> = harness.simulator.take_records().iter().map(|record| record.status).collect();
    assert_eq!(statuses, [401, 200, 200, 200], "refused, token, look-up, change");

    for _ in 0..3 {
        harness.simulator.inject(Operation::Get, Fault::reply(401, r#"{"code":16,"message":"no","details":[]}"#));
    }
    let error = expect_failure(ErrorCode::Unauthenticated, harness.connector.get_user(id(&wendy)).await);
    let service = error.service.unwrap();
    assert_eq!((service.status, service.code.as_deref()), (401, Some("16")));
    let statuses: Vec<u16> = harness.simulator.take_records().iter().map(|record| record.status).collect();
    assert_eq!(statuses, [401, 200, 401], "one new token, one retry");
}

#[tokio::test]
async fn a_token_is_never_used_for_another_identity() {
    let harness = Harness::new().await;
    let wendy = harness.id(WENDY);
    let get = async || harness.connector.get_user(id(&wendy)).await.map(drop);
    get().await.unwrap();
    harness.requests();

    let other = harness.simulator.add_application(&PERMISSIONS);
    harness.values.set("client-id", &other.client_id);
    harness.values.set("client-secret", &other.client_secret);
    get().await.unwrap();
    assert_eq!(harness.requests()[0], "POST /v1/oauth/token", "another client");

    harness.values.set("api-version", "v1beta1");
    get().await.unwrap();
    assert_eq!(harness.requests()[0], "POST /v1/oauth/token", "another version");

    harness.values.set("account-id", "ANOTHERACCOUNT000000000000");
    expect_failure(ErrorCode::PermissionDenied, get().await);
    assert_eq!(harness.requests()[0], "POST /v1/oauth/token", "another account");

    harness.values.set("account-id", harness.simulator.account_id());
    harness.values.set("base-url", &harness.simulator.base_url().replace("127.0.0.1", "localhost"));
    get().await.unwrap();
    assert_eq!(harness.requests()[0], "POST /v1/oauth/token", "another base URL");

    // A wrong secret has no effect until the next token request: the cached token is still valid.
    harness.values.set("client-secret", "wrong");
    get().await.unwrap();
    assert_eq!(harness.requests().len(), 1);
}

#[tokio::test]
async fn an_access_token_is_never_renewed() {
    let harness = Harness::new().await;
    let wendy = harness.id(WENDY);
    harness.values.set("access-token", &harness.simulator.issue_token());
    for name in ["client-id", "client-secret"] {
        harness.values.unset(name);
    }
    harness.connector.get_user(id(&wendy)).await.unwrap();
    harness.connector.get_user(email(WENDY)).await.unwrap();
    assert_eq!(harness.requests().len(), 2);

    harness.simulator.revoke_tokens();
    let error = expect_failure(ErrorCode::Unauthenticated, harness.connector.get_user(id(&wendy)).await);
    assert!(error.message.contains("access-token"), "{}", error.message);
    assert_eq!(harness.requests().len(), 1);
}
