//! The target of a command: the service, or a simulated account if nothing that identifies an account is set.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use onepassword_users_component::COMPONENT;
use onepassword_users_host::{
    BaseUrl, Environment, Host, HostConfig, Manifest, Network, Options, Subject, SubjectKind, Value, catalogue,
};
use onepassword_users_simulator::{Config, Simulator};

use crate::args::{Global, proxy};
use crate::audit_log::AuditLog;
use crate::failure::Failure;
use crate::users_file;

/// The longest component, in bytes.
const MAX_COMPONENT: u64 = 64 * 1024 * 1024;

/// The settings and secrets that identify an account or authenticate to it. If none is set, no real account can be meant.
const IDENTIFYING: [&str; 5] = ["base-url", "account-id", "client-id", "client-secret", "access-token"];

/// The other settings. They apply to a simulated account as well.
fn tuning() -> impl Iterator<Item = &'static str> {
    catalogue::SETTINGS.iter().map(|setting| setting.name).filter(|name| !IDENTIFYING.contains(name))
}

/// The options of the connector, and the simulated service if they point to it.
pub(crate) struct Target {
    pub(crate) options: Options,
    pub(crate) simulator: Option<Simulator>,
}

/// The effect of a command. A change never goes to a simulated account unless `--simulated` is given: a script without
/// credentials must not appear to have suspended a user.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Read,
    Change,
    /// A test of an account, which needs one: that of a simulated account would say nothing of the real one.
    Test,
}

impl Target {
    /// The target of a command. Says so if it is a simulated account.
    pub(crate) async fn announced(global: &Global, effect: Effect) -> Result<Self, Failure> {
        if !global.settings.is_empty() {
            let message = "--setting is for other connectors: this one has options and variables of its own".into();
            return Err(Failure::usage(message));
        }
        let target = Self::choose(global, effect).await?;
        if target.simulator.is_some() {
            let reason = if global.simulated { "because of --simulated" } else { "because no account is set" };
            message!("note: using a simulated account, {reason}.");
        }
        Ok(target)
    }

    /// The target with the log of changes that `--audit-log` names.
    pub(crate) fn audited(mut self, global: &Global) -> Result<Self, Failure> {
        if let Some(path) = &global.audit_log {
            self.options.audit = Some(Arc::new(AuditLog::open(path, self.simulator.is_some())?));
        }
        Ok(self)
    }

    /// The target of a command of another connector: the values that `--setting` and the variables of its own names give.
    pub(crate) fn foreign(global: &Global, manifest: &Manifest) -> Result<Self, Failure> {
        let mut values = BTreeMap::new();
        for setting in &global.settings {
            let Some((name, value)) = setting.split_once('=') else {
                return Err(Failure::usage("--setting needs the form NAME=VALUE".into()));
            };
            let variable = Environment::variable_of(&manifest.name, name);
            if manifest.secrets.iter().any(|secret| secret.name == name) {
                return Err(Failure::usage(format!(
                    "{name} is a secret, which others could read on the command line: set {variable}, or {variable}_FILE to \
                     the path of a file with it"
                )));
            }
            if !manifest.settings.iter().any(|setting| setting.name == name) {
                let names: Vec<&str> = manifest.settings.iter().map(|setting| setting.name.as_str()).collect();
                let message = format!("{} has no setting {name}, only {}", manifest.name, names.join(", "));
                return Err(Failure::usage(message));
            }
            values.insert(name.to_owned(), value.to_owned().into());
        }
        for value in manifest.settings.iter().chain(&manifest.secrets) {
            if !values.contains_key(&value.name) {
                let read = Environment::read_of(&manifest.name, &value.name);
                let read = read.map_err(|error| Failure::settings(error.to_string()))?;
                values.extend(read.map(|read| (value.name.clone(), read)));
            }
        }
        let setting = manifest.origins.setting.as_deref();
        Ok(Self { options: options(values, global, setting)?, simulator: None })
    }

