//! Writes the JSON forms of `json.rs` as text. A test compares the two.
//!
//! serde's own writer, which is compiled anew for each type, would add 2.6 kB to the component.

use alloc::string::String;
use core::fmt::Write;

use crate::failure::{Code, Failure};
use crate::values::user::User;

/// JSON in the making. Members are separated by commas where they have to be.
#[derive(Default)]
pub(crate) struct Json {
    text: String,
    /// The text that was taken ends with an item, so the next one needs a comma.
    is_after_item: bool,
}

/// The text up to the first byte that JSON escapes, this byte, and the text after it.
fn split_at_escape(text: &str) -> Option<(&str, u8, &str)> {
    let is_escaped = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
    let place = text.bytes().position(is_escaped)?;
    Some((text.get(..place)?, *text.as_bytes().get(place)?, text.get(place + 1..)?))
}

impl Json {
    /// The text so far, which leaves nothing behind.
    pub(crate) fn take(&mut self) -> String {
        core::mem::take(&mut self.text)
    }

    /// The text so far. What comes next is separated from it.
    pub(crate) fn take_item(&mut self) -> String {
        let text = self.take();
        self.is_after_item = true;
        text
    }

    /// The length of the text so far, in bytes.
    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    /// Appends JSON as it is: brackets, literals and numbers.
    #[inline(never)]
    pub(crate) fn raw(&mut self, json: &str) {
        self.text.push_str(json);
    }

    /// Begins a member of an object, or an item of an array if it has no name.
    #[inline(never)]
    pub(crate) fn begin(&mut self, name: &str) {
        let last = self.text.as_bytes().last();
        if core::mem::take(&mut self.is_after_item) || !matches!(last, None | Some(b'{' | b'[')) {
            self.text.push(',');
        }
        if !name.is_empty() {
            // The names of members need no escapes.
            self.text.push('"');
            self.text.push_str(name);
            self.text.push_str("\":");
        }
    }

    /// A member or item with a text, or null.
    #[inline(never)]
    pub(crate) fn text(&mut self, name: &str, text: Option<&str>) {
        self.begin(name);
        match text {
            Some(text) => self.string(text),
            None => self.raw("null"),
        }
    }

    fn flag(&mut self, name: &str, value: bool) {
        self.begin(name);
        self.raw(if value { "true" } else { "false" });
    }

    #[inline(never)]
    fn number(&mut self, name: &str, number: Option<u32>) {
        self.begin(name);
        // Writing to a text cannot fail.
        let _ = match number {
            Some(number) => write!(self.text, "{number}"),
            None => self.text.write_str("null"),
        };
    }

    fn string(&mut self, text: &str) {
        self.text.push('"');
        let mut rest = text;
        // In whole pieces: a long list has megabytes of text, and hardly anything to escape.
        while let Some((plain, byte, after)) = split_at_escape(rest) {
            self.text.push_str(plain);
            rest = after;
            let escape = match byte {
                b'"' => "\\\"",
                b'\\' => "\\\\",
                8 => "\\b",
                b'\t' => "\\t",
                b'\n' => "\\n",
                12 => "\\f",
                b'\r' => "\\r",
                byte => {
                    let _ = write!(self.text, "\\u{byte:04x}");
                    continue;
                }
            };
            self.text.push_str(escape);
        }
        self.text.push_str(rest);
        self.text.push('"');
    }

    /// A member or item with a user.
    #[inline(never)]
    pub(crate) fn user(&mut self, name: &str, user: &User) {
        self.begin(name);
        self.raw("{");
        self.text("id", Some(&user.id));
        self.text("email", Some(&user.email));
        self.text("display_name", Some(&user.display_name));
        self.text("state", Some(user.state.name()));
        self.text("service_state", Some(&user.service_state));
        self.text("create_time", Some(&user.create_time));
        self.text("path", Some(&user.path));
        self.raw("}");
    }

    /// A member or item with a failure.
    pub(crate) fn failure(&mut self, name: &str, failure: &Failure) {
        self.begin(name);
        self.raw("{");
        self.text("code", Some(Code::name(&failure.code)));
        self.text("class", Some(failure.class().name()));
        self.text("message", Some(&failure.message));
        self.text("remedy", Some(&failure.remedy));
        self.flag("retryable", failure.is_retryable());
        self.number("retry_after", failure.retry_after);
        self.flag("may_have_changed", failure.may_have_changed);
        match &failure.subject {
            None => self.text("subject", None),
            Some(subject) => {
                self.begin("subject");
                self.raw("{");
                self.text("kind", Some(subject.kind.name()));
                self.text("name", Some(&subject.name));
                self.raw("}");
            }
        }
        self.text("user_id", failure.user_id.as_deref());
        self.begin("candidates");
        self.raw("[");
        failure.candidates.iter().for_each(|id| self.text("", Some(id)));
        self.raw("]");
        self.flag("more_candidates", failure.more_candidates);
        match &failure.service {
            None => self.text("service", None),
            Some(service) => {
                self.begin("service");
                self.raw("{");
                self.number("status", Some(service.status.into()));
                self.text("code", service.code.as_deref());
                self.text("message", Some(&service.message));
                self.raw("}");
            }
        }
        self.raw("}");
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::api::service_error::ServiceError;
    use crate::catalogue::ERRORS;
    use crate::failure::{Subject, SubjectKind};
    use crate::values::user::UserState;

    const NASTY: &str = "a\"b\\c\u{8}\t\n\u{c}\r\0\u{1f}\u{7f}/\u{2028}é😀";

    #[test]
    fn users_have_the_form_that_serde_writes() {
        for state in [UserState::Active, UserState::Suspended, UserState::Other] {
            let user = User {
                id: "A".into(),
                email: NASTY.into(),
                display_name: String::new(),
                state,
                service_state: NASTY.into(),
                create_time: "2026".into(),
                path: "/".into(),
            };
            let mut json = Json::default();
            json.user("", &user);
            assert_eq!(json.take(), serde_json::to_string(&user).unwrap());
        }
    }

    #[test]
    fn failures_have_the_form_that_serde_writes() {
        for code in ERRORS {
            let plain = Failure::new(*code, NASTY, "");
            let full = Failure {
                retry_after: Some(u32::MAX),
                may_have_changed: true,
                subject: Some(Subject { kind: SubjectKind::Secret, name: NASTY.into() }),
                user_id: Some(NASTY.into()),
                candidates: Vec::from([NASTY.into(), "B".into()]),
                more_candidates: true,
                service: Some(ServiceError { status: 599, code: None, message: NASTY.into() }),
                ..plain.clone()
            };
            let coded = Failure {
                service: Some(ServiceError { status: 1, code: Some("7".into()), message: String::new() }),
                ..plain.clone()
            };
            for failure in [plain, full, coded] {
                let mut json = Json::default();
                json.failure("", &failure);
                assert_eq!(json.take(), serde_json::to_string(&failure).unwrap());
            }
        }
    }
}
