//! The bodies of requests and answers, as they stand in `openapi.json`.

use onepassword_users_core as core_;
#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One user of the account. A text that the service left out is empty.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct User {
    /// The service's identifier, never empty.
    pub id: String,
    /// The e-mail address. Two users may bear the same one.
    pub email: String,
    /// The name as people see it.
    pub display_name: String,
    /// `active`, `suspended`, or any other state in the service's own words.
    pub state: String,
    /// When the user was created, in RFC 3339.
    pub create_time: String,
    /// The service's resource name.
    pub path: String,
}

impl From<core_::User> for User {
    fn from(user: core_::User) -> Self {
        let state = match user.state {
            core_::UserState::Active => "active".into(),
            core_::UserState::Suspended => "suspended".into(),
            core_::UserState::Other(state) => state,
        };
        let core_::User { id, email, display_name, create_time, path, .. } = user;
        Self { id, email, display_name, state, create_time, path }
    }
}

/// Users, and where to go on.
// Written piece by piece, since it may be long: this is for the description alone.
#[cfg(test)]
#[derive(Debug, Serialize, JsonSchema)]
pub struct UserList {
    /// The users, in the service's order. No id occurs twice.
    pub users: Vec<User>,
    /// Where to go on; `null` exactly if there are no more users.
    pub next_page_token: Option<String>,
}

/// How to make a change. An empty body means the same as `{}`.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ChangeOptions {
    /// Look, and tell what would be done, but change nothing.
    pub dry_run: bool,
}

/// What became of a wanted change.
#[derive(Debug, Clone, Copy, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// The user was in another state, and is in the wanted one now.
    Changed,
    /// The user was in the wanted state already; nothing was done.
    Already,
    /// A dry run: the change would be attempted.
    WouldChange,
    /// The user is in the wanted state now; whether it was before was not looked at.
    NotChecked,
}

/// A user after a change, or, in a dry run, before it.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct StateChange {
    /// What became of the change.
    pub change: Change,
    /// The user, as the service described it last.
    pub user: User,
}

impl From<core_::StateChange> for StateChange {
    fn from(change: core_::StateChange) -> Self {
        let user = change.user.into();
        let change = match change.outcome {
            core_::ChangeOutcome::Changed => Change::Changed,
            core_::ChangeOutcome::Unchanged => Change::Already,
            core_::ChangeOutcome::WouldChange => Change::WouldChange,
            core_::ChangeOutcome::NotChecked => Change::NotChecked,
        };
        Self { change, user }
    }
}

/// What the TEST button tells if all is well.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct TestReport {
    /// True; what is not well is a problem.
    pub ok: bool,
    /// What was looked at.
    pub checks: Vec<Check>,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Check {
    /// What was looked at.
    pub check: &'static str,
    /// What was found.
    pub result: &'static str,
}

impl TestReport {
    /// The report of a test in which a new token was obtained and a user listed.
    #[must_use]
    pub fn passed() -> Self {
        let checks = [
            ("settings", "complete"),
            ("credentials", "accepted"),
            ("users", "can be listed"),
            ("not tested", "the permissions to get, suspend and reactivate users"),
        ];
        Self { ok: true, checks: checks.map(|(check, result)| Check { check, result }).into() }
    }
}

/// That the application runs and has usable keys.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Health {
    /// `ok`.
    pub status: &'static str,
}

/// The last line of a streamed list. A stream without one is cut off, however it ends.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(untagged)]
pub enum LastLine {
    /// The list is incomplete, and this is why.
    Failure {
        /// What went wrong.
        error: Box<crate::problem::Problem>,
    },
    /// All users came that were asked for.
    End {
        /// Where to go on; `null` exactly if there are no more users.
        next_page_token: Option<String>,
    },
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may end here")]
mod tests {
    use schemars::generate::SchemaSettings;
    use serde_json::{Map, Value};

    use super::*;
    use crate::problem::Problem;

    /// The schemas of the types above, as they must stand in the description of the API.
    fn schemas() -> Map<String, Value> {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        let mut serialized = settings.clone().for_serialize().into_generator();
        let mut deserialized = settings.for_deserialize().into_generator();
        deserialized.subschema_for::<ChangeOptions>();
        serialized.subschema_for::<User>();
        serialized.subschema_for::<UserList>();
        serialized.subschema_for::<StateChange>();
        serialized.subschema_for::<TestReport>();
        serialized.subschema_for::<Health>();
        serialized.subschema_for::<LastLine>();
        serialized.subschema_for::<Problem>();
        let mut schemas = serialized.take_definitions(true);
        schemas.append(&mut deserialized.take_definitions(true));
        schemas.sort_keys();
        schemas
    }

    /// Run with `UPDATE_OPENAPI=1` to write the types' schemas into the description; read the difference before you commit it.
    #[test]
    fn the_description_has_the_schemas_of_the_types() {
        let mut openapi: Value = serde_json::from_str(crate::OPENAPI).unwrap();
        let described = openapi.pointer_mut("/components/schemas").unwrap();
        let schemas = Value::from(schemas());
        if std::env::var_os("UPDATE_OPENAPI").is_some() {
            *described = schemas;
            let text = serde_json::to_string_pretty(&openapi).unwrap() + "\n";
            std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json"), text).unwrap();
        } else {
            assert_eq!(*described, schemas, "run with UPDATE_OPENAPI=1 to bring the description up to date");
        }
    }

    #[test]
    fn the_description_names_every_problem() {
        let openapi: Value = serde_json::from_str(crate::OPENAPI).unwrap();
        let described = openapi.get("x-problems").and_then(Value::as_object).unwrap();
        let kinds = crate::problem::KINDS;
        assert_eq!(described.len(), kinds.len());
        for kind in kinds {
            let entry = described.get(kind.code).unwrap_or_else(|| panic!("{} is not described", kind.code));
            assert_eq!(entry.get("title").and_then(Value::as_str), Some(kind.title), "{}", kind.code);
            let statuses = entry.get("status").and_then(Value::as_array).unwrap();
            let statuses: Vec<u64> = statuses.iter().filter_map(Value::as_u64).collect();
            assert_eq!(statuses, kind.statuses.iter().map(|s| u64::from(*s)).collect::<Vec<_>>(), "{}", kind.code);
        }
    }
}
