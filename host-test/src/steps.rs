//! The engine for components without imports: the component says what to do, and this host does it. Many actions run in one
//! instance: each holds it only while it computes the next step.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use wasmtime::Store;
use wasmtime::component::ResourceAny;

use crate::audit::{ChangeEvent, Record};
use crate::bindings::connector::automation::connector::secrets::{LookupError, LookupErrorKind};
use crate::bindings::steps::exports::automation::connector::steps as wit;
use crate::bindings::steps::{AnySteps, AnyStepsIndices};
use crate::by_name::Output;
use crate::engine::{Compiled, EPOCH_INTERVAL};
use crate::error::Error;
use crate::manifest::Manifest;
use crate::options::Options;
use crate::outbound::Outbound;
use crate::pool::{MAX_WARM_MEMORY, Warm};
use crate::state::{State, check, lookup};
use crate::values::Source;

/// The longest computation between two steps. Reading a page of 1,000 users takes some 10 ms.
const MAX_STEP: Duration = Duration::from_secs(10);
/// The most steps of one action. The longest list, of 2,000,000 users, takes some 10,000.
const MAX_STEPS: u32 = 100_000;
/// The longest result, in bytes.
const MAX_RESULT: usize = 512 * 1024 * 1024;

/// The beginning of an action.
pub(crate) enum Call<'a> {
    Invoke { action: &'a str, arguments: &'a str },
    Test,
}

/// A component without imports, and its instance while it is warm.
pub(crate) struct Steps {
    compiled: Compiled,
    indices: AnyStepsIndices,
    warm: Arc<WarmInstance>,
    /// The origin of the times that steps are given.
    origin: Instant,
}

/// The instance that new actions get, and the time when the last one got it.
#[derive(Default)]
struct WarmInstance(Mutex<Option<(Arc<Instance>, Instant)>>);

impl Warm for WarmInstance {
    fn idle_since(&self) -> Option<Instant> {
        lock(&self.0).as_ref().filter(|(instance, _)| Arc::strong_count(instance) == 1).map(|(_, since)| *since)
    }

    fn evict(&self) -> bool {
        lock(&self.0).take_if(|(instance, _)| Arc::strong_count(instance) == 1).is_some()
    }
}

/// An instance with its session.
struct Instance {
    inner: Mutex<Inner>,
    /// The number of steps so far, but for those that wait for another action: these wait for a change of it.
    progress: watch::Sender<u64>,
}

struct Inner {
    store: Store<State>,
    component: AnySteps,
    session: ResourceAny,
}

impl Inner {
    /// Calls the component, which may compute for [`MAX_STEP`].
    fn call<T>(
        &mut self,
        call: impl FnOnce(&AnySteps, ResourceAny, &mut Store<State>) -> wasmtime::Result<T>,
    ) -> wasmtime::Result<T> {
        tracing::trace!("the component is called");
        self.store
            .set_epoch_deadline(u64::try_from(MAX_STEP.as_millis() / EPOCH_INTERVAL.as_millis()).unwrap_or(u64::MAX));
        call(&self.component, self.session, &mut self.store)
    }
}

