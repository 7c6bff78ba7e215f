//! Carries out the steps of an action, one after another.

use onepassword_users_core::{Action, Error, Event, Instant, LookupError, Secret, Step};
use onepassword_users_wasi_driver::nanos;
use wasi::clocks::monotonic_clock;

use crate::bindings::automation::connector::{secrets, settings};
use crate::http;

/// Runs an action to its end.
pub(crate) fn run<T>(mut action: Action<T>) -> Result<T, Error> {
    let mut event = Event::Start;
    loop {
        event = match action.step(event, Instant::from_nanos(monotonic_clock::now())) {
            Step::Setting(name) => Event::Setting(settings::get(name).map_err(lookup_error)),
            Step::Secret(name) => {
                Event::Secret(secrets::get(name).map(|value| value.map(Secret::new)).map_err(lookup_error))
            }
            Step::Send(request) => Event::Response(http::exchange(&request)),
            // Calls to one instance do not overlap, so there is no other action to wait for and no reason to come back early.
            Step::Wait { duration, .. } => {
                monotonic_clock::subscribe_duration(nanos(duration)).block();
                Event::Elapsed
            }
            Step::Done(result) => return result,
        };
    }
}

fn lookup_error(error: secrets::LookupError) -> LookupError {
    match error {
        secrets::LookupError::Denied(why) => LookupError::Denied(why),
        secrets::LookupError::Unavailable(why) => LookupError::Unavailable(why),
    }
}
