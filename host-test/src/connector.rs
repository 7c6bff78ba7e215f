//! A connector: one configuration of the component, with a warm instance that caches its token.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use onepassword_users_core::catalogue::ErrorCode;
use onepassword_users_core::{self as core_, Failure, Listing, TooMany};
use tokio::sync::Mutex;
use wasmtime::Store;

use crate::bindings::connector::AnyConnector;
use crate::bindings::connector::exports::automation::connector::connector as any;
use crate::bindings::users::TypedUsers;
use crate::engine::Compiled;
use crate::error::Error;
use crate::manifest::Manifest;
use crate::outbound::{CallStats, Network, Outbound};
use crate::state::State;
use crate::types::{self, ChangeMode, ChangeOutcome, ListQuery, StateChange, StateFilter, User, UserList, UserRef};
use crate::values::Source;

/// The most memory of an instance that is kept warm, in bytes. A guest's memory never shrinks, so a larger instance is dropped.
const MAX_WARM_MEMORY: usize = 64 * 1024 * 1024;
/// The most text in all users of [`Connector::list_all_users`], in bytes.
const MAX_TOTAL_TEXT: usize = 1024 * 1024 * 1024;

/// The options of a connector.
#[derive(Clone)]
pub struct Options {
    /// The source of settings, such as `base-url` and `account-id`.
    pub settings: Arc<dyn Source>,
    /// The source of secrets: `client-id` and `client-secret`, or `access-token`.
    pub secrets: Arc<dyn Source>,
    /// The proxy, TLS and address rules of connections.
    pub network: Network,
    /// The longest duration of one look-up of settings or secrets.
    pub lookup_timeout: Duration,
    /// The longest duration of one call, from its start (not from when it was queued) and including waits for the service.
    /// The component enforces its own setting `deadline`. Keep that one shorter: its error says more than
    /// [`Error::Deadline`].
    pub deadline: Duration,
}

