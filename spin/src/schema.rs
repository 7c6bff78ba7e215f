//! The schemas of `openapi.json`, and the test that writes or compares them. Test code, so that no schema library gets into the
//! component.
//!
//! The core writes its JSON by hand. The types here have the same members, and a test holds them against the core's output.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A user of the account. A text that 1Password leaves out is empty.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct User {
    /// The user's id, never empty.
    id: String,
    /// The e-mail address. Several users may have the same address.
    email: String,
    /// The display name.
    display_name: String,
    /// The state.
    state: UserState,
    /// 1Password's own word for the state, such as `ACTIVE`; `STATE_UNSPECIFIED` if it left the state out.
    service_state: String,
    /// The time of creation, in RFC 3339.
    create_time: String,
    /// The resource name.
    path: String,
}

/// The state of a user.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum UserState {
    /// The user can sign in.
    Active,
    /// The user cannot sign in until reactivated.
    Suspended,
    /// Another state, which counts neither as active nor as suspended.
    Other,
}

/// Users of the account, and a page token if there are more.
#[derive(Serialize, Deserialize, JsonSchema)]
struct UserList {
    /// The users, in 1Password's order. No id occurs twice.
    users: Vec<User>,
    /// The page token of the next users. `null` if and only if there are no more users.
    next_page_token: Option<String>,
}

/// The outcome of a change, and the user after it or, in a dry run, before it.
#[derive(Serialize, Deserialize, JsonSchema)]
struct StateChange {
    /// The outcome of the change.
    outcome: ChangeOutcome,
    /// The user, as last returned by 1Password.
    user: User,
}

/// The outcome of a change.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum ChangeOutcome {
    /// The user was in another state and is in the requested one now.
    Changed,
    /// The user was in the requested state before. No change was sent.
    Unchanged,
    /// A dry run: the change would be attempted.
    WouldChange,
}

/// The report of a successful test.
#[derive(Serialize, Deserialize, JsonSchema)]
struct TestReport {
    /// Always true. A failed test is a problem document.
    ok: bool,
    /// The checks.
    checks: Vec<Check>,
}

/// A check and its result.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Check {
    /// The subject of the check.
    check: String,
    /// The result.
    result: String,
}

/// A failure. Its code is a key of `x-problems`.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct Failure {
    /// The code.
    code: String,
    /// The class.
    class: FailureClass,
    /// A description of this occurrence, for people. It does not repeat the remedy.
    message: String,
    /// The way to solve the problem, for people.
    remedy: String,
    /// True if the same request may succeed when it is repeated later.
    retryable: bool,
    /// The seconds to wait before the next attempt, if 1Password named them.
    retry_after: Option<u32>,
    /// True if a change was sent whose outcome is not known. Look at the user before you report anything.
    may_have_changed: bool,
    /// The argument or variable at fault.
    subject: Option<Subject>,
    /// The id of the user that the failure is about, if it is known.
    user_id: Option<String>,
    /// The ids of the users that have the e-mail address, if several have it. At most 100.
    candidates: Vec<String>,
    /// True if there are more candidates.
    more_candidates: bool,
    /// The error of 1Password, if there was one.
    service: Option<ServiceError>,
}

/// The class of a failure: all codes of a class are handled in the same way.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum FailureClass {
    /// The request has to be corrected.
    Caller,
    /// A variable of the application has to be corrected.
    Settings,
    /// The credentials of the application have to be corrected.
    Credentials,
    /// 1Password refuses the action.
    Refused,
    /// The user does not exist.
    Absent,
    /// A later attempt may succeed.
    Retry,
    /// The response of 1Password cannot be trusted.
    Untrusted,
    /// The application failed.
    Host,
}

/// The argument or variable at fault.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Subject {
    /// Its kind. Settings and secrets are variables of the application.
    kind: SubjectKind,
    /// Its name.
    name: String,
}

/// The kind of a subject.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum SubjectKind {
    /// An argument of the request.
    Argument,
    /// A setting.
    Setting,
    /// A secret.
    Secret,
}

/// An error response of 1Password.
#[derive(Serialize, Deserialize, JsonSchema)]
struct ServiceError {
    /// The HTTP status.
    status: u16,
    /// The error code: a number of `google.rpc.Code`, or an OAuth 2.0 error.
    code: Option<String>,
    /// The error message. May be empty.
    message: String,
}

