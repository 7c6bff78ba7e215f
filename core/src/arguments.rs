//! The arguments of an action as JSON, for callers that know the action by its name only.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::api::parse::{Field, Node};
use crate::catalogue::ACTION_NAMES;
use crate::error::{ArgumentError, Error};
use crate::text::{clean, quoted};
use crate::values::change::{ChangeMode, TargetState};
use crate::values::query::ListQuery;
use crate::values::user::{StateFilter, UserRef};

/// The longest arguments, in bytes. A thousand references have about a third of it.
const MAX_BYTES: usize = 1024 * 1024;

/// An action with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Call {
    List(ListQuery),
    Get(UserRef),
    Find(Vec<Reference>),
    Change(UserRef, ChangeMode, TargetState),
}

/// A user of a search, which remembers the form that it had in JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) user: UserRef,
    pub(crate) is_text: bool,
}

#[inline(never)]
fn error(argument: &str, problem: String) -> Error {
    Error::InvalidArgument { argument: clean(argument).into(), problem: ArgumentError::Face(problem) }
}

impl Call {
    /// The call of an action by its name. The arguments are a JSON object; an empty text is one without members.
    pub(crate) fn parse(action: &str, arguments: &str) -> Result<Self, Error> {
        let names: &[&str] = match action {
            "list-users" => &["state", "limit", "page_token"],
            "get-user" => &["user"],
            "find-users" => &["users"],
            "suspend-user" | "reactivate-user" => &["user", "dry_run"],
            _ => {
                let problem = format!("there is no {}, only {}", quoted(action), ACTION_NAMES.join(", "));
                return Err(error("action", problem));
            }
        };
        let members = members(arguments)?;
        let [first, second, third] = values(&members, "arguments", names)?;
        Ok(match action {
            "list-users" => Self::List(ListQuery {
                state: state(first)?,
                limit: limit(second)?,
                page_token: text("page_token", third)?.map(Into::into),
            }),
            "get-user" => Self::Get(reference("user", first)?.user),
            "find-users" => Self::Find(references(first)?),
            _ => {
                let target = if action == "suspend-user" { TargetState::Suspended } else { TargetState::Active };
                Self::Change(reference("user", first)?.user, mode(second)?, target)
            }
        })
    }
}

type Members = [(String, Node)];

fn members(arguments: &str) -> Result<Vec<(String, Node)>, Error> {
    let problem = if arguments.trim().is_empty() {
        return Ok(Vec::new());
    } else if arguments.len() > MAX_BYTES {
        format!("they are longer than {MAX_BYTES} bytes")
    } else {
        match serde_json::from_str(arguments) {
            Ok(Node::Object(members)) => return Ok(members),
            Ok(_) => "they are not a JSON object".into(),
            Err(problem) => {
                format!("they are not valid JSON, at line {}, column {}", problem.line(), problem.column())
            }
        }
    };
    Err(error("arguments", problem))
}

/// A member that is missing or null.
const NONE: &Node = &Node::Field(Field::Absent);

/// The values of the members with these names. No others may be there, and none twice.
#[inline(never)]
fn values<'a>(members: &'a Members, owner: &str, names: &[&str]) -> Result<[&'a Node; 3], Error> {
    let mut values = [None, None, None];
    for (name, value) in members {
        let place = names.iter().position(|known| known == name);
        let (argument, problem) = match place.and_then(|place| values.get_mut(place)) {
            Some(slot @ None) => {
                *slot = Some(value);
                continue;
            }
            Some(Some(_)) => (owner, format!("{} is there twice", quoted(name))),
            None if owner == "arguments" => (name.as_str(), format!("there is only {}", names.join(", "))),
            None => (owner, format!("it has no {}, only {}", quoted(name), names.join(", "))),
        };
        return Err(error(argument, problem));
    }
    Ok(values.map(|value| value.unwrap_or(NONE)))
}

#[inline(never)]
fn text<'a>(name: &str, value: &'a Node) -> Result<Option<&'a str>, Error> {
    match value {
        Node::Field(Field::Absent) => Ok(None),
        Node::Field(Field::Text(text)) => Ok(Some(text)),
        _ => Err(error(name, "it is not a text".into())),
    }
}

fn state(value: &Node) -> Result<Option<StateFilter>, Error> {
    match text("state", value)? {
        None => Ok(None),
        Some("active") => Ok(Some(StateFilter::Active)),
        Some("suspended") => Ok(Some(StateFilter::Suspended)),
        Some(other) => Err(error("state", format!("it is active or suspended, and not {}", quoted(other)))),
    }
}

