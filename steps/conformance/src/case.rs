//! The format of the cases, which `README.md` and `case.schema.json` of this folder describe.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The files of cases, each a group.
const FILES: [(&str, &str); 10] = [
    ("actions", include_str!("../cases/actions.json")),
    ("bodies", include_str!("../cases/bodies.json")),
    ("changes", include_str!("../cases/changes.json")),
    ("connections", include_str!("../cases/connections.json")),
    ("headers", include_str!("../cases/headers.json")),
    ("look-ups", include_str!("../cases/look-ups.json")),
    ("redirects", include_str!("../cases/redirects.json")),
    ("secrets", include_str!("../cases/secrets.json")),
    ("sessions", include_str!("../cases/sessions.json")),
    ("waits", include_str!("../cases/waits.json")),
];

/// A file of cases that belong together.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Group {
    /// The property of a driver that the cases prove, as a sentence.
    pub proves: String,
    /// The cases.
    pub cases: Vec<Case>,
}

/// A scripted exchange, and what must come of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Case {
    /// The name: lower case, words joined by hyphens.
    pub name: String,
    /// The rule that the case holds a driver to, as a sentence.
    pub about: String,
    /// True if only a driver of steps can pass: it needs overlapping actions or an audit of requests.
    #[serde(default)]
    pub steps_only: bool,
    /// True if nothing listens on the port of `base-url`.
    #[serde(default)]
    pub(crate) port_closed: bool,
    /// True if the actions run at the same time.
    #[serde(default)]
    pub(crate) together: bool,
    pub(crate) actions: Vec<Act>,
    #[serde(default)]
    pub(crate) settings: BTreeMap<String, Option<String>>,
    #[serde(default)]
    pub(crate) secrets: BTreeMap<String, Option<String>>,
    #[serde(default)]
    pub(crate) lookups: Lookups,
    #[serde(default)]
    pub(crate) exchanges: Vec<Entry>,
    /// The user ids that an audit must have seen before the changes were sent.
    #[serde(default)]
    pub(crate) audit: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) at_least_ms: u64,
    #[serde(default)]
    pub(crate) at_most_ms: Option<u64>,
    /// The time to watch for more requests after the report.
    #[serde(default)]
    pub(crate) settle_ms: u64,
}

/// An action of a case.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Act {
    pub(crate) action: String,
    #[serde(default)]
    pub(crate) arguments: Option<Value>,
    #[serde(default)]
    pub(crate) drop_after_ms: Option<u64>,
    pub(crate) expect: Expected,
    /// Other outcomes that are right as well.
    #[serde(default)]
    pub(crate) or: Vec<Expected>,
}

/// An outcome that is right.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(crate) enum Expected {
    /// The action has succeeded.
    Output {
        /// Members that the result must have.
        #[serde(default)]
        has: Value,
        /// The lengths of arrays of the result.
        #[serde(default)]
        counts: BTreeMap<String, usize>,
        #[serde(default)]
        changed: bool,
    },
    /// The action has failed.
    Failure {
        /// Members that the failure record must have.
        has: Value,
        /// A part of the message.
        #[serde(default)]
        message: Option<String>,
        /// The bounds of `retry_after`.
        #[serde(default)]
        retry_after: Option<[u64; 2]>,
    },
    /// The runner has dropped the action.
    Dropped {},
}

/// The behaviour of the look-ups of settings and secrets.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lookups {
    #[serde(default)]
    pub(crate) failing: BTreeMap<String, LookupFailure>,
    #[serde(default)]
    pub(crate) slow_ms: BTreeMap<String, u64>,
    #[serde(default)]
    pub(crate) hanging: Vec<String>,
    #[serde(default)]
    pub(crate) limit_ms: Option<u64>,
}

/// An element of `exchanges`.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Entry {
    Named(Named),
    Exchange(Box<Exchange>),
}

/// An exchange that most cases have.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Named {
    /// A token request that succeeds.
    Token,
}

/// A request that is expected, and its answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exchange {
    pub(crate) request: Expectation,
    #[serde(default)]
    pub(crate) answer: Answer,
    #[serde(default = "once")]
    pub(crate) times: u32,
    /// True if the request need not come.
    #[serde(default)]
    pub(crate) optional: bool,
}

