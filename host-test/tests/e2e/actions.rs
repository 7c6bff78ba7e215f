//! The four actions, by id and by e-mail address, on both versions of the service's routes.

use std::collections::HashSet;

use onepassword_users_host::simulator::Config;
use onepassword_users_host::types::{Change, ChangeOptions, Error, ListQuery, StateFilter, User, UserRef, UserState};

use crate::rig::{ALL, API_VERSIONS, NORMAL, Rig, action_error, email, id};

const WENDY: &str = "wendy.appleseed@example.com";

fn ids(users: &[User]) -> Vec<String> {
    users.iter().map(|user| user.id.clone()).collect()
}

#[tokio::test]
async fn list_gives_every_user_exactly_as_the_account_has_them() {
    for version in API_VERSIONS {
        let rig = Rig::with(Config { users: 2500, ..Config::default() }).await;
        rig.values.set("api-version", version);
        let list = rig.connector.list_users(ALL).await.unwrap();
        assert_eq!(list.next_page_token, None);
        let sent = list.users.iter().map(|user| {
            let state = match &user.state {
                UserState::Active => "ACTIVE",
                UserState::Suspended => "SUSPENDED",
                UserState::Other(other) => other,
            };
            [&user.id, &user.email, &user.display_name, state, &user.create_time, &user.path].map(String::from)
        });
        let expected: Vec<[String; 6]> = rig.simulator.account(|account| {
            let people = account.people().iter();
            people
                .map(|p| [&p.id, &p.email, &p.display_name, &p.state, &p.create_time, &p.path].map(String::from))
                .collect()
        });
        assert_eq!(sent.collect::<Vec<_>>(), expected);
        assert_eq!(rig.requests().len(), 4, "a token and three pages");
    }
}

#[tokio::test]
async fn list_by_state() {
    let rig = Rig::with(Config { users: 500, ..Config::default() }).await;
    for (filter, state) in [(StateFilter::Active, UserState::Active), (StateFilter::Suspended, UserState::Suspended)] {
        let query = ListQuery { state: Some(filter), limit: None, page_token: None };
        let users = rig.connector.list_users(query).await.unwrap().users;
        assert!(users.len() > 30 && users.iter().all(|user| user.state == state));
        let wire = if state == UserState::Active { "ACTIVE" } else { "SUSPENDED" };
        let expected =
            rig.simulator.account(|account| account.people().iter().filter(|person| person.state == wire).count());
        assert_eq!(users.len(), expected);
    }
}

