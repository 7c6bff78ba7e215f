//! Every error case, from responses over the wire. None of them may trap or change a user.

use std::time::{Duration, Instant};

use onepassword_users_host::catalogue::ErrorCode;
use onepassword_users_host::types::{ChangeMode, ChangeOutcome, ListQuery, StateFilter, UserState};
use onepassword_users_host::{Error, Failure, Subject, SubjectKind};
use onepassword_users_simulator::{Config, Fault, Operation, Simulator};
use onepassword_users_test_kit::harness::{ALL, Harness, action_failure, email, expect_failure, id};

const WENDY: &str = "wendy.appleseed@example.com";
const GATEWAY: &str = r#"{"code":CODE,"message":"its words","details":[]}"#;

/// The subject of a failure that has one.
fn subject(failure: &Failure) -> (SubjectKind, &str) {
    let Subject { kind, name } = failure.subject.as_ref().unwrap();
    (*kind, name)
}

/// The service's status, code and message in a failure that has them.
fn service(failure: &Failure) -> (u16, Option<&str>, &str) {
    let service = failure.service.as_ref().unwrap();
    (service.status, service.code.as_deref(), &service.message)
}

/// The service's answer about Wendy.
fn wendy_is(state: &str, id: &str) -> Fault {
    Fault::reply(200, &format!(r#"{{"id":"{id}","email":"{WENDY}","state":"{state}"}}"#))
}

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
        (query(None, Some(String::new())), "page_token"),
        (query(None, Some("x".repeat(10_000))), "page_token"),
        (query(Some(1), Some("altered".into())), "page_token"),
    ] {
        let error = expect_failure(ErrorCode::InvalidArgument, harness.connector.list_users(query).await);
        assert_eq!(subject(&error), (SubjectKind::Argument, argument));
        assert!(error.message.contains(argument), "{}", error.message);
    }
    let too_many = vec![email(WENDY); 1001];
    let error = expect_failure(ErrorCode::InvalidArgument, harness.connector.find_users(too_many).await);
    assert_eq!(subject(&error), (SubjectKind::Argument, "users"));
    assert_eq!(harness.requests(), [""; 0], "nothing was sent");
    // A page token of a list with another filter.
    let list = harness.connector.list_users(query(Some(1), None)).await.unwrap();
    harness.requests();
    let other = ListQuery { state: Some(StateFilter::Active), limit: None, page_token: list.next_page_token };
    let error = expect_failure(ErrorCode::InvalidArgument, harness.connector.list_users(other).await);
    assert_eq!(subject(&error), (SubjectKind::Argument, "page_token"));
    assert_eq!(harness.requests(), [""; 0], "nothing was sent");
}

#[tokio::test]
async fn page_token_refused() {
    // The first page holds one user, so that the list continues with a page token of the service.
    let harness = Harness::with(Config { users: 3, page_size: 1, ..Config::default() }).await;
    let query = |page_token| ListQuery { state: None, limit: Some(1), page_token };
    let list = harness.connector.list_users(query(None)).await.unwrap();
    harness.simulator.inject(Operation::List, gateway(400, 3));
    let result = harness.connector.list_users(query(list.next_page_token)).await;
    let error = expect_failure(ErrorCode::PageTokenRefused, result);
    assert_eq!(subject(&error), (SubjectKind::Argument, "page_token"));
    assert_eq!(service(&error), (400, Some("3"), "its words"));
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
        let error = expect_failure(ErrorCode::Misconfigured, harness.connector.list_users(ALL).await);
        let is_secret = ["client-id", "client-secret", "access-token"].contains(&name);
        let kind = if is_secret { SubjectKind::Secret } else { SubjectKind::Setting };
        assert_eq!(subject(&error), (kind, name));
        assert!(error.message.contains(name) && !format!("{error:?}").contains("hunter2"), "{error:?}");
        assert_eq!(harness.requests(), [""; 0], "nothing was sent");
    }
    harness.values.set("base-url", &format!("{}/v1beta1", harness.simulator.base_url()));
    harness.values.set("api-version", "v1");
    let error = expect_failure(ErrorCode::Misconfigured, harness.connector.list_users(ALL).await);
    assert_eq!(subject(&error), (SubjectKind::Setting, "api-version"));
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
    let error = expect_failure(ErrorCode::Misconfigured, harness.connector.list_users(ALL).await);
    assert_eq!(subject(&error), (SubjectKind::Setting, "base-url"));
    harness.simulator.inject(Operation::List, gateway(404, 5));
    let error = expect_failure(ErrorCode::Misconfigured, harness.connector.list_users(ALL).await);
    assert_eq!((subject(&error), service(&error).0), ((SubjectKind::Setting, "account-id"), 404));
    // A 404 of another server does not mean that the user is missing.
    harness.simulator.inject(Operation::Get, Fault::reply(404, "<html>Not Found</html>"));
    let error = expect_failure(ErrorCode::Misconfigured, harness.connector.get_user(id("A")).await);
    assert_eq!(subject(&error), (SubjectKind::Setting, "base-url"));
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
        let error = expect_failure(ErrorCode::Unauthenticated, harness.connector.list_users(ALL).await);
        assert_eq!(service(&error), (status, code, "its words"));
        assert_eq!(subject(&error), (SubjectKind::Secret, "client-secret"));
        assert_eq!(harness.requests().len(), 1);
    }
    let harness = Harness::without_retries().await;
    harness.values.set("client-secret", "wrong");
    let error = expect_failure(ErrorCode::Unauthenticated, harness.connector.list_users(ALL).await);
    assert_eq!(service(&error).1, Some("invalid_client"));
}

