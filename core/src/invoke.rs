//! Actions by name, with arguments and results in JSON, for callers that know no more of an action than its description.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::{self, Vec};
use core::fmt;

use crate::arguments::{Call, Reference};
use crate::error::Error;
use crate::failure::Failure;
use crate::machine::Action;
use crate::session::Session;
use crate::text::{Quoted, clean};
use crate::values::change::{ChangeOutcome, StateChange, TargetState};
use crate::values::query::UserList;
use crate::values::report::TestReport;
use crate::values::user::{User, UserRef, UserState};
use crate::write::Json;

/// The length of a part of a result, in bytes. The last user of a part may exceed it.
const PART_BYTES: usize = 4 * 1024 * 1024;

/// The result of [`Session::invoke`].
pub struct Output {
    /// The result in one line, for people. It may hold text of the service, without control characters.
    pub summary: String,
    /// True if the action changed something.
    pub changed: bool,
    json: Json,
    /// The users that are not part of the JSON yet, and the page token that ends it.
    rest: Option<(vec::IntoIter<User>, Option<String>)>,
}

impl Output {
    /// True if there are more parts.
    #[must_use]
    pub fn has_more(&self) -> bool {
        self.rest.is_some() || self.json.len() > 0
    }

    /// The next part of the result's JSON, about 4 MiB at most. `None` after the last one. All parts together are one JSON
    /// document.
    pub fn next_part(&mut self) -> Option<String> {
        if let Some((users, next_page_token)) = &mut self.rest {
            for user in users.by_ref() {
                self.json.user("", &user);
                if self.json.len() >= PART_BYTES {
                    // The comma belongs to the next user, and begins the next part.
                    return Some(self.json.take_item());
                }
            }
            self.json.raw("]");
            self.json.text("next_page_token", next_page_token.as_deref());
            self.json.raw("}");
            self.rest = None;
        }
        Some(self.json.take()).filter(|part| !part.is_empty())
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { summary, changed, .. } = self;
        f.debug_struct("Output").field("summary", summary).field("changed", changed).finish_non_exhaustive()
    }
}

impl Session {
    /// Runs [`Session::test`], with a result as that of [`Session::invoke`].
    #[must_use]
    pub fn invoke_test(&self) -> Action<Output> {
        self.test().map(|report| tested(&report))
    }

    /// Runs the action of this name. `arguments` is a JSON object, as the action's schema says. The result and a failure have
    /// the forms that all faces share.
    ///
    /// # Errors
    ///
    /// The action ends in [`Error::InvalidArgument`] if there is no such action or if the arguments do not fit it, and otherwise
    /// as the action itself.
    #[must_use]
    pub fn invoke(&self, action: &str, arguments: &str) -> Action<Output> {
        match Call::parse(action, arguments) {
            Err(error) => Action::new(|_| async { Err(error) }),
            Ok(Call::List(query)) => self.list_users(query).map(listed),
            Ok(Call::Get(user)) => self.get_user(user).map(|user| got(&user)),
            Ok(Call::Find(references)) => {
                let users = references.iter().map(|reference| reference.user.clone()).collect();
                self.find_users(users).map(move |results| found(&references, results))
            }
            Ok(Call::Change(user, mode, target)) => {
                self.change(user, mode, target).map(move |change| changed(&change, target))
            }
        }
    }
}

fn got(user: &User) -> Output {
    let mut json = Json::default();
    json.user("", user);
    Output { summary: format!("{} is {}", name(user), state(user)), changed: false, json, rest: None }
}

