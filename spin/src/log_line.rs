//! The log line of a request: gathered while the request is answered, and written at its end.

use std::io::Write;
use std::time::Duration;

use spin_sdk::wasip3::clocks::{monotonic_clock, system_clock};

use crate::log::Entry;
use crate::problem::Problem;

/// The line in the log, while it is gathered.
pub(crate) struct Log {
    pub(crate) entry: Entry,
    began: u64,
}

impl Log {
    /// An empty line, as of now.
    pub(crate) fn begin() -> Self {
        Self { entry: Entry::default(), began: monotonic_clock::now() }
    }

    pub(crate) fn problem(&mut self, problem: &Problem) {
        self.entry.outcome = problem.code;
        self.entry.status = problem.status;
        self.entry.may_have_changed = problem.may_have_changed;
        self.entry.problem.get_or_insert_with(|| problem.detail.clone());
    }

    pub(crate) fn write(self) {
        let now = system_clock::now();
        let time = jiff::Timestamp::new(now.seconds, i32::try_from(now.nanoseconds).unwrap_or_default());
        let time = time.map(|time| format!("{time:.3}")).unwrap_or_default();
        let took = Duration::from_nanos(monotonic_clock::now().saturating_sub(self.began));
        // Spin writes this to the log of the component, which other instances write to, too: so in one piece. If it cannot, the
        // answer is still owed.
        let line = self.entry.line(time, took) + "\n";
        let _ = std::io::stdout().lock().write_all(line.as_bytes());
    }
}
