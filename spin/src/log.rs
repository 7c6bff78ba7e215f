//! The access log: one JSON line per request, with its caller and outcome. It never has a key or secret.

use std::time::Duration;

use serde::Serialize;

/// The longest text that is logged, in characters.
const MAX_TEXT_CHARS: usize = 512;

/// The log entry of one request. Unknown members are left out.
#[derive(Debug, Default, Serialize)]
pub struct Entry {
    /// The time at which the response was ready or the stream ended, in RFC 3339.
    pub time: String,
    /// Method and path, without the query. Empty if the caller was not authenticated.
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
    /// The user's id, as returned by 1Password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// True if it was a dry run.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// The outcome: `listed`, `found`, `changed`, `unchanged`, `would-change`, `ok`, `abandoned`, or the code of the problem.
    pub outcome: &'static str,
    /// True if the user may have been changed although the outcome is a problem.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub may_have_changed: bool,
    /// The number of users that were listed, or that were asked for together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub users: Option<usize>,
    /// The detail of the problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The HTTP status of the response.
    pub status: u16,
    /// The duration of the request.
    pub milliseconds: u64,
}

impl Entry {
    /// Formats the entry as one line, without a line break at its end.
    #[must_use]
    pub fn line(mut self, time: String, elapsed: Duration) -> String {
        self.time = time;
        self.milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let texts = [Some(&mut self.request), self.user.as_mut(), self.user_id.as_mut(), self.problem.as_mut()];
        for text in texts.into_iter().flatten() {
            if let Some((end, _)) = text.char_indices().nth(MAX_TEXT_CHARS) {
                text.truncate(end);
            }
        }
        // Cannot fail: there are only strings, numbers and booleans.
        serde_json::to_string(&self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_cannot_inject_log_lines() {
        let user = format!("a\r\n{{\"outcome\":\"changed\"}}{}", "x".repeat(1000));
        let entry = Entry { user: Some(user), outcome: "user-not-found", status: 404, ..Entry::default() };
        let line = entry.line("2026-01-01T00:00:00Z".into(), Duration::from_millis(12));
        assert!(!line.contains(['\r', '\n']) && line.len() < 700, "{line}");
        assert!(line.starts_with(r#"{"time":"2026-01-01T00:00:00Z","user":"a\r\n{\"outcome"#), "{line}");
        assert!(line.ends_with(r#""outcome":"user-not-found","status":404,"milliseconds":12}"#), "{line}");
    }
}
