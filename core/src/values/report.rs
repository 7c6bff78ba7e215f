//! The report of a test.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use serde::Serialize;

/// The result of a test of settings, credentials and permissions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TestReport {
    /// True. A failed test is a [`Failure`](crate::Failure) instead.
    pub ok: bool,
    /// The checks, in order.
    pub checks: Vec<Check>,
}

/// One check of a [`TestReport`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The subject of the check.
    #[serde(rename = "check")]
    pub name: &'static str,
    /// The result, or `not tested` and the reason.
    pub result: Cow<'static, str>,
}

impl TestReport {
    pub(crate) fn new(checks: impl Into<Vec<Check>>) -> Self {
        Self { ok: true, checks: checks.into() }
    }
}
