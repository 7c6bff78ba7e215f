//! The table: rows of calls with their expected results, read from JSON. `README.md` of this crate describes the format.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use onepassword_users_host::catalogue::ErrorCode;
use onepassword_users_simulator::{self as simulator, Dialect, Operation, Person, Role};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Settings and secrets by name. `None` takes one away that every row has.
pub(crate) type Values = BTreeMap<String, Option<String>>;

/// The codes of the catalogue that no row expects, with the reason.
pub const UNREACHABLE: &[(ErrorCode, &str)] = &[];

/// The table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The settings and secrets of every row, beside those of its account.
    pub values: Values,
    /// The rows.
    pub rows: Vec<Row>,
}

/// A conversation: a start state, and calls with their expected results.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The name, such as `get-user/by-email`.
    pub name: String,
    /// The simulated account.
    #[serde(default)]
    pub account: Account,
    /// Settings and secrets that differ from those of every row.
    #[serde(default)]
    pub values: Values,
    /// The time that the host gives each call.
    pub host_deadline_ms: Option<u64>,
    /// The calls, in their order.
    pub calls: Vec<Call>,
    /// The states of users after the last call, in the service's words, by their e-mail address.
    #[serde(default)]
    pub states: BTreeMap<String, String>,
    /// The faces that cannot run this row, with the reason.
    #[serde(default)]
    pub not_applicable: BTreeMap<String, String>,
}

/// The simulated account of a row.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Account {
    /// The number of generated users.
    pub users: usize,
    /// The seed of the account.
    pub seed: u64,
    /// The most users on a page of the service.
    pub page_size: usize,
    /// The form of the service's answers.
    pub dialect: Dialect,
    /// The form of the service's answers, picked at random with this seed. Replaces `dialect`.
    pub dialect_seed: Option<u64>,
    /// The operations that the application may use. All of them unless given.
    pub permissions: Option<Vec<OperationName>>,
    /// Further users, behind the generated ones. One with an id of the account replaces that user.
    pub people: Vec<PersonEntry>,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            users: 60,
            seed: 1,
            page_size: 1000,
            dialect: Dialect::default(),
            dialect_seed: None,
            permissions: None,
            people: Vec::new(),
        }
    }
}

/// A user of a simulated account, in the service's words.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonEntry {
    id: String,
    email: String,
    #[serde(default)]
    display_name: Value,
    #[serde(default = "active")]
    state: String,
    #[serde(default)]
    is_owner: bool,
}

fn active() -> String {
    "ACTIVE".into()
}

impl PersonEntry {
    /// The user as the simulator has it.
    pub(crate) fn person(&self, display_name: &str) -> Person {
        Person {
            display_name: display_name.into(),
            state: self.state.clone(),
            role: if self.is_owner { Role::Owner } else { Role::Member },
            ..Person::new(&self.id, &self.email)
        }
    }

    /// The display name, which may be a directive.
    pub(crate) fn display_name(&self) -> &Value {
        &self.display_name
    }
}

/// A call and its expected result.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The action, `test` or `describe`.
    pub action: String,
    /// The arguments. An object, unless the row is about one that is not.
    #[serde(default = "no_arguments")]
    pub arguments: Value,
    /// The arguments as they are sent, if they are no JSON.
    pub arguments_text: Option<String>,
    /// Settings and secrets that change before this call.
    #[serde(default)]
    pub values: Values,
    /// True if the service revokes all tokens before this call.
    #[serde(default)]
    pub revoke_tokens: bool,
    /// The faults of the service during this call.
    #[serde(default)]
    pub faults: Vec<Fault>,
    /// Texts of the output that later calls use, as JSON pointers by their name.
    #[serde(default)]
    pub save: BTreeMap<String, String>,
    /// The expected result.
    #[serde(flatten)]
    pub expected: Expected,
    /// Documented differences of faces from the expected result, by the name of the face.
    #[serde(default)]
    pub instead: BTreeMap<String, Difference>,
}

fn no_arguments() -> Value {
    Value::Object(serde_json::Map::new())
}

/// The expected result of a call. Members that are left out are not compared.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Expected {
    /// A pattern of the output. The call succeeds then.
    pub output: Option<Value>,
    /// True if the action changed something.
    pub changed: Option<bool>,
    /// A pattern of the failure record. The call fails then.
    pub failure: Option<Value>,
    /// The HTTP status of a failure, if it is not the one of the code.
    pub http_status: Option<u16>,
    /// The requests to the service without those for tokens: their methods and targets, or their number.
    pub requests: Option<Value>,
    /// The number of token requests.
    pub tokens: Option<usize>,
}

