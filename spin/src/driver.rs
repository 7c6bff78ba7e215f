//! Carries out the steps of an action over Spin's variables and WASI 0.3. Many actions may be under way in one instance.

use std::time::Duration;

use onepassword_users_core::{Action, Error, Event, Instant, LookupError, Secret, Session, Step};
use spin_sdk::variables;
use spin_sdk::wasip3::clocks::monotonic_clock;

use crate::clock::{sleep, within};
use crate::http;

/// How long a provider of variables, such as a vault, may take for one.
const LOOKUP_TIME: Duration = Duration::from_secs(10);

/// The interval at which an action that waits for another one comes back to see whether that is over. It cannot be woken: Rust's
/// wakers do not reach across the requests of an instance (wit-bindgen 0.57 traps).
const POLL_INTERVAL: Duration = Duration::from_millis(10);

thread_local! {
    /// The one session of this instance, which has one thread: all its requests share a token.
    static SESSION: Session = Session::new();
}

/// The session of this instance.
pub(crate) fn session() -> Session {
    SESSION.with(Session::clone)
}

/// Runs an action to its end.
pub(crate) async fn run<T>(mut action: Action<T>) -> Result<T, Error> {
    let mut event = Event::Start;
    loop {
        event = match action.step(event, Instant::from_nanos(monotonic_clock::now())) {
            Step::Setting(name) => Event::Setting(variable(name).await),
            Step::Secret(name) => Event::Secret(variable(name).await.map(|value| value.map(Secret::new))),
            Step::Send(request) => Event::Response(http::exchange(&request).await),
            Step::Wait { duration, may_end_early } => {
                sleep(if may_end_early { duration.min(POLL_INTERVAL) } else { duration }).await;
                Event::Elapsed
            }
            Step::Done(result) => return result,
        };
    }
}

/// The variable of this name (`client-secret` is `client_secret` to Spin); `None` if the application has no such variable.
pub(crate) async fn variable(name: &str) -> Result<Option<String>, LookupError> {
    let variable = name.replace('-', "_");
    match within(LOOKUP_TIME, variables::get(&variable)).await {
        Some(Ok(value)) => Ok(Some(value)),
        Some(Err(variables::Error::Undefined(_))) => Ok(None),
        Some(Err(variables::Error::InvalidName(why))) => Err(LookupError::Denied(why)),
        Some(Err(variables::Error::Provider(why))) => {
            Err(LookupError::Unavailable(format!("the variable {variable}: {why}")))
        }
        // Its text may quote the manifest's template, and with it a value that is written there.
        Some(Err(variables::Error::Other(_))) => {
            Err(LookupError::Unavailable(format!("the variable {variable}: Spin cannot work out its value")))
        }
        None => Err(LookupError::Unavailable(format!(
            "the variable {variable}: its provider did not answer within {} s",
            LOOKUP_TIME.as_secs()
        ))),
    }
}
