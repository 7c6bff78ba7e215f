//! A connector: one configuration of the component, with a warm instance that caches its token.

use std::sync::Arc;
use std::time::{Duration, Instant};

use onepassword_users_core::catalogue::ErrorCode;
use onepassword_users_core::{self as core_, Failure, Listing, TooMany};
use tokio::sync::Mutex;
use wasmtime::{PoolConcurrencyLimitError, Store};

use crate::audit::{self, Auditor, ChangeEvent, Record};
use crate::bindings::connector::exports::automation::connector::connector as any;
use crate::bindings::connector::{AnyConnector, AnyConnectorIndices};
use crate::bindings::users::{TypedUsers, TypedUsersIndices};
use crate::by_name::{FromJson, Output, arguments, from_json};
use crate::engine::{Compiled, Interface};
use crate::error::Error;
use crate::manifest::Manifest;
use crate::options::Options;
use crate::outbound::Outbound;
use crate::pool::{MAX_WARM_MEMORY, Warm};
use crate::state::State;
use crate::steps::{Call, Steps};
use crate::types::{
    self, ChangeMode, ChangeOutcome, KnownUser, ListQuery, StateChange, StateFilter, User, UserList, UserRef, UserState,
};

/// The most text in all users of [`Connector::list_all_users`], in bytes. With the rest of 2,000,000 users, some 1.5 GB.
const MAX_TOTAL_TEXT: usize = 512 * 1024 * 1024;
/// The problem of a typed call to another connector.
const NOT_TYPED: &str = "it does not have the typed actions of onepassword:users, so its actions are called by name";

/// One configuration of a component. Over WASI, its calls run one at a time: use several connectors to run calls in parallel.
/// The calls of a component without imports run at once.
pub struct Connector {
    compiled: Compiled,
    options: Arc<Options>,
    outbound: Outbound,
    engine: Arc<Engine>,
    requested_by: Option<String>,
}

/// The state of a connector between its calls.
enum Engine {
    Wasi { any: AnyConnectorIndices, users: Option<TypedUsersIndices>, warm: Arc<WarmInstance> },
    Steps(Steps),
}

struct Instance {
    store: Store<State>,
    any: AnyConnector,
    typed: Option<TypedUsers>,
}

/// The instance of a connector between its calls, and the time of the last one.
#[derive(Default)]
struct WarmInstance(Mutex<Option<(Instance, Instant)>>);

impl Warm for WarmInstance {
    fn idle_since(&self) -> Option<Instant> {
        self.0.try_lock().ok()?.as_ref().map(|(_, since)| *since)
    }

    fn evict(&self) -> bool {
        self.0.try_lock().is_ok_and(|mut warm| warm.take().is_some())
    }
}

/// A change by name, prepared for the audit hook.
struct Prepared {
    arguments: String,
    event: ChangeEvent,
}

impl Connector {
    pub(crate) fn new(compiled: Compiled, options: Options) -> Result<Self, Error> {
        let outbound = Outbound::new(
            options.network.clone(),
            options.settings.clone(),
            compiled.manifest.clone(),
            options.lookup_timeout,
            options.audit.is_some(),
        )?;
        let engine = match compiled.interface.clone() {
            Interface::Wasi(any, users) => {
                let warm = Arc::new(WarmInstance::default());
                let place: Arc<dyn Warm> = warm.clone();
                compiled.pool.add(Arc::downgrade(&place));
                Engine::Wasi { any, users, warm }
            }
            Interface::Steps(indices) => Engine::Steps(Steps::new(compiled.clone(), indices)),
        };
        Ok(Self { compiled, options: Arc::new(options), outbound, engine: Arc::new(engine), requested_by: None })
    }

    /// This connector, with the same instance and token, for calls that a person or system asks for. The audit hook gets that
    /// name; it is not sent.
    #[must_use]
    pub fn on_behalf_of(&self, requested_by: impl Into<String>) -> Self {
        Self {
            compiled: self.compiled.clone(),
            options: self.options.clone(),
            outbound: self.outbound.clone(),
            engine: self.engine.clone(),
            requested_by: Some(requested_by.into()),
        }
    }

    /// Lists users: all of them, or up to the query's limit. The component holds the whole list in memory. For an account of
    /// unknown size, use [`Connector::list_all_users`].
    ///
    /// # Errors
    ///
    /// [`Error::Action`] if the action failed, [`Error::Load`] if the component could not be instantiated or does not have the
    /// typed interface, [`Error::Busy`] if all instances are in use, [`Error::Trap`] if it trapped, and [`Error::Deadline`] if the
    /// call took too long. This is the same for every call, but that those by name need no typed interface.
    pub async fn list_users(&self, query: ListQuery) -> Result<UserList, Error> {
        if !self.is_typed() {
            return self.by_name("list-users", None, arguments::list(&query)).await;
        }
        self.call("list-users", None, async |Instance { store, typed, .. }| {
            expect_typed(typed)?.onepassword_users_actions().call_list_users(store, &query).await
        })
        .await
    }

