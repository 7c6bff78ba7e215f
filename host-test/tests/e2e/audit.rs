//! The audit hook: no record, no change; and each change has its end in the record.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use onepassword_users_host::catalogue::ErrorCode;
use onepassword_users_host::types::{ChangeMode, ChangeOutcome, UserState};
use onepassword_users_host::{Audit, AuditError, ChangeEvent, ChangeResult, Connector, Error, Options, Recording};
use onepassword_users_simulator::{Config, Fault, Operation, Simulator};
use onepassword_users_test_kit::harness::{HOST, Values, email, id, known, options, values};

const WENDY: &str = "wendy.appleseed@example.com";

#[derive(Clone, Copy, PartialEq)]
enum Behaviour {
    Record,
    Refuse,
    Hang,
}

/// A call of the hook, and the number of change requests that the service had seen by then.
#[derive(Debug, Clone)]
enum Entry {
    Before(ChangeEvent, usize),
    After(ChangeEvent, ChangeResult, usize),
}

struct Log {
    behaviour: Behaviour,
    simulator: Arc<Simulator>,
    entries: Mutex<Vec<Entry>>,
    sent: Mutex<usize>,
}

impl Log {
    /// The change requests so far.
    fn sent(&self) -> usize {
        let mut sent = self.sent.lock().unwrap();
        let is_change =
            |target: &str| [":suspend", ":reactivate"].iter().any(|verb| target.replace("%3A", ":").ends_with(verb));
        *sent += self.simulator.take_records().iter().filter(|record| is_change(&record.target)).count();
        *sent
    }

    fn take(&self) -> Vec<Entry> {
        std::mem::take(&mut self.entries.lock().unwrap())
    }
}

impl Audit for Log {
    fn before<'a>(&'a self, change: &'a ChangeEvent) -> Recording<'a, Result<(), AuditError>> {
        Box::pin(async move {
            let sent = self.sent();
            self.entries.lock().unwrap().push(Entry::Before(change.clone(), sent));
            match self.behaviour {
                Behaviour::Record => Ok(()),
                Behaviour::Refuse => Err(AuditError("the disk is full".into())),
                Behaviour::Hang => std::future::pending().await,
            }
        })
    }

    fn after<'a>(&'a self, change: &'a ChangeEvent, result: &'a ChangeResult) -> Recording<'a, ()> {
        Box::pin(async move {
            let sent = self.sent();
            self.entries.lock().unwrap().push(Entry::After(change.clone(), result.clone(), sent));
        })
    }
}

struct Audited {
    log: Arc<Log>,
    connector: Connector,
    values: Values,
    wendy: String,
}

impl Audited {
    async fn new(behaviour: Behaviour) -> Self {
        let simulator = Arc::new(Simulator::start(Config { users: 60, ..Config::default() }).await.unwrap());
        let wendy = simulator.account(|account| account.by_email(WENDY).unwrap().id.clone());
        let values = values(&simulator);
        values.set("max-attempts", "1");
        let log = Arc::new(Log { behaviour, simulator, entries: Mutex::default(), sent: Mutex::new(0) });
        let audit: Option<Arc<dyn Audit>> = Some(log.clone());
        let audit_timeout = Duration::from_millis(300);
        let connector = HOST.connector(Options { audit, audit_timeout, ..options(&values) }).unwrap();
        Self { log, connector, values, wendy }
    }

