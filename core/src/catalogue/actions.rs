//! The actions: their effects, and the forms of their arguments and results.

/// The kind of an action, in the terms of automation platforms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionKind {
    /// It only reads.
    Enrichment,
    /// It restricts a user, or lifts the restriction.
    Containment,
}

impl ActionKind {
    /// The name of the kind.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Enrichment => "enrichment",
            Self::Containment => "containment",
        }
    }
}

/// The effect of an action, for rules about approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionClass {
    /// It changes nothing.
    Read,
    /// It adds something, or changes something that nobody's access depends on.
    Write,
    /// It takes something away or gives it back, such as a person's access.
    Destroy,
}

impl ActionClass {
    /// The name of the class.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Destroy => "destroy",
        }
    }
}

/// The description of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActionEntry {
    /// The name: lower case, words joined by hyphens.
    pub name: &'static str,
    /// The title.
    pub title: &'static str,
    /// The effect, as a phrase.
    pub effect: &'static str,
    /// The kind.
    pub kind: ActionKind,
    /// The class.
    pub class: ActionClass,
    /// True if a repetition has no further effect.
    pub is_idempotent: bool,
    /// The action that reverts it.
    pub undo: Option<&'static str>,
    /// The permission of the OAuth application that it needs.
    pub permission: &'static str,
    /// The forms of its arguments and results.
    pub form: ActionForm,
}

/// The forms of an action's arguments and results in JSON. Paths are `JSONPath` (RFC 9535).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActionForm {
    /// The JSON Schema (2020-12) of the arguments, an object.
    pub input: &'static str,
    /// The JSON Schema (2020-12) of the result, an object.
    pub output: &'static str,
    /// A call and its result.
    pub example: Example,
    /// The rows of a table of the result: `$` if it has one row.
    pub rows: &'static str,
    /// The columns of that table.
    pub columns: &'static [Column],
    /// The arguments that mean something to other connectors.
    pub input_tags: &'static [Tag],
    /// The fields of the result that do.
    pub output_tags: &'static [Tag],
}

/// A call of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Example {
    /// The arguments in JSON.
    pub arguments: &'static str,
    /// The result in JSON.
    pub result: &'static str,
}

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// The heading.
    pub label: &'static str,
    /// The path of the cell in a row.
    pub path: &'static str,
}

/// A value with a meaning that other connectors know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag {
    /// The path of the value.
    pub path: &'static str,
    /// The meaning.
    pub meaning: Meaning,
}

/// The meaning of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The id of a user in the service.
    UserId,
    /// An e-mail address.
    EmailAddress,
}

impl Meaning {
    /// The name of the meaning.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UserId => "user-id",
            Self::EmailAddress => "email-address",
        }
    }
}

/// A user in a result.
macro_rules! user_schema {
    () => {
        concat!(
            r#"{"type":"object","required":["id","email","display_name","state","service_state","create_time","path"],"#,
            r#""properties":{"id":{"type":"string","minLength":1},"email":{"type":"string"},"display_name":{"type":"string"},"#,
            r#""state":{"enum":["active","suspended","other"]},"service_state":{"type":"string","minLength":1,"#,
            r#""description":"The service's own word"},"create_time":{"type":"string","description":"RFC 3339"},"#,
            r#""path":{"type":"string"}}}"#
        )
    };
}

/// A reference to a user in arguments and results.
macro_rules! reference_schema {
    () => {
        concat!(
            r#"{"title":"User","description":"Id or e-mail address. An object with both: the id, whose user must have the address.","#,
            r#""anyOf":[{"type":"string"},{"type":"object","minProperties":1,"additionalProperties":false,"#,
            r#""properties":{"id":{"type":"string"},"email":{"type":"string"}}}]}"#
        )
    };
}

/// The arguments of a change.
const CHANGE_INPUT: &str = concat!(
    r#"{"type":"object","required":["user"],"additionalProperties":false,"properties":{"user":"#,
    reference_schema!(),
    r#","dry_run":{"title":"Dry run","description":"Only report what the change would do","type":["boolean","null"],"#,
    r#""default":false}}}"#
);

/// The result of a change.
const CHANGE_OUTPUT: &str = concat!(
    r#"{"type":"object","required":["outcome","user"],"properties":{"#,
    r#""outcome":{"enum":["changed","unchanged","would-change"]},"user":"#,
    user_schema!(),
    "}}"
);

