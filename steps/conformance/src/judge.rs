//! The comparison of what a driver did and reported with what a case expects.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::case::{Act, Case, Expected};

/// The members of a failure record.
const FAILURE_MEMBERS: [&str; 12] = [
    "code",
    "class",
    "message",
    "remedy",
    "retryable",
    "retry_after",
    "may_have_changed",
    "subject",
    "user_id",
    "candidates",
    "more_candidates",
    "service",
];

/// The longest text of a report that is repeated in a problem, in characters.
const MAX_SHOWN: usize = 300;

/// The time that every case may take, unless it says otherwise.
const MAX_DURATION: Duration = Duration::from_secs(20);

/// The report of a driver's runner.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The outcomes of the actions, in their order.
    pub outcomes: Vec<Outcome>,
    /// Everything that the driver logged or printed.
    #[serde(default)]
    pub log: String,
    /// The values of `changes` of all requests, each noted before its request was sent. `None` if the driver keeps no audit.
    #[serde(default)]
    pub audit: Option<Vec<String>>,
}

/// The outcome of an action.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Outcome {
    /// The action has succeeded.
    Done {
        /// The result: all parts, as one text.
        output: String,
        /// The result in one line.
        summary: String,
        /// True if the action changed something.
        changed: bool,
    },
    /// The action has failed, with this record. Its members have underscores in their names.
    Failed(Value),
    /// The runner has dropped the action.
    Dropped,
}

/// The judgement of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Verdict {
    /// True if there is no problem.
    pub passed: bool,
    /// The problems, in plain words.
    pub problems: Vec<String>,
    /// Rules that could not be held against the driver.
    pub notes: Vec<String>,
}

/// The problems with the duration of a run.
pub(crate) fn timing(case: &Case, elapsed: Duration) -> Option<String> {
    let least = Duration::from_millis(case.at_least_ms);
    let most = case.at_most_ms.map_or(MAX_DURATION, Duration::from_millis);
    let elapsed_ms = elapsed.as_millis();
    if elapsed < least {
        return Some(format!("it was over after {elapsed_ms} ms, and not before {} ms", case.at_least_ms));
    }
    (elapsed > most).then(|| format!("it took {elapsed_ms} ms, and may take {} ms", most.as_millis()))
}

/// Holds the outcomes of a report against those of the case.
pub(crate) fn outcomes(case: &Case, report: &Report, problems: &mut Vec<String>, notes: &mut Vec<String>) {
    let (expected, reported) = (case.actions.len(), report.outcomes.len());
    if expected != reported {
        problems.push(format!("the report has {reported} outcomes, and there are {expected} actions"));
    }
    for (place, (act, outcome)) in case.actions.iter().zip(&report.outcomes).enumerate() {
        let found = action(act, outcome);
        let prefix = if expected > 1 { format!("action {}: ", place + 1) } else { String::new() };
        problems.extend(found.into_iter().map(|problem| format!("{prefix}{problem}")));
    }
    match (&case.audit, &report.audit) {
        (Some(_), None) => notes.push("the driver reports no audit of changes".into()),
        (Some(expected), Some(audit)) if expected != audit => problems.push(format!(
            "the audit names [{}], and not [{}]: `changes` is noted before the request is sent",
            shown(&audit.join(", ")),
            expected.join(", ")
        )),
        _ => {}
    }
}

fn action(act: &Act, outcome: &Outcome) -> Vec<String> {
    let right = || std::iter::once(&act.expect).chain(&act.or);
    if right().any(|right| expected(right, outcome).is_empty()) {
        return Vec::new();
    }
    // Of several right outcomes, the one of the same kind tells most.
    let is_same_kind = |right: &&Expected| {
        matches!(
            (right, outcome),
            (Expected::Output { .. }, Outcome::Done { .. }) | (Expected::Failure { .. }, Outcome::Failed(_))
        )
    };
    expected(right().find(is_same_kind).unwrap_or(&act.expect), outcome)
}

