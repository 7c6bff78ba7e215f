//! The driver: carries out the steps of an action, one after another.

use onepassword_users_core::{Action, Error, Event, Instant, LookupError, Secret, Step};
use onepassword_users_wasi_driver::nanos;
use wasi::clocks::monotonic_clock;

use crate::bindings::automation::connector::{secrets, settings};
use crate::http;

/// Runs an action to completion.
pub(crate) fn run<T>(mut action: Action<T>) -> Result<T, Error> {
    let mut event = Event::Start;
    loop {
        event = match action.step(event, Instant::from_nanos(monotonic_clock::now())) {
            Step::Setting(name) => Event::Setting(settings::get(name).map_err(lookup_error)),
            Step::Secret(name) => {
                Event::Secret(secrets::get(name).map(|value| value.map(Secret::new)).map_err(lookup_error))
            }
            Step::Send(request) => Event::Response(http::exchange(&request)),
            // Calls to an instance do not overlap, so no other action can end the wait early.
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
        secrets::LookupError::Denied(reason) => LookupError::Denied(reason),
        secrets::LookupError::Unavailable(reason) => LookupError::Unavailable(reason),
    }
}
