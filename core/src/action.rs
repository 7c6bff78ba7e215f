//! The machine: an action in progress, the steps that it asks for, and the events that it is handed.
//!
//! An action is written as an `async` block, of which the compiler makes the state machine. It never meets an executor:
//! its only way to pause is [`Io`], which lays a step into a mailbox, and [`Action::step`] polls it with what came back.

use alloc::boxed::Box;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use core::cell::RefCell;
use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use crate::error::{Error, Outage};
use crate::http::{Request, Response, TransportError};
use crate::secret::Secret;
use crate::session::TokenFetch;
use crate::settings::misconfigured;
use crate::text;

/// A point in time on the driver's monotonic clock, in nanoseconds from an origin of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Instant(u64);

impl Instant {
    /// The point that lies this many nanoseconds after the clock's origin.
    #[must_use]
    pub fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// How much later this is than `earlier`; nothing if it is not.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Something to seed a jitter with.
    pub(crate) fn entropy(self) -> u64 {
        self.0
    }

    /// The point this much later, or the last one there is.
    pub(crate) fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// What an action wants its driver to do next.
#[derive(Debug)]
#[must_use]
pub enum Step<T> {
    /// Look this setting up; answer with [`Event::Setting`].
    Setting(&'static str),
    /// Look this secret up; answer with [`Event::Secret`].
    Secret(&'static str),
    /// Send this request and read the whole answer; answer with [`Event::Response`].
    Send(Request),
    /// Wait this long; answer with [`Event::Elapsed`].
    Wait(Duration),
    /// Another action of the session is obtaining the token: wait until that [is over](TokenFetch::is_over), or at most this
    /// long; answer with [`Event::Elapsed`]. Met only where actions of one session overlap.
    Join(TokenFetch, Duration),
    /// The action has ended.
    Done(Result<T, Error>),
}

/// What happened, as the driver saw it.
#[derive(Debug)]
pub enum Event {
    /// Begin.
    Start,
    /// The setting's value; `None` if it is not set.
    Setting(Result<Option<String>, LookupError>),
    /// The secret's value; `None` if it is not set.
    Secret(Result<Option<Secret>, LookupError>),
    /// The answer to a request, or why there is none.
    Response(Result<Response, TransportError>),
    /// The time to wait is over.
    Elapsed,
}

/// Why the platform could not look a value up. The texts hold no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookupError {
    /// This name may not be read.
    Denied(String),
    /// The store could not be asked; may pass.
    Unavailable(String),
}

/// An action in progress. Dropping it ends it; nothing is left behind.
pub struct Action<T> {
    work: Option<Pin<Box<Work<T>>>>,
    mailbox: Mailbox,
}

type Work<T> = dyn Future<Output = Result<T, Error>>;

impl<T> Action<T> {
    /// An action that does `work`, which is given its only way to the outside.
    pub(crate) fn new<F: Future<Output = Result<T, Error>> + 'static>(work: impl FnOnce(Io) -> F) -> Self {
        let mailbox = Mailbox::default();
        Self { work: Some(Box::pin(work(Io(mailbox.clone())))), mailbox }
    }

    /// Hands over what happened (first [`Event::Start`], then the answer to the step before) and returns what to do next.
    /// `now` is the time on the driver's monotonic clock.
    ///
    /// An event that does not answer the step before ends the action with [`Error::Other`], as does another step after
    /// the last.
    pub fn step(&mut self, event: Event, now: Instant) -> Step<T> {
        let Some(work) = &mut self.work else {
            return Step::Done(Err(out_of_step("after its end")));
        };
        *self.mailbox.borrow_mut() = Mail { event: Some(event), ask: None, now };
        match work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => {
                self.work = None;
                Step::Done(result)
            }
            Poll::Pending => match self.mailbox.borrow_mut().ask.take() {
                Some(Ask::Setting(name)) => Step::Setting(name),
                Some(Ask::Secret(name)) => Step::Secret(name),
                Some(Ask::Send(request)) => Step::Send(request),
                Some(Ask::Wait(duration)) => Step::Wait(duration),
                Some(Ask::Join(fetch, duration)) => Step::Join(fetch, duration),
                None => Step::Done(Err(out_of_step("without a step"))),
            },
        }
    }
}

