//! The sans-IO machine: an action in progress, the steps that it asks its driver for, and the events that answer them.
//!
//! An action is written as an `async` block, so that the compiler generates the state machine. No executor is involved: its
//! only way to pause is [`Effects`], which puts a step into a mailbox, and [`Action::step`] polls it again with the event.

use alloc::boxed::Box;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::convert::Infallible;
use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use crate::error::{DriverError, Error, UnavailableCause};
use crate::http::{Request, Response, TransportError};
use crate::secret::Secret;
use crate::text;
use crate::time::Instant;
use crate::values::settings::SettingError;

/// The time that a look-up should take at most. Only an estimate: it tells when a driver is overdue.
const LOOKUP_TIME: Duration = Duration::from_secs(30);

/// The next thing that an action needs from its driver.
#[derive(Debug)]
#[must_use]
pub enum Step<T> {
    /// Look these settings up. Answer with [`Event::Settings`].
    Settings(&'static [&'static str]),
    /// Look these secrets up. Answer with [`Event::Secrets`].
    Secrets(&'static [&'static str]),
    /// Send this request and read the whole response. Answer with [`Event::Response`].
    Send(Request),
    /// Wait. Answer with [`Event::Elapsed`].
    Wait {
        /// The time to wait.
        duration: Duration,
        /// True if the driver may come back sooner. It should do so after another action of the session has taken a step: this
        /// action waits for that one's token request. Coming back for no reason is harmless.
        may_end_early: bool,
    },
    /// The action has ended with this result.
    Done(Result<T, Error>),
}

/// The answer of a driver to a [`Step`].
#[derive(Debug)]
pub enum Event {
    /// Starts the action.
    Start,
    /// The values of the settings, in the order of their names. `None` for one that is not set.
    Settings(Result<Vec<Option<String>>, LookupError>),
    /// The values of the secrets, in the order of their names. `None` for one that is not set.
    Secrets(Result<Vec<Option<Secret>>, LookupError>),
    /// The response to a request, or the reason why there is none.
    Response(Result<Response, TransportError>),
    /// The time to wait has elapsed.
    Elapsed,
}

/// The reason why the platform could not look values up. Must not hold a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupError {
    /// The kind of failure.
    pub kind: LookupErrorKind,
    /// The name of the value that failed, if it was a single one.
    pub name: Option<String>,
    /// The reason in the platform's words.
    pub reason: String,
}

/// The kind of a [`LookupError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupErrorKind {
    /// The connector may not read this name.
    Denied,
    /// The store could not be reached or failed. A later attempt may succeed.
    Unavailable,
}

impl LookupError {
    /// The connector may not read this name.
    pub fn denied(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { kind: LookupErrorKind::Denied, name: Some(name.into()), reason: reason.into() }
    }

    /// The store could not be reached for this name, or failed.
    pub fn unavailable(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { kind: LookupErrorKind::Unavailable, name: Some(name.into()), reason: reason.into() }
    }
}

/// An action in progress. Dropping it ends it and leaves nothing behind.
pub struct Action<T> {
    work: Option<Pin<Box<Work<T>>>>,
    mailbox: Mailbox,
}

type Work<T> = dyn Future<Output = Result<T, Error>>;