fn once() -> u32 {
    1
}

/// A request that is expected.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expectation {
    pub(crate) method: String,
    pub(crate) target: String,
    /// The token of the header `Authorization`, unless the target is the token's route.
    #[serde(default)]
    pub(crate) bearer: Option<String>,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) absent: Vec<String>,
    /// The least time between the previous answer and this request.
    #[serde(default)]
    pub(crate) not_before_ms: u64,
}

/// An answer of the service.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answer {
    #[serde(default)]
    pub(crate) status: Option<u16>,
    #[serde(default)]
    pub(crate) headers: Vec<String>,
    #[serde(default)]
    pub(crate) body: Vec<Part>,
    /// Compresses the body. The header is not added.
    #[serde(default)]
    pub(crate) gzip: bool,
    #[serde(default)]
    pub(crate) framing: Framing,
    /// The statuses of interim answers before this one.
    #[serde(default)]
    pub(crate) interim: Vec<u16>,
    /// The pause before the answer.
    #[serde(default)]
    pub(crate) delay_ms: u64,
    /// Sends the body in pieces, with pauses between them.
    #[serde(default)]
    pub(crate) pieces: Option<Pieces>,
    /// Sends only this many bytes of the body.
    #[serde(default)]
    pub(crate) cut_after: Option<usize>,
    /// Sends these bytes instead of an answer.
    #[serde(default)]
    pub(crate) raw: Option<String>,
    /// Answers before the body of the request was read.
    #[serde(default)]
    pub(crate) early: bool,
    #[serde(default)]
    pub(crate) then: Then,
    /// The most bytes that the driver may take of an endless answer.
    #[serde(default)]
    pub(crate) at_most_bytes: Option<u64>,
}

/// A part of a body.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Part {
    /// UTF-8.
    Text(String),
    /// Any bytes.
    Base64(String),
    /// A document.
    Json(Value),
    /// A filler.
    Repeat {
        /// The text that is repeated.
        text: String,
        /// The number of its repetitions.
        times: usize,
    },
    /// The records of users, without the brackets of their array.
    Users {
        /// The number of the first one.
        first: usize,
        count: usize,
        /// The length of each name.
        name_bytes: usize,
    },
}

/// The way in which the end of a body is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Framing {
    #[default]
    Length,
    Chunked,
    /// The body ends with the connection.
    Close,
    /// There is no body, and no header about it.
    None,
}

/// The pieces of a body.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pieces {
    pub(crate) bytes: usize,
    pub(crate) pause_ms: u64,
}

/// The fate of the connection after an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Then {
    /// It is kept for the next request.
    #[default]
    Keep,
    /// It is closed without notice.
    Close,
    /// It is reset.
    Reset,
    /// Nothing more is sent, and it stays open.
    Silence,
    /// The last part of the body is sent again and again.
    Endless,
}

/// A file of cases that cannot be read, which is a fault of the kit.
#[derive(Debug)]
pub struct CaseError {
    file: &'static str,
    cause: serde_json::Error,
}

impl fmt::Display for CaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the cases of {}.json cannot be read: {}", self.file, self.cause)
    }
}

impl std::error::Error for CaseError {}

/// The groups of cases, by the names of their files.
///
/// # Errors
///
/// A file of this kit does not have the format.
pub fn groups() -> Result<Vec<(&'static str, Group)>, CaseError> {
    let read = |(file, text): &(&'static str, &str)| match serde_json::from_str(text) {
        Ok(group) => Ok((*file, group)),
        Err(cause) => Err(CaseError { file, cause }),
    };
    FILES.iter().map(read).collect()
}

/// All cases.
///
/// # Errors
///
/// As [`groups`].
pub fn cases() -> Result<Vec<Case>, CaseError> {
    Ok(groups()?.into_iter().flat_map(|(_, group)| group.cases).collect())
}

/// The failure of a look-up.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct LookupFailure {
    /// `denied` or `unavailable`.
    pub kind: String,
    /// The reason.
    pub message: String,
}
