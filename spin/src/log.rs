//! The log: one JSON line per request, with its caller and outcome, and one more before each change. It never has a key or
//! secret.

use std::fmt::Write;
use std::time::Duration;

use onepassword_users_core::is_unprintable;
use serde::Serialize;

/// The longest text that is logged, in characters.
const MAX_TEXT_CHARS: usize = 512;

/// The outcome of the line before a change. The line after it has the same `id`; without one, the outcome is not known.
pub const SENDING: &str = "sending";

/// The log entry of one request. Unknown members are left out.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Entry {
    /// The time of the line, in RFC 3339: when the response was ready, the stream ended, or a change is about to be sent.
    pub time: String,
    /// A random id of the request, the same in all its lines.
    pub id: String,
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
    /// The e-mail address of a user to change, as returned by 1Password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_email: Option<String>,
    /// True if it was a dry run.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// The outcome: `listed`, `found`, `changed`, `unchanged`, `would-change`, `ok`, `abandoned`, the code of the problem, or
    /// [`SENDING`].
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
    /// The number of lines that were left out before this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<u32>,
    /// The HTTP status that was sent, which comes before a stream and its outcome.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The duration of the request so far.
    pub milliseconds: u64,
}

impl Entry {
    /// Formats the entry as one line, without a line break at its end.
    #[must_use]
    pub fn line(mut self, time: String, elapsed: Duration) -> String {
        self.time = time;
        self.milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let texts = [
            Some(&mut self.request),
            self.user.as_mut(),
            self.user_id.as_mut(),
            self.user_email.as_mut(),
            self.problem.as_mut(),
        ];
        for text in texts.into_iter().flatten() {
            if let Some((end, _)) = text.char_indices().nth(MAX_TEXT_CHARS) {
                text.truncate(end);
            }
        }
        // Cannot fail: there are only strings, numbers and booleans.
        escape(&serde_json::to_string(&self).unwrap_or_default())
    }
}

/// Escapes every unprintable character of a JSON text. Such characters are inside its strings, so the meaning stays the same.
/// All text of the log goes through here.
fn escape(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if is_unprintable(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// Bounds the lines of callers without an accepted key, whose number is not in this service's hands.
#[derive(Debug, Clone, Copy)]
pub struct Limiter {
    /// The time of the first line of the current window. `None` before the first one.
    since: Option<Duration>,
    lines: u32,
    left_out: u32,
}

impl Limiter {
    /// A limiter before its first line.
    pub const NEW: Self = Self { since: None, lines: 0, left_out: 0 };

    /// The length of a window.
    const WINDOW: Duration = Duration::from_secs(60);
    /// The most lines of a window.
    const MAX_LINES: u32 = 16;

    /// Admits a line at this time, and returns the number of lines left out before it; `None` if it is left out.
    pub fn admit(&mut self, now: Duration) -> Option<u32> {
        if self.since.is_none_or(|since| now.saturating_sub(since) >= Self::WINDOW) {
            *self = Self { since: Some(now), lines: 0, left_out: self.left_out };
        }
        if self.lines == Self::MAX_LINES {
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may end here")]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_caller_cannot_inject_log_lines() {
        let user = format!("a\r\n{{\"outcome\":\"changed\"}}{}", "x".repeat(1000));
        let entry = Entry { user: Some(user), outcome: "user-not-found", status: Some(404), ..Entry::default() };
        let line = entry.line("2026-01-01T00:00:00Z".into(), Duration::from_millis(12));
        assert!(!line.contains(['\r', '\n']) && line.len() < 700, "{line}");
        assert!(line.starts_with(r#"{"time":"2026-01-01T00:00:00Z","id":"","user":"a\r\n{\"outcome"#), "{line}");
        assert!(line.ends_with(r#""outcome":"user-not-found","status":404,"milliseconds":12}"#), "{line}");
    }

    #[test]
    fn row_41_no_text_of_the_log_moves_a_cursor_or_hides() {
        let text =
            "\u{1b}[31m\u{7f}\u{85}\u{9b}\u{2028}\u{2029}\u{202e}\u{200b}\u{feff}\u{e0041}\u{a0} Tomás 日本 \"\\";
        let some = || Some(text.to_owned());
        let entry = Entry {
            id: text.into(),
            request: text.into(),
            key: some(),
            user: some(),
            user_id: some(),
            user_email: some(),
            problem: some(),
            ..Entry::default()
        };
        let line = entry.line(String::new(), Duration::ZERO);
        assert!(!line.contains(is_unprintable), "{line}");
        assert!(
            line.contains(r"\u001b[31m\u007f\u0085\u009b\u2028\u2029\u202e\u200b\ufeff\udb40\udc41\u00a0 Tomás 日本")
        );
        let read: Value = serde_json::from_str(&line).unwrap();
        for member in ["id", "request", "key", "user", "user_id", "user_email", "problem"] {
            assert_eq!(read.get(member), Some(&text.into()), "{member}: the text itself is unchanged");
        }
    }

    #[test]
    fn row_59_lines_of_refused_callers_are_bounded() {
        let mut limiter = Limiter::NEW;
        let mut admit =
            |count: u32, second: u64| (0..count).filter_map(|_| limiter.admit(Duration::from_secs(second))).collect();
        let lines: Vec<u32> = admit(1000, 5);
        assert_eq!(lines, [0; 16]);
        let lines: Vec<u32> = admit(1000, 64);
        assert!(lines.is_empty());
        let lines: Vec<u32> = admit(2, 65);
        assert_eq!(lines, [1984, 0], "the number is not lost");
    }
}