impl Default for Options {
    /// No settings, no secrets, the environment's proxy, ten seconds per look-up, and ten minutes per call.
    fn default() -> Self {
        let empty: Arc<dyn Source> = Arc::new(BTreeMap::new());
        Self {
            settings: empty.clone(),
            secrets: empty,
            network: Network::default(),
            lookup_timeout: Duration::from_secs(10),
            deadline: Duration::from_secs(600),
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("network", &self.network)
            .field("lookup_timeout", &self.lookup_timeout)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// The result of an action that was invoked by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The result in JSON, as the action's schema says.
    pub json: String,
    /// The result in one line, for people. It holds text of the service: show it as such.
    pub summary: String,
    /// True if the action changed something.
    pub changed: bool,
}

impl From<any::Output> for Output {
    fn from(output: any::Output) -> Self {
        let json = match <[String; 1]>::try_from(output.parts) {
            Ok([whole]) => whole,
            Err(parts) => parts.concat(),
        };
        Self { json, summary: output.summary, changed: output.changed }
    }
}

/// One configuration of the component. Calls run one at a time; use several connectors to run calls in parallel.
pub struct Connector {
    compiled: Compiled,
    options: Options,
    outbound: Outbound,
    warm: Mutex<Option<Instance>>,
}

struct Instance {
    store: Store<State>,
    any: AnyConnector,
    typed: Option<TypedUsers>,
}

impl Connector {
    pub(crate) fn new(compiled: Compiled, options: Options) -> Result<Self, Error> {
        let outbound = Outbound::new(
            options.network.clone(),
            options.settings.clone(),
            compiled.origins.clone(),
            options.lookup_timeout,
        )?;
        Ok(Self { compiled, options, outbound, warm: Mutex::new(None) })
    }

    /// Lists users: all of them, or up to the query's limit. The component holds the whole list in memory. For an account of
    /// unknown size, use [`Connector::list_all_users`].
    ///
    /// # Errors
    ///
    /// [`Error::Action`] if the action failed, [`Error::Load`] if the component could not be instantiated, [`Error::Trap`] if
    /// it trapped, and [`Error::Deadline`] if the call took too long. This is the same for every call.
    pub async fn list_users(&self, query: ListQuery) -> Result<UserList, Error> {
        self.call("list-users", None, async |Instance { store, typed, .. }| {
            expect_typed(typed)?.onepassword_users_actions().call_list_users(store, &query).await
        })
        .await
    }

    /// Lists all users, up to 2,000,000, page by page: the component holds one page at a time. `progress` is called after each
    /// page with the number of users so far.
    ///
    /// # Errors
    ///
    /// As [`Connector::list_users`]. A failure discards the users read so far, since a partial list
    /// could be taken for a complete one.
    pub async fn list_all_users(
        &self,
        state: Option<StateFilter>,
        page_token: Option<String>,
        mut progress: impl FnMut(usize),
    ) -> Result<Vec<User>, Error> {
        let mut listing = Listing::new(core_::ListQuery { page_token, ..Default::default() });
        let (mut users, mut text) = (Vec::new(), 0);
        while let Some(part) = listing.query() {
            let part = ListQuery { state, limit: part.limit, page_token: part.page_token };
            let list = match self.list_users(part).await {
                // The service gave this token out a moment ago: the caller is not to blame.
                Err(Error::Action(failure)) if !users.is_empty() && failure.code == ErrorCode::PageTokenRefused => {
                    return Err(Error::Action(Failure { code: ErrorCode::Other, subject: None, ..failure }));
                }
                result => result?,
            };
            // No real account has this much text.
            text += list.users.iter().map(text_bytes).sum::<usize>();
            if text > MAX_TOTAL_TEXT {
                let error = core_::Error::TooManyUsers(TooMany::Bytes(MAX_TOTAL_TEXT));
                return Err(Error::Action(error.into()));
            }
            let new = listing.take(list.users, list.next_page_token, |user| &user.id);
            users.extend(new.map_err(|error| Error::Action(error.into()))?);
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
        self.call("get-user", Some(&user), async |Instance { store, typed, .. }| {
            expect_typed(typed)?.onepassword_users_actions().call_get_user(store, &user).await
        })
        .await
    }

    /// Looks up several users, at most 1,000: all addresses with one search. The results are in the order of the references.
    ///
    /// # Errors
    ///
    /// As [`Connector::list_users`], if nothing could be asked. Every other failure is the result of its reference.
    pub async fn find_users(&self, users: Vec<UserRef>) -> Result<Vec<Result<User, Failure>>, Error> {
        let results = self.call("find-users", None, async |Instance { store, typed, .. }| {
            expect_typed(typed)?.onepassword_users_actions().call_find_users(store, &users).await
        });
        Ok(results.await?.into_iter().map(|result| result.map_err(Failure::from)).collect())
    }

    /// Suspends a user, who can then no longer sign in.
    ///
    /// # Errors
    ///
    /// As [`Connector::list_users`].
    pub async fn suspend_user(&self, user: UserRef, mode: ChangeMode) -> Result<StateChange, Error> {
        self.call("suspend-user", Some(&user), async |Instance { store, typed, .. }| {
            expect_typed(typed)?.onepassword_users_actions().call_suspend_user(store, &user, mode).await
        })
        .await
    }

    /// Reactivates a suspended user, who can then sign in again.
    ///
    /// # Errors
    ///
    /// As [`Connector::list_users`].
    pub async fn reactivate_user(&self, user: UserRef, mode: ChangeMode) -> Result<StateChange, Error> {
        self.call("reactivate-user", Some(&user), async |Instance { store, typed, .. }| {
            expect_typed(typed)?.onepassword_users_actions().call_reactivate_user(store, &user, mode).await
        })
        .await
    }

    /// Describes the connector. Sends nothing.
    ///
    /// # Errors
    ///
    /// As [`Connector::list_users`], and [`Error::Load`] if the description is not one.
    pub async fn describe(&self) -> Result<Manifest, Error> {
        let json = self.call("describe", None, async |Instance { store, any, .. }| {
            any.automation_connector_manifest().call_describe(store).await.map(Ok::<_, types::Failure>)
        });
        Manifest::parse(&json.await?).map_err(|problem| Error::Load(not_described(&problem)))
    }

    /// Runs an action by its name. `arguments` is a JSON object, as the action's schema says.
    ///
    /// # Errors
    ///
    /// As [`Connector::list_users`]. [`Error::Foreign`] if the code of the failure is one that only this connector has.
    pub async fn invoke(&self, action: &str, arguments: &str) -> Result<Output, Error> {
        let output = self.call("invoke", None, async |Instance { store, any, .. }| {
            any.automation_connector_connector().call_invoke(store, action, arguments).await
        });
        output.await.map(Output::from)
    }

    /// Tests settings, credentials and permissions, and changes nothing.
    ///
    /// # Errors
    ///
    /// As [`Connector::invoke`]. The failure names the setting or secret that is wrong.
    pub async fn test(&self) -> Result<Output, Error> {
        let output = self.call("test", None, async |Instance { store, any, .. }| {
            any.automation_connector_connector().call_test(store).await
        });
        output.await.map(Output::from)
    }

    /// Calls the warm instance, or a new one. The instance is taken out for the call and put back on success only, so that one
    /// that trapped, timed out or was abandoned by its caller is dropped.
    async fn call<T: Outcome, E>(
        &self,
        action: &'static str,
        user: Option<&UserRef>,
        call: impl AsyncFnOnce(&mut Instance) -> wasmtime::Result<Result<T, E>>,
    ) -> Result<T, Error>
    where
        Error: From<E>,
    {
        let mut warm = self.warm.lock().await;
        let guard = AbandonGuard { connector: self, action, user, started: Instant::now() };
        self.outbound.take_stats();
        let work = async {
            let mut instance = match warm.take() {
                Some(instance) => instance,
                // Within the deadline: instantiation may run the component's code.
                None => self.instantiate().await?,
            };
            match call(&mut instance).await {
                Ok(result) => Ok((instance, result)),
                Err(trap) => {
                    let problem = trap.root_cause().to_string();
                    Err(Error::Trap { problem, may_have_changed: self.outbound.stats().has_sent_change })
                }
            }
        };
        let deadline = self.options.deadline;
        let result = match tokio::time::timeout(deadline, work).await {
            Err(_) => Err(Error::Deadline { deadline, may_have_changed: self.outbound.stats().has_sent_change }),
            Ok(Err(error)) => Err(error),
            Ok(Ok((instance, result))) => {
                if instance.store.data().memory.used <= MAX_WARM_MEMORY {
                    *warm = Some(instance);
                }
                result.map_err(Error::from)
            }
        };
        let (outcome, user_id) = match &result {
            Ok(value) => (value.outcome(), value.user_id()),
            Err(Error::Action(failure)) => (failure.code.name(), failure.user_id.as_deref()),
            Err(error) => (error.code(), None),
        };
        self.log(action, user, outcome, user_id, guard.started.elapsed());
        std::mem::forget(guard);
        result
    }

    /// Logs one event per action, for an audit trail.
    fn log(&self, action: &str, user: Option<&UserRef>, outcome: &str, user_id: Option<&str>, elapsed: Duration) {
        let user = user.map(|user| match user {
            UserRef::Id(user) | UserRef::Email(user) | UserRef::Known(types::KnownUser { id: user, .. }) => user,
        });
        let user = user.map(|user| user.chars().take(256).collect::<String>());
        let CallStats { requests, request_ids, .. } = self.outbound.take_stats();
        let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let request_ids = request_ids.join(" ");
        tracing::info!(action, user, user_id, outcome, requests, milliseconds, request_ids, "action");
    }

    async fn instantiate(&self) -> Result<Instance, Error> {
        let Compiled { component, any, users, origins, config } = &self.compiled;
        let Options { settings, secrets, .. } = &self.options;
        let state = State::new(
            self.outbound.clone(),
            settings.clone(),
            secrets.clone(),
            self.options.lookup_timeout,
            config.max_memory,
        );
        let mut store = Store::new(component.engine(), state);
        store.limiter(|state| &mut state.memory);
        // An epoch only makes the guest yield; the timeout in `call` ends it. A deadline in epochs would trap a guest that
        // merely waits for a slow server.
        store.epoch_deadline_async_yield_and_update(1);
        let load = async {
            let instance = component.instantiate_async(&mut store).await?;
            let users = users.as_ref().map(|users| users.load(&mut store, &instance)).transpose()?;
            let any = any.load(&mut store, &instance)?;
            // It is the same each time, so one instance of the component is asked.
            if origins.get().is_none() {
                let json = any.automation_connector_manifest().call_describe(&mut store).await?;
                let manifest =
                    Manifest::parse(&json).map_err(|problem| wasmtime::Error::msg(not_described(&problem)))?;
                origins.get_or_init(|| manifest.origins);
            }
            Ok::<_, wasmtime::Error>((any, users))
        };
        match load.await {
            Ok((any, typed)) => Ok(Instance { store, any, typed }),
            Err(error) => Err(Error::Load(format!("{error:#}"))),
        }
    }
}

fn not_described(problem: &str) -> String {
    format!("its description is not one: {problem}")
}

/// The typed interface of an instance.
fn expect_typed(typed: &Option<TypedUsers>) -> wasmtime::Result<&TypedUsers> {
    typed.as_ref().ok_or_else(|| wasmtime::Error::msg("the component does not export onepassword:users/actions"))
}

/// The length of all texts of a user, in bytes.
fn text_bytes(user: &User) -> usize {
    let User { id, email, display_name, state: _, service_state, create_time, path } = user;
    [id, email, display_name, service_state, create_time, path].iter().map(|text| text.len()).sum()
}

/// Logs an action whose caller dropped it before its end: it may have sent requests already.
struct AbandonGuard<'a> {
    connector: &'a Connector,
    action: &'static str,
    user: Option<&'a UserRef>,
    started: Instant,
}

impl Drop for AbandonGuard<'_> {
    fn drop(&mut self) {
        self.connector.log(self.action, self.user, "abandoned", None, self.started.elapsed());
    }
}

/// The log fields of a success.
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

impl Outcome for Vec<Result<User, types::Failure>> {
    fn outcome(&self) -> &'static str {
        "found"
    }

    fn user_id(&self) -> Option<&str> {
        None
    }
}

impl Outcome for any::Output {
    fn outcome(&self) -> &'static str {
        if self.changed { "changed" } else { "unchanged" }
    }

    fn user_id(&self) -> Option<&str> {
        None
    }
}

/// A description.
impl Outcome for String {
    fn outcome(&self) -> &'static str {
        "described"
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
        match self.outcome {
            ChangeOutcome::Changed => "changed",
            ChangeOutcome::Unchanged => "unchanged",
            ChangeOutcome::WouldChange => "would-change",
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
