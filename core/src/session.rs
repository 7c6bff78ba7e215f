//! What outlives an action: the token, kept for just the identity that it was obtained with, and obtained by one action for
//! all that want it at that time.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::fmt;
use core::time::Duration;

use crate::action::{Action, Instant};
use crate::change::{self, ChangeOptions, StateChange};
use crate::client::Client;
use crate::error::Error;
use crate::list::{self, ListQuery, UserList};
use crate::lookup;
use crate::secret::Secret;
use crate::service::Grant;
use crate::settings::{AccountId, ApiVersion, BaseUrl, Settings};
use crate::user::{User, UserRef, UserState};

/// A token is renewed this long before it expires, or a fifth of its life, whichever is less: it must not expire on the way.
const RENEWAL_MARGIN: Duration = Duration::from_secs(60);

/// Begins actions, and keeps the token between them. Clones share it.
#[derive(Clone, Default)]
pub struct Session {
    token: Rc<RefCell<Option<Token>>>,
    /// The token requests that are under way: one for each identity at most.
    fetches: Rc<RefCell<Vec<TokenFetch>>>,
}

impl Session {
    /// A session without a token.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lists users: all of them, or as many as the query says.
    ///
    /// # Errors
    ///
    /// The action ends in [`Error::InvalidArgument`] for a limit of 0 or beyond [`MAX_USERS`](crate::MAX_USERS) and for an
    /// overlong page token, in [`Error::Other`] if there are more users than that and no limit, and else as any action.
    #[must_use]
    pub fn list_users(&self, query: ListQuery) -> Action<UserList> {
        let session = self.clone();
        Action::new(move |io| async move {
            query.check()?;
            list::list(&Client::new(io, session).await?, query).await
        })
    }

    /// Looks up one user.
    ///
    /// # Errors
    ///
    /// The action ends in [`Error::InvalidArgument`] for what cannot be an id or address, in [`Error::UserNotFound`] or
    /// [`Error::AmbiguousUser`], and else as any action.
    #[must_use]
    pub fn get_user(&self, user: UserRef) -> Action<User> {
        let session = self.clone();
        Action::new(move |io| async move {
            let target = lookup::target(&user)?;
            lookup::find(&Client::new(io, session).await?, &target, &user).await
        })
    }

    /// Suspends a user, who can then no longer sign in.
    ///
    /// # Errors
    ///
    /// As [`Session::get_user`], and [`Error::LastOwner`], [`Error::ExternallyManaged`], and [`Error::InvalidArgument`] for
    /// options that contradict each other.
    #[must_use]
    pub fn suspend_user(&self, user: UserRef, options: ChangeOptions) -> Action<StateChange> {
        self.change(user, options, UserState::Suspended)
    }

    /// Reactivates a suspended user, who can then sign in again.
    ///
    /// # Errors
    ///
    /// As [`Session::suspend_user`].
    #[must_use]
    pub fn reactivate_user(&self, user: UserRef, options: ChangeOptions) -> Action<StateChange> {
        self.change(user, options, UserState::Active)
    }

    fn change(&self, user: UserRef, options: ChangeOptions, wanted: UserState) -> Action<StateChange> {
        let session = self.clone();
        Action::new(move |io| async move {
            options.check()?;
            let target = lookup::target(&user)?;
            change::change(&Client::new(io, session).await?, &target, &user, options, wanted).await
        })
    }

    /// The token, if there is one for this identity that is not about to expire.
    pub(crate) fn token(&self, identity: &Identity, now: Instant) -> Option<Secret> {
        let mut token = self.token.borrow_mut();
        // What cannot be used any more is wiped now, not when the next one comes.
        *token = token.take().filter(|token| token.identity == *identity && now < token.renew_at);
        token.as_ref().map(|token| token.value.clone())
    }

    /// Keeps a token that was asked for at `asked_at`: its life is counted from then, for the way back takes time.
    pub(crate) fn keep(&self, identity: &Identity, grant: &Grant, asked_at: Instant) {
        let margin = RENEWAL_MARGIN.min(grant.lifetime / 5);
        let renew_at = asked_at.after(grant.lifetime.saturating_sub(margin));
        *self.token.borrow_mut() = Some(Token { identity: identity.clone(), value: grant.token.clone(), renew_at });
    }

