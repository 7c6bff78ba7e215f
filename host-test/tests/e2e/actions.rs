//! The four actions, by id and by e-mail address, with both API versions.

use std::collections::HashSet;

use onepassword_users_host::catalogue::ErrorCode;
use onepassword_users_host::types::{ChangeMode, ChangeOutcome, ListQuery, StateFilter, User, UserRef, UserState};
use onepassword_users_simulator::{Config, Fault, Operation};
use onepassword_users_test_kit::harness::{ALL, API_VERSIONS, Harness, email, expect_failure, id, known};

const WENDY: &str = "wendy.appleseed@example.com";

fn ids(users: &[User]) -> Vec<String> {
    users.iter().map(|user| user.id.clone()).collect()
}

#[tokio::test]
async fn list_returns_every_user_in_full() {
    for version in API_VERSIONS {
        let harness = Harness::with(Config { users: 2500, ..Config::default() }).await;
        harness.values.set("api-version", version);
        let list = harness.connector.list_users(ALL).await.unwrap();
        assert_eq!(list.next_page_token, None);
        let sent = list.users.iter().map(|user| {
            let state = match user.service_state.as_str() {
                "ACTIVE" => UserState::Active,
                "SUSPENDED" => UserState::Suspended,
                _ => UserState::Other,
            };
            assert_eq!(user.state, state);
            [&user.id, &user.email, &user.display_name, &user.service_state, &user.create_time, &user.path]
                .map(String::from)
        });
        let expected: Vec<[String; 6]> = harness.simulator.account(|account| {
            let people = account.people().iter();
            people
                .map(|p| [&p.id, &p.email, &p.display_name, &p.state, &p.create_time, &p.path].map(String::from))
                .collect()
        });
        assert_eq!(sent.collect::<Vec<_>>(), expected);
        assert_eq!(harness.requests().len(), 4, "a token and three pages");
    }
}

#[tokio::test]
async fn list_by_state() {
    let harness = Harness::with(Config { users: 500, ..Config::default() }).await;
    for (filter, state) in [(StateFilter::Active, UserState::Active), (StateFilter::Suspended, UserState::Suspended)] {
        let query = ListQuery { state: Some(filter), limit: None, page_token: None };
        let users = harness.connector.list_users(query).await.unwrap().users;
        assert!(users.len() > 30 && users.iter().all(|user| user.state == state));
        let wire = if state == UserState::Active { "ACTIVE" } else { "SUSPENDED" };
        let expected =
            harness.simulator.account(|account| account.people().iter().filter(|person| person.state == wire).count());
        assert_eq!(users.len(), expected);
    }
}

#[tokio::test]
async fn list_25_000_users_with_and_without_limit() {
    let harness = Harness::with(Config { users: 25_000, ..Config::default() }).await;
    let expected: Vec<String> =
        harness.simulator.account(|account| account.people().iter().map(|person| person.id.clone()).collect());
    assert_eq!(expected.iter().collect::<HashSet<_>>().len(), 25_000);

    let all = harness.connector.list_users(ALL).await.unwrap();
    assert!(ids(&all.users) == expected && all.next_page_token.is_none());
    assert_eq!(harness.requests().len(), 1 + 25);

    // 7,777 is no multiple of a page, and does not divide the number of users.
    for limit in [1000, 7777, 25_000, 250_000] {
        let (mut found, mut page_token, mut calls) = (Vec::new(), None, 0);
        loop {
            let query = ListQuery { state: None, limit: Some(limit), page_token };
            let list = harness.connector.list_users(query).await.unwrap();
            assert!(list.users.len() <= limit as usize);
            found.extend(ids(&list.users));
            calls += 1;
            page_token = list.next_page_token;
            if page_token.is_none() {
                break;
            }
        }
        assert!(found == expected, "limit {limit}");
        assert_eq!(calls, 25_000_u32.div_ceil(limit));
    }

    let mut progress = Vec::new();
    let all = harness.connector.list_all_users(None, None, |count| progress.push(count)).await.unwrap();
    assert!(ids(&all) == expected);
    assert_eq!(progress, (1..=25).map(|page| page * 1000).collect::<Vec<_>>());
}

#[tokio::test]
async fn one_host_serves_many_accounts_at_once() {
    let mut harnesses = Vec::new();
    for _ in 0..40 {
        let harness = Harness::with(Config { users: 3, ..Config::default() }).await;
        assert_eq!(harness.connector.list_users(ALL).await.unwrap().users.len(), 3);
        harnesses.push(harness);
    }
}

#[tokio::test]
async fn the_longest_list_fits_into_memory() {
    let harness = Harness::with(Config { users: 250_000, ..Config::default() }).await;
    assert_eq!(harness.connector.list_users(ALL).await.unwrap().users.len(), 250_000);
}

