//! When a token is obtained, reused, renewed, and when it must not be used.

use std::time::Duration;

use onepassword_users_host::simulator::{Config, Fault, Operation, PERMISSIONS};
use onepassword_users_host::types::Error;

use crate::rig::{NORMAL, Rig, action_error, email, id};

const WENDY: &str = "wendy.appleseed@example.com";

#[tokio::test]
async fn a_token_is_reused() {
    let rig = Rig::new().await;
    let wendy = rig.id(WENDY);
    let mut counts = Vec::new();
    for _ in 0..3 {
        rig.connector.get_user(id(&wendy)).await.unwrap();
        counts.push(rig.requests().len());
    }
    assert_eq!(counts, [2, 1, 1], "get by id");

    let rig = Rig::new().await;
    rig.connector.suspend_user(id(&wendy), NORMAL()).await.unwrap();
    assert_eq!(rig.requests().len(), 3, "a change by id: token, look, change");
    rig.connector.reactivate_user(id(&wendy), NORMAL()).await.unwrap();
    assert_eq!(rig.requests().len(), 2, "and then: look, change");

    let rig = Rig::new().await;
    rig.connector.reactivate_user(id(&wendy), NORMAL()).await.unwrap();
    assert_eq!(rig.requests().len(), 2, "already so: token, look");
    rig.connector.reactivate_user(id(&wendy), NORMAL()).await.unwrap();
    assert_eq!(rig.requests().len(), 1, "and then: look");
    assert_eq!(rig.simulator.connections(), 1, "and all over one connection");
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires() {
    let rig = Rig::with(Config { users: 10, token_lifetime: Duration::from_secs(10), ..Config::default() }).await;
    let wendy = rig.id(WENDY);
    let began = tokio::time::Instant::now();
    rig.connector.get_user(id(&wendy)).await.unwrap();
    rig.connector.get_user(id(&wendy)).await.unwrap();
    assert_eq!(rig.requests().len(), 3);
    // It is renewed a fifth of its life before the end: after 8 s.
    tokio::time::sleep_until(began + Duration::from_millis(8500)).await;
    rig.connector.get_user(id(&wendy)).await.unwrap();
    let records = rig.simulator.take_records();
    assert_eq!(records.iter().map(|record| record.status).collect::<Vec<_>>(), [200, 200], "no 401 on the way");
    assert!(records[0].target.ends_with("/token"));
}

#[tokio::test]
async fn a_token_that_was_taken_back_is_replaced_once() {
    let rig = Rig::new().await;
    let wendy = rig.id(WENDY);
    rig.connector.get_user(id(&wendy)).await.unwrap();
    rig.simulator.revoke_tokens();
    rig.requests();
    rig.connector.suspend_user(id(&wendy), NORMAL()).await.unwrap();
    let statuses: Vec<u16> = rig.simulator.take_records().iter().map(|record| record.status).collect();
    assert_eq!(statuses, [401, 200, 200, 200], "refused, token, look, change");

    for _ in 0..3 {
        rig.simulator.inject(Operation::Get, Fault::reply(401, r#"{"code":16,"message":"no","details":[]}"#));
    }
    let Error::Unauthenticated(error) = action_error(rig.connector.get_user(id(&wendy)).await) else { panic!() };
    assert_eq!((error.reply.status, error.reply.code.as_deref()), (401, Some("16")));
    let statuses: Vec<u16> = rig.simulator.take_records().iter().map(|record| record.status).collect();
    assert_eq!(statuses, [401, 200, 401], "one new token, one more try");
}

#[tokio::test]
async fn a_token_is_never_used_for_another_identity() {
    let rig = Rig::new().await;
    let wendy = rig.id(WENDY);
    let get = async || rig.connector.get_user(id(&wendy)).await.map(drop);
    get().await.unwrap();
    rig.requests();

    let other = rig.simulator.add_application(&PERMISSIONS);
    rig.values.set("client-id", &other.client_id);
    rig.values.set("client-secret", &other.client_secret);
    get().await.unwrap();
    assert_eq!(rig.requests()[0], "POST /v1/oauth/token", "another client");

    rig.values.set("api-version", "v1beta1");
    get().await.unwrap();
    assert_eq!(rig.requests()[0], "POST /v1/oauth/token", "another version");

    rig.values.set("account-id", "ANOTHERACCOUNT000000000000");
    let Error::PermissionDenied(_) = action_error(get().await) else { panic!() };
    assert_eq!(rig.requests()[0], "POST /v1/oauth/token", "another account");

    rig.values.set("account-id", rig.simulator.account_id());
    rig.values.set("base-url", &rig.simulator.base_url().replace("127.0.0.1", "localhost"));
    get().await.unwrap();
    assert_eq!(rig.requests()[0], "POST /v1/oauth/token", "another base URL");

    // A wrong secret is noticed when the next token is due, not before: the token is still good.
    rig.values.set("client-secret", "wrong");
    get().await.unwrap();
    assert_eq!(rig.requests().len(), 1);
}

#[tokio::test]
async fn an_access_token_is_used_as_it_is_and_never_renewed() {
    let rig = Rig::new().await;
    let wendy = rig.id(WENDY);
    rig.values.set("access-token", &rig.simulator.issue_token());
    for name in ["client-id", "client-secret"] {
        rig.values.unset(name);
    }
    rig.connector.get_user(id(&wendy)).await.unwrap();
    rig.connector.get_user(email(WENDY)).await.unwrap();
    assert_eq!(rig.requests().len(), 2);

    rig.simulator.revoke_tokens();
    let Error::Unauthenticated(error) = action_error(rig.connector.get_user(id(&wendy)).await) else { panic!() };
    assert!(error.message.contains("access-token"), "{}", error.message);
    assert_eq!(rig.requests().len(), 1);
}
