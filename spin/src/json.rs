//! The bodies of requests and responses. Their doc comments are the descriptions in `openapi.json`.

use onepassword_users_core as core_;
#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A user of the account. A text that 1Password leaves out is empty.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct User {
    /// The user's id, never empty.
    pub id: String,
    /// The e-mail address. Several users may have the same address.
    pub email: String,
    /// The display name.
    pub display_name: String,
    /// The state: `active`, `suspended`, or another state as 1Password names it.
    pub state: String,
    /// The time of creation, in RFC 3339.
    pub create_time: String,
    /// The resource name.
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

/// Users of the account, and a page token if there are more.
// Only for `openapi.json`: lists are written in pieces, since they may be long.
#[cfg(test)]
#[derive(Debug, Serialize, JsonSchema)]
pub struct UserList {
    /// The users, in 1Password's order. No id occurs twice.
    pub users: Vec<User>,
    /// The page token of the next users. `null` if and only if there are no more users.
    pub next_page_token: Option<String>,
}

/// The options of a change. An empty body is the same as `{}`.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ChangeOptions {
    /// If true, return what the change would do, without making it.
    pub dry_run: bool,
}

/// The outcome of a change.
#[derive(Debug, Clone, Copy, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// The user was in another state and is in the requested one now.
    Changed,
    /// The user was in the requested state already. No change was sent.
    Already,
    /// A dry run: the change would be attempted.
    WouldChange,
    /// The user is in the requested state now. The previous state was not checked.
    NotChecked,
}

/// The outcome of a change, and the user after it or, in a dry run, before it.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct StateChange {
    /// The outcome of the change.
    pub change: Change,
    /// The user, as last returned by 1Password.
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

/// The report of a successful test.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct TestReport {
    /// Always true. A failed test is a problem document.
    pub ok: bool,
    /// The checks.
    pub checks: Vec<Check>,
}

/// A check and its result.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Check {
    /// The subject of the check.
    pub check: &'static str,
    /// The result.
    pub result: &'static str,
}

impl TestReport {
    /// The report of a test that obtained a new token and listed a user.
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

/// The application runs and has usable keys.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Health {
    /// `ok`.
    pub status: &'static str,
}

/// The last line of a streamed list. A stream without this line is incomplete.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(untagged)]
pub enum LastLine {
    /// The list is incomplete.
    Failure {
        /// The reason.
        error: Box<crate::problem::Problem>,
    },
    /// The list is complete, or has reached its limit.
    End {
        /// The page token of the next users. `null` if and only if there are no more users.
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

    /// The schemas of the types above, as in `openapi.json`.
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

    /// Run with `UPDATE_OPENAPI=1` to write the schemas into `openapi.json`. Review the difference before committing it.
    #[test]
    fn openapi_has_the_schemas_of_the_types() {
        let mut openapi: Value = serde_json::from_str(crate::OPENAPI).unwrap();
        let documented = openapi.pointer_mut("/components/schemas").unwrap();
        let schemas = Value::from(schemas());
        if std::env::var_os("UPDATE_OPENAPI").is_some() {
            *documented = schemas;
            let text = serde_json::to_string_pretty(&openapi).unwrap() + "\n";
            std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json"), text).unwrap();
        } else {
            assert_eq!(*documented, schemas, "run with UPDATE_OPENAPI=1 to update openapi.json");
        }
    }

    #[test]
    fn openapi_describes_every_problem() {
        let openapi: Value = serde_json::from_str(crate::OPENAPI).unwrap();
        let documented = openapi.get("x-problems").and_then(Value::as_object).unwrap();
        let kinds = crate::problem::KINDS;
        assert_eq!(documented.len(), kinds.len());
        for kind in kinds {
            let entry = documented.get(kind.code).unwrap_or_else(|| panic!("{} is not in openapi.json", kind.code));
            assert_eq!(entry.get("title").and_then(Value::as_str), Some(kind.title), "{}", kind.code);
            let statuses = entry.get("status").and_then(Value::as_array).unwrap();
            let statuses: Vec<u64> = statuses.iter().filter_map(Value::as_u64).collect();
            assert_eq!(statuses, kind.statuses.iter().map(|s| u64::from(*s)).collect::<Vec<_>>(), "{}", kind.code);
        }
    }
}
