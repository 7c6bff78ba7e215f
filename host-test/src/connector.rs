//! A connector: one configuration of the component, with an instance that is kept warm so that its token is reused.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use onepassword_users_core::Listing;
use tokio::sync::Mutex;
use wasmtime::Store;

use crate::bindings::Plugin;
use crate::engine::Compiled;
use crate::error::Error;
use crate::outbound::{Network, Outbound, Trail};
use crate::state::State;
use crate::types::{self, Change, ChangeOptions, ListQuery, StateChange, StateFilter, User, UserList, UserRef};
use crate::values::Source;

/// An instance that has grown beyond this is not kept: a guest's memory never shrinks. In bytes.
const MAX_WARM_MEMORY: usize = 64 * 1024 * 1024;
/// The most text that the users of [`Connector::list_all_users`] may have, in bytes.
const MAX_ALL_TEXT: usize = 1024 * 1024 * 1024;

/// What makes a connector.
#[derive(Clone)]
pub struct Options {
    /// Where `base-url`, `account-id`, `api-version`, `timeout` and `user-agent` come from.
    pub settings: Arc<dyn Source>,
    /// Where `client-id` and `client-secret`, or `access-token`, come from.
    pub secrets: Arc<dyn Source>,
    /// How connections are made.
    pub network: Network,
    /// The longest that one call may take once its turn has come, waiting for the service included. The component ends by
    /// itself after its own setting `deadline`, which should be the shorter one: then it can say what it knows.
    pub deadline: Duration,
}

