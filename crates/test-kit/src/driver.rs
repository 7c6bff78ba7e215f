//! A driver for native tests: a function answers the requests, and time is virtual.

use std::collections::BTreeMap;
use std::time::Duration;

use onepassword_users_core::{
    Action, Error, Event, Instant, LookupError, Method, Request, Response, Secret, Step, TransportError,
};
use onepassword_users_simulator::{self as simulator, Application, PERMISSIONS, Service};

pub const ACCOUNT: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
pub const CLIENT: &str = "client";
pub const SECRET: &str = "canary-secret";

/// The simulated OAuth application with the client id of a [`World`] and this secret.
pub fn application(secret: &str) -> Application {
    Application { client_id: CLIENT.into(), client_secret: secret.into(), permissions: PERMISSIONS.to_vec() }
}

/// Sends a request of the core to the simulated service.
pub fn ask(service: &mut Service, request: &Request, now: Duration) -> simulator::Response {
    let (path, query) = match request.path_and_query.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (request.path_and_query.as_str(), None),
    };
    let headers: Vec<(&str, &str)> = request.headers.iter().map(|(name, value)| (*name, value.expose())).collect();
    let method = match request.method {
        Method::Get => "GET",
        Method::Post => "POST",
    };
    let body = request.body.unwrap_or_default();
    service.handle(&simulator::Request { method, path, query, headers: &headers, body }, now)
}

/// The platform and the network of an action, with a virtual clock.
#[derive(Debug)]
pub struct World<S> {
    /// Settings and secrets by name.
    pub values: BTreeMap<&'static str, String>,
    /// The names whose look-up fails, and the error.
    pub lookup_errors: BTreeMap<&'static str, LookupError>,
    /// The virtual time since the start.
    pub now: Duration,
    /// All names that were looked up, in order.
    pub lookups: Vec<&'static str>,
    /// Methods and targets of all requests, in order.
    pub sent: Vec<String>,
    /// Answers requests. May advance the clock.
    pub service: S,
}

impl<S: FnMut(&Request, &mut Duration) -> Result<Response, TransportError>> World<S> {
    pub fn new(service: S) -> Self {
        let values = [("account-id", ACCOUNT), ("client-id", CLIENT), ("client-secret", SECRET)];
        Self {
            values: values.into_iter().map(|(name, value)| (name, value.to_owned())).collect(),
            lookup_errors: BTreeMap::new(),
            now: Duration::ZERO,
            lookups: Vec::new(),
            sent: Vec::new(),
            service,
        }
    }

    /// Runs an action to completion.
    pub fn run<T>(&mut self, mut action: Action<T>) -> Result<T, Error> {
        let mut event = Event::Start;
        loop {
            event = match action.step(event, Instant::from_nanos(self.now.as_nanos() as u64)) {
                Step::Setting(name) => Event::Setting(self.look_up(name)),
                Step::Secret(name) => Event::Secret(self.look_up(name).map(|value| value.map(Secret::new))),
                Step::Send(request) => {
                    self.sent.push(format!("{:?} {}", request.method, request.path_and_query));
                    Event::Response((self.service)(&request, &mut self.now))
                }
                Step::Wait { duration, .. } => {
                    self.now += duration;
                    Event::Elapsed
                }
                Step::Done(result) => return result,
            };
        }
    }

    fn look_up(&mut self, name: &'static str) -> Result<Option<String>, LookupError> {
        self.lookups.push(name);
        match self.lookup_errors.get(name) {
            Some(error) => Err(error.clone()),
            None => Ok(self.values.get(name).cloned()),
        }
    }
}
