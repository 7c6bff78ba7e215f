//! The host library: typed calls and calls by name, over either component.

use std::time::Duration;

use onepassword_users_component::{COMPONENT, STEPS};
use onepassword_users_host::types::{ChangeMode, ChangeOutcome, KnownUser, ListQuery, StateFilter, UserRef};
use onepassword_users_host::{Connector, Error, Host, HostConfig, Options, StateChange, User, types};
use onepassword_users_test_kit::harness;
use serde_json::{Value, json};

use super::{Call, Failed, Observed, Reference, Settings, Stop, members, not_applicable};

/// The component and its engine.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Engine {
    Wasi,
    Steps,
}

#[derive(Debug)]
pub(crate) struct Face {
    host: Host,
    engine: Engine,
    is_typed: bool,
}

impl Face {
    pub(crate) fn new(engine: Engine, is_typed: bool) -> Result<Self, String> {
        let component = match engine {
            Engine::Wasi => COMPONENT,
            Engine::Steps => STEPS,
        };
        let host = Host::new(component, HostConfig::default()).map_err(|error| error.to_string())?;
        Ok(Self { host, engine, is_typed })
    }

    pub(crate) fn name(&self) -> &'static str {
        match (self.engine, self.is_typed) {
            (Engine::Wasi, true) => "typed",
            (Engine::Wasi, false) => "by-name",
            (Engine::Steps, false) => "steps",
            (Engine::Steps, true) => "steps-typed",
        }
    }

    pub(crate) fn session(&self, settings: &Settings, deadline: Option<Duration>) -> Result<Session, Stop> {
        let values = harness::Values::default();
        settings.iter().for_each(|(name, value)| values.set(name, value));
        let options = harness::options(&values);
        let deadline = deadline.unwrap_or(options.deadline);
        let connector = self.host.connector(Options { deadline, ..options }).map_err(|error| error.to_string())?;
        Ok(Session { connector, values, settings: settings.clone(), is_typed: self.is_typed })
    }
}

pub(crate) struct Session {
    connector: Connector,
    values: harness::Values,
    settings: Settings,
    is_typed: bool,
}

impl Session {
    pub(crate) fn set(&mut self, settings: &Settings) {
        self.settings.keys().for_each(|name| self.values.unset(name));
        settings.iter().for_each(|(name, value)| self.values.set(name, value));
        self.settings.clone_from(settings);
    }

    pub(crate) async fn call(&self, call: &Call) -> Result<Observed, Stop> {
        let result = match call.action.as_str() {
            "describe" => self.connector.describe().await.map(|manifest| (manifest.json, Some(false))),
            "test" => self.connector.test().await.and_then(output),
            _ if self.is_typed => self.typed(call).await?,
            action => self.connector.invoke(action, &call.arguments()).await.and_then(output),
        };
        Ok(match result {
            Ok((output, changed)) => Observed { result: Ok(output), changed },
            Err(error) => Observed { result: Err(Failed::record(json!(error.record()))), changed: None },
        })
    }

    /// A typed call, with its result in JSON.
    async fn typed(&self, call: &Call) -> Result<Result<(Value, Option<bool>), Error>, Stop> {
        if call.text.is_some() || !call.arguments.is_object() {
            return not_applicable("the typed interface takes no JSON");
        }
        let connector = &self.connector;
        let change = |change: types::StateChange| {
            let changed = change.outcome == ChangeOutcome::Changed;
            (json!(StateChange::from(change)), Some(changed))
        };
        Ok(match call.action.as_str() {
            "list-users" => connector.list_users(query(call)?).await.map(|list| {
                let users: Vec<User> = list.users.into_iter().map(User::from).collect();
                (json!({ "users": users, "next_page_token": list.next_page_token }), None)
            }),
            "get-user" => {
                let [user] = members(call, ["user"]).ok_or_else(no_such_argument)?;
                connector.get_user(reference(user)?).await.map(|user| (json!(User::from(user)), None))
            }
            "find-users" => {
                let [users] = members(call, ["users"]).ok_or_else(no_such_argument)?;
                let Some(Value::Array(inputs)) = users else {
                    return not_applicable("users are a list in the typed interface");
                };
                let users = inputs.iter().map(|user| reference(Some(user))).collect::<Result<Vec<_>, _>>()?;
                connector.find_users(users).await.map(|results| {
                    let results = inputs.iter().zip(results).map(|(input, result)| match result {
                        Ok(user) => json!({ "input": input, "user": User::from(user), "error": null }),
                        Err(failure) => json!({ "input": input, "user": null, "error": failure }),
                    });
                    (json!({ "results": results.collect::<Vec<_>>() }), None)
                })
            }
            "suspend-user" => {
                let (user, mode) = arguments_of_change(call)?;
                connector.suspend_user(user, mode).await.map(change)
            }
            "reactivate-user" => {
                let (user, mode) = arguments_of_change(call)?;
                connector.reactivate_user(user, mode).await.map(change)
            }
            _ => return not_applicable("the typed interface has no function for an unknown action"),
        })
    }
}

fn output(output: onepassword_users_host::Output) -> Result<(Value, Option<bool>), Error> {
    let json = serde_json::from_str(&output.json).map_err(|error| Error::Load(format!("its output: {error}")))?;
    Ok((json, Some(output.changed)))
}

fn no_such_argument() -> Stop {
    Stop::NotApplicable("the typed interface has no such argument".into())
}

fn query(call: &Call) -> Result<ListQuery, Stop> {
    let [state, limit, page_token] = members(call, ["state", "limit", "page_token"]).ok_or_else(no_such_argument)?;
    let state = match state.map(Value::as_str) {
        None => None,
        Some(Some("active")) => Some(StateFilter::Active),
        Some(Some("suspended")) => Some(StateFilter::Suspended),
        Some(_) => return not_applicable("the typed interface has no such state"),
    };
    let limit = match limit.map(|limit| limit.as_u64().and_then(|limit| u32::try_from(limit).ok())) {
        Some(None) => return not_applicable("the limit is a u32 in the typed interface"),
        limit => limit.flatten(),
    };
    let page_token = match page_token.map(Value::as_str) {
        Some(None) => return not_applicable("the page token is a string in the typed interface"),
        page_token => page_token.flatten().map(str::to_owned),
    };
    Ok(ListQuery { state, limit, page_token })
}

fn reference(user: Option<&Value>) -> Result<UserRef, Stop> {
    match user.and_then(Reference::parse) {
        Some(Reference::Id(id)) => Ok(UserRef::Id(id.into())),
        Some(Reference::Email(email)) => Ok(UserRef::Email(email.into())),
        Some(Reference::Known(id, email)) => Ok(UserRef::Known(KnownUser { id: id.into(), email: email.into() })),
        None => not_applicable("the typed interface has no such reference to a user"),
    }
}

fn arguments_of_change(call: &Call) -> Result<(UserRef, ChangeMode), Stop> {
    let [user, dry_run] = members(call, ["user", "dry_run"]).ok_or_else(no_such_argument)?;
    let mode = match dry_run {
        None | Some(Value::Bool(false)) => ChangeMode::Apply,
        Some(Value::Bool(true)) => ChangeMode::DryRun,
        Some(_) => return not_applicable("the mode is an enum in the typed interface"),
    };
    Ok((reference(user)?, mode))
}