impl Default for Options {
    /// No settings, no secrets, the environment's proxy, and ten minutes for a call.
    fn default() -> Self {
        let nothing: Arc<dyn Source> = Arc::new(BTreeMap::new());
        Self {
            settings: nothing.clone(),
            secrets: nothing,
            network: Network::default(),
            deadline: Duration::from_secs(600),
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("network", &self.network)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// One configuration of the component. Calls run one after another; for more at once, make more connectors.
pub struct Connector {
    compiled: Compiled,
    options: Options,
    outbound: Outbound,
    warm: Mutex<Option<Instance>>,
}

struct Instance {
    store: Store<State>,
    plugin: Plugin,
}

impl Connector {
    pub(crate) fn new(compiled: Compiled, options: Options) -> Result<Self, Error> {
        let outbound = Outbound::new(options.network.clone(), options.settings.clone())?;
        Ok(Self { compiled, options, outbound, warm: Mutex::new(None) })
    }

    /// Lists users: all of them, or as many as the query says. For an account of unknown size see
    /// [`Connector::list_all_users`], which asks less of the component's memory.
    ///
    /// # Errors
    ///
    /// [`Error::Action`] says why the action did not succeed, [`Error::Trap`] and [`Error::Deadline`] that the component
    /// did not come to an end by itself. The same holds for every call.
    pub async fn list_users(&self, query: ListQuery) -> Result<UserList, Error> {
        self.call("list-users", None, async |Instance { store, plugin }| {
            plugin.onepassword_users_actions().call_list_users(store, &query).await
        })
        .await
    }

    /// Lists all users, up to 2,000,000: page by page, so that the component holds one page at a time.
    /// `progress` is told the number of users so far.
    ///
    /// # Errors
    ///
    /// As [`Connector::list_users`]. What was read before a failure is not given: half a list looks like a whole one.
    pub async fn list_all_users(
        &self,
        state: Option<StateFilter>,
        page_token: Option<String>,
        mut progress: impl FnMut(usize),
    ) -> Result<Vec<User>, Error> {
        let mut listing = Listing::new(onepassword_users_core::ListQuery { page_token, ..Default::default() });
        let (mut users, mut text) = (Vec::new(), 0);
        while let Some(part) = listing.query() {
            let part = ListQuery { state, limit: part.limit, page_token: part.page_token };
            let list = self.list_users(part).await?;
            // Beyond that the service is not listing an account.
            text += list
                .users
                .iter()
                .map(|user| user.email.len() + user.display_name.len() + user.path.len())
                .sum::<usize>();
            if text > MAX_ALL_TEXT {
                return Err(Error::EndlessList);
            }
            let met = listing.take(list.users, list.next_page_token, |user| &user.id);
            users.extend(met.map_err(|_| Error::EndlessList)?);
            progress(users.len());
        }
        Ok(users)
    }

    /// Looks up one user.
    ///
    /// # Errors
    ///
    /// As [`Connector::list_users`].
    pub async fn get_user(&self, user: UserRef) -> Result<User, Error> {
        self.call("get-user", Some(&user), async |Instance { store, plugin }| {
            plugin.onepassword_users_actions().call_get_user(store, &user).await
        })
        .await
    }

    /// Suspends a user, who can then no longer sign in.
    ///
    /// # Errors
    ///
    /// As [`Connector::list_users`].
    pub async fn suspend_user(&self, user: UserRef, options: ChangeOptions) -> Result<StateChange, Error> {
        self.call("suspend-user", Some(&user), async |Instance { store, plugin }| {
            plugin.onepassword_users_actions().call_suspend_user(store, &user, options).await
        })
        .await
    }

    /// Reactivates a suspended user, who can then sign in again.
    ///
    /// # Errors
    ///
    /// As [`Connector::list_users`].
    pub async fn reactivate_user(&self, user: UserRef, options: ChangeOptions) -> Result<StateChange, Error> {
        self.call("reactivate-user", Some(&user), async |Instance { store, plugin }| {
            plugin.onepassword_users_actions().call_reactivate_user(store, &user, options).await
        })
        .await
    }

    /// Calls the warm instance, or a new one. It is taken out for the call: one that traps, is ended, or whose caller
    /// gives up half-way does not come back.
    async fn call<T: Outcome>(
        &self,
        action: &'static str,
        user: Option<&UserRef>,
        call: impl AsyncFnOnce(&mut Instance) -> wasmtime::Result<Result<T, types::Error>>,
    ) -> Result<T, Error> {
        let mut warm = self.warm.lock().await;
        let abandoned = Abandoned { connector: self, action, user, began: Instant::now() };
        self.outbound.take_trail();
        let work = async {
            let mut instance = match warm.take() {
                Some(instance) => instance,
                // A component may run code of its own here already.
                None => self.instantiate().await?,
            };
            match call(&mut instance).await {
                Ok(result) => Ok((instance, result)),
                Err(trap) => Err(Error::Trap(trap.root_cause().to_string())),
            }
        };
        let result = match tokio::time::timeout(self.options.deadline, work).await {
            Err(_) => Err(Error::Deadline(self.options.deadline)),
            Ok(Err(error)) => Err(error),
            Ok(Ok((instance, result))) => {
                if instance.store.data().limits.used <= MAX_WARM_MEMORY {
                    *warm = Some(instance);
                }
                result.map_err(Error::Action)
            }
        };
        let (outcome, user_id) = match &result {
            Ok(value) => (value.outcome(), value.user_id()),
            Err(error) => (error.code(), None),
        };
        self.log(action, user, outcome, user_id, abandoned.began.elapsed());
        std::mem::forget(abandoned);
        result
    }

    /// One event for each action: enough for an audit trail, and nothing more.
    fn log(&self, action: &str, user: Option<&UserRef>, outcome: &str, user_id: Option<&str>, took: Duration) {
        let user = user.map(|(UserRef::Id(user) | UserRef::Email(user))| user.chars().take(256).collect::<String>());
        let Trail { requests, request_ids, .. } = self.outbound.take_trail();
        let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let request_ids = request_ids.join(" ");
        tracing::info!(action, user, user_id, outcome, requests, milliseconds, request_ids, "action");
    }

    async fn instantiate(&self) -> Result<Instance, Error> {
        let Compiled { component, limits } = &self.compiled;
        let Options { settings, secrets, .. } = &self.options;
        let state = State::new(self.outbound.clone(), settings.clone(), secrets.clone(), limits.memory);
        let mut store = Store::new(component.engine(), state);
        store.limiter(|state| &mut state.limits);
        // A deadline by epochs would count waiting, too, and end a call whose server is slow. So an epoch only makes the
        // guest give way, and the clock of `call` decides.
        store.epoch_deadline_async_yield_and_update(1);
        match component.instantiate_async(&mut store).await {
            Ok(plugin) => Ok(Instance { store, plugin }),
            Err(error) => Err(Error::Load(format!("{error:#}"))),
        }
    }
}

/// Logs an action whose caller gave up half-way: it may have sent something all the same.
struct Abandoned<'a> {
    connector: &'a Connector,
    action: &'static str,
    user: Option<&'a UserRef>,
    began: Instant,
}

impl Drop for Abandoned<'_> {
    fn drop(&mut self) {
        self.connector.log(self.action, self.user, "abandoned", None, self.began.elapsed());
    }
}

/// What the log tells of a success.
trait Outcome {
    fn outcome(&self) -> &'static str;
    fn user_id(&self) -> Option<&str>;
}

impl Outcome for UserList {
    fn outcome(&self) -> &'static str {
        "listed"
    }

    fn user_id(&self) -> Option<&str> {
        None
    }
}

impl Outcome for User {
    fn outcome(&self) -> &'static str {
        "found"
    }

    fn user_id(&self) -> Option<&str> {
        Some(&self.id)
    }
}

impl Outcome for StateChange {
    fn outcome(&self) -> &'static str {
        match self.change {
            Change::Changed => "changed",
            Change::Already => "already",
            Change::WouldChange => "would-change",
            Change::NotChecked => "not-checked",
        }
    }

    fn user_id(&self) -> Option<&str> {
        Some(&self.user.id)
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").field("options", &self.options).finish_non_exhaustive()
    }
}
