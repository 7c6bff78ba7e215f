//! Output: results go to standard output as a table, JSON or CSV, everything else to standard error.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use comfy_table::{ContentArrangement, Table, presets};
use onepassword_users_host::types::{self, ChangeOutcome, UserState};
use onepassword_users_host::{Error, StateChange, User, is_printable};
use serde::Serialize;
use serde_json::{Value, json};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

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
            Format::Ndjson => {
                let mut lines = String::new();
                for user in users {
                    lines += &line(&json!(User::from(user)));
                }
                print(&lines)?;
                self.json(json!({ "next_page_token": next_page_token }))
            }
            Format::Csv | Format::CsvRaw => self.csv(users.into_iter().map(user_cells), &USER_COLUMNS),
        }
    }

    pub(crate) fn user(&self, user: types::User) -> Result<(), Failure> {
        match self.format {
            Format::Table => {
                let rows = [
                    ("Id", user.id.as_str()),
                    ("E-mail", &user.email),
                    ("Name", &cut(&user.display_name)),
                    ("State", state_label(&user)),
                    ("Created", &user.create_time),
                    ("Path", &user.path),
                ];
                self.table(&[], rows.into_iter().map(|(label, value)| vec![label.into(), value.into()]))
            }
            Format::Json | Format::Ndjson => self.json(json!({ "user": User::from(user) })),
            Format::Csv | Format::CsvRaw => self.csv([user_cells(user)], &USER_COLUMNS),
        }
    }

    /// Prints the outcome of one user, in the format that has a line for each.
    pub(crate) fn changed(&self, outcome: &Outcome) -> Result<(), Failure> {
        if self.format == Format::Ndjson { self.json(outcome_json(outcome)) } else { Ok(()) }
    }

    /// Prints all outcomes, in the formats that have them together, and the users that were not processed.
    pub(crate) fn changes(&self, outcomes: &[Outcome], left: &[&str]) -> Result<(), Failure> {
        match self.format {
            Format::Table => self.table(
                &["USER", "RESULT", "STATE", "NAME", "ID"],
                outcomes.iter().map(|Outcome { input, result }| match result {
                    Ok(types::StateChange { user, outcome: result }) => vec![
                        input.clone(),
                        outcome(*result).replace('-', " "),
                        state_label(user).into(),
                        cut(&user.display_name),
                        user.id.clone(),
                    ],
                    Err(error) => {
                        let code = error.failure().code.name().into();
                        vec![input.clone(), code, String::new(), String::new(), String::new()]
                    }
                }),
            ),
            Format::Json => {
                let results: Vec<Value> = outcomes.iter().map(outcome_json).collect();
                self.json(json!({ "results": results, "not_processed": left }))
            }
            Format::Ndjson => self.json(json!({ "summary": Summary::of(outcomes), "not_processed": left })),
            Format::Csv | Format::CsvRaw => self.csv(
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
            Format::Csv | Format::CsvRaw => self.csv(rows, &["check", "result"]),
            Format::Json | Format::Ndjson => self.json(report.clone()),
        }
    }

    /// Prints text for people.
    pub(crate) fn text(&self, text: &str) -> Result<(), Failure> {
        print(&text.lines().map(|line| printable(line) + "\n").collect::<String>())
    }

    /// Prints rows, as a table or in CSV.
    pub(crate) fn rows(&self, header: &[&str], rows: Vec<Vec<String>>) -> Result<(), Failure> {
        match self.format {
            Format::Csv | Format::CsvRaw => self.csv(rows, header),
            Format::Table | Format::Json | Format::Ndjson => self.table(header, rows.into_iter()),
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
            table.add_row(row.into_iter().map(|cell| cut_to(&cell, MAX_CELL_COLUMNS)));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        print(&format!("{}\n", table.trim_fmt()))
    }

    /// Prints a JSON object: `simulated`, then the members of `value`. On one line in the format for lines.
    pub(crate) fn json(&self, value: Value) -> Result<(), Failure> {
        let mut marked = json!({ "simulated": self.simulated });
        if let (Value::Object(marked), Value::Object(members)) = (&mut marked, value) {
            marked.extend(members);
        }
        print_json(&marked, Some(self.format))
    }

    fn csv<R>(&self, rows: impl IntoIterator<Item = R>, header: &[&str]) -> Result<(), Failure>
    where
        R: IntoIterator<Item = String>,
    {
        let is_raw = self.format == Format::CsvRaw;
        let mut writer = csv::Writer::from_writer(Vec::new());
        let write = || {
            writer.write_record(header)?;
            for row in rows {
                writer.write_record(row.into_iter().map(|cell| if is_raw { cell } else { without_formula(&cell) }))?;
            }
            Ok::<(), csv::Error>(())
        };
        let bytes = write().and_then(|()| writer.into_inner().map_err(|error| error.into_error().into()));
        match bytes.map(String::from_utf8) {
            // Terminals get it without characters that could move the cursor, programs get it as it is.
            Ok(Ok(text)) if io::stdout().is_terminal() => {
                print(&text.lines().map(|line| printable(line) + "\n").collect::<String>())
            }
            Ok(Ok(text)) => print(&text),
            _ => Err(Failure::other("cannot write the result as CSV".into())),
        }
    }
}

/// The numbers of outcomes of a command.
#[derive(Default, Serialize)]
pub(crate) struct Summary {
    changed: usize,
    unchanged: usize,
    pub(crate) would_change: usize,
    failed: usize,
}

impl Summary {
    pub(crate) fn of(outcomes: &[Outcome]) -> Self {
        let mut summary = Self::default();
        for Outcome { result, .. } in outcomes {
            let count = match result.as_ref().map(|change| change.outcome) {
                Ok(ChangeOutcome::Changed) => &mut summary.changed,
                Ok(ChangeOutcome::Unchanged) => &mut summary.unchanged,
                Ok(ChangeOutcome::WouldChange) => &mut summary.would_change,
                Err(_) => &mut summary.failed,
            };
            *count += 1;
        }
        summary
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { changed, unchanged, would_change, failed } = self;
        let users = changed + unchanged + would_change + failed;
        write!(f, "{users} users: {changed} changed, {unchanged} unchanged")?;
        if *would_change > 0 {
            write!(f, ", {would_change} would change")?;
        }
        write!(f, ", {failed} failed")
    }
}

/// The widest cell in a table, in columns. No id and no address is as long.
const MAX_CELL_COLUMNS: usize = 400;
/// The widest name in a table, in columns. Ids and addresses are not cut.
const MAX_NAME_COLUMNS: usize = 40;

/// A name, cut for a table.
pub(crate) fn cut(name: &str) -> String {
    cut_to(name, MAX_NAME_COLUMNS)
}

/// A text in at most so many columns.
fn cut_to(text: &str, max: usize) -> String {
    let text = printable(text);
    if text.width() <= max {
        return text;
    }
    let mut columns = 0;
    let fits = |c: &char| {
        columns += c.width().unwrap_or(0);
        columns < max
    };
    text.chars().take_while(fits).collect::<String>() + "…"
}

/// A cell that no spreadsheet runs as a formula: with ' before each character that begins one, at the beginning or after what
/// separates cells in some countries.
fn without_formula(cell: &str) -> String {
    let (mut safe, mut is_start) = (String::with_capacity(cell.len()), true);
    for c in cell.chars() {
        if is_start && matches!(c, '=' | '+' | '-' | '@' | '−' | '＝' | '＋' | '－' | '＠') {
            safe.push('\'');
        }
        is_start = match c {
            ';' | ',' | '|' | '"' => true,
            c if c.is_whitespace() || !is_printable(c) => is_start || c.is_control(),
            _ => false,
        };
        safe.push(c);
    }
    printable(&safe)
}

/// The columns of a user in CSV: the members of its JSON form.
const USER_COLUMNS: [&str; 7] = ["id", "email", "display_name", "state", "service_state", "create_time", "path"];

fn user_row(user: &types::User) -> Vec<String> {
    let day = user.create_time.split('T').next().unwrap_or_default();
    let name = cut(&user.display_name);
    [user.id.as_str(), state_label(user), &user.email, &name, day].map(String::from).into()
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

fn user_cells(user: types::User) -> [String; 7] {
    let User { id, email, display_name, state, service_state, create_time, path } = User::from(user);
    [id, email, display_name, state.name().into(), service_state.into_owned(), create_time, path]
}

/// True once something was written to standard output.
static HAS_PRINTED: AtomicBool = AtomicBool::new(false);

/// True once something was written to standard output.
pub(crate) fn has_printed() -> bool {
    HAS_PRINTED.load(Ordering::Relaxed)
}

/// Writes to standard output. A closed pipe is not a failure: a reader such as `head` may stop early.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    print_bytes(text.as_bytes())
}

/// As [`print`].
pub(crate) fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    HAS_PRINTED.store(true, Ordering::Relaxed);
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::other(format!("the result could not be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// Prints a JSON value: on one line in the format for lines, and indented otherwise.
pub(crate) fn print_json(value: &Value, format: Option<Format>) -> Result<(), Failure> {
    print(&if format == Some(Format::Ndjson) { line(value) } else { escaped(&format!("{value:#}\n")) })
}

/// A JSON value on a line of its own.
pub(crate) fn line(value: &Value) -> String {
    escaped(&format!("{value}\n"))
}

/// JSON in which characters that are not printable have escapes. It means the same.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c == '\n' || is_printable(c) {
            text.push(c);
        } else {
            let units = c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect::<String>();
            text += &units;
        }
    }
    text
}

