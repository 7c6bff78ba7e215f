//! The driver: carries out the steps of an action with Spin's variables and WASI 0.3. Actions in one instance may overlap.

use std::time::Duration;

use futures::future::try_join_all;
use onepassword_users_core::{Action, Error, Event, Instant, LookupError, Secret, Session, Step};
use spin_sdk::variables;
use spin_sdk::wasip3::clocks::monotonic_clock;

use crate::clock::{sleep, within};
use crate::http;

/// The timeout for reading the variables of one step from their provider, such as a vault.
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
            Step::Settings(names) => Event::Settings(look_up(names, |value| value).await),
            Step::Secrets(names) => Event::Secrets(look_up(names, Secret::new).await),
            Step::Send(request) => Event::Response(http::exchange(&request).await),
            Step::Wait { duration, may_end_early } => {
                sleep(if may_end_early { duration.min(POLL_INTERVAL) } else { duration }).await;
                Event::Elapsed
            }
            Step::Done(result) => return result,
        };
    }
}

/// Reads variables, all at once and within [`LOOKUP_TIME`]; `None` for those that the application does not define. `wrap`
/// makes the value of each text.
pub(crate) async fn look_up<T>(names: &[&str], wrap: fn(String) -> T) -> Result<Vec<Option<T>>, LookupError> {
    try_join_all(names.iter().map(|name| async { Ok(variable(name).await?.map(wrap)) })).await
}

/// Reads the variable of this name: `client-secret` is `client_secret` in Spin.
async fn variable(name: &str) -> Result<Option<String>, LookupError> {
    match within(LOOKUP_TIME, variables::get(name.replace('-', "_"))).await {
        Some(Ok(value)) => Ok(Some(value)),
        Some(Err(variables::Error::Undefined(_))) => Ok(None),
        Some(Err(variables::Error::InvalidName(reason))) => Err(LookupError::denied(name, reason)),
        Some(Err(variables::Error::Provider(reason))) => Err(LookupError::unavailable(name, reason)),
        // The error is dropped: it may quote the manifest's template, which may contain a value.
        Some(Err(variables::Error::Other(_))) => {
            Err(LookupError::unavailable(name, "Spin could not resolve its value"))
        }
        None => {
            let reason = format!("its provider did not answer within {} s", LOOKUP_TIME.as_secs());
            Err(LookupError::unavailable(name, reason))
        }
    }
}