/// The limit. One beyond the range of the type is as wrong as 0, and the action names the bounds.
fn limit(value: &Node) -> Result<Option<u32>, Error> {
    match value {
        Node::Field(Field::Absent) => Ok(None),
        Node::Field(Field::Number(limit)) => Ok(Some(u32::try_from(*limit).unwrap_or(u32::MAX))),
        Node::Field(Field::Negative | Field::Odd) => Ok(Some(0)),
        _ => Err(error("limit", "it is not a number".into())),
    }
}

fn mode(value: &Node) -> Result<ChangeMode, Error> {
    match value {
        Node::Field(Field::Absent | Field::Bool(false)) => Ok(ChangeMode::Apply),
        Node::Field(Field::Bool(true)) => Ok(ChangeMode::DryRun),
        _ => Err(error("dry_run", "it is not true or false".into())),
    }
}

fn references(value: &Node) -> Result<Vec<Reference>, Error> {
    match value {
        Node::Array(users) => users.iter().map(|user| reference("users", user)).collect(),
        value => {
            let problem = if value == NONE { "it is missing" } else { "it is not an array" };
            Err(error("users", problem.into()))
        }
    }
}

/// A reference to a user: a text, which is an address if it has an `@` and otherwise an id, or an object with `id`, `email` or
/// both.
#[inline(never)]
fn reference(argument: &str, user: &Node) -> Result<Reference, Error> {
    let problem = match user {
        Node::Field(Field::Text(text)) => {
            let user = if text.contains('@') { UserRef::Email(text.clone()) } else { UserRef::Id(text.clone()) };
            return Ok(Reference { user, is_text: true });
        }
        Node::Object(members) => {
            let [id, email, _] = values(members, argument, &["id", "email"])?;
            let user = match (text("id", id), text("email", email)) {
                (Ok(Some(id)), Ok(Some(email))) => Some(UserRef::Known { id: id.into(), email: email.into() }),
                (Ok(Some(id)), Ok(None)) => Some(UserRef::Id(id.into())),
                (Ok(None), Ok(Some(email))) => Some(UserRef::Email(email.into())),
                _ => None,
            };
            match user {
                Some(user) => return Ok(Reference { user, is_text: false }),
                None => "a user has id or email or both, which are texts",
            }
        }
        Node::Field(Field::Absent) if argument == "user" => "it is missing",
        _ => "a user is a text, or an object with id, email or both",
    };
    Err(error(argument, problem.into()))
}

