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
            Self::Active => "Active",
            Self::Suspended => "Suspended",
        })
    }
}

/// The way to make a change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ChangeMode {
    /// Looks the user up first, so that [`ChangeOutcome`] is exact, and changes the state if needed.
    #[default]
    LookUpFirst,
    /// Looks the user up and reports the outcome of a change, but changes nothing.
    DryRun,
    /// Changes the state without looking the user up first.
    WithoutLookup,
}

impl ChangeMode {
    /// The mode that two flags stand for.
    ///
    /// # Errors
    ///
    /// Both flags are set: a dry run consists of the look-up alone.
    pub fn from_flags(dry_run: bool, without_lookup: bool) -> Result<Self, ChangeModeError> {
        match (dry_run, without_lookup) {
            (false, false) => Ok(Self::LookUpFirst),
            (true, false) => Ok(Self::DryRun),
            (false, true) => Ok(Self::WithoutLookup),
            (true, true) => Err(ChangeModeError),
        }
    }
}

/// The error of [`ChangeMode::from_flags`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeModeError;

impl fmt::Display for ChangeModeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dry-run looks at the user and without-lookup does not")
    }
}

impl core::error::Error for ChangeModeError {}

/// The outcome of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeOutcome {
    /// The user was in another state and is now in the target state.
    Changed,
    /// The user was in the target state before. Nothing was sent.
    Unchanged,
    /// A dry run: the change would be attempted.
    WouldChange,
    /// The user is in the target state now. The state before is not known, because the user was not looked up.
    NotChecked,
}

/// A user after a change, or before it in a dry run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateChange {
    /// The user, as the service described it last.
    pub user: User,
    /// The outcome of the change.
    pub outcome: ChangeOutcome,
}
