//! Where a command goes: to the service, or, if nothing at all is set, to a simulated account.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use onepassword_users_component::COMPONENT;
use onepassword_users_host::{Environment, Host, Limits, Network, Options, Source, Value};
use onepassword_users_simulator::{Config, Simulator};

use crate::args::{Global, proxy};
use crate::failure::Failure;

/// What names an account or opens it. If none of these is set, nobody can mean a real account.
const TELLING: [&str; 5] = ["base-url", "account-id", "client-id", "client-secret", "access-token"];

/// What else is set for an account, or for a simulated one.
const HARMLESS: [&str; 5] = ["api-version", "timeout", "deadline", "max-attempts", "user-agent"];

/// The connector's options, and the simulated service if they lead there.
pub(crate) struct Target {
    pub(crate) options: Options,
    pub(crate) simulator: Option<Simulator>,
}

/// Whether a command only reads. A change never goes to a simulated account unasked: a playbook without credentials must
/// not believe that it suspended somebody.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Reads,
    Changes,
}

impl Target {
    pub(crate) async fn choose(global: &Global, kind: Kind) -> Result<Self, Failure> {
        if global.simulated {
            return Self::simulated(global, Config::default()).await;
        }
        let mut values = flags(global);
        for name in TELLING.into_iter().chain(HARMLESS) {
            if !values.contains_key(name) {
                values.extend(from_environment(name)?.map(|value| (name.to_owned(), value)));
            }
        }
        let set: Vec<&str> = TELLING.into_iter().filter(|name| values.contains_key(*name)).collect();
        if set.is_empty() {
            if kind == Kind::Changes {
                return Err(Failure::settings(
                    "no account is set, so nothing was changed. Set ONEPASSWORD_ACCOUNT_ID, ONEPASSWORD_CLIENT_ID and \
                     ONEPASSWORD_CLIENT_SECRET, or add --simulated to try it on a simulated account."
                        .into(),
                ));
            }
            return Self::simulated(global, Config::default()).await;
        }
        let is_set = |name: &str| set.contains(&name);
        let mut needed = vec!["account-id"];
        if !is_set("access-token") {
            needed.extend(["client-id", "client-secret"]);
        }
        let missing: Vec<String> = needed.into_iter().filter(|name| !is_set(name)).map(Environment::variable).collect();
        if !missing.is_empty() {
            return Err(Failure::settings(format!(
                "{} not set, but {} is; nothing was done. Set what is missing, or unset the rest to use a simulated account.",
                list(&missing, "is", "are"),
                Environment::variable(set.first().unwrap_or(&"")),
            )));
        }
        Ok(Self { options: options(values, global)?, simulator: None })
    }

    /// A simulated account of its own. Settings that do not name an account count there, too.
    pub(crate) async fn simulated(global: &Global, config: Config) -> Result<Self, Failure> {
        let simulator = Simulator::start(config)
            .await
            .map_err(|error| Failure::other(format!("the simulated service cannot be started: {error}")))?;
        let mut values = flags(global);
        for (name, value) in [
            ("base-url", simulator.base_url()),
            ("account-id", simulator.account_id().into()),
            ("client-id", simulator.client_id().into()),
            ("client-secret", simulator.client_secret().into()),
        ] {
            values.insert(name.into(), value.into());
        }
        // Of the environment only what is harmless: an access token of a real account must not be sent here.
        for name in HARMLESS {
            if !values.contains_key(name) {
                values.extend(from_environment(name)?.map(|value| (name.to_owned(), value)));
            }
        }
        Ok(Self { options: options(values, global)?, simulator: Some(simulator) })
    }
}

/// A host for the chosen component: the one of this version, unless another is named.
pub(crate) fn host(global: &Global) -> Result<Host, Failure> {
    let Some(path) = &global.component else { return Ok(Host::new(COMPONENT, Limits::default())?) };
    let component = std::fs::read(path)
        .map_err(|error| Failure::other(format!("the component {} cannot be read: {error}", path.display())))?;
    Ok(Host::new(&component, Limits::default())?)
}

/// Read once for a command: what a variable names may be a pipe.
fn from_environment(name: &str) -> Result<Option<Value>, Failure> {
    Environment.get(name).map_err(|error| Failure::settings(error.to_string()))
}

fn flags(global: &Global) -> BTreeMap<String, Value> {
    [
        ("base-url", &global.base_url),
        ("account-id", &global.account),
        ("api-version", &global.api_version),
        ("timeout", &global.timeout),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?.into())))
    .collect()
}

/// The host's deadline comes some time after the component's own, which can say more.
fn options(values: BTreeMap<String, Value>, global: &Global) -> Result<Options, Failure> {
    let deadline = values.get("deadline").and_then(|seconds| seconds.trim().parse().ok()).unwrap_or(300_u64);
    let deadline = Duration::from_secs(deadline.min(3600) + 60);
    let values = Arc::new(values);
    Ok(Options { settings: values.clone(), secrets: values, network: network(global)?, deadline })
}

fn network(global: &Global) -> Result<Network, Failure> {
    let variable = from_environment("proxy")?;
    let proxy =
        proxy(global.proxy.as_deref(), variable.as_ref().map(|value| value.as_str())).map_err(Failure::settings)?;
    Ok(Network {
        proxy,
        ca_file: global.ca_file.clone(),
        allow_private: global.allow_private,
        insecure: global.insecure,
    })
}

/// `A is`, `A and B are`, `A, B and C are`.
fn list(names: &[String], one: &str, several: &str) -> String {
    match names {
        [] => String::new(),
        [name] => format!("{name} {one}"),
        [first @ .., last] => format!("{} and {last} {several}", first.join(", ")),
    }
}