impl<T> Action<T> {
    /// Creates an action from its work, which gets its only access to the driver.
    pub(crate) fn new<F: Future<Output = Result<T, Error>> + 'static>(work: impl FnOnce(Effects) -> F) -> Self {
        let mailbox = Mailbox::default();
        Self { work: Some(Box::pin(work(Effects(mailbox.clone())))), mailbox }
    }

    /// The action with a random number of the driver's, for the jitter of pauses. Without one, the clock alone makes them differ.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        self.mailbox.borrow_mut().seed = seed;
        self
    }

    /// The action with its result converted.
    pub(crate) fn map<U: 'static>(self, convert: impl FnOnce(T) -> U + 'static) -> Action<U>
    where
        T: 'static,
    {
        let Self { work, mailbox } = self;
        let work = work.map(|work| Box::pin(async move { work.await.map(convert) }) as Pin<Box<Work<U>>>);
        Action { work, mailbox }
    }

    /// Takes an event (first [`Event::Start`], then the answer to each step) and returns the next step. `now` is the time on
    /// the driver's monotonic clock.
    ///
    /// An event that does not answer the previous step ends the action with [`Error::Driver`], and so does a call after
    /// [`Step::Done`].
    pub fn step(&mut self, event: Event, now: Instant) -> Step<T> {
        if let Some(result) = self.advance(event, now) {
            return Step::Done(result);
        }
        match self.next_step() {
            Step::Settings(names) => Step::Settings(names),
            Step::Secrets(names) => Step::Secrets(names),
            Step::Send(request) => Step::Send(request),
            Step::Wait { duration, may_end_early } => Step::Wait { duration, may_end_early },
            Step::Done(Err(error)) => Step::Done(Err(error)),
        }
    }

    /// Takes an event as [`step`](Self::step) does, and returns the result if the action has ended. Otherwise the next step is
    /// that of [`next_step`](Self::next_step), whose type is the same for all actions: that makes for a smaller driver.
    pub fn advance(&mut self, event: Event, now: Instant) -> Option<Result<T, Error>> {
        let Some(work) = &mut self.work else { return Some(Err(Error::Driver(DriverError::Ended))) };
        post(&self.mailbox, event, now);
        match work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => {
                self.work = None;
                Some(result)
            }
            Poll::Pending => None,
        }
    }

    /// The next step after [`advance`](Self::advance).
    pub fn next_step(&mut self) -> Step<Infallible> {
        asked(&self.mailbox)
    }
}

#[inline(never)]
fn post(mailbox: &Mailbox, event: Event, now: Instant) {
    let mut mail = mailbox.borrow_mut();
    *mail = Mail { event: Some(event), ask: None, now, due: now, seed: mail.seed };
}

#[inline(never)]
fn asked(mailbox: &Mailbox) -> Step<Infallible> {
    match mailbox.borrow_mut().ask.take() {
        Some(Ask::Settings(names)) => Step::Settings(names),
        Some(Ask::Secrets(names)) => Step::Secrets(names),
        Some(Ask::Send(request)) => Step::Send(request),
        Some(Ask::Wait { duration, may_end_early }) => Step::Wait { duration, may_end_early },
        // The work pauses in `Effects::ask` alone, which leaves an ask.
        None => Step::Done(Err(Error::Driver(DriverError::Ended))),
    }
}

impl<T> fmt::Debug for Action<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Action").field("ended", &self.work.is_none()).finish_non_exhaustive()
    }
}

/// The exchange between an action and its driver.
type Mailbox = Rc<RefCell<Mail>>;

#[derive(Default)]
struct Mail {
    event: Option<Event>,
    ask: Option<Ask>,
    /// The time of the latest event.
    now: Instant,
    /// The time by which the driver should have carried the latest step out.
    due: Instant,
    /// The driver's random number.
    seed: u64,
}

enum Ask {
    Settings(&'static [&'static str]),
    Secrets(&'static [&'static str]),
    Send(Request),
    Wait { duration: Duration, may_end_early: bool },
}

impl Ask {
    /// The time that a driver should need for this.
    fn expected_duration(&self) -> Duration {
        match self {
            Self::Settings(_) | Self::Secrets(_) => LOOKUP_TIME,
            Self::Send(request) => request.idle_timeout.min(request.total_timeout),
            Self::Wait { duration, .. } => *duration,
        }
    }
}

/// An action's access to its driver: each function asks for one step and pauses the action until its event is there.
#[derive(Clone)]
pub(crate) struct Effects(Mailbox);

impl Effects {
    /// The time of the latest event.
    pub(crate) fn now(&self) -> Instant {
        self.0.borrow().now
    }

    /// A seed for jitter, which is another one at another time.
    pub(crate) fn entropy(&self) -> u64 {
        let mail = self.0.borrow();
        mail.seed.wrapping_add(mail.now.entropy())
    }

    /// The time by which the driver of this action should come back.
    pub(crate) fn due(&self) -> Instant {
        self.0.borrow().due
    }

