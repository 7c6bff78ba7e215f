//! Output: results go to standard output as a table, JSON or CSV, everything else to standard error.

use std::io::{self, IsTerminal, Write};

use comfy_table::{ContentArrangement, Table, presets};
use onepassword_users_host::Error;
use onepassword_users_host::types::{Change, Error as Action, StateChange, User, UserState};
use serde::Serialize;
use serde_json::{Value, json};

use crate::args::Format;
use crate::failure::Failure;

/// The format of results.
pub(crate) struct Output {
    pub(crate) format: Format,
    /// True if the results are those of a simulated account. JSON says so.
    pub(crate) simulated: bool,
}

/// The result of a change to one of several users.
pub(crate) struct Outcome {
    /// The user as given on the command line.
    pub(crate) input: String,
    pub(crate) result: Result<StateChange, Error>,
}

impl Output {
    pub(crate) fn new(format: Option<Format>, simulated: bool) -> Self {
        let default = if io::stdout().is_terminal() { Format::Table } else { Format::Json };
        Self { format: format.unwrap_or(default), simulated }
    }

    pub(crate) fn users(&self, users: &[User], next_page_token: Option<&str>) -> Result<(), Failure> {
        match self.format {
            Format::Table => self.table(&["ID", "STATE", "E-MAIL", "NAME", "CREATED"], users.iter().map(user_row)),
            Format::Json => self.json(json!({
                "users": users.iter().map(UserJson::from).collect::<Vec<_>>(),
                "next_page_token": next_page_token,
            })),
            Format::Csv => csv(users.iter().map(UserJson::from), UserJson::HEADER),
        }
    }

    pub(crate) fn user(&self, user: &User) -> Result<(), Failure> {
        match self.format {
            Format::Table => {
                let user = UserJson::from(user);
                let rows = [
                    ("Id", user.id),
                    ("E-mail", user.email),
                    ("Name", user.display_name),
                    ("State", user.state),
                    ("Created", user.create_time),
                    ("Path", user.path),
                ];
                self.table(&[], rows.into_iter().map(|(label, value)| vec![label.into(), value.into()]))
            }
            Format::Json => self.json(json!({ "user": UserJson::from(user) })),
            Format::Csv => csv([UserJson::from(user)], UserJson::HEADER),
        }
    }

    pub(crate) fn changes(&self, outcomes: &[Outcome]) -> Result<(), Failure> {
        match self.format {
            Format::Table => self.table(
                &["USER", "RESULT", "STATE", "NAME", "ID"],
                outcomes.iter().map(|outcome| match &outcome.result {
                    Ok(StateChange { user, change }) => vec![
                        outcome.input.clone(),
                        change_label(*change).into(),
                        state_name(&user.state).into(),
                        user.display_name.clone(),
                        user.id.clone(),
                    ],
                    Err(error) => {
                        vec![outcome.input.clone(), error.code().into(), String::new(), String::new(), String::new()]
                    }
                }),
            ),
            Format::Json => self.json(json!({ "results": outcomes.iter().map(outcome_json).collect::<Vec<_>>() })),
            Format::Csv => csv(
                outcomes.iter().map(|outcome| match &outcome.result {
                    Ok(StateChange { user, change }) => [
                        outcome.input.as_str(),
                        change_code(*change),
                        state_name(&user.state),
                        &user.email,
                        &user.id,
                        "",
                        "",
                    ]
                    .map(String::from),
                    Err(error) => {
                        [outcome.input.as_str(), "", "", "", "", error.code(), &error.to_string()].map(String::from)
                    }
                }),
                &["input", "change", "state", "email", "id", "error", "message"],
            ),
        }
    }

    pub(crate) fn test_report(&self, checks: &[(&str, String)]) -> Result<(), Failure> {
        match self.format {
            Format::Table => self.table(&[], checks.iter().map(|(name, value)| vec![(*name).into(), value.clone()])),
            Format::Json | Format::Csv => self.json(json!({
                "ok": true,
                "checks": checks.iter().map(|(name, value)| json!({ "check": name, "result": value })).collect::<Vec<_>>(),
            })),
        }
    }

