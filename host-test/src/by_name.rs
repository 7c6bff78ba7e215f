//! Actions by name: their result, and the arguments and results of typed calls in JSON, for a component that has no typed ones.

use onepassword_users_core as core_;
use onepassword_users_core::catalogue::{ERRORS, ErrorCode};
use serde::Deserialize;

use crate::bindings::connector::exports::automation::connector::connector as any;
use crate::error::Error;
use crate::types;

/// The result of an action that was invoked by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The result in JSON, as the action's schema says.
    pub json: String,
    /// The result in one line, for people. It holds text of the service: show it as such.
    pub summary: String,
    /// True if the action changed something.
    pub changed: bool,
}

impl From<any::Output> for Output {
    fn from(output: any::Output) -> Self {
        let json = match <[String; 1]>::try_from(output.parts) {
            Ok([whole]) => whole,
            Err(parts) => parts.concat(),
        };
        Self { json, summary: output.summary, changed: output.changed }
    }
}

/// The arguments of actions.
pub(crate) mod arguments {
    use serde_json::{Value, json};

    use crate::types::{ChangeMode, KnownUser, ListQuery, StateFilter, UserRef};

    pub(crate) fn list(query: &ListQuery) -> Value {
        let state = query.state.map(|state| match state {
            StateFilter::Active => "active",
            StateFilter::Suspended => "suspended",
        });
        json!({ "state": state, "limit": query.limit, "page_token": query.page_token })
    }

    fn reference(user: &UserRef) -> Value {
        match user {
            UserRef::Id(id) => json!({ "id": id }),
            UserRef::Email(email) => json!({ "email": email }),
            UserRef::Known(KnownUser { id, email }) => json!({ "id": id, "email": email }),
        }
    }

    pub(crate) fn user(user: &UserRef) -> Value {
        json!({ "user": reference(user) })
    }

    pub(crate) fn users(users: &[UserRef]) -> Value {
        json!({ "users": users.iter().map(reference).collect::<Vec<_>>() })
    }

    pub(crate) fn change(user: &UserRef, mode: ChangeMode) -> Value {
        json!({ "user": reference(user), "dry_run": mode == ChangeMode::DryRun })
    }
}

/// A result that is read from an action's JSON.
pub(crate) trait FromJson: Sized {
    /// Reads the result. The error describes what is wrong with the JSON.
    fn from_output(output: Output) -> Result<Self, String>;
}

/// The result of a typed call from the JSON of its action.
pub(crate) fn from_json<T: FromJson>(output: Output, may_have_changed: bool) -> Result<T, Error> {
    let problem =
        |problem| Error::Trap { problem: format!("its result has another form: {problem}"), may_have_changed };
    T::from_output(output).map_err(problem)
}

fn read<'a, T: Deserialize<'a>>(output: &'a Output) -> Result<T, String> {
    serde_json::from_str(&output.json).map_err(|error| error.to_string())
}

impl FromJson for Output {
    fn from_output(output: Output) -> Result<Self, String> {
        Ok(output)
    }
}

#[derive(Deserialize)]
struct User {
    id: String,
    email: String,
    display_name: String,
    state: UserState,
    service_state: String,
    create_time: String,
    path: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum UserState {
    Active,
    Suspended,
    Other,
}

impl From<User> for types::User {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            email: user.email,
            display_name: user.display_name,
            state: match user.state {
                UserState::Active => types::UserState::Active,
                UserState::Suspended => types::UserState::Suspended,
                UserState::Other => types::UserState::Other,
            },
            service_state: user.service_state,
            create_time: user.create_time,
            path: user.path,
        }
    }
}

impl FromJson for types::User {
    fn from_output(output: Output) -> Result<Self, String> {
        read::<User>(&output).map(Self::from)
    }
}

#[derive(Deserialize)]
struct UserList {
    users: Vec<User>,
    next_page_token: Option<String>,
}

impl FromJson for types::UserList {
    fn from_output(output: Output) -> Result<Self, String> {
        let list: UserList = read(&output)?;
        Ok(Self { users: list.users.into_iter().map(Into::into).collect(), next_page_token: list.next_page_token })
    }
}

#[derive(Deserialize)]
struct StateChange {
    outcome: ChangeOutcome,
    user: User,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ChangeOutcome {
    Changed,
    Unchanged,
    WouldChange,
}

impl FromJson for types::StateChange {
    fn from_output(output: Output) -> Result<Self, String> {
        let change: StateChange = read(&output)?;
        let outcome = match change.outcome {
            ChangeOutcome::Changed => types::ChangeOutcome::Changed,
            ChangeOutcome::Unchanged => types::ChangeOutcome::Unchanged,
            ChangeOutcome::WouldChange => types::ChangeOutcome::WouldChange,
        };
        Ok(Self { outcome, user: change.user.into() })
    }
}

#[derive(Deserialize)]
struct FoundUsers {
    results: Vec<FoundUser>,
}

#[derive(Deserialize)]
struct FoundUser {
    user: Option<User>,
    error: Option<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    code: String,
    message: String,
    remedy: String,
    retry_after: Option<u32>,
    may_have_changed: bool,
    subject: Option<Subject>,
    user_id: Option<String>,
    candidates: Vec<String>,
    more_candidates: bool,
    service: Option<ServiceError>,
}

#[derive(Deserialize)]
struct Subject {
    kind: SubjectKind,
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum SubjectKind {
    Argument,
    Setting,
    Secret,
}

#[derive(Deserialize)]
struct ServiceError {
    status: u16,
    code: Option<String>,
    message: String,
}

impl From<Failure> for core_::Failure {
    fn from(failure: Failure) -> Self {
        let code = ERRORS.iter().copied().find(|code| code.name() == failure.code).unwrap_or(ErrorCode::Other);
        Self {
            code,
            message: failure.message,
            remedy: failure.remedy,
            retry_after: failure.retry_after,
            may_have_changed: failure.may_have_changed,
            subject: failure.subject.map(|Subject { kind, name }| core_::Subject {
                kind: match kind {
                    SubjectKind::Argument => core_::SubjectKind::Argument,
                    SubjectKind::Setting => core_::SubjectKind::Setting,
                    SubjectKind::Secret => core_::SubjectKind::Secret,
                },
                name,
            }),
            user_id: failure.user_id,
            candidates: failure.candidates,
            more_candidates: failure.more_candidates,
            service: failure.service.map(|ServiceError { status, code, message }| core_::ServiceError {
                status,
                code,
                message,
            }),
        }
    }
}

impl FromJson for Vec<Result<types::User, core_::Failure>> {
    fn from_output(output: Output) -> Result<Self, String> {
        let found: FoundUsers = read(&output)?;
        let result = |found: FoundUser| match (found.user, found.error) {
            (Some(user), None) => Ok(Ok(user.into())),
            (None, Some(failure)) => Ok(Err(failure.into())),
            _ => Err("a result has neither a user nor an error, or both".into()),
        };
        found.results.into_iter().map(result).collect()
    }
}