#[tokio::test]
async fn smaller_pages_than_requested_are_followed() {
    let harness = Harness::with(Config { users: 60, page_size: 7, ..Config::default() }).await;
    assert_eq!(harness.connector.list_users(ALL).await.unwrap().users.len(), 60);
    let list =
        harness.connector.list_users(ListQuery { state: None, limit: Some(20), page_token: None }).await.unwrap();
    assert_eq!(list.users.len(), 20);
    assert!(list.next_page_token.is_some());
    assert_eq!(harness.connector.get_user(email(WENDY)).await.unwrap().email, WENDY);
}

/// Every account has an owner, so an empty one is none.
#[tokio::test]
async fn row_7_an_empty_account_is_none() {
    let harness = Harness::with(Config { users: 0, ..Config::default() }).await;
    expect_failure(ErrorCode::InvalidResponse, harness.connector.list_users(ALL).await);
    expect_failure(ErrorCode::InvalidResponse, harness.connector.get_user(email(WENDY)).await);
}

#[tokio::test]
async fn get_by_id_and_email() {
    for version in API_VERSIONS {
        let harness = Harness::new().await;
        harness.values.set("api-version", version);
        let wendy = harness.id(WENDY);
        for user in [id(&wendy), email(WENDY), email("WENDY.Appleseed@EXAMPLE.com")] {
            let user = harness.connector.get_user(user).await.unwrap();
            assert_eq!(
                (user.id.as_str(), user.email.as_str(), user.display_name.as_str()),
                (&*wendy, WENDY, "Wendy Appleseed")
            );
            assert_eq!(user.state, UserState::Active);
        }
    }
}

#[tokio::test]
async fn get_of_missing_and_ambiguous_users() {
    let harness = Harness::new().await;
    for user in [id("NOBODY"), email("nobody@example.com")] {
        let error = expect_failure(ErrorCode::UserNotFound, harness.connector.get_user(user.clone()).await);
        let (UserRef::Id(text) | UserRef::Email(text)) = &user else { panic!() };
        assert!(error.message.contains(text), "{}", error.message);
        assert_eq!(error.user_id, None, "there is no such user");
        assert_eq!((error.candidates, error.more_candidates), (vec![], false));
    }
    let helpdesk = email("helpdesk@example.com");
    let error = expect_failure(ErrorCode::AmbiguousUser, harness.connector.get_user(helpdesk).await);
    let is_match = |person: &&onepassword_users_simulator::Person| person.email == "helpdesk@example.com";
    let expected: Vec<String> =
        harness.simulator.account(|account| account.people().iter().filter(is_match).map(|p| p.id.clone()).collect());
    assert_eq!((error.candidates, error.more_candidates, error.user_id), (expected, false, None));
    assert!(error.message.contains("helpdesk@example.com"), "{}", error.message);
}

#[tokio::test]
async fn suspend_and_reactivate_by_id_and_email() {
    for version in API_VERSIONS {
        let harness = Harness::new().await;
        harness.values.set("api-version", version);
        let wendy = harness.id(WENDY);
        let get = format!("GET /v1/accounts/A/users/{wendy}");
        let scan = "GET /v1/accounts/A/users?max_page_size=1000".to_owned();
        harness.connector.get_user(id(&wendy)).await.unwrap();
        harness.requests();

        for (user, lookup) in [(id(&wendy), get), (email(WENDY), scan)] {
            let suspended = harness.connector.suspend_user(user.clone(), ChangeMode::Apply).await.unwrap();
            assert_eq!((suspended.outcome, suspended.user.state), (ChangeOutcome::Changed, UserState::Suspended));
            assert_eq!((suspended.user.id.as_str(), harness.state(&wendy).as_str()), (&*wendy, "SUSPENDED"));
            assert_eq!(harness.requests(), [lookup.clone(), format!("POST /v1/accounts/A/users/{wendy}:suspend")]);

            let again = harness.connector.suspend_user(user.clone(), ChangeMode::Apply).await.unwrap();
            assert_eq!((again.outcome, again.user), (ChangeOutcome::Unchanged, suspended.user));
            assert_eq!(harness.requests(), [lookup.as_str()], "no POST for an unchanged user");

            let active = harness.connector.reactivate_user(user.clone(), ChangeMode::Apply).await.unwrap();
            assert_eq!((active.outcome, active.user.state), (ChangeOutcome::Changed, UserState::Active));
            assert_eq!((active.user.id.as_str(), harness.state(&wendy).as_str()), (&*wendy, "ACTIVE"));
            assert_eq!(harness.requests(), [lookup.clone(), format!("POST /v1/accounts/A/users/{wendy}:reactivate")]);

            let again = harness.connector.reactivate_user(user, ChangeMode::Apply).await.unwrap();
            assert_eq!((again.outcome, again.user), (ChangeOutcome::Unchanged, active.user));
            assert_eq!(harness.requests(), [lookup]);
        }
    }
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let harness = Harness::new().await;
    let (wendy, tomas) = (harness.id(WENDY), harness.id("tomas.herrera@example.com"));
    let owner = harness.id("margaret.okafor@example.com");
    let dry_run = ChangeMode::DryRun;
    for (user, expected) in [
        (id(&wendy), ChangeOutcome::WouldChange),
        (email(WENDY), ChangeOutcome::WouldChange),
        (id(&tomas), ChangeOutcome::Unchanged),
        (id(&owner), ChangeOutcome::WouldChange),
    ] {
        assert_eq!(harness.connector.suspend_user(user, dry_run).await.unwrap().outcome, expected);
    }
    assert_eq!(
        harness.connector.reactivate_user(id(&tomas), dry_run).await.unwrap().outcome,
        ChangeOutcome::WouldChange
    );
    assert!(harness.requests().iter().skip(1).all(|request| request.starts_with("GET ")), "the token is the only POST");
    assert_eq!(
        [harness.state(&wendy), harness.state(&tomas), harness.state(&owner)],
        ["ACTIVE", "SUSPENDED", "ACTIVE"]
    );
}