/// A problem document (RFC 9457) with the members of a failure.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct Problem {
    /// A reference to the description of the code.
    #[serde(rename = "type")]
    kind: String,
    /// The title of the code, the same for every occurrence.
    title: String,
    /// The HTTP status.
    status: u16,
    /// The same as `message`.
    detail: String,
    #[serde(flatten)]
    failure: Failure,
}

#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may end here")]
mod tests {
    use onepassword_users_core as core_;
    use onepassword_users_core::catalogue::{ACTIONS, ERRORS, ErrorCode, SECRETS, SETTINGS};
    use onepassword_users_core::{Event, Instant, ListQuery, Session, Step, SubjectKind, UserRef};
    use schemars::generate::SchemaSettings;
    use serde_json::{Map, Value, json};

    use crate::json::{ChangeOptions, FindUsers, FoundUsers, Health, LastLine};
    use crate::problem::{self, KINDS, TIMEOUT_STATUS};

    /// The schemas of the types, as in `openapi.json`.
    fn schemas() -> Value {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        let mut serialized = settings.clone().for_serialize().into_generator();
        let mut deserialized = settings.for_deserialize().into_generator();
        deserialized.subschema_for::<ChangeOptions>();
        deserialized.subschema_for::<FindUsers>();
        serialized.subschema_for::<super::UserList>();
        serialized.subschema_for::<super::StateChange>();
        serialized.subschema_for::<super::TestReport>();
        serialized.subschema_for::<super::Problem>();
        serialized.subschema_for::<FoundUsers>();
        serialized.subschema_for::<Health>();
        serialized.subschema_for::<LastLine>();
        let mut schemas = serialized.take_definitions(true);
        // Where a type is in both, requests are the stricter ones.
        schemas.append(&mut deserialized.take_definitions(true));
        schemas.values_mut().for_each(as_enum);
        schemas.sort_keys();
        schemas.into()
    }

    /// Writes a choice of texts as `enum`, which generators of clients know better than a `oneOf` of constants.
    fn as_enum(schema: &mut Value) {
        let Some(cases) = schema.get("oneOf").and_then(Value::as_array) else { return };
        let Some(names) = cases.iter().map(|case| case.get("const")).collect::<Option<Vec<_>>>() else { return };
        let text = |case: &Value, member: &str| case.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
        let meanings: Vec<String> =
            cases.iter().map(|case| format!("`{}`: {}", text(case, "const"), text(case, "description"))).collect();
        let description = format!("{} {}", text(schema, "description"), meanings.join(" "));
        *schema = json!({ "description": description, "enum": names, "type": "string" });
    }

    /// The descriptions of all codes: those of the catalogue and those of this API.
    fn problems() -> Value {
        let mut problems = Map::new();
        for code in ERRORS {
            let entry = code.entry();
            let mut statuses = vec![entry.http_status];
            let mut description = sentences(&spelled(entry.cause), &spelled(entry.remedy));
            if *code == ErrorCode::Unavailable {
                statuses.push(TIMEOUT_STATUS);
                description += &format!(" {TIMEOUT_STATUS} if there was no answer in time.");
            }
            problems.insert(entry.code.into(), problem(entry.title, entry.class, &statuses, &description));
        }
        for kind in KINDS {
            let description = sentences(kind.cause, kind.remedy);
            problems.insert(kind.code.into(), problem(kind.title, kind.class, &[kind.status], &description));
        }
        problems.sort_keys();
        problems.into()
    }

    fn problem(title: &str, class: core_::catalogue::FailureClass, statuses: &[u16], description: &str) -> Value {
        let retryable = class == core_::catalogue::FailureClass::Retry;
        json!({
            "title": title, "class": class.name(), "retryable": retryable, "status": statuses, "description": description,
        })
    }

    /// Two phrases as sentences.
    fn sentences(cause: &str, remedy: &str) -> String {
        let capital = |phrase: &str| {
            let mut chars = phrase.chars();
            chars.next().map(|first| first.to_uppercase().to_string() + chars.as_str()).unwrap_or_default()
        };
        format!("{}. {}.", capital(cause), capital(remedy))
    }

    /// Names in code spans, in the spelling of this API.
    fn spelled(phrase: &str) -> String {
        let parts = phrase.split('`').enumerate();
        parts.map(|(n, part)| if n % 2 == 0 { part.into() } else { format!("`{}`", part.replace('-', "_")) }).collect()
    }

    fn openapi() -> Value {
        serde_json::from_str(crate::OPENAPI).unwrap()
    }