    /// Lists all users, page by page: the component holds one page at a time. `progress` is called after each page with the
    /// number of users so far. The list may have 2,000,000 users and 512 MiB of text, some 1.5 GB in memory.
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
        if !self.is_typed() {
            return self.by_name("get-user", Some(&user), arguments::user(&user)).await;
        }
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
        if !self.is_typed() {
            return self.by_name("find-users", None, arguments::users(&users)).await;
        }
        self.call("find-users", None, async |Instance { store, typed, .. }| {
            let found = expect_typed(typed)?.onepassword_users_actions().call_find_users(store, &users).await?;
            let explained = |failure| self.outbound.explain_failure(Failure::from(failure));
            Ok(found.map(|results| results.into_iter().map(|result| result.map_err(explained)).collect()))
        })
        .await
    }

    /// Suspends a user, who can then no longer sign in.
    ///
    /// # Errors
    ///
    /// As [`Connector::list_users`], and [`Error::Audit`] if the audit hook does not record the change.
    pub async fn suspend_user(&self, user: UserRef, mode: ChangeMode) -> Result<StateChange, Error> {
        self.change("suspend-user", user, mode).await
    }

    /// Reactivates a suspended user, who can then sign in again.
    ///
    /// # Errors
    ///
    /// As [`Connector::suspend_user`].
    pub async fn reactivate_user(&self, user: UserRef, mode: ChangeMode) -> Result<StateChange, Error> {
        self.change("reactivate-user", user, mode).await
    }

    async fn change(&self, action: &str, user: UserRef, mode: ChangeMode) -> Result<StateChange, Error> {
        if !self.is_typed() {
            return self.by_name(action, Some(&user), arguments::change(&user, mode)).await;
        }
        let is_suspension = action == "suspend-user";
        let record = self.record();
        let user = match mode {
            ChangeMode::Apply if self.options.audit.is_some() => {
                let found = self.get_user(user.clone()).await?;
                let target = if is_suspension { UserState::Suspended } else { UserState::Active };
                // Without a record, no change is sent.
                if found.state != target {
                    record.open(self.event(action, Some(text_of(&user)), Some(found.id.clone()))).await?;
                }
                match user {
                    UserRef::Email(email) => UserRef::Known(KnownUser { id: found.id, email }),
                    user => user,
                }
            }
            _ => user,
        };
        let result =
            self.call_recorded(action, Some(&user), Some(&record), async |Instance { store, typed, .. }| {
                let actions = expect_typed(typed)?.onepassword_users_actions();
                if is_suspension {
                    actions.call_suspend_user(store, &user, mode).await
                } else {
                    actions.call_reactivate_user(store, &user, mode).await
                }
            });
        let result = result.await;
        close(&record, &result).await;
        result
    }

    /// Describes the connector. Sends nothing.
    ///
    /// # Errors
    ///
    /// As [`Connector::list_users`], and [`Error::Load`] if the description is not one.
    pub async fn describe(&self) -> Result<Manifest, Error> {
        let json = match &*self.engine {
            Engine::Steps(steps) => {
                let outbound = self.outbound.for_one_call();
                let work = async { steps.describe(&self.options, &outbound) };
                self.logged("describe", None, &outbound, work).await
            }
            Engine::Wasi { .. } => {
                let described = self.call("describe", None, async |Instance { store, any, .. }| {
                    any.automation_connector_manifest().call_describe(store).await.map(Ok::<_, types::Failure>)
                });
                described.await
            }
        };
        Manifest::parse(&json?).map_err(Error::Load)
    }

    /// Runs an action by its name. `arguments` is a JSON object, as the action's schema says.
    ///
    /// # Errors
    ///
    /// As [`Connector::suspend_user`]. [`Error::Foreign`] if the code of the failure is one that only this connector has.
    pub async fn invoke(&self, action: &str, arguments: &str) -> Result<Output, Error> {
        self.output(action, None, Call::Invoke { action, arguments }).await
    }

    /// Tests settings, credentials and permissions, and changes nothing.
    ///
    /// # Errors
    ///
    /// As [`Connector::invoke`]. The failure names the setting or secret that is wrong.
    pub async fn test(&self) -> Result<Output, Error> {
        self.output("test", None, Call::Test).await
    }

    /// True if the component has the typed interface.
    fn is_typed(&self) -> bool {
        matches!(&*self.engine, Engine::Wasi { users: Some(_), .. })
    }

    /// Runs an action by its name, whose result has the form of a typed call.
    async fn by_name<T: Outcome + FromJson>(
        &self,
        action: &str,
        user: Option<&UserRef>,
        arguments: serde_json::Value,
    ) -> Result<T, Error> {
        // The actions of another connector may have the same names and mean something else.
        let is_own = match &*self.engine {
            Engine::Steps(steps) => steps.manifest(&self.options, &self.outbound)?.is_own(),
            Engine::Wasi { .. } => false,
        };
        if !is_own {
            return Err(Error::Load(NOT_TYPED.into()));
        }
        let arguments = arguments.to_string();
        self.output(action, user, Call::Invoke { action, arguments: &arguments }).await
    }

    /// Runs an action by its name, or the test.
    async fn output<T: Outcome + FromJson>(
        &self,
        name: &str,
        user: Option<&UserRef>,
        call: Call<'_>,
    ) -> Result<T, Error> {
        match &*self.engine {
            Engine::Steps(steps) => {
                let outbound = self.outbound.for_one_call();
                let record = self.record();
                record.begin(&outbound);
                let asked = match (user, &call) {
                    (Some(user), _) => Some(text_of(user).to_owned()),
                    (None, Call::Invoke { arguments, .. }) => asked_in(arguments),
                    (None, Call::Test) => None,
                };
                let event = |user_id| self.event(name, asked.as_deref(), Some(user_id));
                let work = async {
                    let output = steps.run(call, &self.options, &outbound, &record, event).await?;
                    from_json(output, outbound.stats().has_sent_change)
                };
                let result = self.logged(name, user, &outbound, work).await;
                close(&record, &result).await;
                result
            }
            Engine::Wasi { .. } => {
                let record = self.record();
                let prepared = match call {
                    Call::Invoke { action, arguments } if self.options.audit.is_some() => {
                        self.prepare(action, arguments).await?
                    }
                    _ => None,
                };
                let call = match &prepared {
                    Some(Prepared { arguments, event }) => {
                        record.open(event.clone()).await?;
                        Call::Invoke { action: name, arguments }
                    }
                    None => call,
                };
                let result = self.invoke_wasi(name, user, call, Some(&record)).await;
                close(&record, &result).await;
                let output = Output::from(result?);
                let may_have_changed = output.changed;
                from_json(output, may_have_changed)
            }
        }
    }

    async fn invoke_wasi(
        &self,
        name: &str,
        user: Option<&UserRef>,
        call: Call<'_>,
        record: Option<&Record>,
    ) -> Result<any::Output, Error> {
        let output = self.call_recorded(name, user, record, async |Instance { store, any, .. }| {
            let connector = any.automation_connector_connector();
            match call {
                Call::Invoke { action, arguments } => connector.call_invoke(store, action, arguments).await,
                Call::Test => connector.call_test(store).await,
            }
        });
        output.await
    }

    /// Prepares a change by name for the audit hook: looks its user up, and names the user by that id in the arguments. `None` if
    /// the action does not change anything, or has arguments that it will refuse.
    async fn prepare(&self, action: &str, arguments: &str) -> Result<Option<Prepared>, Error> {
        let manifest = match self.compiled.manifest.get() {
            Some(manifest) => manifest,
            None => &self.describe().await?,
        };
        if !manifest.actions.iter().any(|known| known.name == action && known.class != "read") {
            return Ok(None);
        }
        if !manifest.is_own() {
            let event = self.event(action, asked_in(arguments).as_deref(), None);
            return Ok(Some(Prepared { arguments: arguments.to_owned(), event }));
        }
        let Ok(serde_json::Value::Object(mut members)) = serde_json::from_str(arguments) else { return Ok(None) };
        let (Some(user), Some(asked)) = (members.get("user").cloned(), asked_in(arguments)) else { return Ok(None) };
        if members.get("dry_run").is_some_and(|dry_run| *dry_run != serde_json::Value::Bool(false)) {
            return Ok(None);
        }
        let query = serde_json::json!({ "user": user }).to_string();
        let found =
            self.invoke_wasi("get-user", None, Call::Invoke { action: "get-user", arguments: &query }, None).await?;
        let found: User = from_json(Output::from(found), false)?;
        let target = if action == "suspend-user" { UserState::Suspended } else { UserState::Active };
        if found.state == target {
            return Ok(None);
        }
        if asked.contains('@') {
            members.insert("user".into(), serde_json::json!({ "id": found.id, "email": asked }));
        }
        let event = self.event(action, Some(&asked), Some(found.id));
        Ok(Some(Prepared { arguments: serde_json::Value::Object(members).to_string(), event }))
    }

    /// The record of one call.
    fn record(&self) -> Record {
        let hook = self.options.audit.clone();
        Record::new(hook.map(|hook| Auditor { hook, timeout: self.options.audit_timeout }))
    }

    fn event(&self, action: &str, asked: Option<&str>, user_id: Option<String>) -> ChangeEvent {
        ChangeEvent {
            correlation_id: audit::correlation_id(),
            action: action.to_owned(),
            requested_by: self.requested_by.clone(),
            asked: asked.map(audit::asked),
            user_id,
        }
    }

    /// Calls the warm instance, or a new one, without a record of a change.
    async fn call<T: Outcome, E>(
        &self,
        action: &str,
        user: Option<&UserRef>,
        call: impl AsyncFnOnce(&mut Instance) -> wasmtime::Result<Result<T, E>>,
    ) -> Result<T, Error>
    where
        Error: From<E>,
    {
        self.call_recorded(action, user, None, call).await
    }

    /// Calls the warm instance, or a new one. The instance is taken out for the call and put back on success only, so that one
    /// that trapped, timed out or was abandoned by its caller is dropped.
    async fn call_recorded<T: Outcome, E>(
        &self,
        action: &str,
        user: Option<&UserRef>,
        record: Option<&Record>,
        call: impl AsyncFnOnce(&mut Instance) -> wasmtime::Result<Result<T, E>>,
    ) -> Result<T, Error>
    where
        Error: From<E>,
    {
        let Engine::Wasi { any, users, warm } = &*self.engine else {
            return Err(Error::Load("the component does not export automation:connector/connector".into()));
        };
        let mut warm = warm.0.lock().await;
        self.outbound.reset_stats();
        if let Some(record) = record {
            record.begin(&self.outbound);
        }
        let work = async {
            let mut instance = match warm.take() {
                Some((instance, _)) => instance,
                // Within the deadline: instantiation may run the component's code.
                None => self.instantiate(any, users.as_ref()).await?,
            };
            tracing::trace!("the component is called");
            match call(&mut instance).await {
                Ok(result) => {
                    // One that holds connections beyond a call is not honest.
                    if instance.store.data().memory.used <= MAX_WARM_MEMORY && self.outbound.is_idle() {
                        *warm = Some((instance, Instant::now()));
                    }
                    result.map_err(Error::from)
                }
                Err(trap) => {
                    let problem = trap.root_cause().to_string();
                    Err(Error::Trap { problem, may_have_changed: self.outbound.stats().has_sent_change })
                }
            }
        };
        self.logged(action, user, &self.outbound, work).await
    }

    /// Does the work of a call within the deadline, and logs one event for it, also if the caller drops it.
    async fn logged<T: Outcome>(
        &self,
        action: &str,
        user: Option<&UserRef>,
        outbound: &Outbound,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let guard = AbandonGuard { outbound, action, user, started: Instant::now() };
        let deadline = self.options.deadline;
        let result = tokio::time::timeout(deadline, work)
            .await
            .unwrap_or_else(|_| Err(Error::Deadline { deadline, may_have_changed: outbound.stats().has_sent_change }))
            .map_err(|error| outbound.explain(error));
        let (outcome, user_id) = match &result {
            Ok(value) => (value.outcome(), value.user_id()),
            Err(Error::Action(failure)) => (failure.code.name(), failure.user_id.as_deref()),
            Err(error) => (error.code(), None),
        };
        log(outbound, action, user, outcome, user_id, guard.started.elapsed());
        std::mem::forget(guard);
        result
    }

    /// Creates an instance. If all are in use, an idle one of another connector makes room.
    async fn instantiate(
        &self,
        any: &AnyConnectorIndices,
        users: Option<&TypedUsersIndices>,
    ) -> Result<Instance, Error> {
        loop {
            match self.try_instantiate(any, users).await {
                Ok(instance) => return Ok(instance),
                Err(error) => self.compiled.make_room(&error)?,
            }
        }
    }

    async fn try_instantiate(
        &self,
        any: &AnyConnectorIndices,
        users: Option<&TypedUsersIndices>,
    ) -> wasmtime::Result<Instance> {
        let Compiled { component, manifest, config, .. } = &self.compiled;
        let Options { settings, secrets, .. } = &*self.options;
        let state = State::new(
            self.outbound.clone(),
            settings.clone(),
            secrets.clone(),
            self.options.lookup_timeout,
            config.max_memory,
        );
        let mut store = Store::new(component.engine(), state);
        store.limiter(|state| &mut state.memory);
        // Bounds one result in the memory of this process.
        store.set_hostcall_fuel(config.max_memory);
        // An epoch only makes the guest yield; the timeout in `call` ends it. A deadline in epochs would trap a guest that
        // merely waits for a slow server.
        store.epoch_deadline_async_yield_and_update(1);
        let instance = component.instantiate_async(&mut store).await?;
        let typed = users.map(|users| users.load(&mut store, &instance)).transpose()?;
        let any = any.load(&mut store, &instance)?;
        // Its origins limit the requests. It is the same each time, so one instance of the component is asked.
        if manifest.get().is_none() {
            let json = any.automation_connector_manifest().call_describe(&mut store).await?;
            let described = Manifest::parse(&json).map_err(wasmtime::Error::msg)?;
            manifest.get_or_init(|| described);
        }
        Ok(Instance { store, any, typed })
    }
}

