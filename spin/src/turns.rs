//! Turns: the lists and searches of readers take turns, so that they leave the time of an instance to the changes of responders.
//! Each page costs some 15 ms of the one thread of an instance, and a large account has hundreds.

use std::cell::Cell;
use std::time::Duration;

use crate::access::Role;
use crate::clock::{now, sleep};
use crate::driver::POLL_INTERVAL;
use crate::problem::Problem;

/// The most lists and searches of readers that an instance works on at once.
const MAX_READERS: usize = 4;

/// The longest wait for a turn.
const TIMEOUT: Duration = Duration::from_secs(30);

thread_local! {
    /// The number of readers that have a turn.
    static READERS: Cell<usize> = const { Cell::new(0) };
}

/// A turn. Dropping it ends it.
pub(crate) struct Turn(Role);

impl Turn {
    /// Waits for a turn. Responders need not wait. Fails if it takes too long.
    pub(crate) async fn wait(role: Role) -> Result<Self, Problem> {
        if role == Role::Reader {
            let started = now();
            while READERS.get() >= MAX_READERS {
                if now().saturating_sub(started) > TIMEOUT {
                    return Err(Problem::busy());
                }
                sleep(POLL_INTERVAL).await;
            }
            READERS.set(READERS.get() + 1);
        }
        Ok(Self(role))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.0 == Role::Reader {
            READERS.set(READERS.get().saturating_sub(1));
        }
    }
}