/// An action in progress. Dropping it ends it in the component as well.
struct Running<'a> {
    instance: &'a Instance,
    action: ResourceAny,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // An instance that trapped cannot drop anything, and is dropped itself.
        let _ = lock(&self.instance.inner).call(|_, _, store| self.action.resource_drop(store));
        self.instance.progress.send_modify(|steps| *steps += 1);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Steps {
    pub(crate) fn new(compiled: Compiled, indices: AnyStepsIndices) -> Self {
        let warm = Arc::new(WarmInstance::default());
        let place: Arc<dyn Warm> = warm.clone();
        compiled.pool.add(Arc::downgrade(&place));
        Self { compiled, indices, warm, origin: Instant::now() }
    }

    /// The warm instance, or a new one.
    fn instance(&self, options: &Options, outbound: &Outbound) -> Result<Arc<Instance>, Error> {
        loop {
            let error = {
                let mut warm = lock(&self.warm.0);
                if let Some((instance, since)) = &mut *warm {
                    *since = Instant::now();
                    return Ok(instance.clone());
                }
                match self.instantiate(options, outbound) {
                    Ok(instance) => return Ok(warm.insert((Arc::new(instance), Instant::now())).0.clone()),
                    Err(error) => error,
                }
            };
            // Not while the place is locked: that of another connector may be locked by an eviction of this one.
            self.compiled.make_room(&error)?;
        }
    }

    fn instantiate(&self, options: &Options, outbound: &Outbound) -> wasmtime::Result<Instance> {
        let Compiled { component, config, .. } = &self.compiled;
        let (settings, secrets) = (options.settings.clone(), options.secrets.clone());
        let state = State::new(outbound.clone(), settings, secrets, options.lookup_timeout, config.max_memory);
        let mut store = Store::new(component.engine(), state);
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(config.max_memory);
        store.epoch_deadline_trap();
        store.set_epoch_deadline(u64::try_from(MAX_STEP.as_millis() / EPOCH_INTERVAL.as_millis()).unwrap_or(u64::MAX));
        let instance = component.instantiate(&mut store)?;
        let component = self.indices.load(&mut store, &instance)?;
        let session = component.automation_connector_steps().session().call_constructor(&mut store)?;
        Ok(Instance { inner: Mutex::new(Inner { store, component, session }), progress: watch::Sender::new(0) })
    }

    /// Calls an instance. One that trapped is discarded, with all its actions.
    fn call<T>(
        &self,
        instance: &Arc<Instance>,
        outbound: &Outbound,
        call: impl FnOnce(&AnySteps, ResourceAny, &mut Store<State>) -> wasmtime::Result<T>,
    ) -> Result<T, Error> {
        let (result, memory) = {
            let mut inner = lock(&instance.inner);
            (inner.call(call), inner.store.data().memory.used)
        };
        // The actions of an instance that has grown large go on. The next one gets a new instance.
        if result.is_err() || memory > MAX_WARM_MEMORY {
            let mut warm = lock(&self.warm.0);
            if warm.as_ref().is_some_and(|(warm, _)| Arc::ptr_eq(warm, instance)) {
                *warm = None;
            }
        }
        result.map_err(|trap| {
            let problem = trap.root_cause().to_string();
            Error::Trap { problem, may_have_changed: outbound.stats().has_sent_change }
        })
    }

    /// Describes the connector.
    pub(crate) fn describe(&self, options: &Options, outbound: &Outbound) -> Result<String, Error> {
        let instance = self.instance(options, outbound)?;
        self.call(&instance, outbound, |component, _, store| {
            component.automation_connector_manifest().call_describe(store)
        })
    }

    /// Runs an action to its end. A request that changes a user is recorded before it is sent, as `event_of` describes it.
    pub(crate) async fn run(
        &self,
        call: Call<'_>,
        options: &Options,
        outbound: &Outbound,
        record: &Record,
        event_of: impl Fn(String) -> ChangeEvent,
    ) -> Result<Output, Error> {
        let instance = self.instance(options, outbound)?;
        let settings = self.settings(options, outbound).await?;
        let seed = seed();
        let action = self.call(&instance, outbound, |component, session, store| {
            let sessions = component.automation_connector_steps();
            let settings = settings.as_deref();
            match call {
                Call::Invoke { action, arguments } => {
                    sessions.session().call_begin(store, session, action, arguments, settings, seed)
                }
                Call::Test => sessions.session().call_begin_test(store, session, settings, seed),
            }
        })?;
        let running = Running { instance: &instance, action };
        let (mut event, mut json) = (wit::Event::Start, String::new());
        let mut progress = instance.progress.subscribe();
        for _ in 0..MAX_STEPS {
            // Steps of others count from now on, also while this one is computed.
            progress.mark_unchanged();
            let now = u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX);
            let step = self.call(&instance, outbound, |component, _, store| {
                component.automation_connector_steps().action().call_step(store, running.action, now, &event)
            })?;
            if !matches!(step, wit::Step::Wait(wit::Pause { may_end_early: true, .. })) {
                instance.progress.send_modify(|steps| *steps += 1);
            }
            event = match step {
                wit::Step::LookUpSettings(names) => look_up(&options.settings, options, outbound, names).await,
                wit::Step::LookUpSecrets(names) => {
                    tracing::debug!(names = names.join(" "), "the component reads secrets");
                    let event = look_up(&options.secrets, options, outbound, names).await;
                    if let wit::Event::Values(values) = &event {
                        values.iter().flatten().for_each(|value| outbound.hand_out(value.trim()));
                    }
                    event
                }
                wit::Step::Send(request) => {
                    if let Some(user_id) = &request.changes {
                        record.open(event_of(user_id.clone())).await?;
                    }
                    outbound.exchange(request).await
                }
                wit::Step::Wait(wit::Pause { duration, may_end_early }) => {
                    let duration = Duration::from_nanos(duration);
                    if may_end_early {
                        let _ = tokio::time::timeout(duration, progress.changed()).await;
                    } else {
                        tokio::time::sleep(duration).await;
                    }
                    wit::Event::Elapsed
                }
                wit::Step::Part(part) => {
                    json.push_str(&part);
                    if json.len() > MAX_RESULT {
                        break;
                    }
                    wit::Event::More
                }
                wit::Step::Done(wit::End { output, summary, changed }) => {
                    let json = if json.is_empty() { output } else { json + &output };
                    return Ok(Output { json, summary, changed });
                }
                wit::Step::Failed(failure) => return Err(failure.into()),
            };
        }
        let may_have_changed = outbound.stats().has_sent_change;
        Err(Error::Trap { problem: "the action does not end".into(), may_have_changed })
    }

    /// The description, which the component is asked for once.
    pub(crate) fn manifest(&self, options: &Options, outbound: &Outbound) -> Result<&Manifest, Error> {
        match self.compiled.manifest.get() {
            Some(manifest) => Ok(manifest),
            None => {
                let manifest = Manifest::parse(&self.describe(options, outbound)?).map_err(Error::Load)?;
                Ok(self.compiled.manifest.get_or_init(|| manifest))
            }
        }
    }

    /// All settings that are set. `None` if they cannot be read together: then the action looks up those that it needs.
    async fn settings(&self, options: &Options, outbound: &Outbound) -> Result<Option<Vec<(String, String)>>, Error> {
        let manifest = self.manifest(options, outbound)?;
        let names: Vec<String> = manifest.settings.iter().map(|setting| setting.name.clone()).collect();
        let values = lookup(options.settings.clone(), options.lookup_timeout, names.clone()).await;
        let named = |values: Vec<Option<String>>| {
            names.into_iter().zip(values).filter_map(|(name, value)| Some((name, value?))).collect()
        };
        Ok(values.ok().map(named))
    }
}

/// Looks values up, within the limits of a call.
async fn look_up(source: &Arc<dyn Source>, options: &Options, outbound: &Outbound, names: Vec<String>) -> wit::Event {
    let values = match check(outbound, &names) {
        Ok(()) => lookup(source.clone(), options.lookup_timeout, names).await,
        Err(error) => Err(error),
    };
    match values {
        Ok(values) => wit::Event::Values(values),
        Err(LookupError { kind, name, message }) => {
            let kind = match kind {
                LookupErrorKind::Denied => wit::LookupErrorKind::Denied,
                LookupErrorKind::Unavailable => wit::LookupErrorKind::Unavailable,
            };
            wit::Event::LookupFailed(wit::LookupError { kind, name, message })
        }
    }
}

/// A number that is different each time.
fn seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0)
}
