//! The exported resources: sessions, and the actions in progress.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;

use onepassword_users_core::{Action, DriverError, Error, Event, Instant, Output, Session, Step};

use crate::bindings::Component;
use crate::bindings::exports::automation::connector::{failures, manifest, steps};
use crate::events::{Asked, event, nanos, request};

onepassword_users_contract::convert!(failures);

impl manifest::Guest for Component {
    fn describe() -> String {
        onepassword_users_core::manifest()
    }
}

impl steps::Guest for Component {
    type Action = Running;
    type Session = Shared;
}

/// The settings that the host handed over, by name.
type Settings = Vec<(String, String)>;

/// Actions that share a token.
pub(crate) struct Shared(Session);

impl steps::GuestSession for Shared {
    fn new() -> Self {
        Self(Session::new())
    }

    fn begin(&self, action: String, arguments: String, settings: Option<Settings>, seed: u64) -> steps::Action {
        begun(self.0.invoke(&action, &arguments), settings, seed)
    }

    fn begin_test(&self, settings: Option<Settings>, seed: u64) -> steps::Action {
        begun(self.0.invoke_test(), settings, seed)
    }
}

fn begun(action: Action<Output>, settings: Option<Settings>, seed: u64) -> steps::Action {
    let state = State { stage: Stage::Working(action.with_seed(seed)), settings, asked: Asked::Nothing };
    steps::Action::new(Running(RefCell::new(state)))
}

/// An action in progress.
pub(crate) struct Running(RefCell<State>);

struct State {
    stage: Stage,
    settings: Option<Settings>,
    asked: Asked,
}

enum Stage {
    Working(Action<Output>),
    /// The result is being handed over.
    Ending(Box<Output>),
    /// It was handed over.
    Ended,
}

impl steps::GuestAction for Running {
    fn step(&self, now: u64, event: steps::Event) -> steps::Step {
        self.0.borrow_mut().step(Instant::from_nanos(now), event)
    }
}

impl State {
    fn step(&mut self, now: Instant, answer: steps::Event) -> steps::Step {
        let action = match &mut self.stage {
            Stage::Working(action) => action,
            Stage::Ending(_) => {
                return match answer {
                    steps::Event::More => self.end(),
                    _ => self.misused(DriverError::WrongEvent("More")),
                };
            }
            Stage::Ended => return self.misused(DriverError::Ended),
        };
        let mut event = event(answer, core::mem::replace(&mut self.asked, Asked::Nothing));
        loop {
            match action.advance(event, now) {
                Some(Ok(output)) => {
                    self.stage = Stage::Ending(Box::new(output));
                    return self.end();
                }
                Some(Err(error)) => return steps::Step::Failed(failure(error)),
                None => {}
            }
            return match (action.next_step(), &self.settings) {
                (Step::Settings(names), Some(settings)) => {
                    let value =
                        |name: &&str| settings.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone());
                    event = Event::Settings(Ok(names.iter().map(value).collect()));
                    continue;
                }
                (Step::Settings(names), None) => {
                    self.asked = Asked::Settings;
                    steps::Step::LookUpSettings(owned(names))
                }
                (Step::Secrets(names), _) => {
                    self.asked = Asked::Secrets;
                    steps::Step::LookUpSecrets(owned(names))
                }
                (Step::Send(unsent), _) => {
                    let (request, sent) = request(unsent);
                    self.asked = Asked::Send(sent);
                    steps::Step::Send(request)
                }
                (Step::Wait { duration, may_end_early }, _) => {
                    self.asked = Asked::Wait;
                    steps::Step::Wait(steps::Pause { duration: nanos(duration), may_end_early })
                }
                (Step::Done(Err(error)), _) => steps::Step::Failed(failure(error)),
            };
        }
    }

    /// The next part of the result, or its end.
    fn end(&mut self) -> steps::Step {
        let Stage::Ending(output) = &mut self.stage else { return self.misused(DriverError::Ended) };
        let part = output.next_part().unwrap_or_default();
        if output.has_more() {
            return steps::Step::Part(part);
        }
        let (summary, changed) = (core::mem::take(&mut output.summary), output.changed);
        self.stage = Stage::Ended;
        steps::Step::Done(steps::End { output: part, summary, changed })
    }

    /// The end of an action that the driver misused.
    fn misused(&mut self, error: DriverError) -> steps::Step {
        self.stage = Stage::Ended;
        steps::Step::Failed(failure(Error::Driver(error)))
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| String::from(*name)).collect()
}