#[tokio::test]
async fn permission_denied_names_the_permission() {
    let harness = Harness::without_retries().await;
    let wendy = harness.id(WENDY);
    let application = harness.simulator.add_application(&[Operation::Get]);
    harness.values.set("client-id", &application.client_id);
    harness.values.set("client-secret", &application.client_secret);
    harness.connector.get_user(id(&wendy)).await.unwrap();
    let error = expect_failure(ErrorCode::PermissionDenied, harness.connector.list_users(ALL).await);
    assert!(error.message.contains("list users"), "{}", error.message);
    let error = expect_failure(
        ErrorCode::PermissionDenied,
        harness.connector.suspend_user(id(&wendy), ChangeMode::Apply).await,
    );
    assert!(error.message.contains("suspend users"), "{}", error.message);
    assert!(error.remedy.contains("suspend users") && error.remedy.contains("externally managed"), "{}", error.remedy);
    let (status, code, _) = service(&error);
    assert_eq!((status, code, error.user_id.as_deref()), (403, Some("7"), Some(wendy.as_str())));
    assert_eq!(harness.state(&wendy), "ACTIVE");
}

#[tokio::test]
async fn last_owner_and_externally_managed() {
    let harness = Harness::without_retries().await;
    let error = expect_failure(
        ErrorCode::LastOwner,
        harness.connector.suspend_user(email("margaret.okafor@example.com"), ChangeMode::Apply).await,
    );
    let (status, _, message) = service(&error);
    assert_eq!((status, message), (403, "no_owner_remain"));
    assert_eq!(error.user_id, Some(harness.id("margaret.okafor@example.com")));
    let error = expect_failure(
        ErrorCode::ExternallyManaged,
        harness.connector.suspend_user(email("ines.provider@example.com"), ChangeMode::Apply).await,
    );
    assert_eq!((service(&error).0, &error.user_id), (403, &Some(harness.id("ines.provider@example.com"))));
    // The message decides, whatever the status.
    let wendy = harness.id(WENDY);
    for (status, words) in
        [(403, "EAM users cannot be suspended"), (400, "managed externally"), (409, "externally_managed")]
    {
        harness.simulator.inject(
            Operation::Suspend,
            Fault::reply(status, &GATEWAY.replace("CODE", "9").replace("its words", words)),
        );
        let result = harness.connector.suspend_user(id(&wendy), ChangeMode::Apply).await;
        expect_failure(ErrorCode::ExternallyManaged, result);
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
    let error = expect_failure(ErrorCode::RateLimited, harness.connector.get_user(id(&wendy)).await);
    assert_eq!((error.retry_after, error.is_retryable(), service(&error).1), (Some(7), true, Some("8")));
}

#[tokio::test]
async fn unavailable_for_server_errors() {
    for status in [408, 500, 502, 503, 504] {
        let harness = Harness::without_retries().await;
        let wendy = harness.id(WENDY);
        let failed = || Fault::reply(status, "<html>Bad Gateway</html>");
        harness.simulator.inject(Operation::Get, failed());
        let error = expect_failure(ErrorCode::Unavailable, harness.connector.get_user(id(&wendy)).await);
        assert_eq!((service(&error).0, error.may_have_changed, error.user_id), (status, false, None));
        harness.requests();
        // The look-up succeeds. Then the change fails, and so does the look-up after it.
        harness.simulator.inject(Operation::Get, wendy_is("ACTIVE", &wendy));
        harness.simulator.inject(Operation::Suspend, gateway(status, 14));
        harness.simulator.inject(Operation::Get, failed());
        let result = harness.connector.suspend_user(id(&wendy), ChangeMode::Apply).await;
        let error = expect_failure(ErrorCode::Unavailable, result);
        assert_eq!((service(&error).2, error.may_have_changed), ("its words", true));
        assert_eq!(error.user_id, Some(wendy.clone()));
        let get = format!("GET /v1/accounts/A/users/{wendy}");
        assert_eq!(harness.requests(), [get.clone(), format!("POST /v1/accounts/A/users/{wendy}:suspend"), get]);
    }
}

#[tokio::test]
async fn unavailable_without_a_response() {
    let harness = Harness::without_retries().await;
    let wendy = harness.id(WENDY);
    harness.values.set("timeout", "1");
    harness.connector.get_user(id(&wendy)).await.unwrap();

    harness.simulator.inject(Operation::Get, Fault::Close);
    let error = expect_failure(ErrorCode::Unavailable, harness.connector.get_user(id(&wendy)).await);
    assert_eq!((error.service, error.may_have_changed), (None, false));

    // A change without a response is read back. If that fails, the error says that it may have been made.
    harness.simulator.inject(Operation::Get, wendy_is("ACTIVE", &wendy));
    harness.simulator.inject(Operation::Suspend, Fault::Lose);
    harness.simulator.inject(Operation::Get, Fault::Close);
    let error =
        expect_failure(ErrorCode::Unavailable, harness.connector.suspend_user(id(&wendy), ChangeMode::Apply).await);
    assert!(error.may_have_changed && error.remedy.contains("look at it"), "{}", error.remedy);
    assert_eq!(error.user_id, Some(wendy.clone()));
    assert_eq!(harness.state(&wendy), "SUSPENDED");
    harness.simulator.inject(Operation::Reactivate, Fault::Lose);
    let change = harness.connector.reactivate_user(id(&wendy), ChangeMode::Apply).await.unwrap();
    assert_eq!((change.outcome, change.user.state), (ChangeOutcome::Changed, UserState::Active));

    harness.simulator.inject(Operation::Get, Fault::Delay(Duration::from_secs(30)));
    let start = Instant::now();
    let error = expect_failure(ErrorCode::Unavailable, harness.connector.get_user(id(&wendy)).await);
    assert!(error.message.contains("in time"), "{}", error.message);
    assert!(start.elapsed() < Duration::from_secs(10), "the timeout is one second, it took {:?}", start.elapsed());

    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    harness.values.set("base-url", &format!("http://{unused}"));
    let error = expect_failure(ErrorCode::Unavailable, harness.connector.get_user(id(&wendy)).await);
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
        let error = expect_failure(
            ErrorCode::InvalidResponse,
            harness.connector.suspend_user(id(&wendy), ChangeMode::Apply).await,
        );
        assert!(error.message.contains("(HTTP 200)") && !error.may_have_changed, "{error:?}");
    }
    for status in [201, 204, 302, 304] {
        harness.simulator.inject(Operation::Get, Fault::reply(status, ""));
        let error = expect_failure(ErrorCode::InvalidResponse, harness.connector.get_user(id(&wendy)).await);
        assert!(error.message.contains(&format!("(HTTP {status})")), "{}", error.message);
    }
    let elsewhere = vec![("Location".into(), "https://evil.example/steal?me".into())];
    harness.simulator.inject(Operation::Get, Fault::Reply { status: 307, headers: elsewhere, body: String::new() });
    let error = expect_failure(ErrorCode::InvalidResponse, harness.connector.get_user(id(&wendy)).await);
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
        let error = expect_failure(
            ErrorCode::InvalidResponse,
            harness.connector.suspend_user(id(&wendy), ChangeMode::Apply).await,
        );
        assert!(error.may_have_changed && error.user_id.as_ref() == Some(&wendy), "{body}");
    }
}