#[cfg(test)]
#[allow(clippy::panic, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn problem(action: &str, arguments: &str) -> (String, String) {
        match Call::parse(action, arguments) {
            Err(Error::InvalidArgument { argument, problem }) => (argument.into_owned(), problem.to_string()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn arguments_are_read_as_their_schemas_say() {
        let id = || UserRef::Id("WENDY".into());
        let email = || UserRef::Email("wendy@example.com".into());
        let known = || UserRef::Known { id: "WENDY".into(), email: "wendy@example.com".into() };
        for (action, arguments, expected) in [
            ("list-users", "", Call::List(ListQuery::default())),
            ("list-users", " {} ", Call::List(ListQuery::default())),
            (
                "list-users",
                r#"{"state":"active","limit":5.0,"page_token":"1abc"}"#,
                Call::List(ListQuery {
                    state: Some(StateFilter::Active),
                    limit: Some(5),
                    page_token: Some("1abc".into()),
                }),
            ),
            ("list-users", r#"{"state":null,"limit":null,"page_token":null}"#, Call::List(ListQuery::default())),
            (
                "list-users",
                r#"{"limit":99999999999}"#,
                Call::List(ListQuery { limit: Some(u32::MAX), ..ListQuery::default() }),
            ),
            ("list-users", r#"{"limit":-1}"#, Call::List(ListQuery { limit: Some(0), ..ListQuery::default() })),
            ("get-user", r#"{"user":"WENDY"}"#, Call::Get(id())),
            ("get-user", r#"{"user":"wendy@example.com"}"#, Call::Get(email())),
            ("get-user", r#"{"user":{"id":"WENDY"}}"#, Call::Get(id())),
            ("get-user", r#"{"user":{"email":"wendy@example.com","id":null}}"#, Call::Get(email())),
            (
                "suspend-user",
                r#"{"user":"WENDY","dry_run":true}"#,
                Call::Change(id(), ChangeMode::DryRun, TargetState::Suspended),
            ),
            (
                "suspend-user",
                r#"{"user":"WENDY","dry_run":null}"#,
                Call::Change(id(), ChangeMode::Apply, TargetState::Suspended),
            ),
            (
                "reactivate-user",
                r#"{"user":{"id":"WENDY","email":"wendy@example.com"}}"#,
                Call::Change(known(), ChangeMode::Apply, TargetState::Active),
            ),
            (
                "find-users",
                r#"{"users":["WENDY",{"id":"WENDY"}]}"#,
                Call::Find(Vec::from([
                    Reference { user: id(), is_text: true },
                    Reference { user: id(), is_text: false },
                ])),
            ),
        ] {
            assert_eq!(Call::parse(action, arguments), Ok(expected), "{action} {arguments}");
        }
    }

    #[test]
    fn bad_arguments_are_named() {
        for (action, arguments, argument, words) in [
            ("delete-user", "{}", "action", "there is no \"delete-user\", only list-users, get-user"),
            ("", "{}", "action", "there is no \"\""),
            ("get-user", "", "user", "it is missing"),
            ("get-user", r#"{"user":null}"#, "user", "it is missing"),
            ("get-user", r#"{"user":7}"#, "user", "a user is a text, or an object"),
            ("get-user", r#"{"user":["WENDY"]}"#, "user", "a user is a text, or an object"),
            ("get-user", r#"{"user":{}}"#, "user", "a user has id or email or both"),
            ("get-user", r#"{"user":{"id":7}}"#, "user", "a user has id or email or both, which are texts"),
            ("get-user", r#"{"user":{"id":"A","name":"x"}}"#, "user", "it has no \"name\", only id, email"),
            ("get-user", r#"{"user":{"id":"A","id":"B"}}"#, "user", "\"id\" is there twice"),
            ("get-user", r#"{"user":"A","user":"B"}"#, "arguments", "\"user\" is there twice"),
            ("get-user", r#"{"user":"A","dry_run":true}"#, "dry_run", "there is only user"),
            ("suspend-user", r#"{"user":"A","dry\u0000\u202erun":true}"#, "dry run", "there is only user, dry_run"),
            ("suspend-user", r#"{"user":"A","dry_run":"true"}"#, "dry_run", "it is not true or false"),
            ("suspend-user", r#"{"user":"A","dry_run":0}"#, "dry_run", "it is not true or false"),
            ("list-users", r#"{"state":"ACTIVE"}"#, "state", "active or suspended, and not \"ACTIVE\""),
            ("list-users", r#"{"limit":"5"}"#, "limit", "it is not a number"),
            ("list-users", r#"{"page_token":5}"#, "page_token", "it is not a text"),
            ("find-users", r#"{"users":"WENDY"}"#, "users", "it is not an array"),
            ("find-users", r#"{"users":[null]}"#, "users", "a user is a text"),
            ("list-users", "[]", "arguments", "not a JSON object"),
            ("list-users", "null", "arguments", "not a JSON object"),
            ("list-users", "{\n  \"limit\": }", "arguments", "not valid JSON, at line 2, column 12"),
            ("list-users", "{}{}", "arguments", "not valid JSON, at line 1, column 3"),
        ] {
            let (name, problem) = problem(action, arguments);
            assert_eq!(name, argument, "{action} {arguments}: {problem}");
            assert!(problem.contains(words), "{action} {arguments}: {problem}");
        }
        let deep = format!("{{\"user\":{}", "[".repeat(10_000));
        assert!(problem("get-user", &deep).1.contains("not valid JSON"));
        let long = format!("{{\"user\":\"{}\"}}", "A".repeat(MAX_BYTES));
        assert!(problem("get-user", &long).1.contains("longer than"));
    }

    /// Each action takes the arguments that its schema has, no others, and those of its example.
    #[test]
    fn the_schemas_have_the_arguments_that_are_read() {
        for action in crate::catalogue::ACTIONS {
            assert!(Call::parse(action.name, action.form.example.arguments).is_ok(), "{}", action.name);
            let schema: serde_json::Value = serde_json::from_str(action.form.input).unwrap();
            let mut names: Vec<&str> = schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
            let (name, words) = problem(action.name, r#"{"x":1}"#);
            let mut read: Vec<&str> = words.strip_prefix("there is only ").unwrap().split(", ").collect();
            names.sort_unstable();
            read.sort_unstable();
            assert_eq!((name.as_str(), names), ("x", read), "{}", action.name);
        }
    }
}