    pub(crate) async fn choose(global: &Global, effect: Effect) -> Result<Self, Failure> {
        if global.simulated {
            return Self::simulated(global, Config::default()).await;
        }
        let mut values = flags(global);
        for name in IDENTIFYING.into_iter().chain(tuning()) {
            if !values.contains_key(name) {
                values.extend(from_environment(name)?.map(|value| (name.to_owned(), value)));
            }
        }
        let set: Vec<&str> = IDENTIFYING.into_iter().filter(|name| values.contains_key(*name)).collect();
        if set.is_empty() {
            let consequence = match effect {
                Effect::Read => return Self::simulated(global, Config::default()).await,
                Effect::Change => "nothing was changed",
                Effect::Test => "nothing was tested",
            };
            return Err(Failure::settings(format!(
                "no account is set, so {consequence}. Set ONEPASSWORD_ACCOUNT_ID, ONEPASSWORD_CLIENT_ID and \
                 ONEPASSWORD_CLIENT_SECRET, or pass --simulated to use a simulated account."
            )));
        }
        let is_set = |name: &str| set.contains(&name);
        let mut required = vec!["account-id"];
        if !is_set("access-token") {
            required.extend(["client-id", "client-secret"]);
        }
        let missing: Vec<String> =
            required.into_iter().filter(|name| !is_set(name)).map(Environment::variable).collect();
        if let Some(first) = missing.first() {
            let mut failure = Failure::settings(format!(
                "{} not set, but {} is; nothing was done. Set the missing ones, or unset all to use a simulated account.",
                list(&missing, "is", "are"),
                Environment::variable(set.first().unwrap_or(&"")),
            ));
            let is_secret = catalogue::SECRETS.iter().any(|secret| Environment::variable(secret.name) == *first);
            let kind = if is_secret { SubjectKind::Secret } else { SubjectKind::Setting };
            failure.record.subject = Some(Subject { kind, name: first.clone() });
            return Err(failure);
        }
        Ok(Self { options: options(values, global, Some("base-url"))?, simulator: None })
    }

    /// Starts a simulated account. The tuning settings apply to it.
    pub(crate) async fn simulated(global: &Global, config: Config) -> Result<Self, Failure> {
        let simulator = Simulator::start(config)
            .await
            .map_err(|error| Failure::other(format!("cannot start the simulated service: {error}")))?;
        let mut values = flags(global);
        for (name, value) in [
            ("base-url", simulator.base_url()),
            ("account-id", simulator.account_id().into()),
            ("client-id", simulator.client_id().into()),
            ("client-secret", simulator.client_secret().into()),
        ] {
            values.insert(name.into(), value.into());
        }
        // No others from the environment: the access token of a real account must not be sent here.
        for name in tuning() {
            if !values.contains_key(name) {
                values.extend(from_environment(name)?.map(|value| (name.to_owned(), value)));
            }
        }
        Ok(Self { options: options(values, global, Some("base-url"))?, simulator: Some(simulator) })
    }
}

/// The host for the built-in component, or for the one that `--component` names.
pub(crate) fn host(global: &Global) -> Result<Host, Failure> {
    // A command needs one instance, and must start where address space is limited.
    let config = HostConfig {
        max_instances: 1,
        reserve_memory: false,
        cache_dir: HostConfig::user_cache_dir("onepassword-users"),
        ..HostConfig::default()
    };
    let Some(path) = &global.component else { return Ok(Host::new(COMPONENT, config)?) };
    let component = users_file::read_file(path, MAX_COMPONENT)
        .map_err(|error| Failure::other(format!("cannot read the component {}: {error}", path.display())))?;
    Ok(Host::new(&component, config)?)
}

/// Reads a value from the environment. Called once per value and command: a `_FILE` may be a pipe.
fn from_environment(name: &str) -> Result<Option<Value>, Failure> {
    Environment::read(name).map_err(|error| Failure::settings(error.to_string()))
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

/// The options. The host's deadline is a minute after the component's own, whose error says more. Here the operator is the
/// embedder, so the origin that they set is allowed.
fn options(values: BTreeMap<String, Value>, global: &Global, origin: Option<&str>) -> Result<Options, Failure> {
    let deadline = values.get("deadline").and_then(|seconds| seconds.trim().parse().ok()).unwrap_or(300_u64);
    let deadline = Duration::from_secs(deadline.min(3600) + 60);
    let origin = origin.and_then(|name| values.get(name)).map(|value| value.to_string());
    let network = network(global, origin)?;
    let values = Arc::new(values);
    Ok(Options { settings: values.clone(), secrets: values, network, deadline, ..Options::default() })
}

fn network(global: &Global, origin: Option<String>) -> Result<Network, Failure> {
    let variable = from_environment("proxy")?;
    let proxy =
        proxy(global.proxy.as_deref(), variable.as_ref().map(|value| value.as_str())).map_err(Failure::settings)?;
    Ok(Network {
        proxy,
        ca_file: global.ca_file.clone(),
        // The component says what is wrong with one that is not an origin.
        allowed_origins: origin.into_iter().filter(|origin| BaseUrl::parse(origin).is_ok()).collect(),
        allow_private: global.allow_private,
        insecure: global.insecure,
        ..Network::default()
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
