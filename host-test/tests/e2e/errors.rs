//! Every error case, from responses over the wire. None of them may trap or change a user.

use std::time::{Duration, Instant};

use onepassword_users_host::Error as HostError;
use onepassword_users_host::types::{Change, ChangeOptions, Error, ListQuery, UserState};
use onepassword_users_simulator::{Fault, Operation, Simulator};
use onepassword_users_test_kit::harness::{ALL, Harness, NO_OPTIONS, action_error, email, id};

const WENDY: &str = "wendy.appleseed@example.com";
const GATEWAY: &str = r#"{"code":CODE,"message":"its words","details":[]}"#;

fn gateway(status: u16, code: u8) -> Fault {
    Fault::reply(status, &GATEWAY.replace("CODE", &code.to_string()))
}

#[tokio::test]
async fn invalid_argument() {
    let harness = Harness::without_retries().await;
    let query = |limit, page_token: Option<String>| ListQuery { state: None, limit, page_token };
    for (query, argument) in [
        (query(Some(0), None), "limit"),
        (query(Some(250_001), None), "limit"),
        (query(None, Some(String::new())), "page-token"),
        (query(None, Some("x".repeat(10_000))), "page-token"),
    ] {
        let Error::InvalidArgument(error) = action_error(harness.connector.list_users(query).await) else { panic!() };
        assert_eq!(error.argument, argument);
    }
    let both = ChangeOptions::DRY_RUN | ChangeOptions::WITHOUT_LOOKUP;
    let Error::InvalidArgument(error) = action_error(harness.connector.suspend_user(id("A"), both).await) else {
        panic!()
    };
    assert_eq!(error.argument, "options");
    assert_eq!(harness.requests(), [""; 0], "nothing was sent");
}

#[tokio::test]
async fn misconfigured_names_the_setting_and_never_its_value() {
    let harness = Harness::without_retries().await;
    for (name, value) in [
        ("base-url", "http://hunter2.example"),
        ("base-url", "https://user:hunter2@api.1password.com"),
        ("account-id", "hunter2"),
        ("account-id", ""),
        ("api-version", "hunter2"),
        ("timeout", "hunter2"),
        ("deadline", "hunter2"),
        ("max-attempts", "hunter2"),
        ("user-agent", "hunter2"),
        ("user-agent", "hunter2/1\r\nX: y"),
        ("client-id", "hunter2:x"),
        ("client-id", "  "),
        ("client-secret", "hunter2\u{7}"),
        ("client-secret", ""),
        ("access-token", "hunter2 x"),
    ] {
        let harness = Harness::without_retries().await;
        harness.values.set(name, value);
        let Error::Misconfigured(error) = action_error(harness.connector.list_users(ALL).await) else {
            panic!("{name} {value}")
        };
        assert_eq!(error.name, name);
        assert!(error.message.contains(name) && !error.message.contains("hunter2"), "{}", error.message);
        assert_eq!(harness.requests(), [""; 0], "nothing was sent");
    }
    harness.values.set("base-url", &format!("{}/v1beta1", harness.simulator.base_url()));
    harness.values.set("api-version", "v1");
    let Error::Misconfigured(error) = action_error(harness.connector.list_users(ALL).await) else { panic!() };
    assert_eq!(error.name, "api-version");
    harness.values.unset("api-version");
    harness.connector.list_users(ALL).await.unwrap();
    assert!(
        harness.simulator.take_records()[0].target.starts_with("/v1beta1/"),
        "the version at the end of the base URL chooses the routes"
    );
}

#[tokio::test]
async fn misconfigured_for_unknown_routes_or_accounts() {
    let harness = Harness::without_retries().await;
    harness.simulator.inject(Operation::Token, Fault::reply(404, "<html>Not Found</html>"));
    let Error::Misconfigured(error) = action_error(harness.connector.list_users(ALL).await) else { panic!() };
    assert_eq!(error.name, "base-url");
    harness.simulator.inject(Operation::List, gateway(404, 5));
    let Error::Misconfigured(error) = action_error(harness.connector.list_users(ALL).await) else { panic!() };
    assert_eq!((error.name.as_str(), error.reply.unwrap().status), ("account-id", 404));
    // A 404 of another server does not mean that the user is missing.
    harness.simulator.inject(Operation::Get, Fault::reply(404, "<html>Not Found</html>"));
    let Error::Misconfigured(error) = action_error(harness.connector.get_user(id("A")).await) else { panic!() };
    assert_eq!(error.name, "base-url");
}

