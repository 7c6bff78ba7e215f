//! The sans-IO machine: an action in progress, the steps that it asks its driver for, and the events that answer them.
//!
//! An action is written as an `async` block, so that the compiler generates the state machine. No executor is involved: its
//! only way to pause is [`Effects`], which puts a step into a mailbox, and [`Action::step`] polls it again with the event.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use core::cell::RefCell;
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
    /// Look this setting up. Answer with [`Event::Setting`].
    Setting(&'static str),
    /// Look this secret up. Answer with [`Event::Secret`].
    Secret(&'static str),
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
    /// The value of a setting, or `None` if it is not set.
    Setting(Result<Option<String>, LookupError>),
    /// The value of a secret, or `None` if it is not set.
    Secret(Result<Option<Secret>, LookupError>),
    /// The response to a request, or the reason why there is none.
    Response(Result<Response, TransportError>),
    /// The time to wait has elapsed.
    Elapsed,
}

/// The reason why the platform could not look a value up. Must not hold the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookupError {
    /// The connector may not read this name.
    Denied(String),
    /// The store could not be reached or failed. A later attempt may succeed.
    Unavailable(String),
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

    /// Takes an event (first [`Event::Start`], then the answer to each step) and returns the next step. `now` is the time on
    /// the driver's monotonic clock.
    ///
    /// An event that does not answer the previous step ends the action with [`Error::Driver`], and so does a call after
    /// [`Step::Done`].
    pub fn step(&mut self, event: Event, now: Instant) -> Step<T> {
        let Some(work) = &mut self.work else {
            return Step::Done(Err(Error::Driver(DriverError::Ended)));
        };
        *self.mailbox.borrow_mut() = Mail { event: Some(event), ask: None, now, due: now };
        match work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => {
                self.work = None;
                Step::Done(result)
            }
            Poll::Pending => match self.mailbox.borrow_mut().ask.take() {
                Some(Ask::Setting(name)) => Step::Setting(name),
                Some(Ask::Secret(name)) => Step::Secret(name),
                Some(Ask::Send(request)) => Step::Send(request),
                Some(Ask::Wait { duration, may_end_early }) => Step::Wait { duration, may_end_early },
                // The work pauses in `Effects::ask` alone, which leaves an ask.
                None => Step::Done(Err(Error::Driver(DriverError::Ended))),
            },
        }
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
}

enum Ask {
    Setting(&'static str),
    Secret(&'static str),
    Send(Request),
    Wait { duration: Duration, may_end_early: bool },
}

impl Ask {
    /// The time that a driver should need for this.
    fn expected_duration(&self) -> Duration {
        match self {
            Self::Setting(_) | Self::Secret(_) => LOOKUP_TIME,
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

    /// The time by which the driver of this action should come back.
    pub(crate) fn due(&self) -> Instant {
        self.0.borrow().due
    }

    /// Looks a setting up. `None` if it is not set or blank: forms send empty fields.
    pub(crate) async fn setting(&self, name: &'static str) -> Result<Option<String>, Error> {
        match self.ask(Ask::Setting(name)).await {
            Some(Event::Setting(Ok(value))) => Ok(value.filter(|value| !value.trim().is_empty())),
            Some(Event::Setting(Err(error))) => Err(lookup_failed(name, error)),
            _ => Err(Error::Driver(DriverError::WrongEvent("Setting"))),
        }
    }

    /// Looks a secret up. `None` if it is not set or blank.
    pub(crate) async fn secret(&self, name: &'static str) -> Result<Option<Secret>, Error> {
        match self.ask(Ask::Secret(name)).await {
            Some(Event::Secret(Ok(value))) => Ok(value.map(Secret::trimmed).filter(|value| !value.expose().is_empty())),
            Some(Event::Secret(Err(error))) => Err(lookup_failed(name, error)),
            _ => Err(Error::Driver(DriverError::WrongEvent("Secret"))),
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

fn lookup_failed(name: &'static str, error: LookupError) -> Error {
    match error {
        LookupError::Denied(reason) => Error::misconfigured(name, SettingError::Denied(text::clean(&reason, &[]))),
        LookupError::Unavailable(reason) => Error::Unavailable {
            cause: UnavailableCause::Lookup { name, detail: text::clean(&reason, &[]) },
            retry_after: None,
            may_have_changed: false,
        },
    }
}
