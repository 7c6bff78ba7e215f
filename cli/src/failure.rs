//! The failure of a command, and its exit code.

use onepassword_users_host::catalogue::{self, FailureClass};
use onepassword_users_host::{Environment, Error, Failure as Record, ForeignCode};

/// The exit code of a dry run that would change something, if nothing failed.
pub(crate) const WOULD_CHANGE: u8 = 20;

/// A failed command: the message, the exit code, and the record that JSON shows.
pub(crate) struct Failure {
    pub(crate) message: String,
    pub(crate) code: u8,
    pub(crate) record: Record<ForeignCode>,
}

impl Failure {
    /// A failure of the command line itself.
    fn own(message: String, code: u8, name: &str, class: FailureClass) -> Self {
        let (sentence, remedy) = message.split_once(". ").unwrap_or((&message, ""));
        let record = Record::new(ForeignCode { name: name.into(), class }, sentence, remedy);
        Self { message, code, record }
    }

    pub(crate) fn other(message: String) -> Self {
        Self::own(message, 1, "other", FailureClass::Refused)
    }

    pub(crate) fn settings(message: String) -> Self {
        Self::own(message, 3, "misconfigured", FailureClass::Settings)
    }

    /// Invalid usage.
    pub(crate) fn usage(message: String) -> Self {
        Self::own(message, 2, "invalid-argument", FailureClass::Caller)
    }

    /// A change that nobody confirmed.
    pub(crate) fn not_confirmed(message: &str) -> Self {
        Self::own(message.into(), 12, "not-confirmed", FailureClass::Caller)
    }

    /// The failure of an action, whose settings and secrets have names that can be set.
    pub(crate) fn of_action(record: Record<ForeignCode>) -> Self {
        Self { message: format!("{}. {}", record.message, record.remedy), code: any_exit_code(&record), record }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let record = record(&error);
        let (message, code) = (sentence(&record), exit_code(&record));
        let foreign = ForeignCode { name: record.code.name().into(), class: record.code.entry().class };
        Self { message, code, record: record.with_code(foreign) }
    }
}

/// The failure record of an error, in which settings and secrets have the names of their variables.
pub(crate) fn record(error: &Error) -> Record {
    let mut record = respelled(error.failure());
    with_options(&mut record.message);
    with_options(&mut record.remedy);
    record
}

/// The options of this command line for those of the host library.
const OPTIONS: [(&str, &str); 5] = [
    ("Network.ca_file", "--ca-file"),
    ("Network.allow_private", "--allow-private"),
    ("Network.proxy", "--proxy or ONEPASSWORD_PROXY"),
    ("Network.allowed_origins", "--base-url"),
    ("Network.allow_loopback", "--base-url"),
];

/// Replaces the names of the host library's options, in its own words, by those of this command line.
pub(crate) fn with_options(text: &mut String) {
    for (option, own) in OPTIONS {
        if text.contains(option) {
            *text = text.replace(option, own);
        }
    }
}

/// A failure record in which settings and secrets have the names of their variables, and arguments those of their options.
pub(crate) fn respelled(record: Record) -> Record {
    record.respelled(|name| match name {
        "page_token" | "limit" | "state" => format!("--{}", name.replace('_', "-")),
        "user" | "users" => name.to_owned(),
        name => Environment::variable(name),
    })
}

/// The failure and its remedy in one line.
pub(crate) fn sentence(record: &Record) -> String {
    format!("{}. {}", record.message, record.remedy)
}

/// The exit code of a failure of any connector: that of the code, or one of the class.
pub(crate) fn any_exit_code(record: &Record<ForeignCode>) -> u8 {
    let known = catalogue::ERRORS.iter().find(|code| code.name() == record.code.name);
    match (known, record.code.class) {
        (Some(code), _) => code.entry().exit_code,
        (None, FailureClass::Caller) => 2,
        (None, FailureClass::Settings) => 3,
        (None, FailureClass::Credentials) => 4,
        (None, FailureClass::Refused) => 1,
        (None, FailureClass::Absent) => 6,
        (None, FailureClass::Retry) => 10,
        (None, FailureClass::Untrusted) => 11,
        (None, FailureClass::Host) => 13,
    }
}

/// The exit code of a failure. The catalogue has them, and the help text lists them.
pub(crate) fn exit_code(record: &Record) -> u8 {
    record.code.entry().exit_code
}
