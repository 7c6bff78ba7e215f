//! The component in a real runtime, over real sockets, against the service in many dialects. In each without defects every action
//! succeeds and is right. In a defective one, nothing wrong is claimed.

use onepassword_users_host::catalogue::ErrorCode;
use onepassword_users_host::types::{ChangeMode, ChangeOutcome, ListQuery, StateFilter, User, UserState};
use onepassword_users_host::{Error, Failure};
use onepassword_users_simulator::{Config, Dialect, Person, Role, Routes};
use onepassword_users_test_kit::harness::{ALL, Harness, email, id, known};

const USERS: usize = 40;
const WENDY: &str = "wendy.appleseed@example.com";

async fn harness(dialect: Dialect) -> Harness {
    Harness::with(Config { users: USERS, dialect, ..Config::default() }).await
}

fn people(harness: &Harness) -> Vec<Person> {
    harness.simulator.account(|account| account.people().to_vec())
}

/// True if a user is this person, as far as every dialect tells.
fn is_person(person: &Person, user: &User) -> bool {
    let state = match person.state.as_str() {
        "ACTIVE" => UserState::Active,
        "SUSPENDED" => UserState::Suspended,
        _ => UserState::Other,
    };
    person.id == user.id && person.email == user.email && user.state == state
}

#[track_caller]
fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> ErrorCode {
    failure(result).code
}

#[track_caller]
fn failure<T: std::fmt::Debug>(result: Result<T, Error>) -> Failure {
    result.unwrap_err().failure()
}

async fn check(harness: &Harness) {
    let connector = &harness.connector;
    let all = people(harness);
    let list = connector.list_users(ALL).await.unwrap();
    assert!(list.next_page_token.is_none() && list.users.len() == USERS);
    assert!(all.iter().zip(&list.users).all(|(person, user)| is_person(person, user)));

    // In parts, each with another limit.
    let (mut parts, mut page_token) = (Vec::new(), None);
    for limit in [7, 1, 20, 1000] {
        let part = connector.list_users(ListQuery { state: None, limit: Some(limit), page_token }).await.unwrap();
        parts.extend(part.users);
        page_token = part.next_page_token;
        if page_token.is_none() {
            break;
        }
    }
    assert!(page_token.is_none() && parts.len() == USERS);
    assert!(all.iter().zip(&parts).all(|(person, user)| is_person(person, user)));

    for (filter, state) in [(StateFilter::Active, "ACTIVE"), (StateFilter::Suspended, "SUSPENDED")] {
        let query = ListQuery { state: Some(filter), limit: None, page_token: None };
        let list = connector.list_users(query).await.unwrap();
        let expected: Vec<&Person> = all.iter().filter(|person| person.state == state).collect();
        assert!(expected.len() == list.users.len());
        assert!(expected.iter().zip(&list.users).all(|(person, user)| is_person(person, user)));
    }

    let wendy = harness.id(WENDY);
    assert_eq!(connector.get_user(email(WENDY)).await.unwrap().id, wendy);
    assert_eq!(connector.get_user(id(&wendy)).await.unwrap().email, WENDY);
    assert_eq!(code(connector.get_user(email("nobody@example.com")).await), ErrorCode::UserNotFound);
    assert_eq!(code(connector.get_user(id("NOBODY")).await), ErrorCode::UserNotFound);
    assert_eq!(code(connector.get_user(email("helpdesk@example.com")).await), ErrorCode::AmbiguousUser);
    let found = connector.find_users(vec![known(&wendy, WENDY), email("tomas.herrera@example.com")]).await.unwrap();
    assert!(found.iter().all(Result::is_ok), "{found:?}");

    for (change, outcome, state) in [
        (connector.suspend_user(email(WENDY), ChangeMode::DryRun).await, ChangeOutcome::WouldChange, "ACTIVE"),
        (connector.suspend_user(email(WENDY), ChangeMode::Apply).await, ChangeOutcome::Changed, "SUSPENDED"),
        (connector.suspend_user(id(&wendy), ChangeMode::Apply).await, ChangeOutcome::Unchanged, "SUSPENDED"),
    ] {
        assert_eq!(change.unwrap().outcome, outcome);
        if outcome != ChangeOutcome::WouldChange {
            assert_eq!(harness.state(&wendy), state);
        }
    }
    let change = connector.reactivate_user(known(&wendy, WENDY), ChangeMode::Apply).await.unwrap();
    assert_eq!((change.outcome, change.user.state), (ChangeOutcome::Changed, UserState::Active));
    assert_eq!(harness.state(&wendy), "ACTIVE");
    for person in all.iter().filter(|person| person.role != Role::Member && person.state == "ACTIVE") {
        let expected = match person.role {
            Role::Owner => ErrorCode::LastOwner,
            _ => ErrorCode::ExternallyManaged,
        };
        assert_eq!(code(connector.suspend_user(id(&person.id), ChangeMode::Apply).await), expected);
    }
    harness.values.set("protected-users", "WENDY.Appleseed@example.com");
    let failure = failure(connector.suspend_user(id(&wendy), ChangeMode::Apply).await);
    assert_eq!((failure.code, failure.user_id), (ErrorCode::ProtectedUser, Some(wendy)));
}

