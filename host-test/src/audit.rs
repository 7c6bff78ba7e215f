//! An audit of changes that cannot be lost: the embedder's hook is called before a change is sent, and after it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use crate::error::Error;
use crate::outbound::Outbound;

/// A change of a user that is about to be sent, or that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChangeEvent {
    /// A random id, which the two calls for one change share.
    pub correlation_id: String,
    /// The action, such as `suspend-user`.
    pub action: String,
    /// The person or system that asked for it, if [`Connector::on_behalf_of`](crate::Connector::on_behalf_of) says so.
    pub requested_by: Option<String>,
    /// The user as the caller named them: an id or an e-mail address. It is text of the caller, at most 256 characters of it.
    /// `None` for an action that has no argument `user`.
    pub asked: Option<String>,
    /// The id of that user at the service. `None` over WASI for the actions of another connector, which this host does not know.
    pub user_id: Option<String>,
}

/// The end of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChangeResult {
    /// `changed`, `unchanged`, the code of the failure, or `abandoned` if the caller dropped the call.
    pub outcome: String,
    /// False if it is certain that nothing was changed.
    pub may_have_changed: bool,
}

/// The reason why a change could not be recorded. It is shown to the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditError(pub String);

impl std::fmt::Display for AuditError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for AuditError {}

/// The result of a hook, when it is there.
pub type Recording<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A hook that records changes before they are sent and after them. No record, no change: if [`before`](Self::before) fails or
/// takes longer than [`Options::audit_timeout`](crate::Options::audit_timeout), the change is not sent, and the call fails with
/// [`Error::Audit`](crate::Error::Audit).
///
/// A component without imports names the user that a request changes. For one over WASI, the host looks the user up before it calls
/// the hook, and then changes the user with that id, which costs one more look-up.
///
/// ```
/// use onepassword_users_host::{Audit, AuditError, ChangeEvent, ChangeResult, Recording};
///
/// struct Log;
///
/// impl Audit for Log {
///     fn before<'a>(&'a self, change: &'a ChangeEvent) -> Recording<'a, Result<(), AuditError>> {
///         // Write it where it cannot be lost, and fail if that is not possible.
///         Box::pin(async move { Ok(println!("{change:?}")) })
///     }
///
///     fn after<'a>(&'a self, change: &'a ChangeEvent, result: &'a ChangeResult) -> Recording<'a, ()> {
///         Box::pin(async move { println!("{}: {result:?}", change.correlation_id) })
///     }
/// }
/// ```
pub trait Audit: Send + Sync {
    /// Records a change that is about to be sent. Called once for each call that sends a change, also if the change is sent
    /// again after a failure. Not called for dry runs, nor if the user is in the wanted state already.
    ///
    /// # Errors
    ///
    /// The change must not be sent.
    fn before<'a>(&'a self, change: &'a ChangeEvent) -> Recording<'a, Result<(), AuditError>>;

    /// Records the end of a change. Called after each `before` that succeeded or was interrupted, whatever became of the call:
    /// if its caller drops it, on a task of its own. It may take as long as `before`.
    fn after<'a>(&'a self, change: &'a ChangeEvent, result: &'a ChangeResult) -> Recording<'a, ()>;
}

/// The hook and its time limit.
#[derive(Clone)]
pub(crate) struct Auditor {
    pub(crate) hook: Arc<dyn Audit>,
    pub(crate) timeout: Duration,
}

impl Auditor {
    async fn after(self, event: ChangeEvent, result: ChangeResult) {
        if tokio::time::timeout(self.timeout, self.hook.after(&event, &result)).await.is_err() {
            let ChangeEvent { correlation_id, action, user_id, .. } = event;
            let ChangeResult { outcome, may_have_changed } = result;
            tracing::error!(
                correlation_id,
                action,
                user_id,
                outcome,
                may_have_changed,
                "the audit took no record of this"
            );
        }
    }
}

/// The record of the change of one call, once there is one. Dropped before it is closed, it records that the call was abandoned.
pub(crate) struct Record {
    auditor: Option<Auditor>,
    /// The counters of the call, once it has begun.
    call: OnceLock<Outbound>,
    open: Mutex<Option<(ChangeEvent, Option<ChangeResult>)>>,
}

impl Record {
    pub(crate) fn new(auditor: Option<Auditor>) -> Self {
        Self { auditor, call: OnceLock::new(), open: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Option<(ChangeEvent, Option<ChangeResult>)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True if a change was recorded, and may be sent.
    pub(crate) fn is_open(&self) -> bool {
        self.lock().is_some()
    }

    /// Begins the call that the record is for.
    pub(crate) fn begin(&self, outbound: &Outbound) {
        let _ = self.call.set(outbound.clone());
        outbound.stats().is_recorded = self.is_open();
    }

    fn has_sent_change(&self) -> bool {
        self.call.get().is_some_and(|outbound| outbound.stats().has_sent_change)
    }

    /// Calls the hook before a change, unless this call did so already. Does nothing without a hook.
    pub(crate) async fn open(&self, event: ChangeEvent) -> Result<(), Error> {
        let Some(Auditor { hook, timeout }) = &self.auditor else { return Ok(()) };
        {
            let mut open = self.lock();
            match &*open {
                None => *open = Some((event.clone(), None)),
                Some((known, _)) if known.user_id == event.user_id => return Ok(()),
                Some(_) => {
                    let problem = "it changes a second user, which the audit does not know of".into();
                    return Err(Error::Trap { problem, may_have_changed: self.has_sent_change() });
                }
            }
        }
        let problem = match tokio::time::timeout(*timeout, hook.before(&event)).await {
            Ok(Ok(())) => {
                if let Some(outbound) = self.call.get() {
                    outbound.stats().is_recorded = true;
                }
                return Ok(());
            }
            Ok(Err(AuditError(reason))) => reason,
            Err(_) => format!("it took longer than {} s", timeout.as_secs_f64()),
        };
        *self.lock() = None;
        Err(Error::Audit { problem, may_have_changed: self.has_sent_change() })
    }

    /// Calls the hook after a change, if it was called before.
    pub(crate) async fn close(&self, outcome: &str, may_have_changed: bool) {
        let result = ChangeResult { outcome: outcome.into(), may_have_changed };
        let event = match &mut *self.lock() {
            Some((event, known)) => {
                // If this is dropped meanwhile, the hook is called with it again.
                *known = Some(result.clone());
                event.clone()
            }
            None => return,
        };
        if let Some(auditor) = self.auditor.clone() {
            auditor.after(event, result).await;
        }
        *self.lock() = None;
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let (Some((event, result)), Some(auditor)) = (self.lock().take(), self.auditor.clone()) else { return };
        let result = result
            .unwrap_or_else(|| ChangeResult { outcome: "abandoned".into(), may_have_changed: self.has_sent_change() });
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(auditor.after(event, result))),
            Err(_) => {
                let ChangeEvent { correlation_id, action, user_id, .. } = event;
                let may_have_changed = result.may_have_changed;
                tracing::error!(
                    correlation_id,
                    action,
                    user_id,
                    may_have_changed,
                    "abandoned, without a record of the audit"
                );
            }
        }
    }
}

/// A random id.
pub(crate) fn correlation_id() -> String {
    use std::hash::{BuildHasher, RandomState};
    let random = RandomState::new();
    format!("{:016x}{:016x}", random.hash_one(1), RandomState::new().hash_one(2))
}

/// The user that a caller named, at most 256 characters.
pub(crate) fn asked(text: &str) -> String {
    text.chars().take(256).collect()
}
