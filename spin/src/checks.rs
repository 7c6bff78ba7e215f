//! The checks of the two public paths: liveness and readiness. They send no request, and their verdicts are kept for some seconds, so
//! that callers without a key cannot flood a vault.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::thread::LocalKey;
use std::time::Duration;

use onepassword_users_core::catalogue::FailureClass;
use onepassword_users_core::{ChangeMode, Event, LookupErrorKind, Secret, Session, Step, UserRef};

use crate::access::Keys;
use crate::clock::{now, sleep};
use crate::driver::{POLL_INTERVAL, look_up, settings, step};
use crate::problem::{self, Kind, Problem};

/// The time for which a verdict is kept.
const VERDICT_TIME: Duration = Duration::from_secs(5);

/// The time for which a refusal of the settings or credentials by 1Password is remembered.
const REFUSAL_TIME: Duration = Duration::from_secs(60);

/// The reason why a check failed, for the log.
pub(crate) type Reason = (Kind, String);

/// A verdict, which the checks of an instance share.
struct Verdict {
    /// The last one, and its time.
    last: RefCell<Option<(Duration, Result<(), Reason>)>>,
    /// True while a check is made.
    is_pending: Cell<bool>,
}

impl Verdict {
    const fn new() -> Self {
        Self { last: RefCell::new(None), is_pending: Cell::new(false) }
    }

    /// The last verdict, if it may still be used.
    fn last(&self) -> Option<Result<(), Reason>> {
        let last = self.last.borrow();
        let (time, verdict) = last.as_ref()?;
        (now().saturating_sub(*time) < VERDICT_TIME).then(|| verdict.clone())
    }
}

thread_local! {
    static LIVE: Verdict = const { Verdict::new() };
    static READY: Verdict = const { Verdict::new() };
    /// The last refusal of the settings or credentials by an action, and its time.
    static REFUSED: Cell<Option<(Duration, &'static str)>> = const { Cell::new(None) };
}

/// The service runs and has usable keys.
pub(crate) async fn live() -> Result<(), Reason> {
    shared(&LIVE, async { keys().await.map(|_| ()) }).await
}

/// The settings and secrets can be read and are well-formed, and 1Password has not refused them a moment ago.
pub(crate) async fn ready() -> Result<(), Reason> {
    shared(&READY, async {
        live().await?;
        complete().await.map_err(|message| (problem::NOT_READY, message))
    })
    .await?;
    match REFUSED.get() {
        Some((time, code)) if now().saturating_sub(time) < REFUSAL_TIME => {
            Err((problem::NOT_READY, format!("a request ended in {code} a moment ago")))
        }
        _ => Ok(()),
    }
}

/// Notes the outcome of an action that called 1Password.
pub(crate) fn note(outcome: Result<(), &Problem>) {
    match outcome {
        Ok(()) => REFUSED.set(None),
        Err(problem) if matches!(problem.kind().class, FailureClass::Settings | FailureClass::Credentials) => {
            REFUSED.set(Some((now(), problem.kind().code)));
        }
        Err(_) => {}
    }
}

/// Uses the last verdict, waits for the one that is being made, or makes one.
async fn shared(
    verdict: &'static LocalKey<Verdict>,
    check: impl Future<Output = Result<(), Reason>>,
) -> Result<(), Reason> {
    loop {
        if let Some(last) = verdict.with(Verdict::last) {
            return last;
        }
        if !verdict.with(|verdict| verdict.is_pending.replace(true)) {
            break;
        }
        sleep(POLL_INTERVAL).await;
    }
    let result = check.await;
    verdict.with(|verdict| {
        verdict.last.replace(Some((now(), result.clone())));
        verdict.is_pending.set(false);
    });
    result
}

/// The accepted keys.
pub(crate) async fn keys() -> Result<Keys, Reason> {
    match look_up(&["reader_keys", "responder_keys"], Secret::new).await {
        Ok(lists) => {
            let list = |place: usize| lists.get(place).and_then(Option::as_ref).map_or("", Secret::expose);
            Keys::parse(list(0), list(1)).map_err(|reason| (problem::KEYS_NOT_USABLE, reason))
        }
        Err(error) => {
            let kind = match error.kind {
                LookupErrorKind::Denied => problem::KEYS_NOT_USABLE,
                LookupErrorKind::Unavailable => problem::KEYS_NOT_READABLE,
            };
            Err((kind, format!("the variable {}: {}", error.name.unwrap_or_default(), error.reason)))
        }
    }
}

/// Takes the steps of a suspension up to its first request. Until then it reads all settings and secrets, and checks them.
async fn complete() -> Result<(), String> {
    // In a session of its own, without a token, so that the client secret is read as well.
    let mut action = Session::new().suspend_user(UserRef::Id("READY".into()), ChangeMode::DryRun);
    let mut event = Event::Start;
    loop {
        event = match step(&mut action, event) {
            Step::Settings(names) => Event::Settings(settings(names).await),
            Step::Secrets(names) => Event::Secrets(look_up(names, Secret::new).await),
            Step::Send(_) | Step::Done(Ok(_)) => return Ok(()),
            Step::Wait { .. } => return Err("the settings or secrets cannot be read at the moment".into()),
            Step::Done(Err(error)) => return Err(problem::failure(error).message),
        };
    }
}
