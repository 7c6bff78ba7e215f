//! The log line of a request: filled in while the request is handled, and written at its end.

use std::io::Write;
use std::time::Duration;

use spin_sdk::wasip3::clocks::{monotonic_clock, system_clock};

use crate::log::Entry;
use crate::problem::Problem;

/// A log line in progress.
pub(crate) struct Log {
    pub(crate) entry: Entry,
    /// Monotonic time, in nanoseconds.
    started: u64,
}

impl Log {
    /// Starts an empty line, and its clock.
    pub(crate) fn start() -> Self {
        Self { entry: Entry::default(), started: monotonic_clock::now() }
    }

    /// Records a problem as the outcome.
    pub(crate) fn problem(&mut self, problem: &Problem) {
        self.entry.outcome = problem.kind().code;
        self.entry.status = problem.kind().status;
        self.entry.may_have_changed = problem.failure.may_have_changed;
        self.entry.problem.get_or_insert_with(|| problem.failure.message.clone());
    }

    /// Writes the line to standard output, which Spin logs.
    pub(crate) fn write(self) {
        let now = system_clock::now();
        let time = jiff::Timestamp::new(now.seconds, i32::try_from(now.nanoseconds).unwrap_or_default());
        let time = time.map(|time| format!("{time:.3}")).unwrap_or_default();
        let elapsed = Duration::from_nanos(monotonic_clock::now().saturating_sub(self.started));
        // In one write, since other instances share the log. A failure must not fail the request.
        let line = self.entry.line(time, elapsed) + "\n";
        let _ = std::io::stdout().lock().write_all(line.as_bytes());
    }
}