#[tokio::test]
async fn every_action_is_right_in_every_dialect() {
    check(&harness(Dialect::default()).await).await;
    for seed in 0..48 {
        let dialect = Dialect::seeded(seed);
        println!("{dialect:?}");
        check(&harness(dialect).await).await;
    }
}

#[tokio::test]
async fn nothing_wrong_is_claimed_for_a_defective_service() {
    let mut kinds = [0; 4];
    for seed in 0..48 {
        let dialect = Dialect::defective(seed);
        println!("{dialect:?}");
        let harness = harness(dialect.clone()).await;
        harness.values.set("max-attempts", "2");
        let (connector, all) = (&harness.connector, people(&harness));
        let (first, last) = (&all[0], &all[USERS - 1]);
        let wendy = harness.id(WENDY);
        let list = connector.list_users(ALL).await;
        let nobody = code(connector.get_user(email("nobody@example.com")).await);
        if dialect.cut.is_some() {
            kinds[0] += 1;
            assert_eq!((code(list), nobody), (ErrorCode::InvalidResponse, ErrorCode::InvalidResponse));
            let suspended = connector.suspend_user(email(WENDY), ChangeMode::Apply).await;
            assert_eq!(code(suspended), ErrorCode::InvalidResponse);
            assert_eq!(connector.get_user(id(&wendy)).await.unwrap().id, wendy);
        } else if dialect.routes != Routes::All {
            kinds[1] += 1;
            let expected = match dialect.routes {
                Routes::Gateway404 => ErrorCode::Misconfigured,
                Routes::Portal => ErrorCode::Intermediary,
                _ => ErrorCode::InvalidResponse,
            };
            assert_eq!((code(list), nobody), (expected, expected));
            for result in [connector.get_user(id(&wendy)).await, connector.get_user(id("NOBODY")).await] {
                assert_eq!(code(result), expected);
            }
            let suspended = connector.suspend_user(id(&wendy), ChangeMode::Apply).await;
            assert_eq!(code(suspended), expected);
        } else if dialect.shadow {
            kinds[2] += 1;
            // The first user is listed with the id of the last one and white space around it.
            assert_eq!((code(list), nobody), (ErrorCode::InvalidResponse, ErrorCode::UserNotFound));
            let suspended = connector.suspend_user(email(&first.email), ChangeMode::Apply).await;
            assert_eq!(code(suspended), ErrorCode::InvalidResponse);
            let suspended = connector.suspend_user(email("mikael.provider@example.com"), ChangeMode::Apply).await;
            assert_eq!(code(suspended), ErrorCode::ExternallyManaged);
        } else {
            kinds[3] += 1;
            // The address of the last user cannot be read.
            let list = list.unwrap().users;
            assert_eq!((list.len(), list[USERS - 1].email.as_str()), (USERS, "\u{fffd}"));
            assert_eq!(nobody, ErrorCode::InvalidResponse);
            assert_eq!(code(connector.get_user(email(&last.email)).await), ErrorCode::InvalidResponse);
            let change = connector.suspend_user(email(WENDY), ChangeMode::Apply).await.unwrap();
            assert_eq!((change.outcome, harness.state(&wendy).as_str()), (ChangeOutcome::Changed, "SUSPENDED"));
            continue;
        }
        assert_eq!(people(&harness), all, "nobody was changed");
    }
    assert!(kinds.iter().all(|count| *count > 0), "{kinds:?}");
}
