//! Runs the table through a face.

use std::time::Duration;

use futures::StreamExt;
use onepassword_users_host::catalogue::ERRORS;
use serde_json::{Value, json};

use crate::faces::{self, Call, Face, Failed, Observed, Settings, Stop};
use crate::pattern::{Difference, compare, expand};
use crate::schemas::Schemas;
use crate::scope::Scope;
use crate::table::{self, Expected, Row, Table};

/// The number of rows that run at once.
const CONCURRENT: usize = 8;

/// The table, and the schemas of all results.
#[derive(Debug)]
pub struct Suite {
    table: Table,
    schemas: Schemas,
}

/// The verdict on a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All results are as expected. Holds the documented differences of the face.
    Same(Vec<String>),
    /// The face cannot run the row, for this reason.
    NotApplicable(String),
    /// A result differs.
    Different(Vec<String>),
}

/// The verdicts on all rows, for one face.
#[derive(Debug)]
pub struct Report {
    /// The name of the face.
    pub face: &'static str,
    /// The verdicts by the names of the rows, in the order of the table.
    pub verdicts: Vec<(String, Verdict)>,
}

impl Report {
    /// The number of rows that ran as expected, that are not applicable, and that differ.
    #[must_use]
    pub fn counts(&self) -> [usize; 3] {
        let count = |is: fn(&Verdict) -> bool| self.verdicts.iter().filter(|(_, verdict)| is(verdict)).count();
        [
            count(|verdict| matches!(verdict, Verdict::Same(_))),
            count(|verdict| matches!(verdict, Verdict::NotApplicable(_))),
            count(|verdict| matches!(verdict, Verdict::Different(_))),
        ]
    }

    /// True if no row differs, and some ran.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        let [same, _, different] = self.counts();
        same > 0 && different == 0
    }
}

/// One line for each row, and a summary.
impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let face = self.face;
        for (row, verdict) in &self.verdicts {
            match verdict {
                Verdict::Same(differences) => {
                    writeln!(f, "ok    {face}  {row}")?;
                    differences.iter().try_for_each(|because| writeln!(f, "        differs: {because}"))?;
                }
                Verdict::NotApplicable(reason) => writeln!(f, "n/a   {face}  {row}: {reason}")?,
                Verdict::Different(problems) => {
                    writeln!(f, "FAIL  {face}  {row}")?;
                    problems.iter().try_for_each(|problem| writeln!(f, "        {problem}"))?;
                }
            }
        }
        let [same, not_applicable, different] = self.counts();
        write!(
            f,
            "{face}: {} rows, {same} ok, {not_applicable} not applicable, {different} different",
            self.verdicts.len()
        )
    }
}

impl Suite {
    /// Reads the table of this project and the schemas.
    ///
    /// # Errors
    ///
    /// The table or a schema cannot be read.
    pub async fn new() -> Result<Self, String> {
        Self::with(Table::own()?).await
    }

    /// Uses another table.
    ///
    /// # Errors
    ///
    /// A schema cannot be read.
    pub async fn with(table: Table) -> Result<Self, String> {
        Ok(Self { table, schemas: Schemas::read().await? })
    }

    /// The table.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Runs all rows whose name contains `filter`. Rows are independent, and a few run at once.
    pub async fn run(&self, face: &Face, filter: &str) -> Report {
        let rows = self.table.rows.iter().filter(|row| row.name.contains(filter)).enumerate();
        let mut verdicts: Vec<_> = futures::stream::iter(rows)
            .map(async |(place, row)| (place, row.name.clone(), self.verdict(face, row).await))
            .buffer_unordered(CONCURRENT)
            .collect()
            .await;
        verdicts.sort_by_key(|(place, ..)| *place);
        let verdicts = verdicts.into_iter().map(|(_, name, verdict)| (name, verdict)).collect();
        Report { face: face.name(), verdicts }
    }

    async fn verdict(&self, face: &Face, row: &Row) -> Verdict {
        if let Some(reason) = row.not_applicable.get(face.name()) {
            return Verdict::NotApplicable(reason.clone());
        }
        let mut problems = Vec::new();
        let result = tokio::time::timeout(Scope::MAX_TIME, self.row(face, row, &mut problems)).await;
        match result.unwrap_or_else(|_| Err(Stop::Broken("it does not end".into()))) {
            Ok(differences) if problems.is_empty() => Verdict::Same(differences),
            Ok(_) => Verdict::Different(problems),
            Err(Stop::NotApplicable(reason)) => Verdict::NotApplicable(reason),
            Err(Stop::Broken(problem)) => {
                problems.push(problem);
                Verdict::Different(problems)
            }
        }
    }

    /// Runs a row, and returns the documented differences of the face.
    async fn row(&self, face: &Face, row: &Row, problems: &mut Vec<String>) -> Result<Vec<String>, Stop> {
        let mut scope = Scope::start(row, face.spell()).await?;
        let mut settings = scope.values(&[&self.table.values, &row.values])?;
        let deadline = row.host_deadline_ms.map(Duration::from_millis);
        let mut session = face.session(&settings, deadline).await?;
        let mut documented = Vec::new();
        for (number, call) in (1..).zip(&row.calls) {
            if change(&mut settings, &scope, &call.values)? && !session.set(&settings) {
                session = face.session(&settings, deadline).await?;
            }
            let prepared = prepare(call, &scope)?;
            let (expected, because) = call.expected_on(face.name());
            documented.extend(because.map(str::to_owned));
            scope.requests();
            let observed = session.call(&prepared).await?;
            let requests = scope.requests();
            let mut differences = Vec::new();
            self.compare(face, &prepared, &expected, &observed, &scope, &mut differences)?;
            compare_requests(&expected, &scope, requests, &mut differences)?;
            check_secrets(&observed, &scope, &mut differences);
            for (name, pointer) in &call.save {
                match observed.result.as_ref().ok().and_then(|output| output.pointer(pointer)?.as_str()) {
                    Some(text) => scope.save(name, text),
                    None => differences.push(Difference::new(pointer, "a text to save", "nothing")),
                }
            }
            let call = &call.action;
            problems.extend(differences.iter().map(|difference| format!("call {number}, {call}: {difference}")));
        }
        for (address, expected) in &row.states {
            let state = scope.state(address).unwrap_or_default();
            if state != *expected {
                problems.push(Difference::new(format!("the state of {address}"), expected, state).to_string());
            }
        }
        Ok(documented)
    }