    /// Run with `UPDATE_OPENAPI=1` to write schemas and problems into `openapi.json`. Review the difference before committing
    /// it.
    #[test]
    fn openapi_has_the_schemas_of_the_types_and_the_problems_of_the_catalogue() {
        let mut openapi = openapi();
        let own = [("/components/schemas", schemas()), ("/x-problems", problems())];
        if std::env::var_os("UPDATE_OPENAPI").is_some() {
            for (pointer, value) in own {
                *openapi.pointer_mut(pointer).unwrap() = value;
            }
            let text = serde_json::to_string_pretty(&openapi).unwrap() + "\n";
            std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json"), text).unwrap();
        } else {
            for (pointer, value) in own {
                let (own, written) =
                    (value.as_object().unwrap(), openapi.pointer(pointer).unwrap().as_object().unwrap());
                for name in own.keys().chain(written.keys()) {
                    let hint = "run with UPDATE_OPENAPI=1 to update openapi.json";
                    assert_eq!(written.get(name), own.get(name), "{pointer}/{name}: {hint}");
                }
            }
        }
    }

    /// Generators of clients make the name of a package from the title. Words of ASCII letters give one in every language.
    #[test]
    fn row_79_the_title_makes_a_module_name_in_every_language() {
        let openapi = openapi();
        let title = openapi.pointer("/info/title").and_then(Value::as_str).unwrap();
        let is_word = |word: &str| {
            word.starts_with(|c: char| c.is_ascii_uppercase()) && word.chars().skip(1).all(|c| c.is_ascii_lowercase())
        };
        assert!(title.split(' ').all(is_word), "{title}");
    }

    /// Every action of the catalogue is an operation: `list-users` is `listUsers`.
    #[test]
    fn openapi_has_every_action() {
        let openapi = openapi();
        assert_eq!(openapi.pointer("/info/version"), Some(&json!(env!("CARGO_PKG_VERSION"))));
        let paths = openapi.get("paths").and_then(Value::as_object).unwrap();
        let operations: Vec<&Value> = paths.values().flat_map(|path| path.as_object().unwrap().values()).collect();
        for action in ACTIONS {
            let (verb, noun) = action.name.split_once('-').unwrap();
            let (first, rest) = noun.split_at(1);
            let id = json!(format!("{verb}{}{rest}", first.to_uppercase()));
            let operation = operations.iter().find(|operation| operation.get("operationId") == Some(&id));
            let operation = operation.unwrap_or_else(|| panic!("there is no operation {id}"));
            assert_eq!(operation.get("tags"), Some(&json!([action.kind.name()])), "{id}");
        }
    }

    /// The pattern and the longest page token of `openapi.json` are the core's.
    #[test]
    fn openapi_has_the_form_of_a_page_token() {
        let openapi = openapi();
        let parameters = openapi.pointer("/paths/~1v1~1users/get/parameters").and_then(Value::as_array).unwrap();
        let token = parameters.iter().find(|parameter| parameter.get("name") == Some(&json!("page_token"))).unwrap();
        let max = token.pointer("/schema/maxLength").and_then(Value::as_u64).unwrap();
        assert_eq!(token.pointer("/schema/pattern"), Some(&json!("^[0-9][A-Za-z0-9_-]*$")));
        let error = |length: u64| {
            let page_token = Some("1".repeat(usize::try_from(length).unwrap()));
            let mut action = Session::new().list_users(ListQuery { page_token, ..ListQuery::default() });
            match action.step(Event::Start, Instant::from_nanos(0)) {
                Step::Done(Err(error)) => error.to_string(),
                step => panic!("{step:?}"),
            }
        };
        assert!(!error(max).contains("longer"), "{}", error(max));
        assert!(error(max + 1).contains(&format!("longer than {max} bytes")), "{}", error(max + 1));
    }

    /// The JSON of a value of the core has the members of the type `T`, in the same order.
    fn check<T: serde::Serialize + serde::de::DeserializeOwned>(value: &impl serde::Serialize) {
        let text = serde_json::to_string(value).unwrap();
        let mirrored: T = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(serde_json::to_string(&mirrored).unwrap(), text);
    }