impl Compiled {
    /// Drops the instance that has been idle for longest, if the host has no room for another one. Any other error is returned.
    pub(crate) fn make_room(&self, error: &wasmtime::Error) -> Result<(), Error> {
        if !error.is::<PoolConcurrencyLimitError>() {
            return Err(Error::Load(format!("{error:#}")));
        }
        if self.pool.evict_idle() {
            return Ok(());
        }
        Err(Error::Busy { max_instances: self.config.max_instances })
    }
}

/// Records the end of a change, if one was recorded before.
async fn close<T: Outcome>(record: &Record, result: &Result<T, Error>) {
    match result {
        Ok(value) => record.close(value.outcome(), value.outcome() == "changed").await,
        Err(error) => record.close(error.code(), error.failure().may_have_changed).await,
    }
}

/// The user as the caller named them.
fn text_of(user: &UserRef) -> &str {
    match user {
        UserRef::Id(user) | UserRef::Email(user) => user,
        // The name that people know.
        UserRef::Known(KnownUser { email, .. }) => email,
    }
}

/// The user in the arguments of an action by name: a text, or an object with the address or the id.
fn asked_in(arguments: &str) -> Option<String> {
    let arguments: serde_json::Value = serde_json::from_str(arguments).ok()?;
    let user = arguments.get("user")?;
    let text = user.as_str().or_else(|| user.get("email")?.as_str()).or_else(|| user.get("id")?.as_str());
    text.map(str::to_owned)
}

