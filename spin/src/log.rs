//! One line of JSON for each request: who asked for what, and what came of it. Never a key, never a value.

use std::time::Duration;

use serde::Serialize;

/// The longest text that is logged, in characters.
const MAX_TEXT: usize = 512;

/// What is told of one request. Whatever is not known is left out.
#[derive(Debug, Default, Serialize)]
pub struct Entry {
    /// When the answer was ready, or a stream had ended, in RFC 3339.
    pub time: String,
    /// Method and path, without the query, of whoever was let in.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub request: String,
    /// The label of the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The action.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<&'static str>,
    /// The user, as the caller named it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The user's id, as the service tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Whether it was a dry run.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// `listed`, `found`, `changed`, `already`, `would-change`, or the code of the problem.
    pub outcome: &'static str,
    /// Whether the user may have been changed, though the outcome is a problem.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub may_have_changed: bool,
    /// How many users were listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub users: Option<usize>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The status of the answer.
    pub status: u16,
    /// How long it took.
    pub milliseconds: u64,
}

impl Entry {
    /// The line, without a line break in it or at its end.
    #[must_use]
    pub fn line(mut self, time: String, took: Duration) -> String {
        self.time = time;
        self.milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let texts = [Some(&mut self.request), self.user.as_mut(), self.user_id.as_mut(), self.problem.as_mut()];
        for text in texts.into_iter().flatten() {
            if let Some((end, _)) = text.char_indices().nth(MAX_TEXT) {
                text.truncate(end);
            }
        }
        // Texts, numbers and truth values: there is nothing in it that JSON could not say.
        serde_json::to_string(&self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_cannot_write_lines_of_its_own() {
        let user = format!("a\r\n{{\"outcome\":\"changed\"}}{}", "x".repeat(1000));
        let entry = Entry { user: Some(user), outcome: "user-not-found", status: 404, ..Entry::default() };
        let line = entry.line("2026-01-01T00:00:00Z".into(), Duration::from_millis(12));
        assert!(!line.contains(['\r', '\n']) && line.len() < 700, "{line}");
        assert!(line.starts_with(r#"{"time":"2026-01-01T00:00:00Z","user":"a\r\n{\"outcome"#), "{line}");
        assert!(line.ends_with(r#""outcome":"user-not-found","status":404,"milliseconds":12}"#), "{line}");
    }
}