/// A user of the examples, in this state.
macro_rules! example_user {
    ($state:literal, $word:literal) => {
        concat!(
            r#"{"id":"IR7VJHJ36JHINBFAD7V2T5MP3E","email":"wendy@example.com","display_name":"Wendy Appleseed","state":""#,
            $state,
            r#"","service_state":""#,
            $word,
            r#"","create_time":"2026-01-15T09:30:00Z","#,
            r#""path":"accounts/ABCDEFGHIJKLMNOPQRSTUVWXYZ/users/IR7VJHJ36JHINBFAD7V2T5MP3E"}"#
        )
    };
}

const fn column(label: &'static str, path: &'static str) -> Column {
    Column { label, path }
}

const fn tag(path: &'static str, meaning: Meaning) -> Tag {
    Tag { path, meaning }
}

const USER_COLUMNS: &[Column] = &[
    column("Id", "$.id"),
    column("State", "$.state"),
    column("E-mail", "$.email"),
    column("Name", "$.display_name"),
    column("Created", "$.create_time"),
];

const CHANGE_COLUMNS: &[Column] = &[
    column("Outcome", "$.outcome"),
    column("Id", "$.user.id"),
    column("State", "$.user.state"),
    column("E-mail", "$.user.email"),
    column("Name", "$.user.display_name"),
];

const FOUND_COLUMNS: &[Column] = &[
    column("Input", "$.input"),
    column("Id", "$.user.id"),
    column("State", "$.user.state"),
    column("E-mail", "$.user.email"),
    column("Name", "$.user.display_name"),
    column("Error", "$.error.code"),
];

const USER_INPUT_TAGS: &[Tag] = &[tag("$.user", Meaning::UserId), tag("$.user", Meaning::EmailAddress)];

const CHANGE_OUTPUT_TAGS: &[Tag] = &[tag("$.user.id", Meaning::UserId), tag("$.user.email", Meaning::EmailAddress)];