#[tokio::test]
async fn a_user_in_an_unknown_state_is_changed() {
    let harness = Harness::new().await;
    let misaki = harness.id("misaki.sato@example.com");
    assert_eq!(harness.state(&misaki), "STATE_UNSPECIFIED");
    assert_eq!(
        harness.connector.reactivate_user(id(&misaki), ChangeMode::Apply).await.unwrap().outcome,
        ChangeOutcome::Changed
    );
    harness.simulator.account(|account| account.person_mut(&misaki).unwrap().state = "LOCKED".into());
    let user = harness.connector.get_user(id(&misaki)).await.unwrap();
    assert_eq!((user.state, user.service_state.as_str()), (UserState::Other, "LOCKED"));
    assert_eq!(
        harness.connector.suspend_user(id(&misaki), ChangeMode::Apply).await.unwrap().outcome,
        ChangeOutcome::Changed
    );
}

#[tokio::test]
async fn arguments_cannot_change_the_path() {
    let harness = Harness::new().await;
    for text in [
        "",
        "../",
        "..",
        "%2e%2e",
        "X:suspend",
        "a/b",
        "a?b",
        "a#b",
        "a b",
        "a\r\nb",
        "é",
        "\u{202e}",
        &"A".repeat(10_000),
    ] {
        for user in [id(text), email(text), known(text, WENDY), known("A", text)] {
            let result = harness.connector.suspend_user(user, ChangeMode::Apply).await;
            let error = expect_failure(ErrorCode::InvalidArgument, result);
            assert_eq!(error.subject.unwrap().name, "user");
        }
    }
    assert_eq!(harness.requests(), [""; 0], "nothing was sent");
    // A caller's page token is one that a list returned, or nothing is sent.
    let tokens = ["../", "%2e", "a&filter=x", "a#b", "a b", "a\r\nb", "é", "?", "a=b+c"];
    let query = |page_token| ListQuery { state: None, limit: Some(1), page_token };
    for token in tokens {
        let result = harness.connector.list_users(query(Some(token.into()))).await;
        assert_eq!(expect_failure(ErrorCode::InvalidArgument, result).subject.unwrap().name, "page_token");
    }
    assert_eq!(harness.requests(), [""; 0], "nothing was sent");
    // The service's page token may be any text. It stays one query value, also in a later call.
    for token in tokens {
        let page = format!(r#"{{"results":[{{"id":"A"}}],"next_page_token":{}}}"#, json_text(token));
        harness.simulator.inject(Operation::List, Fault::reply(200, &page));
        let first = harness.connector.list_users(query(None)).await.unwrap();
        let next = first.next_page_token.unwrap();
        assert!(next.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)), "{next}");
        harness.connector.list_users(query(Some(next))).await.unwrap_err();
        let request = harness.requests().pop().unwrap();
        let encoded = request.strip_prefix("GET /v1/accounts/A/users?max_page_size=1&page_token=").unwrap();
        assert!(encoded.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b)), "{encoded}");
        assert_eq!(percent_encoding::percent_decode_str(encoded).decode_utf8().unwrap(), token);
    }
}

/// A text as JSON. The texts of these tests have no quotes and no backslashes.
fn json_text(text: &str) -> String {
    format!("\"{}\"", text.replace('\r', "\\r").replace('\n', "\\n"))
}
