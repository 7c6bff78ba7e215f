//! Time as the driver's monotonic clock counts it.

use core::time::Duration;

/// A point in time on the driver's monotonic clock, in nanoseconds since an origin of the driver's choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Instant(u64);

impl Instant {
    /// The point this many nanoseconds after the clock's origin.
    #[must_use]
    pub fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The time from `earlier` to this point; zero if this point is not later.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The point this much later, or the last one that can be represented.
    pub(crate) fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// A seed for jitter.
    pub(crate) fn entropy(self) -> u64 {
        self.0
    }
}
