//! The log lines of a request: filled in while the request is handled, and written before a change and at its end.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::time::Duration;

use onepassword_users_core::Request;
use spin_sdk::wasip3::clocks::system_clock;

use crate::clock::now;
use crate::log::{Entry, Limiter, SENDING};
use crate::problem::Problem;

thread_local! {
    static LIMITER: Cell<Limiter> = const { Cell::new(Limiter::NEW) };
}

/// A log line in progress.
pub(crate) struct Log {
    pub(crate) entry: Entry,
    /// Monotonic time.
    started: Duration,
}

impl Log {
    /// Starts an empty line, and its clock.
    pub(crate) fn start() -> Self {
        let started = now();
        // The standard library's hasher has a random key for each instance and another one for each use.
        let id = format!("{:016x}", RandomState::new().hash_one(started));
        Self { entry: Entry { id, ..Entry::default() }, started }
    }

    /// Records a problem as the outcome. The status is not the problem's if it was sent before.
    pub(crate) fn problem(&mut self, problem: &Problem) {
        self.entry.outcome = problem.kind().code;
        self.entry.may_have_changed = problem.failure.may_have_changed;
        self.entry.user_id = self.entry.user_id.take().or_else(|| problem.failure.user_id.clone());
        self.entry.problem.get_or_insert_with(|| problem.failure.message.clone());
    }

    /// Writes a line that a change is about to be sent, if this request is one. The instance may end before its outcome is known.
    pub(crate) fn before(&mut self, request: &Request) {
        // Once: the change may be sent again.
        if request.changed_user.is_some() && self.entry.user_id.is_none() {
            self.entry.user_id.clone_from(&request.changed_user);
            self.entry.user_email.clone_from(&request.changed_email);
            self.print(Entry { outcome: SENDING, ..self.entry.clone() });
        }
    }

    /// Writes the line at the end of the request. Those of callers without an accepted key are bounded.
    pub(crate) fn write(mut self, status: u16) {
        self.entry.status = Some(status);
        if self.entry.key.is_none() {
            let mut limiter = LIMITER.get();
            let admitted = limiter.admit(now());
            LIMITER.set(limiter);
            let Some(left_out) = admitted else { return };
            self.entry.left_out = Some(left_out).filter(|left_out| *left_out > 0);
        }
        let entry = std::mem::take(&mut self.entry);
        self.print(entry);
    }

    /// Prints a line to standard output, which Spin logs.
    fn print(&self, entry: Entry) {
        let time = system_clock::now();
        let time = jiff::Timestamp::new(time.seconds, i32::try_from(time.nanoseconds).unwrap_or_default());
        let time = time.map(|time| format!("{time:.3}")).unwrap_or_default();
        // In one write, since other instances share the log. A failure must not fail the request.
        let line = entry.line(time, now().saturating_sub(self.started)) + "\n";
        let _ = std::io::stdout().lock().write_all(line.as_bytes());
    }
}