    /// Compares the result of a call with the expected one.
    fn compare(
        &self,
        face: &Face,
        call: &Call,
        expected: &Expected,
        observed: &Observed,
        scope: &Scope,
        differences: &mut Vec<Difference>,
    ) -> Result<(), String> {
        match (&observed.result, &expected.output, &expected.failure) {
            (Ok(output), Some(pattern), _) => {
                compare("output", &scope.fill(pattern)?, Some(output), differences);
                self.schemas.check_output(&call.action, &call.arguments, output, differences);
                if let (Some(expected), Some(changed)) = (expected.changed, observed.changed)
                    && expected != changed
                {
                    differences.push(Difference::new("changed", expected, changed));
                }
            }
            (Err(failed), _, Some(pattern)) => {
                compare_failure(&scope.fill(pattern)?, expected, failed, differences);
                if let Some(record) = &failed.record {
                    self.schemas.check_failure(face.has_problems(), record, differences);
                }
            }
            (Ok(output), None, _) => differences.push(Difference::new("failure", "a failure", output)),
            (Err(failed), _, None) => differences.push(Difference::new("output", "an output", format!("{failed:?}"))),
        }
        Ok(())
    }
}

/// Changes the settings before a call. True if there is a change.
fn change(settings: &mut Settings, scope: &Scope, values: &table::Values) -> Result<bool, String> {
    for (name, value) in values {
        match value {
            Some(value) => settings.insert(name.clone(), scope.text(value)?),
            None => settings.remove(name),
        };
    }
    Ok(!values.is_empty())
}

/// Prepares the service for a call, and replaces the placeholders and directives of its arguments.
fn prepare(call: &table::Call, scope: &Scope) -> Result<Call, String> {
    if call.revoke_tokens {
        scope.simulator.revoke_tokens();
    }
    for fault in &call.faults {
        for _ in 0..fault.times {
            scope.simulator.inject(fault.on.0, fault.fault.fault(|text| scope.text(text))?);
        }
    }
    Ok(faces::Call {
        action: call.action.clone(),
        arguments: scope.fill(&expand(&call.arguments))?,
        text: call.arguments_text.clone(),
    })
}

/// Compares a failure with its pattern, as far as the face shows it.
fn compare_failure(pattern: &Value, expected: &Expected, failed: &Failed, differences: &mut Vec<Difference>) {
    let Failed { record, words, exit_code, http_status } = failed;
    let code = pattern.get("code").and_then(Value::as_str).unwrap_or_default();
    let entry = ERRORS.iter().find(|known| known.name() == code).map(|known| known.entry());
    if let Some(record) = record {
        compare("failure", pattern, Some(record), differences);
    }
    if let Some(found) = exit_code {
        let expected = entry.map(|entry| i32::from(entry.exit_code));
        if expected != Some(*found) {
            let words = words.clone().unwrap_or_default();
            differences.push(Difference::new("exit code", json!(expected), format!("{found} ({words})")));
        }
    }
    if let (Some(words), None) = (words, record) {
        let part = |value: &Value| value.get("$contains").unwrap_or(value).as_str().map(str::to_owned);
        let candidates = pattern.get("candidates").and_then(Value::as_array).into_iter().flatten();
        let parts = pattern.get("message").into_iter().chain(candidates).filter_map(part);
        for part in parts.chain(["error: ".to_owned()]) {
            if !words.contains(&part) {
                differences.push(Difference::new("standard error", part, words));
            }
        }
    }
    if let Some(found) = http_status {
        // The codes of the API's own are no part of the catalogue: the pattern has their status.
        let expected = expected.http_status.or(entry.map(|entry| entry.http_status));
        if expected != Some(*found) {
            differences.push(Difference::new("HTTP status", json!(expected), found));
        }
    }
}

fn compare_requests(
    expected: &Expected,
    scope: &Scope,
    (requests, tokens): (Vec<String>, usize),
    differences: &mut Vec<Difference>,
) -> Result<(), String> {
    match &expected.requests {
        None => {}
        Some(Value::Number(number)) if number.as_u64() == Some(requests.len() as u64) => {}
        Some(pattern @ Value::Array(_)) => {
            compare("requests", &scope.fill(pattern)?, Some(&json!(requests)), differences)
        }
        Some(other) => differences.push(Difference::new("requests", other, json!(requests))),
    }
    match expected.tokens {
        Some(expected) if expected != tokens => differences.push(Difference::new("token requests", expected, tokens)),
        _ => {}
    }
    Ok(())
}

/// No result shows a secret or a token.
fn check_secrets(observed: &Observed, scope: &Scope, differences: &mut Vec<Difference>) {
    let text = match &observed.result {
        Ok(output) => output.to_string(),
        Err(failed) => format!("{failed:?}"),
    };
    if scope.secrets().iter().any(|secret| text.contains(secret)) {
        differences.push(Difference::new("result", "no secret", "one, which is not repeated here"));
    }
}
