//! The options for serving an application.

use std::collections::BTreeMap;

use crate::log::Log;
use crate::variables::Failure;

/// Options for serving an application.
#[derive(Debug, Clone)]
pub struct Options {
    /// The memory limit of an instance, in bytes.
    pub max_memory: usize,
    /// The log for the component's standard output and standard error.
    pub log: Log,
    /// Variables of the component whose look-up fails.
    pub failures: BTreeMap<String, Failure>,
    /// The speed of the components' monotonic clock. With 1,000, they read that an hour has passed after 3.6 seconds. Waits take their
    /// normal time.
    pub clock_rate: u64,
}

impl Default for Options {
    /// 512 MiB, a log to standard error, no failures.
    fn default() -> Self {
        let log = Log::new(|line| eprintln!("{line}"));
        Self { max_memory: 512 * 1024 * 1024, log, failures: BTreeMap::new(), clock_rate: 1 }
    }
}