    /// Forgets a token that the service did not accept, unless another has taken its place.
    pub(crate) fn forget(&self, value: &Secret) {
        let mut token = self.token.borrow_mut();
        *token = token.take().filter(|token| token.value != *value);
    }

    /// The token request of this identity that is under way, or the right to make one.
    /// `deadline` is that of the action that wants it.
    pub(crate) fn fetch(&self, identity: &Identity, deadline: Instant) -> Result<FetchRight, TokenFetch> {
        let mut fetches = self.fetches.borrow_mut();
        if let Some(fetch) = fetches.iter().find(|fetch| fetch.0.identity == *identity) {
            return Err(fetch.clone());
        }
        let fetch = TokenFetch(Rc::new(Fetch {
            identity: identity.clone(),
            deadline,
            outcome: RefCell::new(None),
            is_over: Cell::new(false),
        }));
        fetches.push(fetch.clone());
        Ok(FetchRight { session: self.clone(), fetch })
    }
}

/// A token request that one action makes and others wait for, at [`Step::Join`](crate::Step::Join).
#[derive(Clone)]
pub struct TokenFetch(Rc<Fetch>);

struct Fetch {
    identity: Identity,
    /// When the action that makes it must have ended.
    deadline: Instant,
    /// What came of it; `None` if it was given up.
    outcome: RefCell<Option<Outcome>>,
    is_over: Cell<bool>,
}

#[derive(Clone)]
struct Outcome {
    token: Result<Secret, Error>,
    /// It failed for lack of the action's time: with more of it, another attempt might have been made.
    for_lack_of_time: bool,
}

impl TokenFetch {
    /// Whether it has come to an end: then the actions that wait for it may go on. Nobody is woken, for not every platform lets
    /// one request wake another; a driver looks from time to time.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.0.is_over.get()
    }

    /// What came of it, as far as that holds for an action with this deadline; `None` while it is under way, if it was given
    /// up, and if it failed for lack of time and this action has at least `more` of it.
    pub(crate) fn outcome(&self, deadline: Instant, more: Duration) -> Option<Result<Secret, Error>> {
        let outcome = self.0.outcome.borrow().clone()?;
        let has_more_time = deadline.since(self.0.deadline) >= more;
        (!outcome.for_lack_of_time || !has_more_time).then_some(outcome.token)
    }
}

impl fmt::Debug for TokenFetch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TokenFetch").field("is_over", &self.is_over()).finish_non_exhaustive()
    }
}

/// The right to make a token request for an identity. Others wait until it is dropped.
pub(crate) struct FetchRight {
    session: Session,
    fetch: TokenFetch,
}

impl FetchRight {
    /// Tells the others what came of it.
    pub(crate) fn tell(&self, token: &Result<Secret, Error>, for_lack_of_time: bool) {
        *self.fetch.0.outcome.borrow_mut() = Some(Outcome { token: token.clone(), for_lack_of_time });
    }
}

impl Drop for FetchRight {
    fn drop(&mut self) {
        self.session.fetches.borrow_mut().retain(|fetch| !Rc::ptr_eq(&fetch.0, &self.fetch.0));
        self.fetch.0.is_over.set(true);
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Session").finish_non_exhaustive()
    }
}

/// Whom a token was given to, and by whom. A token is never used for another.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    base_url: BaseUrl,
    version: ApiVersion,
    account: AccountId,
    client_id: Secret,
}

impl Identity {
    pub(crate) fn new(settings: &Settings, client_id: Secret) -> Self {
        Self {
            base_url: settings.base_url.clone(),
            version: settings.version,
            account: settings.account.clone(),
            client_id,
        }
    }

    pub(crate) fn client_id(&self) -> &Secret {
        &self.client_id
    }
}

struct Token {
    identity: Identity,
    value: Secret,
    renew_at: Instant,
}