#[tokio::test]
async fn unauthenticated() {
    for (status, body, code) in [
        (401, r#"{"error":"invalid_client","error_description":"its words"}"#, Some("invalid_client")),
        (400, r#"{"error":"invalid_client","error_description":"its words"}"#, Some("invalid_client")),
        (401, r#"{"code":16,"message":"its words","details":[]}"#, Some("16")),
        (401, "its words", None),
    ] {
        let harness = Harness::without_retries().await;
        harness.simulator.inject(Operation::Token, Fault::reply(status, body));
        let Error::Unauthenticated(error) = action_error(harness.connector.list_users(ALL).await) else {
            panic!("{body}")
        };
        assert_eq!((error.reply.status, error.reply.code.as_deref()), (status, code));
        assert_eq!(error.reply.message, "its words");
        assert_eq!(harness.requests().len(), 1);
    }
    let harness = Harness::without_retries().await;
    harness.values.set("client-secret", "wrong");
    let Error::Unauthenticated(error) = action_error(harness.connector.list_users(ALL).await) else { panic!() };
    assert_eq!(error.reply.code.as_deref(), Some("invalid_client"));
}

#[tokio::test]
async fn permission_denied_names_the_permission() {
    let harness = Harness::without_retries().await;
    let wendy = harness.id(WENDY);
    let application = harness.simulator.add_application(&[Operation::Get]);
    harness.values.set("client-id", &application.client_id);
    harness.values.set("client-secret", &application.client_secret);
    harness.connector.get_user(id(&wendy)).await.unwrap();
    let Error::PermissionDenied(error) = action_error(harness.connector.list_users(ALL).await) else { panic!() };
    assert!(error.message.contains("list users"), "{}", error.message);
    let Error::PermissionDenied(error) = action_error(harness.connector.suspend_user(id(&wendy), NO_OPTIONS()).await)
    else {
        panic!()
    };
    assert!(
        error.message.contains("suspend users") && error.message.contains("externally managed"),
        "{}",
        error.message
    );
    assert_eq!((error.reply.status, error.reply.code.as_deref()), (403, Some("7")));
    assert_eq!(harness.state(&wendy), "ACTIVE");
}

#[tokio::test]
async fn last_owner_and_externally_managed() {
    let harness = Harness::without_retries().await;
    let Error::LastOwner(error) =
        action_error(harness.connector.suspend_user(email("margaret.okafor@example.com"), NO_OPTIONS()).await)
    else {
        panic!()
    };
    assert_eq!((error.reply.status, error.reply.message.as_str()), (403, "no_owner_remain"));
    let Error::ExternallyManaged(error) =
        action_error(harness.connector.suspend_user(email("ines.provider@example.com"), NO_OPTIONS()).await)
    else {
        panic!()
    };
    assert_eq!(error.reply.status, 403);
    // The message decides, whatever the status.
    let wendy = harness.id(WENDY);
    for (status, words) in
        [(403, "EAM users cannot be suspended"), (400, "managed externally"), (409, "externally_managed")]
    {
        harness.simulator.inject(
            Operation::Suspend,
            Fault::reply(status, &GATEWAY.replace("CODE", "9").replace("its words", words)),
        );
        let error = action_error(harness.connector.suspend_user(id(&wendy), NO_OPTIONS()).await);
        assert!(matches!(error, Error::ExternallyManaged(_)), "{error:?}");
    }
}

#[tokio::test]
async fn rate_limited() {
    let harness = Harness::without_retries().await;
    let wendy = harness.id(WENDY);
    let body = GATEWAY.replace("CODE", "8");
    let headers = vec![("Retry-After".into(), "7".into())];
    for _ in 0..10 {
        harness
            .simulator
            .inject(Operation::Get, Fault::Reply { status: 429, headers: headers.clone(), body: body.clone() });
    }
    let Error::RateLimited(error) = action_error(harness.connector.get_user(id(&wendy)).await) else { panic!() };
    assert_eq!((error.retry_after, error.reply.code.as_deref()), (Some(7), Some("8")));
}

#[tokio::test]
async fn unavailable_for_server_errors() {
    for status in [408, 500, 502, 503, 504] {
        let harness = Harness::without_retries().await;
        let wendy = harness.id(WENDY);
        for _ in 0..10 {
            harness.simulator.inject(Operation::Get, Fault::reply(status, "<html>Bad Gateway</html>"));
            harness.simulator.inject(Operation::Suspend, gateway(status, 14));
        }
        let Error::Unavailable(error) = action_error(harness.connector.get_user(id(&wendy)).await) else { panic!() };
        assert_eq!((error.reply.unwrap().status, error.may_have_changed), (status, false));
        let options = ChangeOptions::WITHOUT_LOOKUP;
        let Error::Unavailable(error) = action_error(harness.connector.suspend_user(id(&wendy), options).await) else {
            panic!()
        };
        assert_eq!((error.reply.unwrap().message.as_str(), error.may_have_changed), ("its words", true));
    }
}

#[tokio::test]
async fn unavailable_without_a_response() {
    let harness = Harness::without_retries().await;
    let wendy = harness.id(WENDY);
    let options = ChangeOptions::WITHOUT_LOOKUP;
    harness.values.set("timeout", "1");
    harness.connector.get_user(id(&wendy)).await.unwrap();

    harness.simulator.inject(Operation::Get, Fault::Close);
    let Error::Unavailable(error) = action_error(harness.connector.get_user(id(&wendy)).await) else { panic!() };
    assert_eq!((error.reply, error.may_have_changed), (None, false));

    // A change without a response is read back. If that fails, the error says that it may have been made.
    harness.simulator.inject(Operation::Suspend, Fault::Lose);
    harness.simulator.inject(Operation::Get, Fault::Close);
    let Error::Unavailable(error) = action_error(harness.connector.suspend_user(id(&wendy), options).await) else {
        panic!()
    };
    assert!(error.may_have_changed && error.message.contains("look at it"), "{}", error.message);
    assert_eq!(harness.state(&wendy), "SUSPENDED");
    harness.simulator.inject(Operation::Reactivate, Fault::Lose);
    let change = harness.connector.reactivate_user(id(&wendy), NO_OPTIONS()).await.unwrap();
    assert_eq!((change.change, change.user.state), (Change::Changed, UserState::Active));

    harness.simulator.inject(Operation::Get, Fault::Delay(Duration::from_secs(30)));
    let start = Instant::now();
    let Error::Unavailable(error) = action_error(harness.connector.get_user(id(&wendy)).await) else { panic!() };
    assert!(error.message.contains("in time"), "{}", error.message);
    assert!(start.elapsed() < Duration::from_secs(10), "the timeout is one second, it took {:?}", start.elapsed());

    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    harness.values.set("base-url", &format!("http://{unused}"));
    let Error::Unavailable(error) = action_error(harness.connector.get_user(id(&wendy)).await) else { panic!() };
    assert!(error.message.contains(&unused.to_string()), "{}", error.message);
}

#[tokio::test]
async fn invalid_response_to_a_lookup_changes_nothing() {
    let harness = Harness::without_retries().await;
    let wendy = harness.id(WENDY);
    let other = r#"{"id":"SOMEBODYELSE","state":"ACTIVE"}"#;
    for body in ["", "{}", "null", "[]", "<html>Sign in</html>", "{\"id\":1}", other, "{\"id\":\"A\"", "\u{0}", "[[[["]
    {
        harness.simulator.inject(Operation::Get, Fault::reply(200, body));
        let Error::InvalidResponse(error) =
            action_error(harness.connector.suspend_user(id(&wendy), NO_OPTIONS()).await)
        else {
            panic!("{body}")
        };
        assert_eq!((error.status, error.may_have_changed), (200, false));
    }
    for status in [201, 204, 302, 304] {
        harness.simulator.inject(Operation::Get, Fault::reply(status, ""));
        let Error::InvalidResponse(error) = action_error(harness.connector.get_user(id(&wendy)).await) else {
            panic!()
        };
        assert_eq!(error.status, status);
    }
    let elsewhere = vec![("Location".into(), "https://evil.example/steal?me".into())];
    harness.simulator.inject(Operation::Get, Fault::Reply { status: 307, headers: elsewhere, body: String::new() });
    let Error::InvalidResponse(error) = action_error(harness.connector.get_user(id(&wendy)).await) else { panic!() };
    assert!(error.message.contains("evil.example") && !error.message.contains("steal"), "{}", error.message);
    assert_eq!(harness.state(&wendy), "ACTIVE");
    assert!(harness.requests().iter().all(|request| !request.ends_with(":suspend")));
}

#[tokio::test]
async fn invalid_response_to_a_change_claims_nothing() {
    let harness = Harness::without_retries().await;
    let wendy = harness.id(WENDY);
    for body in [
        String::new(),
        "{}".into(),
        format!(r#"{{"id":"{wendy}"}}"#),
        format!(r#"{{"id":"{wendy}","state":"ACTIVE"}}"#),
        format!(r#"{{"id":"{wendy}","state":"STATE_UNSPECIFIED"}}"#),
        r#"{"id":"SOMEBODYELSE","state":"SUSPENDED"}"#.into(),
    ] {
        harness.simulator.inject(Operation::Suspend, Fault::reply(200, &body));
        let Error::InvalidResponse(error) =
            action_error(harness.connector.suspend_user(id(&wendy), NO_OPTIONS()).await)
        else {
            panic!("{body}")
        };
        assert!(error.may_have_changed, "{body}");
    }
}

#[tokio::test]
async fn invalid_response_to_a_list_is_never_a_short_list() {
    let harness = Harness::without_retries().await;
    let too_many: String = (0..1001).map(|n| format!(r#"{{"id":"U{n}"}},"#)).collect();
    let first = r#"{"results":[{"id":"A"}],"next_page_token":"again"}"#;
    for bodies in [
        vec![r#"{"users":[{"id":"A"}]}"#.to_owned()],
        vec![r#"{"accounts":[]}"#.to_owned()],
        vec![format!(r#"{{"results":[{}]}}"#, too_many.trim_end_matches(','))],
        vec![first.to_owned(), first.to_owned()],
        vec![r#"{"results":[{"id":"A"},{}]}"#.to_owned()],
        vec![r#"{"results":[{"id":"A"}],"next_page_token":7}"#.to_owned()],
        vec![r#"{"results":[{"id":"A"}"#.to_owned()],
        vec![format!(r#"{{"results":[],"next_page_token":"{}"}}"#, "x".repeat(10_000))],
    ] {
        for body in &bodies {
            harness.simulator.inject(Operation::List, Fault::reply(200, body));
        }
        let error = action_error(harness.connector.list_users(ALL).await);
        assert!(matches!(error, Error::InvalidResponse(_)), "{bodies:?}: {error:?}");
    }
    // A response that ignores the filter is invalid as well.
    harness.simulator.inject(Operation::List, Fault::reply(200, r#"{"results":[{"id":"A","state":"ACTIVE"}]}"#));
    let suspended =
        ListQuery { state: Some(onepassword_users_host::types::StateFilter::Suspended), limit: None, page_token: None };
    let error = action_error(harness.connector.list_users(suspended).await);
    assert!(matches!(error, Error::InvalidResponse(_)), "{error:?}");
    // These responses are valid.
    for (body, count) in [("{}", 0), (r#"{"results":[]}"#, 0), (r#"{"results":[{"id":"A"},{"id":"A"},{"id":"B"}]}"#, 2)]
    {
        harness.simulator.inject(Operation::List, Fault::reply(200, body));
        assert_eq!(harness.connector.list_users(ALL).await.unwrap().users.len(), count, "{body}");
    }
}

#[tokio::test]
async fn other_for_unknown_refusals() {
    let harness = Harness::without_retries().await;
    for (status, code) in [(400, 3), (405, 12), (501, 12), (418, 2)] {
        harness.simulator.inject(Operation::List, gateway(status, code));
        let Error::Other(error) = action_error(harness.connector.list_users(ALL).await) else { panic!("{status}") };
        assert_eq!(error.reply.unwrap().status, status);
    }
    let query = ListQuery { state: None, limit: Some(1), page_token: Some("altered".into()) };
    let Error::Other(error) = action_error(harness.connector.list_users(query).await) else { panic!() };
    assert!(error.message.contains("page_token"), "{}", error.message);
}

#[tokio::test]
async fn a_connector_works_after_every_error() {
    let harness = Harness::without_retries().await;
    let wendy = harness.id(WENDY);
    for fault in [Fault::Close, Fault::Lose, gateway(500, 13), Fault::reply(200, "garbage"), gateway(403, 7)] {
        harness.simulator.inject(Operation::Get, fault);
        action_error(harness.connector.get_user(id(&wendy)).await);
        assert_eq!(harness.connector.get_user(id(&wendy)).await.unwrap().state, UserState::Active);
    }
    let tokens = harness.requests().iter().filter(|request| request.ends_with("/token")).count();
    assert_eq!(tokens, 1, "the token is still cached");
}

#[tokio::test]
async fn a_call_is_ended_at_the_hosts_deadline_and_the_next_succeeds() {
    let simulator = Simulator::start(Default::default()).await.unwrap();
    let values = onepassword_users_test_kit::harness::values(&simulator);
    let options = onepassword_users_host::Options {
        deadline: Duration::from_millis(300),
        ..onepassword_users_test_kit::harness::options(&values)
    };
    let connector = onepassword_users_test_kit::harness::HOST.connector(options).unwrap();
    simulator.inject(Operation::Token, Fault::Delay(Duration::from_secs(30)));
    let start = Instant::now();
    let error = connector.list_users(ALL).await.unwrap_err();
    assert_eq!(error, HostError::Deadline(Duration::from_millis(300)));
    assert!(start.elapsed() < Duration::from_secs(10));
    assert_eq!(connector.get_user(email(WENDY)).await.unwrap().email, WENDY);
}