    /// Looks settings up, and returns as many values. `None` for one that is not set or blank: forms send empty fields.
    pub(crate) async fn settings(&self, names: &'static [&'static str]) -> Result<Vec<Option<String>>, Error> {
        match self.ask(Ask::Settings(names)).await {
            Some(Event::Settings(Ok(mut values))) => {
                values.iter_mut().for_each(|value| *value = value.take().filter(|value| !value.trim().is_empty()));
                counted(names, values)
            }
            Some(Event::Settings(Err(error))) => Err(lookup_failed(names, error)),
            _ => Err(Error::Driver(DriverError::WrongEvent("Settings"))),
        }
    }

    /// Looks secrets up, and returns as many values. `None` for one that is not set or blank.
    pub(crate) async fn secrets(&self, names: &'static [&'static str]) -> Result<Vec<Option<Secret>>, Error> {
        match self.ask(Ask::Secrets(names)).await {
            Some(Event::Secrets(Ok(mut values))) => {
                let is_set = |value: &Secret| !value.expose().is_empty();
                values.iter_mut().for_each(|value| *value = value.take().map(Secret::trimmed).filter(is_set));
                counted(names, values)
            }
            Some(Event::Secrets(Err(error))) => Err(lookup_failed(names, error)),
            _ => Err(Error::Driver(DriverError::WrongEvent("Secrets"))),
        }
    }

    /// Sends a request once.
    pub(crate) async fn send(&self, request: Request) -> Result<Result<Response, TransportError>, Error> {
        match self.ask(Ask::Send(request)).await {
            Some(Event::Response(result)) => Ok(result),
            _ => Err(Error::Driver(DriverError::WrongEvent("Response"))),
        }
    }

    /// Waits for a fixed time.
    pub(crate) async fn wait(&self, duration: Duration) -> Result<(), Error> {
        self.elapse(Ask::Wait { duration, may_end_early: false }).await
    }

    /// Waits for another action of the session. The driver may come back at any time.
    pub(crate) async fn wait_for_other(&self, duration: Duration) -> Result<(), Error> {
        self.elapse(Ask::Wait { duration, may_end_early: true }).await
    }

    async fn elapse(&self, ask: Ask) -> Result<(), Error> {
        match self.ask(ask).await {
            Some(Event::Elapsed) => Ok(()),
            _ => Err(Error::Driver(DriverError::WrongEvent("Elapsed"))),
        }
    }

    /// Pauses the action until the driver has carried this out. An event that is still in the mailbox is `Start`, or one that
    /// answers nothing.
    async fn ask(&self, ask: Ask) -> Option<Event> {
        {
            let mut mail = self.0.borrow_mut();
            mail.event = None;
            mail.due = mail.now.after(ask.expected_duration());
            mail.ask = Some(ask);
        }
        let mut is_asked = false;
        poll_fn(|_| if core::mem::replace(&mut is_asked, true) { Poll::Ready(()) } else { Poll::Pending }).await;
        self.0.borrow_mut().event.take()
    }
}

/// Checks that there are as many values as names.
fn counted<T>(names: &[&str], values: Vec<T>) -> Result<Vec<T>, Error> {
    if values.len() == names.len() { Ok(values) } else { Err(Error::Driver(DriverError::WrongCount)) }
}

fn lookup_failed(names: &'static [&'static str], error: LookupError) -> Error {
    let LookupError { kind, name, reason } = error;
    let name = names.iter().copied().find(|known| name.as_deref() == Some(*known));
    let reason = text::clean(&reason);
    match (kind, name) {
        (LookupErrorKind::Denied, Some(name)) => Error::misconfigured(name, SettingError::Denied(reason)),
        (LookupErrorKind::Denied, None) => Error::Other {
            problem: format!("the platform denies access to {}: {reason}", names.join(", ")),
            service: None,
        },
        (LookupErrorKind::Unavailable, name) => Error::Unavailable {
            cause: UnavailableCause::Lookup { name, detail: reason },
            retry_after: None,
            may_have_changed: None,
        },
    }
}
