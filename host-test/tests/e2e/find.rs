//! Finding several users at once.

use onepassword_users_host::catalogue::ErrorCode;
use onepassword_users_host::{Failure, types};
use onepassword_users_simulator::{Config, Fault, Operation};
use onepassword_users_test_kit::harness::{Harness, email, expect_failure, id, known};

const WENDY: &str = "wendy.appleseed@example.com";
const TOMAS: &str = "tomas.herrera@example.com";

/// The id of the user, or the code of the failure.
fn outcome(result: &Result<types::User, Failure>) -> Result<&str, ErrorCode> {
    result.as_ref().map(|user| user.id.as_str()).map_err(|failure| failure.code)
}

#[tokio::test]
async fn row_50_all_addresses_are_found_with_one_search() {
    let harness = Harness::with(Config { users: 2500, ..Config::default() }).await;
    let (wendy, tomas) = (harness.id(WENDY), harness.id(TOMAS));
    let (last_id, last_email) = harness.simulator.account(|account| {
        let last = account.people().last().unwrap();
        (last.id.clone(), last.email.clone())
    });
    let users = [
        (email(&last_email), Ok(last_id.as_str())),
        (email(WENDY), Ok(wendy.as_str())),
        (email("nobody@example.com"), Err(ErrorCode::UserNotFound)),
        (email(TOMAS), Ok(tomas.as_str())),
        (email("WENDY.Appleseed@EXAMPLE.com"), Ok(wendy.as_str())),
        (email("helpdesk@example.com"), Err(ErrorCode::AmbiguousUser)),
        (email(&last_email), Ok(last_id.as_str())),
    ];
    let (users, expected): (Vec<_>, Vec<_>) = users.into_iter().unzip();
    let found = harness.connector.find_users(users).await.unwrap();
    assert_eq!(found.iter().map(outcome).collect::<Vec<_>>(), expected);
    assert_eq!(harness.requests().len(), 1 + 3, "a token, and every page once");

    assert_eq!(found[1], found[4]);
    let user = found[1].as_ref().unwrap();
    assert_eq!(
        (user.email.as_str(), user.state, user.service_state.as_str()),
        (WENDY, types::UserState::Active, "ACTIVE")
    );
    let missing = found[2].as_ref().unwrap_err();
    assert!(missing.message.contains("nobody@example.com"), "{}", missing.message);
    let is_match = |person: &&onepassword_users_simulator::Person| person.email == "helpdesk@example.com";
    let candidates: Vec<String> =
        harness.simulator.account(|account| account.people().iter().filter(is_match).map(|p| p.id.clone()).collect());
    let ambiguous = found[5].as_ref().unwrap_err();
    assert_eq!((&ambiguous.candidates, ambiguous.more_candidates), (&candidates, false));
}

#[tokio::test]
async fn ids_and_known_users_are_asked_for_one_by_one() {
    let harness = Harness::new().await;
    let (wendy, tomas) = (harness.id(WENDY), harness.id(TOMAS));
    let users = [
        (known(&wendy, "Wendy.Appleseed@example.com"), Ok(wendy.as_str())),
        (id("NOBODY"), Err(ErrorCode::UserNotFound)),
        (known(&wendy, TOMAS), Err(ErrorCode::AddressMismatch)),
        (id("../"), Err(ErrorCode::InvalidArgument)),
        (id(&tomas), Ok(tomas.as_str())),
        (email(""), Err(ErrorCode::InvalidArgument)),
        (known("NOBODY", WENDY), Err(ErrorCode::UserNotFound)),
    ];
    let (users, expected): (Vec<_>, Vec<_>) = users.into_iter().unzip();
    let found = harness.connector.find_users(users).await.unwrap();
    assert_eq!(found.iter().map(outcome).collect::<Vec<_>>(), expected);
    let get = |id: &str| format!("GET /v1/accounts/A/users/{id}");
    let requests = harness.requests();
    assert_eq!(requests[1..], [get(&wendy), get("NOBODY"), get(&wendy), get(&tomas), get("NOBODY")]);
    assert_eq!(found[2].as_ref().unwrap_err().user_id, Some(wendy.clone()));

    // The same for a single user.
    assert_eq!(harness.connector.get_user(known(&wendy, WENDY)).await.unwrap().id, wendy);
    let mismatch = expect_failure(ErrorCode::AddressMismatch, harness.connector.get_user(known(&wendy, TOMAS)).await);
    assert_eq!(mismatch.user_id, Some(wendy.clone()));
    let mode = types::ChangeMode::Apply;
    expect_failure(ErrorCode::AddressMismatch, harness.connector.suspend_user(known(&wendy, TOMAS), mode).await);
    assert_eq!(harness.state(&wendy), "ACTIVE");
    let change = harness.connector.suspend_user(known(&wendy, WENDY), mode).await.unwrap();
    assert_eq!((change.outcome, harness.state(&wendy).as_str()), (types::ChangeOutcome::Changed, "SUSPENDED"));
}

#[tokio::test]
async fn a_failed_search_is_the_failure_of_every_address_and_of_no_id() {
    let harness = Harness::without_retries().await;
    let wendy = harness.id(WENDY);
    harness.simulator.inject(Operation::List, Fault::reply(503, ""));
    let found = harness.connector.find_users(vec![email(WENDY), id(&wendy), email(TOMAS)]).await.unwrap();
    let expected = [Err(ErrorCode::Unavailable), Ok(wendy.as_str()), Err(ErrorCode::Unavailable)];
    assert_eq!(found.iter().map(outcome).collect::<Vec<_>>(), expected);
    let failure = found[2].as_ref().unwrap_err();
    assert!(failure.is_retryable() && failure.service.as_ref().unwrap().status == 503);
}

#[tokio::test]
async fn without_a_token_nothing_can_be_asked() {
    let harness = Harness::without_retries().await;
    harness.values.set("client-secret", "wrong");
    for users in [vec![email(WENDY), email(TOMAS)], vec![id("A")]] {
        expect_failure(ErrorCode::Unauthenticated, harness.connector.find_users(users).await);
        assert_eq!(harness.requests(), ["POST /v1/oauth/token"]);
    }
    assert_eq!(harness.connector.find_users(vec![]).await, Ok(vec![]));
}