/// Prints a line to standard error, in which only what is printable is shown.
pub(crate) fn print_message(text: &str) {
    let _ = writeln!(io::stderr(), "{}", printable(text));
}

/// True if standard error may have colours and moving parts.
pub(crate) fn is_styled() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    io::stderr().is_terminal() && !is_set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Replaces characters that could move the cursor, hide text or reverse its direction. Names are untrusted.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if is_printable(c) { c } else { '\u{fffd}' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_41_json_shows_no_character_that_deceives_and_means_the_same() {
        let value = json!({ "a\u{202e}": "\u{9b}\u{1b}[31m \u{2028}\u{e0041} é\n" });
        let text = escaped(&value.to_string());
        assert!(text.chars().all(is_printable), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    #[test]
    fn row_42_no_cell_begins_a_formula() {
        for cell in ["=1+1", "+1", "-1", "@SUM(A1)", "＝1", "−1"] {
            assert_eq!(without_formula(cell), format!("'{cell}"));
        }
        for cell in ["\t=1", " =1", "\r=1", "\u{a0}=1", "\u{200b}=1", "x;=1", "x; +1", "x\t=1", "x,@a", "x\n-1"] {
            let safe = without_formula(cell);
            assert!(safe.contains("'=") || safe.contains("'+") || safe.contains("'@") || safe.contains("'-"), "{safe}");
            assert!(safe.chars().all(is_printable), "{safe:?}");
        }
        for cell in ["a=1", "Anne-Marie", "a@example.com", "2024-06-05T01:32:17Z", "Smith, J."] {
            assert_eq!(without_formula(cell), cell);
        }
    }
}
