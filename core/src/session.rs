//! The entry point: a session starts actions and shares a token among them.

use alloc::vec::Vec;
use core::fmt;

use crate::actions::{change, list, lookup, test};
use crate::client::Client;
use crate::error::Error;
use crate::machine::Action;
use crate::token::TokenCache;
use crate::values::change::{ChangeMode, StateChange, TargetState};
use crate::values::query::{FindError, ListQuery, MAX_FIND_USERS, UserList};
use crate::values::report::TestReport;
use crate::values::user::{Target, User, UserRef};

/// Starts actions, which may overlap, and keeps their token. Clones share it.
#[derive(Clone, Default)]
pub struct Session {
    tokens: TokenCache,
}

impl Session {
    /// A session without a token.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lists users: all of them, or as many as the query's limit.
    ///
    /// # Errors
    ///
    /// The action ends in [`Error::InvalidArgument`] for a limit of 0 or above
    /// [`MAX_USERS`](crate::MAX_USERS) and for a page token that is not one of a [`UserList`] with the same state filter, in
    /// [`Error::TooManyUsers`] if there are more users than that and no limit, and otherwise as
    /// every action.
    #[must_use]
    pub fn list_users(&self, query: ListQuery) -> Action<UserList> {
        let tokens = self.tokens.clone();
        Action::new(move |effects| async move {
            let start = query.start()?;
            list::list(&Client::new(effects, tokens).await?, start, query.limit).await
        })
    }

    /// Gets one user.
    ///
    /// # Errors
    ///
    /// The action ends in [`Error::InvalidArgument`] for a reference that cannot be an id or
    /// address, in [`Error::UserNotFound`] or
    /// [`Error::AmbiguousUser`], and otherwise as every action.
    #[must_use]
    pub fn get_user(&self, user: UserRef) -> Action<User> {
        let tokens = self.tokens.clone();
        Action::new(move |effects| async move {
            let target = Target::parse(&user)?;
            Ok(lookup::find(&Client::new(effects, tokens).await?, &target).await?)
        })
    }

    /// Gets several users, at most [`MAX_FIND_USERS`](crate::MAX_FIND_USERS): all addresses with one search, ids one by one, within one deadline. The
    /// results are in the order of the references, also for references that occur twice.
    ///
    /// # Errors
    ///
    /// The action ends in an error of its own only if nothing could be asked: too many references, wrong settings, or no token.
    /// Every other failure is the result of its reference.
    #[must_use]
    pub fn find_users(&self, users: Vec<UserRef>) -> Action<Vec<Result<User, Error>>> {
        let tokens = self.tokens.clone();
        Action::new(move |effects| async move {
            if users.len() > MAX_FIND_USERS {
                return Err(FindError { users: users.len() }.into());
            }
            lookup::find_all(&Client::new(effects, tokens).await?, &users).await
        })
    }

    /// Suspends a user, who can then no longer sign in.
    ///
    /// # Errors
    ///
    /// As [`Session::get_user`], and [`Error::LastOwner`] and
    /// [`Error::ExternallyManaged`].
    #[must_use]
    pub fn suspend_user(&self, user: UserRef, mode: ChangeMode) -> Action<StateChange> {
        self.change(user, mode, TargetState::Suspended)
    }

    /// Reactivates a suspended user, who can then sign in again.
    ///
    /// # Errors
    ///
    /// As [`Session::suspend_user`].
    #[must_use]
    pub fn reactivate_user(&self, user: UserRef, mode: ChangeMode) -> Action<StateChange> {
        self.change(user, mode, TargetState::Active)
    }

    /// Tests settings, credentials and permissions: obtains a new token, lists one user, gets that user, and reads the protected
    /// users. Changes nothing.
    ///
    /// # Errors
    ///
    /// The action ends in an error that names the setting or secret at fault, or as [`Session::list_users`].
    #[must_use]
    pub fn test(&self) -> Action<TestReport> {
        // Without the session's token, so that the credentials are tested.
        let tokens = TokenCache::default();
        Action::new(|effects| async move { test::test(&Client::new(effects, tokens).await?).await })
    }

    pub(crate) fn change(&self, user: UserRef, mode: ChangeMode, target: TargetState) -> Action<StateChange> {
        let tokens = self.tokens.clone();
        Action::new(move |effects| async move {
            let user = Target::parse(&user)?;
            change::change(&Client::new(effects, tokens).await?, user, mode, target).await
        })
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Session").finish_non_exhaustive()
    }
}