    /// The one change of the record: the event, the result, and that nothing was sent before the event.
    fn change(&self) -> (ChangeEvent, ChangeResult) {
        match &self.log.take()[..] {
            [Entry::Before(before, sent_before), Entry::After(after, result, sent_after)] => {
                assert_eq!(before, after);
                assert!(sent_after - sent_before <= 1, "{sent_before} {sent_after}");
                assert_eq!(before.correlation_id.len(), 32);
                (before.clone(), result.clone())
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_change_is_recorded_before_it_is_sent_and_after_it() {
    let audited = Audited::new(Behaviour::Record).await;
    let connector = audited.connector.on_behalf_of("alice");
    let mut ids = Vec::new();
    for (user, asked) in [
        (email("Wendy.Appleseed@example.com"), "Wendy.Appleseed@example.com"),
        (id(&audited.wendy), audited.wendy.as_str()),
        (known(&audited.wendy, WENDY), WENDY),
    ] {
        let sent = audited.log.sent();
        let change = connector.suspend_user(user.clone(), ChangeMode::Apply).await.unwrap();
        assert_eq!((change.outcome, change.user.state), (ChangeOutcome::Changed, UserState::Suspended));
        let (event, result) = audited.change();
        assert_eq!((event.action.as_str(), event.requested_by.as_deref()), ("suspend-user", Some("alice")));
        assert_eq!((event.asked.as_deref(), event.user_id.as_deref()), (Some(asked), Some(audited.wendy.as_str())));
        assert_eq!((result.outcome.as_str(), result.may_have_changed), ("changed", true));
        assert_eq!(audited.log.sent(), sent + 1);
        ids.push(event.correlation_id);

        connector.reactivate_user(user, ChangeMode::Apply).await.unwrap();
        assert_eq!(audited.change().0.action, "reactivate-user");
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3);
}

#[tokio::test]
async fn a_change_by_name_is_recorded_as_well() {
    let audited = Audited::new(Behaviour::Record).await;
    for (user, asked) in [
        (format!(r#""{WENDY}""#), WENDY),
        (format!(r#""{}""#, audited.wendy), audited.wendy.as_str()),
        (format!(r#"{{"id":"{}","email":"{WENDY}"}}"#, audited.wendy), WENDY),
        (format!(r#"{{"email":"{WENDY}"}}"#), WENDY),
    ] {
        for (action, arguments) in [
            ("suspend-user", format!(r#"{{"user":{user}}}"#)),
            ("reactivate-user", format!(r#"{{"user":{user},"dry_run":false}}"#)),
        ] {
            let output = audited.connector.invoke(action, &arguments).await.unwrap();
            assert!(output.changed, "{arguments}");
            let (event, result) = audited.change();
            assert_eq!((event.action.as_str(), event.requested_by), (action, None));
            assert_eq!((event.asked.as_deref(), event.user_id.as_deref()), (Some(asked), Some(audited.wendy.as_str())));
            assert_eq!((result.outcome.as_str(), result.may_have_changed), ("changed", true));
        }
    }
    // The same failures as without a hook.
    for arguments in ["", "{", "[]", "{}", r#"{"user":7}"#, r#"{"user":"a@@b"}"#] {
        let Err(Error::Action(failure)) = audited.connector.invoke("suspend-user", arguments).await else { panic!() };
        assert_eq!(failure.code, ErrorCode::InvalidArgument, "{arguments}");
    }
    assert!(audited.log.take().is_empty());
    assert_eq!(audited.log.sent(), 8);
}

#[tokio::test]
async fn without_a_change_nothing_is_recorded() {
    let audited = Audited::new(Behaviour::Refuse).await;
    let dry = audited.connector.suspend_user(email(WENDY), ChangeMode::DryRun).await.unwrap();
    assert_eq!(dry.outcome, ChangeOutcome::WouldChange);
    let same = audited.connector.reactivate_user(id(&audited.wendy), ChangeMode::Apply).await.unwrap();
    assert_eq!(same.outcome, ChangeOutcome::Unchanged);
    let dry = format!(r#"{{"user":"{WENDY}","dry_run":true}}"#);
    assert!(!audited.connector.invoke("suspend-user", &dry).await.unwrap().changed);
    assert!(!audited.connector.invoke("reactivate-user", &format!(r#"{{"user":"{WENDY}"}}"#)).await.unwrap().changed);
    let Err(Error::Action(absent)) =
        audited.connector.suspend_user(email("nobody@example.com"), ChangeMode::Apply).await
    else {
        panic!()
    };
    assert_eq!(absent.code, ErrorCode::UserNotFound);
    assert!(audited.log.take().is_empty());
    assert_eq!(audited.log.sent(), 0);
}

#[tokio::test]
async fn without_a_record_no_change_is_sent() {
    for (behaviour, words) in [(Behaviour::Refuse, "the disk is full"), (Behaviour::Hang, "longer than 0.3 s")] {
        let audited = Audited::new(behaviour).await;
        let typed = audited.connector.suspend_user(email(WENDY), ChangeMode::Apply).await.map(drop);
        let by_name = audited.connector.invoke("suspend-user", &format!(r#"{{"user":"{WENDY}"}}"#)).await.map(drop);
        for result in [typed, by_name] {
            let error = result.unwrap_err();
            assert_eq!(error.code(), "audit");
            let failure = error.failure();
            assert_eq!((failure.code, failure.may_have_changed), (ErrorCode::HostFailed, false), "{failure:?}");
            assert!(failure.message.contains(words) && failure.message.contains("not sent"), "{}", failure.message);
        }
        assert_eq!(audited.log.sent(), 0);
        let befores = audited.log.take();
        assert!(matches!(befores[..], [Entry::Before(..), Entry::Before(..)]), "{befores:?}");
        let user = audited.connector.get_user(id(&audited.wendy)).await.unwrap();
        assert_eq!(user.state, UserState::Active);
    }
}

#[tokio::test]
async fn a_change_without_a_clear_end_is_recorded_as_such() {
    let audited = Audited::new(Behaviour::Record).await;
    // The change is carried out, its answer is lost, and so is the look-up after it.
    audited.connector.get_user(id(&audited.wendy)).await.unwrap();
    let is_over_steps = onepassword_users_test_kit::harness::is_over_steps();
    // Over WASI, the host looks the user up first.
    for _ in 0..if is_over_steps { 1 } else { 2 } {
        audited.log.simulator.inject(Operation::Get, Fault::Delay(Duration::ZERO));
    }
    for _ in 0..8 {
        audited.log.simulator.inject(Operation::Get, Fault::reply(503, "{}"));
    }
    audited.log.simulator.inject(Operation::Suspend, Fault::Lose);
    let error = audited.connector.suspend_user(id(&audited.wendy), ChangeMode::Apply).await.unwrap_err();
    assert!(error.failure().may_have_changed, "{error:?}");
    let (_, result) = audited.change();
    assert_eq!((result.outcome.as_str(), result.may_have_changed), (error.code(), true));

    // A change that the service refuses.
    let audited = Audited::new(Behaviour::Record).await;
    audited.log.simulator.inject(Operation::Suspend, Fault::reply(403, r#"{"code":7,"message":"no"}"#));
    let error = audited.connector.suspend_user(id(&audited.wendy), ChangeMode::Apply).await.unwrap_err();
    let (_, result) = audited.change();
    assert_eq!((result.outcome.as_str(), result.may_have_changed), (error.code(), false), "{error:?}");
}

#[tokio::test]
async fn a_change_whose_caller_goes_away_is_recorded() {
    let audited = Audited::new(Behaviour::Record).await;
    audited.connector.get_user(id(&audited.wendy)).await.unwrap();
    audited.log.simulator.inject(Operation::Suspend, Fault::Delay(Duration::from_secs(60)));
    let change = audited.connector.suspend_user(id(&audited.wendy), ChangeMode::Apply);
    assert!(tokio::time::timeout(Duration::from_secs(2), change).await.is_err());
    for _ in 0..100 {
        if audited.log.entries.lock().unwrap().len() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (_, result) = audited.change();
    assert_eq!((result.outcome.as_str(), result.may_have_changed), ("abandoned", true));

    // The deadline of the host.
    let audit: Option<Arc<dyn Audit>> = Some(audited.log.clone());
    let deadline = Duration::from_secs(2);
    let connector = HOST.connector(Options { audit, deadline, ..options(&audited.values) }).unwrap();
    audited.log.simulator.inject(Operation::Suspend, Fault::Delay(Duration::from_secs(60)));
    let result = connector.suspend_user(id(&audited.wendy), ChangeMode::Apply).await;
    assert!(matches!(result, Err(Error::Deadline { may_have_changed: true, .. })), "{result:?}");
    let (_, result) = audited.change();
    assert_eq!((result.outcome.as_str(), result.may_have_changed), ("deadline", true));
}