/// All actions.
pub const ACTIONS: [ActionEntry; 5] = [
    ActionEntry {
        name: "list-users",
        title: "List users",
        effect: "lists all users, up to 250,000, or as many as `limit`; by state if wanted",
        kind: ActionKind::Enrichment,
        class: ActionClass::Read,
        is_idempotent: true,
        undo: None,
        permission: "list users",
        form: ActionForm {
            input: concat!(
                r#"{"type":"object","additionalProperties":false,"properties":{"#,
                r#""state":{"title":"State","description":"Only users in this state","enum":["active","suspended",null]},"#,
                r#""limit":{"title":"Limit","description":"Only this many users","type":["integer","null"],"minimum":1,"#,
                r#""maximum":250000},"page_token":{"title":"Page token","#,
                r#""description":"Continues a list with the same state","type":["string","null"]}}}"#
            ),
            output: concat!(
                r#"{"type":"object","required":["users","next_page_token"],"properties":{"users":{"type":"array","items":"#,
                user_schema!(),
                r#"},"next_page_token":{"type":["string","null"],"description":"null if there are no more users"}}}"#
            ),
            example: Example {
                arguments: r#"{"state":"active","limit":1}"#,
                result: concat!(
                    r#"{"users":["#,
                    example_user!("active", "ACTIVE"),
                    r#"],"next_page_token":"1AAEAAQ"}"#
                ),
            },
            rows: "$.users[*]",
            columns: USER_COLUMNS,
            input_tags: &[],
            output_tags: &[tag("$.users[*].id", Meaning::UserId), tag("$.users[*].email", Meaning::EmailAddress)],
        },
    },
    ActionEntry {
        name: "get-user",
        title: "Get user",
        effect: "gets one user, by id or e-mail address",
        kind: ActionKind::Enrichment,
        class: ActionClass::Read,
        is_idempotent: true,
        undo: None,
        permission: "get users",
        form: ActionForm {
            input: concat!(
                r#"{"type":"object","required":["user"],"additionalProperties":false,"properties":{"user":"#,
                reference_schema!(),
                "}}"
            ),
            output: user_schema!(),
            example: Example {
                arguments: r#"{"user":"wendy@example.com"}"#,
                result: example_user!("active", "ACTIVE"),
            },
            rows: "$",
            columns: USER_COLUMNS,
            input_tags: USER_INPUT_TAGS,
            output_tags: &[tag("$.id", Meaning::UserId), tag("$.email", Meaning::EmailAddress)],
        },
    },
    ActionEntry {
        name: "find-users",
        title: "Find users",
        effect: "gets up to 1,000 users at once, with one search for all addresses",
        kind: ActionKind::Enrichment,
        class: ActionClass::Read,
        is_idempotent: true,
        undo: None,
        permission: "list users",
        form: ActionForm {
            input: concat!(
                r#"{"type":"object","required":["users"],"additionalProperties":false,"#,
                r#""properties":{"users":{"title":"Users","type":"array","maxItems":1000,"items":"#,
                reference_schema!(),
                "}}}"
            ),
            output: concat!(
                r#"{"type":"object","required":["results"],"properties":{"results":{"type":"array","items":{"#,
                r#""type":"object","required":["input","user","error"],"properties":{"input":"#,
                reference_schema!(),
                r#","user":{"anyOf":["#,
                user_schema!(),
                r#",{"type":"null"}]},"error":{"type":["object","null"],"description":"A failure record","#,
                r#""required":["code","message","remedy"]}}}}}}"#
            ),
            example: Example {
                arguments: r#"{"users":["wendy@example.com","nobody@example.com"]}"#,
                result: concat!(
                    r#"{"results":[{"input":"wendy@example.com","user":"#,
                    example_user!("suspended", "SUSPENDED"),
                    r#","error":null},{"input":"nobody@example.com","user":null,"error":{"code":"user-not-found","#,
                    r#""class":"absent","message":"the account has no user with the e-mail address \"nobody@example.com\"","#,
                    r#""remedy":"Check the id or address, and account-id.","retryable":false,"#,
                    r#""retry_after":null,"may_have_changed":false,"subject":null,"user_id":null,"candidates":[],"#,
                    r#""more_candidates":false,"service":null}}]}"#
                ),
            },
            rows: "$.results[*]",
            columns: FOUND_COLUMNS,
            input_tags: &[tag("$.users[*]", Meaning::UserId), tag("$.users[*]", Meaning::EmailAddress)],
            output_tags: &[
                tag("$.results[*].user.id", Meaning::UserId),
                tag("$.results[*].user.email", Meaning::EmailAddress),
            ],
        },
    },
    ActionEntry {
        name: "suspend-user",
        title: "Suspend user",
        effect: "the user can no longer sign in",
        kind: ActionKind::Containment,
        class: ActionClass::Destroy,
        is_idempotent: true,
        undo: Some("reactivate-user"),
        permission: "suspend users",
        form: ActionForm {
            input: CHANGE_INPUT,
            output: CHANGE_OUTPUT,
            example: Example {
                arguments: r#"{"user":"wendy@example.com"}"#,
                result: concat!(r#"{"outcome":"changed","user":"#, example_user!("suspended", "SUSPENDED"), "}"),
            },
            rows: "$",
            columns: CHANGE_COLUMNS,
            input_tags: USER_INPUT_TAGS,
            output_tags: CHANGE_OUTPUT_TAGS,
        },
    },
    ActionEntry {
        name: "reactivate-user",
        title: "Reactivate user",
        effect: "the user can sign in again",
        kind: ActionKind::Containment,
        class: ActionClass::Destroy,
        is_idempotent: true,
        undo: Some("suspend-user"),
        permission: "reactivate users",
        form: ActionForm {
            input: CHANGE_INPUT,
            output: CHANGE_OUTPUT,
            example: Example {
                arguments: r#"{"user":{"id":"IR7VJHJ36JHINBFAD7V2T5MP3E"},"dry_run":true}"#,
                result: concat!(r#"{"outcome":"would-change","user":"#, example_user!("suspended", "SUSPENDED"), "}"),
            },
            rows: "$",
            columns: CHANGE_COLUMNS,
            input_tags: USER_INPUT_TAGS,
            output_tags: CHANGE_OUTPUT_TAGS,
        },
    },
];

/// The names of all actions. Computed at compile time, so that a component holds only the texts that it needs.
#[allow(clippy::indexing_slicing, reason = "evaluated at compile time only")]
pub(crate) const ACTION_NAMES: [&str; ACTIONS.len()] = {
    let mut names = [""; ACTIONS.len()];
    let mut place = 0;
    while place < names.len() {
        names[place] = ACTIONS[place].name;
        place += 1;
    }
    names
};

/// Texts that the manifest has several times, by the words in their place.
pub(crate) const SHARED: [(&str, &str); 6] = [
    ("change input", CHANGE_INPUT),
    ("change output", CHANGE_OUTPUT),
    ("user", user_schema!()),
    ("reference", reference_schema!()),
    ("active", example_user!("active", "ACTIVE")),
    ("suspended", example_user!("suspended", "SUSPENDED")),
];