fn tested(report: &TestReport) -> Output {
    let mut json = Json::default();
    json.raw(r#"{"ok":true,"checks":["#);
    for check in &report.checks {
        json.begin("");
        json.raw("{");
        json.text("check", Some(check.name));
        json.text("result", Some(&check.result));
        json.raw("}");
    }
    json.raw("]}");
    Output { summary: "settings and credentials work".into(), changed: false, json, rest: None }
}

fn listed(list: UserList) -> Output {
    let UserList { users, next_page_token } = list;
    let more = if next_page_token.is_some() { ", and there are more" } else { "" };
    let noun = if users.len() == 1 { "user" } else { "users" };
    let summary = format!("{} {noun}{more}", users.len());
    let mut json = Json::default();
    json.raw(r#"{"users":["#);
    Output { summary, changed: false, json, rest: Some((users.into_iter(), next_page_token)) }
}

fn found(references: &[Reference], results: Vec<Result<User, Error>>) -> Output {
    let count = results.iter().filter(|result| result.is_ok()).count();
    let summary = format!("{count} of {} users found", results.len());
    let mut json = Json::default();
    json.raw(r#"{"results":["#);
    for (reference, result) in references.iter().zip(results) {
        json.begin("");
        json.raw("{");
        reference.write("input", &mut json);
        match result {
            Ok(user) => {
                json.user("user", &user);
                json.text("error", None);
            }
            Err(error) => {
                json.text("user", None);
                json.failure("error", &Failure::from(error));
            }
        }
        json.raw("}");
    }
    json.raw("]}");
    Output { summary, changed: false, json, rest: None }
}

fn changed(change: &StateChange, target: TargetState) -> Output {
    let (done, state) = match target {
        TargetState::Suspended => ("suspended", "suspended"),
        TargetState::Active => ("reactivated", "active"),
    };
    let user = name(&change.user);
    let summary = match change.outcome {
        ChangeOutcome::Changed => format!("{user} was {done}"),
        ChangeOutcome::Unchanged => format!("{user} was {state} already, so nothing was sent"),
        ChangeOutcome::WouldChange => format!("{user} would be {done}; nothing was sent"),
    };
    let mut json = Json::default();
    json.raw("{");
    json.text("outcome", Some(change.outcome.name()));
    json.user("user", &change.user);
    json.raw("}");
    Output { summary, changed: change.outcome == ChangeOutcome::Changed, json, rest: None }
}

impl Reference {
    fn write(&self, name: &str, json: &mut Json) {
        let (id, email) = match &self.user {
            UserRef::Id(text) | UserRef::Email(text) if self.is_text => return json.text(name, Some(text)),
            UserRef::Id(id) => (Some(id), None),
            UserRef::Email(email) => (None, Some(email)),
            UserRef::Known { id, email } => (Some(id), Some(email)),
        };
        json.begin(name);
        json.raw("{");
        for (name, text) in [("id", id), ("email", email)] {
            if text.is_some() {
                json.text(name, text.map(String::as_str));
            }
        }
        json.raw("}");
    }
}

fn name(user: &User) -> String {
    let (email, id) = (clean(&user.email), clean(&user.id));
    if email.is_empty() { id } else { format!("{} ({id})", Quoted(&email)) }
}

fn state(user: &User) -> String {
    match user.state {
        UserState::Other => clean(&user.service_state),
        state => state.name().to_string(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn user(id: &str, email: &str, display_name: &str) -> User {
        User {
            id: id.into(),
            email: email.into(),
            display_name: display_name.into(),
            state: UserState::Other,
            service_state: "A\u{1b}B".into(),
            create_time: String::new(),
            path: String::new(),
        }
    }

    fn parts(mut output: Output) -> Vec<String> {
        core::iter::from_fn(|| output.next_part()).collect()
    }

    /// Whatever number of parts there is, and wherever the last one ends, they are the document that serde writes.
    #[test]
    fn the_parts_of_a_list_are_one_document() {
        let third = "x".repeat(PART_BYTES / 3);
        for (users, count) in [(0, 1), (1, 1), (2, 1), (3, 2), (4, 2), (6, 3), (7, 3)] {
            for next_page_token in [None, Some("1a".into())] {
                let users = (0..users).map(|_| user("A", "", &third)).collect();
                let list = UserList { users, next_page_token };
                let expected = serde_json::to_string(&list).unwrap();
                let parts = parts(listed(list));
                assert_eq!(parts.len(), count);
                assert!(parts.iter().all(|part| part.len() < 2 * PART_BYTES));
                assert!(parts.concat() == expected);
            }
        }
    }

    #[test]
    fn a_summary_holds_no_control_characters() {
        assert_eq!(got(&user("A\u{1b}[31m", "", "")).summary, "A [31m is A B");
        assert_eq!(got(&user("A", "a\n\u{202e}@b", "")).summary, "\"a @b\" (A) is A B");
        assert_eq!(got(&user("A", "\u{200b}", "")).summary, "A is A B");
    }
}