    /// Prints a table. Columns are never wrapped to fit the terminal: a wrapped value cannot be copied.
    fn table(&self, header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Result<(), Failure> {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        if !header.is_empty() {
            table.set_header(header.iter().copied());
        }
        for row in rows {
            table.add_row(row.into_iter().map(|cell| printable(&cell)));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        print(&format!("{}\n", table.trim_fmt()))
    }

    /// Prints a JSON object: `simulated`, then the members of `value`.
    fn json(&self, value: Value) -> Result<(), Failure> {
        let mut marked = json!({ "simulated": self.simulated });
        if let (Value::Object(marked), Value::Object(members)) = (&mut marked, value) {
            marked.extend(members);
        }
        print(&format!("{marked:#}\n"))
    }
}

/// A user with the service's names for the fields.
#[derive(Serialize)]
struct UserJson<'a> {
    id: &'a str,
    email: &'a str,
    display_name: &'a str,
    state: &'a str,
    create_time: &'a str,
    path: &'a str,
}

impl UserJson<'_> {
    const HEADER: &'static [&'static str] = &["id", "email", "display_name", "state", "create_time", "path"];
}

impl<'a> From<&'a User> for UserJson<'a> {
    fn from(user: &'a User) -> Self {
        Self {
            id: &user.id,
            email: &user.email,
            display_name: &user.display_name,
            state: state_name(&user.state),
            create_time: &user.create_time,
            path: &user.path,
        }
    }
}

fn user_row(user: &User) -> Vec<String> {
    let day = user.create_time.split('T').next().unwrap_or_default();
    [&user.id, state_name(&user.state), &user.email, &user.display_name, day].map(String::from).into()
}

fn state_name(state: &UserState) -> &str {
    match state {
        UserState::Active => "active",
        UserState::Suspended => "suspended",
        UserState::Other(other) => other,
    }
}

pub(crate) fn change_code(change: Change) -> &'static str {
    match change {
        Change::Changed => "changed",
        Change::Already => "already",
        Change::WouldChange => "would-change",
        Change::NotChecked => "not-checked",
    }
}

fn change_label(change: Change) -> &'static str {
    match change {
        Change::Changed => "changed",
        Change::Already => "unchanged",
        Change::WouldChange => "would change",
        Change::NotChecked => "done, previous state not checked",
    }
}

fn outcome_json(outcome: &Outcome) -> Value {
    match &outcome.result {
        Ok(StateChange { user, change }) => {
            json!({ "input": outcome.input, "change": change_code(*change), "user": UserJson::from(user) })
        }
        Err(error) => json!({ "input": outcome.input, "error": error_json(error) }),
    }
}

/// An error with the fields that a program may act on.
fn error_json(error: &Error) -> Value {
    let mut json = json!({ "code": error.code(), "message": error.to_string() });
    let Error::Action(error) = error else { return json };
    let mut add = |name: &str, value: Value| json.as_object_mut().and_then(|json| json.insert(name.into(), value));
    add("retryable", error.is_retryable().into());
    match error {
        Action::InvalidArgument(error) => add("argument", error.argument.as_str().into()),
        Action::Misconfigured(error) => add("name", error.name.as_str().into()),
        Action::AmbiguousUser(error) => add("user_ids", error.user_ids.clone().into()),
        Action::RateLimited(error) => add("retry_after", error.retry_after.into()),
        Action::Unavailable(error) => {
            add("retry_after", error.retry_after.into());
            add("may_have_changed", error.may_have_changed.into())
        }
        Action::InvalidResponse(error) => add("may_have_changed", error.may_have_changed.into()),
        _ => None,
    };
    if let Some(reply) = error.reply() {
        add("reply", json!({ "status": reply.status, "code": reply.code, "message": reply.message }));
    }
    json
}

fn csv<T: Serialize>(rows: impl IntoIterator<Item = T>, header: &[&str]) -> Result<(), Failure> {
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    let written = writer.write_record(header).and_then(|()| rows.into_iter().try_for_each(|row| writer.serialize(row)));
    let bytes = written.and_then(|()| writer.into_inner().map_err(|error| error.into_error().into()));
    match bytes.map(String::from_utf8) {
        // Terminals get it without characters that could move the cursor, programs get it as it is.
        Ok(Ok(text)) if io::stdout().is_terminal() => {
            print(&text.lines().map(|line| printable(line) + "\n").collect::<String>())
        }
        Ok(Ok(text)) => print(&text),
        _ => Err(Failure::other("cannot write the result as CSV".into())),
    }
}

/// Writes to standard output. A closed pipe is not a failure: a reader such as `head` may stop early.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::other(format!("the result could not be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// Replaces characters that could move the cursor or reverse the text direction. Names are untrusted.
fn printable(text: &str) -> String {
    let is_unsafe = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if is_unsafe(c) { '\u{fffd}' } else { c }).collect()
}