    /// A failure of each code has the same members here as in the golden files, which all faces share. Only the names of
    /// settings, secrets and arguments are spelled differently.
    #[test]
    fn a_problem_has_the_members_of_the_golden_files() {
        let mut missing: Vec<&str> = ERRORS.iter().map(|code| code.name()).collect();
        for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../core/tests/golden")).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            let golden: super::Failure = serde_json::from_str(&text).unwrap();
            assert_eq!(serde_json::to_string_pretty(&golden).unwrap() + "\n", text, "the schema has all members");
            missing.retain(|code| *code != golden.code);

            let mut problem = serde_json::to_value(problem::Problem::from(failure(&golden))).unwrap();
            let members = problem.as_object_mut().unwrap();
            let entry = ERRORS.iter().find(|code| code.name() == golden.code).unwrap().entry();
            let own = ["type", "title", "status", "detail"].map(|member| members.remove(member).unwrap());
            let kind = format!("/openapi.json#/x-problems/{}", golden.code);
            let message = members.get("message").unwrap();
            assert_eq!(own, [json!(kind), json!(entry.title), json!(entry.http_status), message.clone()]);
            let expected: Value = serde_json::from_str(&text).unwrap();
            for (member, value) in problem.as_object().unwrap() {
                let golden = expected.get(member).unwrap().to_string();
                let names = SETTINGS.iter().chain(&SECRETS).map(|value| value.name).chain(["page_token"]);
                let is_worded = matches!(member.as_str(), "message" | "remedy" | "subject");
                let golden = names
                    .filter(|_| is_worded)
                    .fold(golden, |golden, name| golden.replace(name, &problem::spelled(name)));
                assert_eq!(value.to_string(), golden, "{member}");
            }
            assert_eq!(problem.as_object().unwrap().len(), expected.as_object().unwrap().len());
        }
        assert!(missing.is_empty(), "{missing:?}");
    }

    /// The failure of a golden file in the spelling of this API.
    fn failure(golden: &super::Failure) -> core_::Failure {
        let subject = golden.subject.as_ref().map(|subject| core_::Subject {
            kind: match subject.kind {
                super::SubjectKind::Argument => SubjectKind::Argument,
                super::SubjectKind::Setting => SubjectKind::Setting,
                super::SubjectKind::Secret => SubjectKind::Secret,
            },
            name: subject.name.clone(),
        });
        let service = golden.service.as_ref().map(|service| core_::ServiceError {
            status: service.status,
            code: service.code.clone(),
            message: service.message.clone(),
        });
        let failure = core_::Failure {
            code: *ERRORS.iter().find(|code| code.name() == golden.code).unwrap(),
            message: golden.message.clone(),
            remedy: golden.remedy.clone(),
            retry_after: golden.retry_after,
            may_have_changed: golden.may_have_changed,
            subject,
            user_id: golden.user_id.clone(),
            candidates: golden.candidates.clone(),
            more_candidates: golden.more_candidates,
            service,
        };
        failure.respelled(problem::spelled)
    }

    #[test]
    fn the_schemas_have_the_members_of_the_core() {
        let user = |state| core_::User {
            id: "A".into(),
            email: "a@b".into(),
            display_name: "A".into(),
            state,
            service_state: "ACTIVE".into(),
            create_time: String::new(),
            path: String::new(),
        };
        let users: Vec<core_::User> =
            [core_::UserState::Active, core_::UserState::Suspended, core_::UserState::Other].map(user).into();
        for user in &users {
            check::<super::User>(user);
        }
        let outcomes =
            [core_::ChangeOutcome::Changed, core_::ChangeOutcome::Unchanged, core_::ChangeOutcome::WouldChange];
        for outcome in outcomes {
            check::<super::StateChange>(&core_::StateChange { user: user(core_::UserState::Active), outcome });
        }
        check::<super::UserList>(&core_::UserList { users, next_page_token: Some("1".into()) });
        check::<super::UserList>(&core_::UserList::default());
        let check_of = |result: &'static str| core_::Check { name: "get users", result: result.into() };
        check::<super::TestReport>(&core_::TestReport { ok: true, checks: vec![check_of("permitted")] });

        for kind in KINDS {
            check::<super::Problem>(&problem::Problem::new(kind, "m", "r"));
        }
        for (code, kind) in
            ERRORS.iter().zip([SubjectKind::Argument, SubjectKind::Setting, SubjectKind::Secret].iter().cycle())
        {
            let failure = core_::Failure {
                code: *code,
                message: "m".into(),
                remedy: "r".into(),
                retry_after: Some(1),
                may_have_changed: true,
                subject: Some(core_::Subject { kind: *kind, name: "n".into() }),
                user_id: Some("A".into()),
                candidates: vec!["A".into()],
                more_candidates: true,
                service: Some(core_::ServiceError { status: 400, code: None, message: String::new() }),
            };
            check::<super::Failure>(&failure);
        }
        let error = core_::Error::UserNotFound { user: UserRef::Email("a@b".into()), service: None };
        check::<super::Problem>(&problem::Problem::from(error.clone()));
        check::<super::Failure>(&problem::failure(error));
    }
}