#[tokio::test]
async fn list_25_000_users_once_each_with_and_without_limit() {
    let rig = Rig::with(Config { users: 25_000, ..Config::default() }).await;
    let expected: Vec<String> =
        rig.simulator.account(|account| account.people().iter().map(|person| person.id.clone()).collect());
    assert_eq!(expected.iter().collect::<HashSet<_>>().len(), 25_000);

    let all = rig.connector.list_users(ALL).await.unwrap();
    assert!(ids(&all.users) == expected && all.next_page_token.is_none());
    assert_eq!(rig.requests().len(), 1 + 25);

    // 7,777 is neither a page nor a divisor of anything.
    for limit in [1000, 7777, 25_000, 250_000] {
        let (mut found, mut page_token, mut calls) = (Vec::new(), None, 0);
        loop {
            let query = ListQuery { state: None, limit: Some(limit), page_token };
            let list = rig.connector.list_users(query).await.unwrap();
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
    let all = rig.connector.list_all_users(None, None, |count| progress.push(count)).await.unwrap();
    assert!(ids(&all) == expected);
    assert_eq!(progress, (1..=25).map(|page| page * 1000).collect::<Vec<_>>());
}

#[tokio::test]
async fn one_host_serves_many_accounts_at_once() {
    let mut rigs = Vec::new();
    for _ in 0..40 {
        let rig = Rig::with(Config { users: 3, ..Config::default() }).await;
        assert_eq!(rig.connector.list_users(ALL).await.unwrap().users.len(), 3);
        rigs.push(rig);
    }
}

#[tokio::test]
async fn the_longest_list_fits_into_the_component() {
    let rig = Rig::with(Config { users: 250_000, ..Config::default() }).await;
    assert_eq!(rig.connector.list_users(ALL).await.unwrap().users.len(), 250_000);
}

#[tokio::test]
async fn pages_smaller_than_asked_for_are_normal() {
    let rig = Rig::with(Config { users: 60, page_size: 7, ..Config::default() }).await;
    assert_eq!(rig.connector.list_users(ALL).await.unwrap().users.len(), 60);
    let list = rig.connector.list_users(ListQuery { state: None, limit: Some(20), page_token: None }).await.unwrap();
    assert_eq!(list.users.len(), 20);
    assert!(list.next_page_token.is_some());
    assert_eq!(rig.connector.get_user(email(WENDY)).await.unwrap().email, WENDY);
}

#[tokio::test]
async fn list_of_an_empty_account() {
    let rig = Rig::with(Config { users: 0, ..Config::default() }).await;
    let list = rig.connector.list_users(ALL).await.unwrap();
    assert!(list.users.is_empty() && list.next_page_token.is_none());
}

#[tokio::test]
async fn get_by_id_and_email() {
    for version in API_VERSIONS {
        let rig = Rig::new().await;
        rig.values.set("api-version", version);
        let wendy = rig.id(WENDY);
        for user in [id(&wendy), email(WENDY), email("WENDY.Appleseed@EXAMPLE.com")] {
            let user = rig.connector.get_user(user).await.unwrap();
            assert_eq!(
                (user.id.as_str(), user.email.as_str(), user.display_name.as_str()),
                (&*wendy, WENDY, "Wendy Appleseed")
            );
            assert_eq!(user.state, UserState::Active);
        }
    }
}

#[tokio::test]
async fn get_of_nobody_and_of_two() {
    let rig = Rig::new().await;
    for user in [id("NOBODY"), email("nobody@example.com")] {
        match action_error(rig.connector.get_user(user.clone()).await) {
            Error::UserNotFound(error) => assert_eq!(error.user, user),
            other => panic!("{other:?}"),
        }
    }
    match action_error(rig.connector.get_user(email("helpdesk@example.com")).await) {
        Error::AmbiguousUser(error) => {
            let both = |person: &&onepassword_users_host::simulator::Person| person.email == "helpdesk@example.com";
            let expected: Vec<String> =
                rig.simulator.account(|account| account.people().iter().filter(both).map(|p| p.id.clone()).collect());
            assert_eq!((error.user_ids, error.email.as_str()), (expected, "helpdesk@example.com"));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn suspend_and_reactivate_by_id_and_email() {
    for version in API_VERSIONS {
        let rig = Rig::new().await;
        rig.values.set("api-version", version);
        let wendy = rig.id(WENDY);
        let get = format!("GET /v1/accounts/A/users/{wendy}");
        let scan = "GET /v1/accounts/A/users?max_page_size=1000".to_owned();
        rig.connector.get_user(id(&wendy)).await.unwrap();
        rig.requests();

        for (user, look) in [(id(&wendy), get), (email(WENDY), scan)] {
            let suspended = rig.connector.suspend_user(user.clone(), NORMAL()).await.unwrap();
            assert_eq!((suspended.change, &suspended.user.state), (Change::Changed, &UserState::Suspended));
            assert_eq!((suspended.user.id.as_str(), rig.state(&wendy).as_str()), (&*wendy, "SUSPENDED"));
            assert_eq!(rig.requests(), [look.clone(), format!("POST /v1/accounts/A/users/{wendy}:suspend")]);

            let again = rig.connector.suspend_user(user.clone(), NORMAL()).await.unwrap();
            assert_eq!((again.change, again.user), (Change::Already, suspended.user));
            assert_eq!(rig.requests(), [look.as_str()], "what is so already sends no POST");

            let active = rig.connector.reactivate_user(user.clone(), NORMAL()).await.unwrap();
            assert_eq!((active.change, &active.user.state), (Change::Changed, &UserState::Active));
            assert_eq!((active.user.id.as_str(), rig.state(&wendy).as_str()), (&*wendy, "ACTIVE"));
            assert_eq!(rig.requests(), [look.clone(), format!("POST /v1/accounts/A/users/{wendy}:reactivate")]);

            let again = rig.connector.reactivate_user(user, NORMAL()).await.unwrap();
            assert_eq!((again.change, again.user), (Change::Already, active.user));
            assert_eq!(rig.requests(), [look]);
        }
    }
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let rig = Rig::new().await;
    let (wendy, tomas) = (rig.id(WENDY), rig.id("tomas.herrera@example.com"));
    let owner = rig.id("margaret.okafor@example.com");
    let dry_run = ChangeOptions::DRY_RUN;
    for (user, expected) in [
        (id(&wendy), Change::WouldChange),
        (email(WENDY), Change::WouldChange),
        (id(&tomas), Change::Already),
        (id(&owner), Change::WouldChange),
    ] {
        assert_eq!(rig.connector.suspend_user(user, dry_run).await.unwrap().change, expected);
    }
    assert_eq!(rig.connector.reactivate_user(id(&tomas), dry_run).await.unwrap().change, Change::WouldChange);
    assert!(rig.requests().iter().skip(1).all(|request| request.starts_with("GET ")), "the token is the only POST");
    assert_eq!([rig.state(&wendy), rig.state(&tomas), rig.state(&owner)], ["ACTIVE", "SUSPENDED", "ACTIVE"]);
}

#[tokio::test]
async fn without_lookup_the_change_is_not_checked() {
    let rig = Rig::new().await;
    let wendy = rig.id(WENDY);
    let blind = ChangeOptions::WITHOUT_LOOKUP;
    rig.connector.get_user(id(&wendy)).await.unwrap();
    rig.requests();
    for _ in 0..2 {
        let change = rig.connector.suspend_user(id(&wendy), blind).await.unwrap();
        assert_eq!((change.change, change.user.state), (Change::NotChecked, UserState::Suspended));
        assert_eq!(rig.requests(), [format!("POST /v1/accounts/A/users/{wendy}:suspend")]);
    }
    // An address has to be looked for all the same.
    let change = rig.connector.suspend_user(email(WENDY), blind).await.unwrap();
    assert_eq!(change.change, Change::NotChecked);
    assert_eq!(rig.requests().len(), 2);
}

#[tokio::test]
async fn a_user_in_an_unknown_state_is_in_neither_wanted_state() {
    let rig = Rig::new().await;
    let misaki = rig.id("misaki.sato@example.com");
    assert_eq!(rig.state(&misaki), "STATE_UNSPECIFIED");
    assert_eq!(rig.connector.reactivate_user(id(&misaki), NORMAL()).await.unwrap().change, Change::Changed);
    rig.simulator.account(|account| account.person_mut(&misaki).unwrap().state = "LOCKED".into());
    assert_eq!(rig.connector.get_user(id(&misaki)).await.unwrap().state, UserState::Other("LOCKED".into()));
    assert_eq!(rig.connector.suspend_user(id(&misaki), NORMAL()).await.unwrap().change, Change::Changed);
}

#[tokio::test]
async fn nothing_that_a_caller_passes_changes_the_path() {
    let rig = Rig::new().await;
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
        for user in [UserRef::Id(text.into()), UserRef::Email(text.into())] {
            match action_error(rig.connector.suspend_user(user, NORMAL()).await) {
                Error::InvalidArgument(error) => assert_eq!(error.argument, "user"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }
    assert_eq!(rig.requests(), [""; 0], "nothing was sent");
    // A page token may be anything, and stays a value.
    for token in ["../", "%2e", "a&filter=x", "a#b", "a b", "a\r\nb", "é", "?", "a=b+c"] {
        let query = ListQuery { state: None, limit: Some(5), page_token: Some(token.into()) };
        action_error(rig.connector.list_users(query).await);
        let request = rig.requests().pop().unwrap();
        let encoded = request.strip_prefix("GET /v1/accounts/A/users?max_page_size=5&page_token=").unwrap();
        assert!(encoded.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b)), "{encoded}");
        assert_eq!(percent_encoding::percent_decode_str(encoded).decode_utf8().unwrap(), token);
    }
}
