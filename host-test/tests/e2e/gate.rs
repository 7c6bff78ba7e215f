//! The gate: the size of both components, and the cost of each action in requests and wasmtime fuel, against recorded ceilings.
//!
//! Wasmtime counts the executed instructions as fuel, so the same component costs the same on every machine.

use onepassword_users_component::{COMPONENT, STEPS};
use onepassword_users_simulator::Account;
use onepassword_users_test_kit::ceilings::{Rule, check};

use crate::meter::types::{ChangeMode, ChangeOutcome, ListQuery, UserRef};
use crate::meter::{Count, Meter, USERS};

/// An active user who can be suspended.
const WENDY: &str = "wendy.appleseed@example.com";

/// An action to be counted. All but the first run in an instance that has a token.
#[derive(Debug, Clone, Copy)]
enum Job {
    ColdGet,
    Get,
    GetByEmail,
    Find,
    List(u32),
    Suspend,
    SuspendAgain,
    SuspendByEmail,
    DryRun,
    Reactivate,
}

const JOBS: [(&str, Job); 13] = [
    ("get-user by id, cold", Job::ColdGet),
    ("get-user by id, warm", Job::Get),
    ("get-user by e-mail, 2,500 users", Job::GetByEmail),
    ("find-users, 5 addresses, 2,500 users", Job::Find),
    ("list-users, 1", Job::List(1)),
    ("list-users, 1,000", Job::List(1000)),
    ("list-users, 2,000", Job::List(2000)),
    ("list-users, 2,500", Job::List(2500)),
    ("suspend-user by id", Job::Suspend),
    ("suspend-user by id, suspended already", Job::SuspendAgain),
    ("suspend-user by e-mail, 2,500 users", Job::SuspendByEmail),
    ("suspend-user by id, dry run", Job::DryRun),
    ("reactivate-user by id", Job::Reactivate),
];

impl Job {
    /// Runs the job in a new instance, so that the order of the jobs does not matter.
    async fn count(self) -> Count {
        let account = Account::generate(USERS, 1);
        let id = |email: &str| UserRef::Id(account.by_email(email).unwrap().id.clone());
        let last = account.people().last().unwrap();
        let mut meter = Meter::new().await;
        let before = match self {
            Self::ColdGet => Count { requests: 0, fuel: 0 },
            _ => {
                meter.get(id("margaret.okafor@example.com")).await;
                meter.count()
            }
        };
        match self {
            Self::ColdGet | Self::Get => assert_eq!(meter.get(id(WENDY)).await, WENDY),
            Self::GetByEmail => assert_eq!(meter.get(UserRef::Email(last.email.clone())).await, last.email),
            Self::Find => {
                let people = account.people().iter().rev().step_by(400).take(5);
                let emails: Vec<String> = people.map(|person| person.email.clone()).collect();
                let users: Vec<UserRef> = emails.iter().cloned().map(UserRef::Email).collect();
                let actions = meter.plugin.onepassword_users_actions();
                let found = actions.call_find_users(&mut meter.store, &users).await.unwrap().unwrap();
                assert!(found.into_iter().map(|user| user.unwrap().email).eq(emails));
            }
            Self::List(limit) => {
                // The whole account is listed without a limit.
                let limit_set = Some(limit).filter(|limit| (*limit as usize) < USERS);
                let query = ListQuery { state: None, limit: limit_set, page_token: None };
                let actions = meter.plugin.onepassword_users_actions();
                let list = actions.call_list_users(&mut meter.store, &query).await.unwrap().unwrap();
                assert_eq!(list.users.len(), limit as usize);
            }
            Self::Suspend => meter.suspend(id(WENDY), ChangeMode::Apply, ChangeOutcome::Changed).await,
            Self::SuspendAgain => {
                meter.suspend(id("tomas.herrera@example.com"), ChangeMode::Apply, ChangeOutcome::Unchanged).await;
            }
            Self::SuspendByEmail => {
                meter.suspend(UserRef::Email(WENDY.into()), ChangeMode::Apply, ChangeOutcome::Changed).await;
            }
            Self::DryRun => meter.suspend(id(WENDY), ChangeMode::DryRun, ChangeOutcome::WouldChange).await,
            Self::Reactivate => {
                let user = id("tomas.herrera@example.com");
                let actions = meter.plugin.onepassword_users_actions();
                let done = actions.call_reactivate_user(&mut meter.store, &user, ChangeMode::Apply).await;
                assert!(matches!(done.unwrap().unwrap().outcome, ChangeOutcome::Changed));
            }
        }
        let after = meter.count();
        Count { requests: after.requests - before.requests, fuel: after.fuel - before.fuel }
    }
}

impl Meter {
    /// Gets a user and returns the e-mail address.
    async fn get(&mut self, user: UserRef) -> String {
        self.plugin.onepassword_users_actions().call_get_user(&mut self.store, &user).await.unwrap().unwrap().email
    }

    async fn suspend(&mut self, user: UserRef, mode: ChangeMode, expected: ChangeOutcome) {
        let actions = self.plugin.onepassword_users_actions();
        let done = actions.call_suspend_user(&mut self.store, &user, mode).await.unwrap().unwrap();
        assert_eq!(done.outcome as u8, expected as u8);
    }
}

#[test]
fn the_components_are_no_larger_than_recorded() {
    let sizes = [("component", COMPONENT.len() as u64), ("steps", STEPS.len() as u64)];
    check("bytes.component", Rule::AtMost, &sizes);
}

#[tokio::test]
async fn the_actions_take_the_recorded_requests() {
    let mut requests = Vec::new();
    for (name, job) in JOBS {
        requests.push((name, job.count().await.requests));
    }
    check("requests", Rule::Equal, &requests);
}

#[tokio::test]
async fn the_actions_take_no_more_fuel_than_recorded() {
    let mut fuel = Vec::new();
    for (name, job) in JOBS {
        let count = job.count().await;
        assert_eq!(job.count().await, count, "{name}: two runs differ");
        fuel.push((name, count.fuel));
    }
    let of = |wanted: &str| fuel.iter().find(|(name, _)| *name == wanted).unwrap().1;
    fuel.push(("list-users, a further 1,000", of("list-users, 2,000") - of("list-users, 1,000")));
    check("fuel", Rule::AtMost, &fuel);
}