fn expected(expected: &Expected, outcome: &Outcome) -> Vec<String> {
    let mut problems = Vec::new();
    match (expected, outcome) {
        (Expected::Dropped {}, Outcome::Dropped) => {}
        (Expected::Output { has, counts, changed }, Outcome::Done { output, changed: reported, .. }) => {
            let output: Value = match serde_json::from_str(output) {
                Ok(output) => output,
                Err(error) => {
                    return vec![format!("the output is not a JSON document ({error}); are all its parts joined?")];
                }
            };
            subset("output", has, &output, &mut problems);
            for (member, count) in counts {
                let length = output.get(member).and_then(Value::as_array).map(Vec::len);
                if length != Some(*count) {
                    let length = length.map_or_else(|| "no".into(), |length| length.to_string());
                    problems.push(format!("output.{member} has {length} elements, and not {count}"));
                }
            }
            if changed != reported {
                problems.push(format!("`changed` is {reported}, and not {changed}"));
            }
        }
        (Expected::Failure { has, message, retry_after }, Outcome::Failed(failure)) => {
            let missing: Vec<&str> =
                FAILURE_MEMBERS.into_iter().filter(|member| failure.get(member).is_none()).collect();
            if !missing.is_empty() {
                problems.push(format!("the failure lacks {}", missing.join(", ")));
            }
            subset("failure", has, failure, &mut problems);
            let text = failure.get("message").and_then(Value::as_str).unwrap_or_default();
            if let Some(message) = message.as_ref().filter(|message| !text.contains(message.as_str())) {
                problems.push(format!("failure.message is {:?}, and should say {message:?}", shown(text)));
            }
            if let Some([least, most]) = retry_after {
                let seconds = failure.get("retry_after").and_then(Value::as_u64);
                if !seconds.is_some_and(|seconds| (*least..=*most).contains(&seconds)) {
                    problems.push(format!("failure.retry_after is {seconds:?}, and should be {least} to {most}"));
                }
            }
        }
        (_, outcome) => problems.push(format!("the action {}, but it should have {}", have(outcome), should(expected))),
    }
    problems
}

fn have(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done { summary, .. } => format!("succeeded ({})", shown(summary)),
        Outcome::Failed(failure) => {
            let text = |name| shown(failure.get(name).and_then(Value::as_str).unwrap_or_default());
            format!("failed with `{}` ({})", text("code"), text("message"))
        }
        Outcome::Dropped => "was dropped".into(),
    }
}

fn should(expected: &Expected) -> String {
    match expected {
        Expected::Output { .. } => "succeeded".into(),
        Expected::Failure { has, .. } => {
            format!("failed with `{}`", has.get("code").and_then(Value::as_str).unwrap_or_default())
        }
        Expected::Dropped {} => "been dropped".into(),
    }
}

/// Notes where `found` lacks something of `expected`: objects may have more members, arrays have the same length.
fn subset(path: &str, expected: &Value, found: &Value, problems: &mut Vec<String>) {
    match (expected, found) {
        (Value::Null, _) if path == "output" => {}
        (Value::Object(members), Value::Object(_)) => {
            for (name, value) in members {
                subset(&format!("{path}.{name}"), value, found.get(name).unwrap_or(&Value::Null), problems);
            }
        }
        (Value::Array(items), Value::Array(others)) if items.len() == others.len() => {
            for (place, (item, other)) in items.iter().zip(others).enumerate() {
                subset(&format!("{path}[{place}]"), item, other, problems);
            }
        }
        _ if expected == found => {}
        _ => problems.push(format!("{path} is {}, and not {expected}", shown(&found.to_string()))),
    }
}

/// Notes the secrets that a report shows.
pub(crate) fn leaks(secrets: &[(String, String)], report: &Report, problems: &mut Vec<String>) {
    let mut places = vec![("the log".to_owned(), report.log.clone())];
    for (place, outcome) in report.outcomes.iter().enumerate() {
        let text = match outcome {
            Outcome::Done { output, summary, .. } => format!("{output}\n{summary}"),
            Outcome::Failed(failure) => failure.to_string(),
            Outcome::Dropped => continue,
        };
        places.push((format!("outcome {}", place + 1), text));
    }
    for (name, secret) in secrets {
        for (place, text) in &places {
            if text.contains(secret.as_str()) {
                problems.push(format!("{place} shows a secret: {name}"));
            }
        }
    }
    // The verdict repeats parts of the report, and may be logged itself.
    for problem in problems {
        for (name, secret) in secrets {
            *problem = problem.replace(secret.as_str(), &format!("[{name}]"));
        }
    }
}

fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_SHOWN).collect()
}
