//! State shared by the actions of a session: a token cache keyed by identity, with single-flight token requests.
//!
//! Actions overlap. The first that needs a token requests it as the *leader* of a flight; the others *follow* and share the
//! outcome, a refusal as well, so that many actions never send many token requests at once. Two outcomes are not shared: a
//! failure for lack of time with followers that have more of it, and that of a leader whose driver does not come back. In both
//! cases a follower becomes the leader of the next flight.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::time::Duration;

use crate::api::body::TokenResponse;
use crate::error::Error;
use crate::machine::Effects;
use crate::secret::Secret;
use crate::time::Instant;
use crate::values::base_url::{ApiVersion, BaseUrl};
use crate::values::settings::{AccountId, Settings};

/// A token is renewed this long before it expires, or a fifth of its lifetime if that is less, so that it does not expire while
/// a request is on its way.
const RENEWAL_MARGIN: Duration = Duration::from_secs(60);

/// The identity that a token belongs to. A token is never used with another.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct TokenKey {
    base_url: BaseUrl,
    version: ApiVersion,
    account: AccountId,
    client_id: Secret,
}

impl TokenKey {
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

/// The token of a session, and its token requests in flight. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct TokenCache(Rc<RefCell<State>>);

#[derive(Default)]
struct State {
    token: Option<CachedToken>,
    /// At most one flight for each key.
    flights: Vec<Rc<Flight>>,
}

struct CachedToken {
    key: TokenKey,
    token: Secret,
    renew_at: Instant,
    /// A resource route answered a request with this token.
    has_routes: bool,
}

/// The role of an action in a flight.
pub(crate) enum Role {
    /// The action requests the token.
    Leader(Leader),
    /// Another action does. This one waits for it.
    Follower(Follower),
}

impl TokenCache {
    /// The cached token of this key, unless it is about to expire.
    pub(crate) fn get(&self, key: &TokenKey, now: Instant) -> Option<Secret> {
        let mut state = self.0.borrow_mut();
        // A token that is not usable any more is wiped at once.
        state.token = state.token.take().filter(|cached| cached.key == *key && now < cached.renew_at);
        state.token.as_ref().map(|cached| cached.token.clone())
    }

    /// Caches a token. Its lifetime counts from `requested_at`, since the response takes time.
    pub(crate) fn insert(&self, key: &TokenKey, response: &TokenResponse, requested_at: Instant) {
        let margin = RENEWAL_MARGIN.min(response.lifetime / 5);
        let renew_at = requested_at.after(response.lifetime.saturating_sub(margin));
        let token = response.token.clone();
        self.0.borrow_mut().token = Some(CachedToken { key: key.clone(), token, renew_at, has_routes: false });
    }

    /// Drops a token that the service did not accept, unless another one has replaced it.
    pub(crate) fn invalidate(&self, token: &Secret) {
        let mut state = self.0.borrow_mut();
        state.token = state.token.take().filter(|cached| cached.token != *token);
    }

    /// Notes that a resource route answered a request with this token.
    pub(crate) fn note_routes(&self, token: &Secret) {
        if let Some(cached) = self.0.borrow_mut().token.as_mut().filter(|cached| cached.token == *token) {
            cached.has_routes = true;
        }
    }

    /// True if a resource route answered a request with the cached token.
    pub(crate) fn has_routes(&self) -> bool {
        self.0.borrow().token.as_ref().is_some_and(|cached| cached.has_routes)
    }

    /// Joins the flight of this key, or starts one. `effects`, `deadline` and `patience` are those of the joining action:
    /// a leader whose driver is overdue by more than `patience` is replaced.
    pub(crate) fn join(&self, key: &TokenKey, effects: &Effects, deadline: Instant, patience: Duration) -> Role {
        let mut state = self.0.borrow_mut();
        let now = effects.now();
        state.flights.retain(|flight| flight.key != *key || now <= flight.overdue_at(patience));
        if let Some(flight) = state.flights.iter().find(|flight| flight.key == *key) {
            return Role::Follower(Follower { flight: flight.clone(), patience });
        }
        let flight = Rc::new(Flight {
            key: key.clone(),
            leader: effects.clone(),
            deadline,
            outcome: RefCell::new(None),
            is_over: Cell::new(false),
        });
        state.flights.push(flight.clone());
        Role::Leader(Leader { cache: self.clone(), flight })
    }
}

/// A token request in flight.
struct Flight {
    key: TokenKey,
    /// The effects of the leader, which tell when its driver should come back.
    leader: Effects,
    /// The deadline of the leader.
    deadline: Instant,
    /// `None` if the leader was dropped before it had an outcome.
    outcome: RefCell<Option<Outcome>>,
    is_over: Cell<bool>,
}

impl Flight {
    /// The last point at which the leader counts as alive.
    fn overdue_at(&self, patience: Duration) -> Instant {
        self.leader.due().after(patience)
    }
}

#[derive(Clone)]
struct Outcome {
    token: Result<Secret, Error>,
    /// The leader had too little time left. With more, another attempt might have been made.
    lacked_time: bool,
}

/// The right to request a token. The flight ends when this is dropped.
pub(crate) struct Leader {
    cache: TokenCache,
    flight: Rc<Flight>,
}

impl Leader {
    /// Publishes the outcome to the followers.
    pub(crate) fn publish(&self, token: &Result<Secret, Error>, lacked_time: bool) {
        *self.flight.outcome.borrow_mut() = Some(Outcome { token: token.clone(), lacked_time });
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        self.cache.0.borrow_mut().flights.retain(|flight| !Rc::ptr_eq(flight, &self.flight));
        self.flight.is_over.set(true);
    }
}

/// The place of an action that waits for a flight.
pub(crate) struct Follower {
    flight: Rc<Flight>,
    patience: Duration,
}

impl Follower {
    /// True if there is nothing to wait for any more: the flight is over, or its leader is overdue.
    pub(crate) fn is_released(&self, now: Instant) -> bool {
        self.flight.is_over.get() || now > self.flight.overdue_at(self.patience)
    }

    /// The longest wait before [`is_released`](Self::is_released) has to be asked again.
    pub(crate) fn max_wait(&self, now: Instant) -> Duration {
        self.flight.overdue_at(self.patience).after(Duration::from_nanos(1)).since(now)
    }

    /// The outcome of the flight for an action with this deadline. `None` if there is none, or if the leader lacked time and
    /// this action has at least `more` of it.
    pub(crate) fn outcome(&self, deadline: Instant, more: Duration) -> Option<Result<Secret, Error>> {
        let outcome = self.flight.outcome.borrow().clone()?;
        let has_more_time = deadline.since(self.flight.deadline) >= more;
        (!outcome.lacked_time || !has_more_time).then_some(outcome.token)
    }
}
