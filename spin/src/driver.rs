//! The driver: carries out the steps of an action with Spin's variables and WASI 0.3. Actions in one instance may overlap.

use std::time::Duration;

use futures::future::try_join_all;
use onepassword_users_core::catalogue::BASE_URL;
use onepassword_users_core::{Action, Error, Event, Instant, LookupError, Request, Secret, Session, Step};
use spin_sdk::variables;

use crate::clock::{now, sleep, within};
use crate::{http, origin};

/// The timeout for reading the variables of one step from their provider, such as a vault.
const LOOKUP_TIME: Duration = Duration::from_secs(10);

/// The interval at which an action that waits for another one polls it. A waker would not work: wit-bindgen 0.57 traps when one
/// request of an instance wakes another.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(10);

thread_local! {
    /// The session of this instance, which has one thread. All its requests share a token.
    static SESSION: Session = Session::new();
}

/// The session of this instance.
pub(crate) fn session() -> Session {
    SESSION.with(Session::clone)
}

/// Takes the next step of an action.
pub(crate) fn step<T>(action: &mut Action<T>, event: Event) -> Step<T> {
    action.step(event, Instant::from_nanos(u64::try_from(now().as_nanos()).unwrap_or(u64::MAX)))
}

/// Runs an action to completion. `before` sees each request before it is sent.
pub(crate) async fn run<T>(mut action: Action<T>, mut before: impl FnMut(&Request)) -> Result<T, Error> {
    let mut event = Event::Start;
    loop {
        event = match step(&mut action, event) {
            Step::Settings(names) => Event::Settings(settings(names).await),
            Step::Secrets(names) => Event::Secrets(look_up(names, Secret::new).await),
            Step::Send(request) => {
                before(&request);
                Event::Response(http::exchange(&request).await)
            }
            Step::Wait { duration, may_end_early } => {
                sleep(if may_end_early { duration.min(POLL_INTERVAL) } else { duration }).await;
                Event::Elapsed
            }
            Step::Done(result) => return result,
        };
    }
}

/// Reads settings. A base URL that Spin cannot use is refused with the mistake: otherwise every request would be denied, and
/// nobody would know the reason.
pub(crate) async fn settings(names: &[&str]) -> Result<Vec<Option<String>>, LookupError> {
    let values = look_up(names, |value| value).await?;
    let base_url = names.iter().zip(&values).find(|(name, _)| **name == BASE_URL.name);
    match base_url.and_then(|(_, value)| origin::check(value.as_deref()?).err()) {
        Some(mistake) => {
            let reason =
                format!("Spin needs a full origin, without a path, such as https://api.1password.com, and {mistake}");
            Err(LookupError::denied(BASE_URL.name, reason))
        }
        None => Ok(values),
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