impl<T> fmt::Debug for Action<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Action").field("ended", &self.work.is_none()).finish_non_exhaustive()
    }
}

/// What lies between an action and whoever steps it.
type Mailbox = Rc<RefCell<Mail>>;

#[derive(Default)]
struct Mail {
    event: Option<Event>,
    ask: Option<Ask>,
    now: Instant,
}

enum Ask {
    Setting(&'static str),
    Secret(&'static str),
    Send(Request),
    Wait(Duration),
    Join(TokenFetch, Duration),
}

/// An action's way to the outside: asks the driver, and pauses the action until the answer is there.
#[derive(Clone)]
pub(crate) struct Io(Mailbox);

impl Io {
    /// The time at the latest event.
    pub(crate) fn now(&self) -> Instant {
        self.0.borrow().now
    }

    /// A setting; `None` if it is not set or blank, as empty form fields are.
    pub(crate) async fn setting(&self, name: &'static str) -> Result<Option<String>, Error> {
        match self.ask(Ask::Setting(name)).await {
            Some(Event::Setting(Ok(value))) => Ok(value.filter(|value| !value.trim().is_empty())),
            Some(Event::Setting(Err(error))) => Err(lookup_failed(name, error)),
            _ => Err(out_of_step("with something else than a setting")),
        }
    }

    /// A secret; `None` if it is not set or blank.
    pub(crate) async fn secret(&self, name: &'static str) -> Result<Option<Secret>, Error> {
        match self.ask(Ask::Secret(name)).await {
            Some(Event::Secret(Ok(value))) => Ok(value.map(Secret::trimmed).filter(|value| !value.expose().is_empty())),
            Some(Event::Secret(Err(error))) => Err(lookup_failed(name, error)),
            _ => Err(out_of_step("with something else than a secret")),
        }
    }

    /// The answer to a request, or why there is none.
    pub(crate) async fn send(&self, request: Request) -> Result<Result<Response, TransportError>, Error> {
        match self.ask(Ask::Send(request)).await {
            Some(Event::Response(result)) => Ok(result),
            _ => Err(out_of_step("with something else than a response")),
        }
    }

    /// Lets time pass.
    pub(crate) async fn wait(&self, duration: Duration) -> Result<(), Error> {
        self.pass_time(Ask::Wait(duration)).await
    }

    /// Waits for another action's token, at most this long.
    pub(crate) async fn join(&self, fetch: TokenFetch, duration: Duration) -> Result<(), Error> {
        self.pass_time(Ask::Join(fetch, duration)).await
    }

    async fn pass_time(&self, ask: Ask) -> Result<(), Error> {
        match self.ask(ask).await {
            Some(Event::Elapsed) => Ok(()),
            _ => Err(out_of_step("with something else than the end of a wait")),
        }
    }

    /// Pauses until the driver has carried this out. The event of the step before was taken by then, and if it was not
    /// (as `Start` is not), it is of no interest.
    async fn ask(&self, ask: Ask) -> Option<Event> {
        {
            let mut mail = self.0.borrow_mut();
            mail.event = None;
            mail.ask = Some(ask);
        }
        let mut asked = false;
        poll_fn(|_| if core::mem::replace(&mut asked, true) { Poll::Ready(()) } else { Poll::Pending }).await;
        self.0.borrow_mut().event.take()
    }
}

/// A fault of the driver, not of anything that it spoke to.
fn out_of_step(how: &str) -> Error {
    Error::Other { problem: format!("the driver stepped the action {how}"), reply: None }
}

fn lookup_failed(name: &'static str, error: LookupError) -> Error {
    match error {
        LookupError::Denied(why) => misconfigured(name, format!("the platform denies it: {}", text::clean(&why, &[]))),
        LookupError::Unavailable(why) => Error::Unavailable {
            outage: Outage::Lookup { name, detail: text::clean(&why, &[]) },
            retry_after: None,
            may_have_changed: false,
        },
    }
}
