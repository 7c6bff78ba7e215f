//! Carries out the steps of an action, one after another.

use alloc::string::String;
use alloc::vec::Vec;
use core::convert::Infallible;

use onepassword_users_core::{Action, Error, Event, Instant, LookupError, LookupErrorKind, Secret, Step};
use onepassword_users_wasi_driver::nanos;
use wasi::clocks::monotonic_clock;

use crate::bindings::automation::connector::{secrets, settings};
use crate::http;

/// Runs an action to its end. This is compiled once for each type of result, so all that it can do without is elsewhere.
pub(crate) fn run<T>(mut action: Action<T>) -> Result<T, Error> {
    let mut event = Event::Start;
    loop {
        if let Some(result) = action.advance(event, Instant::from_nanos(monotonic_clock::now())) {
            return result;
        }
        event = carry_out(action.next_step())?;
    }
}

#[inline(never)]
fn carry_out(step: Step<Infallible>) -> Result<Event, Error> {
    Ok(match step {
        Step::Settings(names) => Event::Settings(settings::get(&owned(names)).map_err(lookup_error)),
        Step::Secrets(names) => {
            let secret = |value: Option<String>| value.map(Secret::new);
            let values = secrets::get(&owned(names)).map_err(lookup_error);
            Event::Secrets(values.map(|values| values.into_iter().map(secret).collect()))
        }
        Step::Send(request) => Event::Response(http::exchange(&request)),
        // Calls to one instance do not overlap, so there is no other action to wait for and no reason to come back early.
        Step::Wait { duration, .. } => {
            monotonic_clock::subscribe_duration(nanos(duration)).block();
            Event::Elapsed
        }
        Step::Done(Err(error)) => return Err(error),
    })
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| String::from(*name)).collect()
}

fn lookup_error(error: secrets::LookupError) -> LookupError {
    LookupError {
        kind: match error.kind {
            secrets::LookupErrorKind::Denied => LookupErrorKind::Denied,
            secrets::LookupErrorKind::Unavailable => LookupErrorKind::Unavailable,
        },
        name: error.name,
        reason: error.message,
    }
}
