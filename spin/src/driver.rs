//! The driver: carries out the steps of an action with Spin's variables and WASI 0.3. Actions in one instance may overlap.

use std::time::Duration;

use onepassword_users_core::{Action, Error, Event, Instant, LookupError, Secret, Session, Step};
use spin_sdk::variables;
use spin_sdk::wasip3::clocks::monotonic_clock;

use crate::clock::{sleep, within};
use crate::http;

/// The timeout for reading one variable from its provider, such as a vault.
const LOOKUP_TIME: Duration = Duration::from_secs(10);

/// The interval at which an action that waits for another one polls it. A waker would not work: wit-bindgen 0.57 traps when one
/// request of an instance wakes another.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

thread_local! {
    /// The session of this instance, which has one thread. All its requests share a token.
    static SESSION: Session = Session::new();
}

/// The session of this instance.
pub(crate) fn session() -> Session {
    SESSION.with(Session::clone)
}

/// Runs an action to completion.
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

/// Reads the variable of this name (`client-secret` is `client_secret` in Spin); `None` if the application does not define it.
pub(crate) async fn variable(name: &str) -> Result<Option<String>, LookupError> {
    let variable = name.replace('-', "_");
    match within(LOOKUP_TIME, variables::get(&variable)).await {
        Some(Ok(value)) => Ok(Some(value)),
        Some(Err(variables::Error::Undefined(_))) => Ok(None),
        Some(Err(variables::Error::InvalidName(reason))) => Err(LookupError::Denied(reason)),
        Some(Err(variables::Error::Provider(reason))) => {
            Err(LookupError::Unavailable(format!("the variable {variable}: {reason}")))
        }
        // The error is dropped: it may quote the manifest's template, which may contain a value.
        Some(Err(variables::Error::Other(_))) => {
            Err(LookupError::Unavailable(format!("the variable {variable}: Spin could not resolve its value")))
        }
        None => Err(LookupError::Unavailable(format!(
            "the variable {variable}: its provider did not answer within {} s",
            LOOKUP_TIME.as_secs()
        ))),
    }
}