#[tokio::test]
async fn invalid_response_to_a_list_is_never_a_short_list() {
    let harness = Harness::without_retries().await;
    let too_many: String = (0..1001).map(|n| format!(r#"{{"id":"U{n}"}},"#)).collect();
    for body in [
        r#"{"users":[{"id":"A"}]}"#.to_owned(),
        r#"{"accounts":[]}"#.to_owned(),
        format!(r#"{{"results":[{}]}}"#, too_many.trim_end_matches(',')),
        r#"{"results":[{"id":"A"},{}]}"#.to_owned(),
        r#"{"results":[{"id":"A"}],"next_page_token":[7]}"#.to_owned(),
        r#"{"results":[{"id":"A"}],"has_more":true}"#.to_owned(),
        "{}".to_owned(),
        r#"{"results":[]}"#.to_owned(),
        r#"{"results":[{"id":"A"}"#.to_owned(),
        format!(r#"{{"results":[],"next_page_token":"{}"}}"#, "x".repeat(10_000)),
    ] {
        harness.simulator.inject(Operation::List, Fault::reply(200, &body));
        expect_failure(ErrorCode::InvalidResponse, harness.connector.list_users(ALL).await);
    }
    let first = r#"{"results":[{"id":"A"}],"next_page_token":"again"}"#;
    for _ in 0..2 {
        harness.simulator.inject(Operation::List, Fault::reply(200, first));
    }
    expect_failure(ErrorCode::EndlessList, harness.connector.list_users(ALL).await);
    // A response that ignores the filter is invalid as well.
    harness.simulator.inject(Operation::List, Fault::reply(200, r#"{"results":[{"id":"A","state":"ACTIVE"}]}"#));
    let suspended = ListQuery { state: Some(StateFilter::Suspended), limit: None, page_token: None };
    expect_failure(ErrorCode::InvalidResponse, harness.connector.list_users(suspended).await);
    harness.simulator.inject(Operation::List, Fault::reply(200, r#"{"results":[{"id":"A"},{"id":"A"},{"id":"B"}]}"#));
    assert_eq!(harness.connector.list_users(ALL).await.unwrap().users.len(), 2);
}

#[tokio::test]
async fn other_for_unknown_refusals() {
    let harness = Harness::without_retries().await;
    for (status, code) in [(400, 3), (409, 6), (418, 2)] {
        harness.simulator.inject(Operation::List, gateway(status, code));
        let error = expect_failure(ErrorCode::Other, harness.connector.list_users(ALL).await);
        assert_eq!(service(&error).0, status);
    }
}

#[tokio::test]
async fn a_connector_works_after_every_error() {
    let harness = Harness::without_retries().await;
    let wendy = harness.id(WENDY);
    for fault in [Fault::Close, Fault::Lose, gateway(500, 13), Fault::reply(200, "garbage"), gateway(403, 7)] {
        harness.simulator.inject(Operation::Get, fault);
        action_failure(harness.connector.get_user(id(&wendy)).await);
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
    assert_eq!(error, Error::Deadline { deadline: Duration::from_millis(300), may_have_changed: false });
    assert_eq!((error.failure().code, error.failure().may_have_changed), (ErrorCode::HostFailed, false));
    assert!(start.elapsed() < Duration::from_secs(10));
    assert_eq!(connector.get_user(email(WENDY)).await.unwrap().email, WENDY);
}

#[tokio::test]
async fn a_change_that_was_sent_before_the_hosts_deadline_is_reported() {
    let simulator = Simulator::start(Default::default()).await.unwrap();
    let values = onepassword_users_test_kit::harness::values(&simulator);
    let deadline = Duration::from_secs(2);
    let options = onepassword_users_host::Options { deadline, ..onepassword_users_test_kit::harness::options(&values) };
    let connector = onepassword_users_test_kit::harness::HOST.connector(options).unwrap();
    let wendy = simulator.account(|account| account.by_email(WENDY).unwrap().id.clone());
    for (operation, may_have_changed) in
        [(Operation::Token, false), (Operation::Get, false), (Operation::Suspend, true)]
    {
        simulator.take_records();
        simulator.inject(operation, Fault::Delay(Duration::from_secs(30)));
        let error = connector.suspend_user(id(&wendy), ChangeMode::Apply).await.unwrap_err();
        assert_eq!(error, Error::Deadline { deadline, may_have_changed }, "{operation:?}");
        assert_eq!(error.failure().may_have_changed, may_have_changed);
    }
    // A call that changes nothing says nothing of the change before it.
    simulator.inject(Operation::Get, Fault::Delay(Duration::from_secs(30)));
    let error = connector.get_user(id(&wendy)).await.unwrap_err();
    assert_eq!(error, Error::Deadline { deadline, may_have_changed: false });
}
