//! A change of a user's state: the target state, the mode and the outcome.

use core::fmt;

use crate::values::user::{User, UserState};

/// The state that a change leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TargetState {
    Active,
    Suspended,
}

impl TargetState {
    /// True if a user is in this state.
    pub(crate) fn is_state_of(self, user: &User) -> bool {
        matches!((self, &user.state), (Self::Active, UserState::Active) | (Self::Suspended, UserState::Suspended))
    }
}

impl fmt::Display for TargetState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        })
    }
}

/// The way to make a change. The user is looked up first in either case, so that [`ChangeOutcome`] is exact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ChangeMode {
    /// Changes the state if needed.
    #[default]
    Apply,
    /// Reports what [`Apply`](Self::Apply) would do, and changes nothing.
    DryRun,
}

/// The outcome of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeOutcome {
    /// The user was in another state and is now in the target state.
    Changed,
    /// The user was in the target state before. Nothing was sent.
    Unchanged,
    /// A dry run: the change would be attempted.
    WouldChange,
}

impl ChangeOutcome {
    /// The name of the outcome: `changed`, `unchanged` or `would-change`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::WouldChange => "would-change",
        }
    }
}

/// A user after a change, or before it in a dry run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateChange {
    /// The user, as the service described it last.
    pub user: User,
    /// The outcome of the change.
    pub outcome: ChangeOutcome,
}