/// A documented difference of a face. Its members replace those of the call.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// The reason.
    pub because: String,
    /// The members that differ.
    #[serde(flatten)]
    pub expected: Expected,
}

impl Call {
    /// The expected result on a face, and the reason if it differs from that of the others.
    pub(crate) fn expected_on(&self, face: &str) -> (Expected, Option<&str>) {
        let mut expected = self.expected.clone();
        let Some(Difference { because, expected: other }) = self.instead.get(face) else { return (expected, None) };
        if other.output.is_some() || other.failure.is_some() {
            (expected.output, expected.failure) = (other.output.clone(), other.failure.clone());
        }
        expected.changed = other.changed.or(expected.changed);
        expected.http_status = other.http_status.or(expected.http_status);
        expected.requests = other.requests.clone().or(expected.requests);
        expected.tokens = other.tokens.or(expected.tokens);
        (expected, Some(because))
    }
}

/// A fault of the service.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The operation whose next request it meets.
    pub on: OperationName,
    /// The fault itself.
    pub fault: FaultKind,
    /// The number of requests that it meets.
    #[serde(default = "once")]
    pub times: usize,
}

fn once() -> usize {
    1
}

/// The kind of a fault.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum FaultKind {
    /// The request is ignored, and gets this response.
    Reply {
        /// The status.
        status: u16,
        /// Additional headers.
        #[serde(default)]
        headers: BTreeMap<String, String>,
        /// The body: a text as it is, anything else as JSON.
        #[serde(default)]
        body: Value,
    },
    /// The response comes after so many milliseconds.
    Delay(u64),
    /// The request is ignored, and the connection is closed.
    Close,
    /// The request is carried out, and the connection is closed without a response.
    Lose,
}

impl FaultKind {
    /// The fault as the simulator has it. `fill` replaces the placeholders of a text.
    pub(crate) fn fault(&self, fill: impl Fn(&str) -> Result<String, String>) -> Result<simulator::Fault, String> {
        Ok(match self {
            Self::Reply { status, headers, body } => simulator::Fault::Reply {
                status: *status,
                headers: headers.clone().into_iter().collect(),
                body: match body {
                    Value::Null => String::new(),
                    Value::String(body) => fill(body)?,
                    body => fill(&body.to_string())?,
                },
            },
            Self::Delay(milliseconds) => simulator::Fault::Delay(Duration::from_millis(*milliseconds)),
            Self::Close => simulator::Fault::Close,
            Self::Lose => simulator::Fault::Lose,
        })
    }
}

/// An operation of the service: `token`, `list`, `get`, `suspend` or `reactivate`.
#[derive(Debug, Clone, Copy)]
pub struct OperationName(pub Operation);

impl<'de> Deserialize<'de> for OperationName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let operation = match name.as_str() {
            "token" => Operation::Token,
            "list" => Operation::List,
            "get" => Operation::Get,
            "suspend" => Operation::Suspend,
            "reactivate" => Operation::Reactivate,
            _ => return Err(serde::de::Error::custom(format!("there is no operation {name:?}"))),
        };
        Ok(Self(operation))
    }
}

impl Table {
    /// The table of this project.
    ///
    /// # Errors
    ///
    /// The place at which the file is not a table.
    pub fn own() -> Result<Self, String> {
        Self::parse(include_str!("../table.json")).map_err(|error| format!("table.json: {error}"))
    }

    /// Reads a table.
    ///
    /// # Errors
    ///
    /// The place at which the text is not a table, or the name of a row that does not fit the format.
    pub fn parse(json: &str) -> Result<Self, String> {
        let table: Self = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let mut names = BTreeSet::new();
        for row in &table.rows {
            let problem = |problem: &str| Err(format!("the row {} {problem}", row.name));
            if !names.insert(&row.name) {
                return problem("is there twice");
            }
            if row.calls.is_empty() {
                return problem("has no calls");
            }
            for call in &row.calls {
                if call.expected.output.is_some() == call.expected.failure.is_some() {
                    return problem("expects neither an output nor a failure of a call, or both");
                }
            }
        }
        Ok(table)
    }

    /// The codes of failures that the rows expect, also those within an output.
    #[must_use]
    pub fn codes(&self) -> BTreeSet<String> {
        let mut codes = BTreeSet::new();
        for expected in self.rows.iter().flat_map(|row| &row.calls).map(|call| &call.expected) {
            expected.output.iter().chain(&expected.failure).for_each(|pattern| collect(pattern, &mut codes));
        }
        codes
    }
}

/// Collects the members `code` of a pattern.
fn collect(pattern: &Value, codes: &mut BTreeSet<String>) {
    match pattern {
        Value::Object(members) => {
            codes.extend(members.get("code").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| collect(member, codes));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, codes)),
        _ => {}
    }
}