/// The typed interface of an instance.
fn expect_typed(typed: &Option<TypedUsers>) -> wasmtime::Result<&TypedUsers> {
    typed.as_ref().ok_or_else(|| wasmtime::Error::msg(NOT_TYPED))
}

/// The length of all texts of a user, in bytes.
fn text_bytes(user: &User) -> usize {
    let User { id, email, display_name, state: _, service_state, create_time, path } = user;
    [id, email, display_name, service_state, create_time, path].iter().map(|text| text.len()).sum()
}

/// Logs one event per action, for an audit trail.
fn log(
    outbound: &Outbound,
    action: &str,
    user: Option<&UserRef>,
    outcome: &str,
    user_id: Option<&str>,
    elapsed: Duration,
) {
    let user = user.map(|user| match user {
        UserRef::Id(user) | UserRef::Email(user) | UserRef::Known(types::KnownUser { id: user, .. }) => user,
    });
    let user = user.map(|user| user.chars().take(256).collect::<String>());
    let action = action.chars().take(64).collect::<String>();
    let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    let (requests, request_ids) = {
        let stats = outbound.stats();
        (stats.requests, stats.request_ids.join(" "))
    };
    tracing::info!(action, user, user_id, outcome, requests, milliseconds, request_ids, "action");
}

/// Logs an action whose caller dropped it before its end: it may have sent requests already.
struct AbandonGuard<'a> {
    outbound: &'a Outbound,
    action: &'a str,
    user: Option<&'a UserRef>,
    started: Instant,
}

impl Drop for AbandonGuard<'_> {
    fn drop(&mut self) {
        log(self.outbound, self.action, self.user, "abandoned", None, self.started.elapsed());
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

impl Outcome for any::Output {
    fn outcome(&self) -> &'static str {
        if self.changed { "changed" } else { "unchanged" }
    }

    fn user_id(&self) -> Option<&str> {
        None
    }
}

impl Outcome for Output {
    fn outcome(&self) -> &'static str {
        if self.changed { "changed" } else { "unchanged" }
    }

    fn user_id(&self) -> Option<&str> {
        None
    }
}

impl Outcome for Vec<Result<User, Failure>> {
    fn outcome(&self) -> &'static str {
        "found"
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
