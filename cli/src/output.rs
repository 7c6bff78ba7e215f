//! Output: results go to standard output as a table, JSON or CSV, everything else to standard error.

use std::io::{self, IsTerminal, Write};

use comfy_table::{ContentArrangement, Table, presets};
use onepassword_users_host::types::{self, ChangeOutcome, UserState};
use onepassword_users_host::{Error, StateChange, User};
use serde::Serialize;
use serde_json::{Value, json};

use crate::args::Format;
use crate::failure::{Failure, record, sentence};

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
    pub(crate) result: Result<types::StateChange, Error>,
}

impl Output {
    pub(crate) fn new(format: Option<Format>, simulated: bool) -> Self {
        let default = if io::stdout().is_terminal() { Format::Table } else { Format::Json };
        Self { format: format.unwrap_or(default), simulated }
    }

    pub(crate) fn users(&self, users: Vec<types::User>, next_page_token: Option<&str>) -> Result<(), Failure> {
        match self.format {
            Format::Table => self.table(&["ID", "STATE", "E-MAIL", "NAME", "CREATED"], users.iter().map(user_row)),
            Format::Json => {
                let users: Vec<User> = users.into_iter().map(User::from).collect();
                self.json(json!({ "users": users, "next_page_token": next_page_token }))
            }
            Format::Csv => csv(users.into_iter().map(User::from), &USER_COLUMNS),
        }
    }

    pub(crate) fn user(&self, user: types::User) -> Result<(), Failure> {
        match self.format {
            Format::Table => {
                let rows = [
                    ("Id", user.id.as_str()),
                    ("E-mail", &user.email),
                    ("Name", &user.display_name),
                    ("State", state_label(&user)),
                    ("Created", &user.create_time),
                    ("Path", &user.path),
                ];
                self.table(&[], rows.into_iter().map(|(label, value)| vec![label.into(), value.into()]))
            }
            Format::Json => self.json(json!({ "user": User::from(user) })),
            Format::Csv => csv([User::from(user)], &USER_COLUMNS),
        }
    }

    pub(crate) fn changes(&self, outcomes: &[Outcome]) -> Result<(), Failure> {
        match self.format {
            Format::Table => self.table(
                &["USER", "RESULT", "STATE", "NAME", "ID"],
                outcomes.iter().map(|Outcome { input, result }| match result {
                    Ok(types::StateChange { user, outcome: result }) => vec![
                        input.clone(),
                        outcome(*result).replace('-', " "),
                        state_label(user).into(),
                        user.display_name.clone(),
                        user.id.clone(),
                    ],
                    Err(error) => {
                        let code = error.failure().code.name().into();
                        vec![input.clone(), code, String::new(), String::new(), String::new()]
                    }
                }),
            ),
            Format::Json => self.json(json!({ "results": outcomes.iter().map(outcome_json).collect::<Vec<_>>() })),
            Format::Csv => csv(
                outcomes.iter().map(|Outcome { input, result }| match result {
                    Ok(types::StateChange { user, outcome: result }) => {
                        [input.as_str(), outcome(*result), state_name(user), &user.email, &user.id, "", ""]
                            .map(String::from)
                    }
                    Err(error) => {
                        let failure = record(error);
                        [input.as_str(), "", "", "", "", failure.code.name(), &sentence(&failure)].map(String::from)
                    }
                }),
                &["input", "outcome", "state", "email", "id", "error", "message"],
            ),
        }
    }

    /// The report of a test, as the connector returned it.
    pub(crate) fn test_report(&self, report: &str) -> Result<(), Failure> {
        let unreadable = |error| Failure::other(format!("the report of the test cannot be read: {error}"));
        let report: Value = serde_json::from_str(report).map_err(unreadable)?;
        let checks = report.get("checks").and_then(Value::as_array).into_iter().flatten();
        let cell = |check: &Value, key| check.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let rows = checks.map(|check| vec![cell(check, "check"), cell(check, "result")]);
        match self.format {
            Format::Table => self.table(&[], rows),
            Format::Csv => csv(rows, &["check", "result"]),
            Format::Json => self.json(report.clone()),
        }
    }

    /// Prints text for people.
    pub(crate) fn text(&self, text: &str) -> Result<(), Failure> {
        print(&text.lines().map(|line| printable(line) + "\n").collect::<String>())
    }

    /// Prints rows, as a table or in CSV.
    pub(crate) fn rows(&self, header: &[&str], rows: Vec<Vec<String>>) -> Result<(), Failure> {
        match self.format {
            Format::Csv => csv(rows, header),
            Format::Table | Format::Json => self.table(header, rows.into_iter()),
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
    pub(crate) fn json(&self, value: Value) -> Result<(), Failure> {
        let mut marked = json!({ "simulated": self.simulated });
        if let (Value::Object(marked), Value::Object(members)) = (&mut marked, value) {
            marked.extend(members);
        }
        print(&format!("{marked:#}\n"))
    }
}

/// The columns of a user in CSV: the members of its JSON form.
const USER_COLUMNS: [&str; 7] = ["id", "email", "display_name", "state", "service_state", "create_time", "path"];

fn user_row(user: &types::User) -> Vec<String> {
    let day = user.create_time.split('T').next().unwrap_or_default();
    [&user.id, state_label(user), &user.email, &user.display_name, day].map(String::from).into()
}

fn state_name(user: &types::User) -> &'static str {
    match user.state {
        UserState::Active => "active",
        UserState::Suspended => "suspended",
        UserState::Other => "other",
    }
}

/// The state for people: the service's own word if it is another state.
fn state_label(user: &types::User) -> &str {
    if user.state == UserState::Other { &user.service_state } else { state_name(user) }
}

pub(crate) fn outcome(outcome: ChangeOutcome) -> &'static str {
    match outcome {
        ChangeOutcome::Changed => "changed",
        ChangeOutcome::Unchanged => "unchanged",
        ChangeOutcome::WouldChange => "would-change",
    }
}

/// The outcome of one user: `input` and the members of the change, or `input` and `error`.
fn outcome_json(Outcome { input, result }: &Outcome) -> Value {
    let mut json = json!({ "input": input });
    let members = match result {
        Ok(change) => json!(StateChange::from(change.clone())),
        Err(error) => json!({ "error": record(error) }),
    };
    if let (Value::Object(json), Value::Object(members)) = (&mut json, members) {
        json.extend(members);
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
pub(crate) fn printable(text: &str) -> String {
    let is_unsafe = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if is_unsafe(c) { '\u{fffd}' } else { c }).collect()
}
