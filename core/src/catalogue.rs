//! The catalogue: settings, secrets, actions and errors, each described once, as data.
//!
//! The parsers take bounds and defaults from here, the errors their codes and remedies. Everything that repeats the catalogue
//! (the README, the WIT documentation, `--help`, exit codes, `openapi.json`, `spin.toml`) is generated from it or checked against
//! it by a test.

mod actions;

pub(crate) use actions::{ACTION_NAMES, SHARED};
pub use actions::{ACTIONS, ActionClass, ActionEntry, ActionForm, ActionKind, Column, Example, Meaning, Tag};

/// The connector as a whole.
pub const CONNECTOR: Connector = Connector {
    name: "onepassword-users",
    title: "1Password Users",
    description: "Looks people up in a 1Password account, suspends them and reactivates them.",
    version: env!("CARGO_PKG_VERSION"),
    vendor: "1Password",
    product: "1Password",
    category: "Identity and Access Management",
    documentation: "https://developer.1password.com/docs/users-api/about-users-api",
    origins: Origins {
        default: "https://api.1password.com",
        allowed: &["https://api.1password.com", "https://api.1password.ca", "https://api.1password.eu"],
        setting: "base-url",
    },
};

/// The description of a connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connector {
    /// The name: lower case, words joined by hyphens.
    pub name: &'static str,
    /// The title.
    pub title: &'static str,
    /// The purpose, as a sentence.
    pub description: &'static str,
    /// The version.
    pub version: &'static str,
    /// The vendor of the service.
    pub vendor: &'static str,
    /// The product that the service belongs to.
    pub product: &'static str,
    /// The category of the product, in the terms of automation platforms.
    pub category: &'static str,
    /// The address of the service's documentation.
    pub documentation: &'static str,
    /// The origins that requests go to.
    pub origins: Origins,
}

/// The origins that a connector sends requests to: one at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origins {
    /// The origin unless the setting names another.
    pub default: &'static str,
    /// The origins of the service itself. Another one needs the embedder's consent.
    pub allowed: &'static [&'static str],
    /// The setting that names the origin.
    pub setting: &'static str,
}

/// A named value that the platform hands over: a setting or a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value {
    /// The name: lower case, words joined by hyphens.
    pub name: &'static str,
    /// The label of a form field.
    pub title: &'static str,
    /// The meaning, as a phrase. May hold Markdown code spans.
    pub help: &'static str,
    /// The type and its bounds.
    pub kind: ValueKind,
    /// The value that applies unless one is set. `None` if there is none.
    pub default: Option<&'static str>,
    /// True if an action fails without it.
    pub is_required: bool,
    /// True if the value must not be shown.
    pub is_secret: bool,
    /// The way to correct it, as a sentence.
    pub remedy: &'static str,
}

/// The type of a [`Value`]. All values are handed over as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueKind {
    /// Any text.
    Text,
    /// An origin or a host.
    Url,
    /// A text that a regular expression matches completely.
    Pattern(&'static str),
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// A whole number within bounds, both included.
    Integer {
        /// The lower bound.
        min: u32,
        /// The upper bound.
        max: u32,
        /// The unit, in the plural.
        unit: Option<&'static str>,
    },
}

const OAUTH_REMEDY: &str =
    "Set client-id and client-secret to those of an OAuth application (in 1Password under Integrations).";

/// The address of the service.
pub const BASE_URL: Value = Value {
    name: "base-url",
    title: "API base URL",
    help: "`https://api.1password.com`, `.ca` or `.eu`, the region of the account; a bare host, and a slash, `/v1` or \
           `/v1beta1` at the end are accepted; plain http for loopback only",
    kind: ValueKind::Url,
    default: Some("https://api.1password.com"),
    is_required: false,
    is_secret: false,
    remedy: "Set base-url to https://api.1password.com, .ca or .eu, the region of the account.",
};

/// The account.
pub const ACCOUNT_ID: Value = Value {
    name: "account-id",
    title: "Account ID",
    help: "the id of the account: 26 upper-case letters and digits",
    kind: ValueKind::Pattern("[A-Z0-9]{26}"),
    default: None,
    is_required: true,
    is_secret: false,
    remedy: "Set account-id to the id of the account, which its administrator sees beside the OAuth application.",
};

/// The version of the routes.
pub const API_VERSION: Value = Value {
    name: "api-version",
    title: "API version",
    help: "`v1` or `v1beta1`; the version at the end of `base-url`, if there is one, must be the same",
    kind: ValueKind::Choice(&["v1", "v1beta1"]),
    default: Some("v1"),
    is_required: false,
    is_secret: false,
    remedy: "Set api-version to v1 or v1beta1, or leave it out.",
};

/// The idle timeout.
pub const TIMEOUT: Value = Value {
    name: "timeout",
    title: "Timeout",
    help: "idle timeout: seconds to wait for a connection, for the first byte, and between two parts of a response",
    kind: ValueKind::Integer { min: 1, max: 600, unit: Some("seconds") },
    default: Some("30"),
    is_required: false,
    is_secret: false,
    remedy: "Set timeout to a number of seconds such as 30, or leave it out.",
};

/// The time that an action may take.
pub const DEADLINE: Value = Value {
    name: "deadline",
    title: "Deadline",
    help: "seconds that one action may take, including retries and pauses",
    kind: ValueKind::Integer { min: 1, max: 3600, unit: Some("seconds") },
    default: Some("300"),
    is_required: false,
    is_secret: false,
    remedy: "Set deadline to a number of seconds such as 300, or leave it out.",
};

/// The number of attempts for each request.
pub const MAX_ATTEMPTS: Value = Value {
    name: "max-attempts",
    title: "Attempts",
    help: "attempts for each request whose failure may be temporary",
    kind: ValueKind::Integer { min: 1, max: 10, unit: None },
    default: Some("4"),
    is_required: false,
    is_secret: false,
    remedy: "Set max-attempts to a number from 1 to 10, such as 4, or leave it out.",
};

/// The platform's product.
pub const USER_AGENT: Value = Value {
    name: "user-agent",
    title: "User agent",
    help: "your product and version, such as `ExamplePlatform/2.1`, in front of this component's own",
    kind: ValueKind::Pattern("[!#$%&'*+.^_`|~0-9A-Za-z-]+/[!#$%&'*+.^_`|~0-9A-Za-z-]+( [ -~]*)?"),
    default: None,
    is_required: false,
    is_secret: false,
    remedy: "Set user-agent to your product and version, such as ExamplePlatform/2.1, or leave it out.",
};

/// The users that must not be suspended.
pub const PROTECTED_USERS: Value = Value {
    name: "protected-users",
    title: "Protected users",
    help: "ids and e-mail addresses of users that are never suspended, such as break-glass accounts, separated by commas or line \
           breaks; a similar address counts as well; nothing is suspended while this cannot be read",
    kind: ValueKind::Text,
    default: None,
    is_required: false,
    is_secret: false,
    remedy: "Set protected-users to ids and e-mail addresses, separated by commas, or leave it out.",
};

/// The settings that every action looks up.
pub(crate) const ACTION_SETTINGS: [Value; 7] =
    [BASE_URL, ACCOUNT_ID, API_VERSION, TIMEOUT, DEADLINE, MAX_ATTEMPTS, USER_AGENT];

/// The settings, in the order in which a form shows them.
pub const SETTINGS: [Value; 8] =
    [BASE_URL, ACCOUNT_ID, PROTECTED_USERS, API_VERSION, TIMEOUT, DEADLINE, MAX_ATTEMPTS, USER_AGENT];

/// The client id of the OAuth application.
pub const CLIENT_ID: Value = Value {
    name: "client-id",
    title: "Client ID",
    help: "the client id of the OAuth application",
    kind: ValueKind::Text,
    default: None,
    is_required: true,
    is_secret: true,
    remedy: OAUTH_REMEDY,
};

/// The client secret of the OAuth application.
pub const CLIENT_SECRET: Value = Value {
    name: "client-secret",
    title: "Client secret",
    help: "the client secret of the OAuth application",
    kind: ValueKind::Text,
    default: None,
    is_required: true,
    is_secret: true,
    remedy: OAUTH_REMEDY,
};

/// A token from elsewhere.
pub const ACCESS_TOKEN: Value = Value {
    name: "access-token",
    title: "Access token",
    help: "a bearer token instead of client id and secret, for a platform that runs OAuth itself; it takes precedence and is \
           never renewed",
    kind: ValueKind::Text,
    default: None,
    is_required: false,
    is_secret: true,
    remedy: "Set access-token to a token of the service, or leave it out and set client-id and client-secret.",
};

/// The secrets, in the order in which a form shows them.
pub const SECRETS: [Value; 3] = [CLIENT_ID, CLIENT_SECRET, ACCESS_TOKEN];

/// The names of values. Computed at compile time, so that a component holds only the texts that it needs.
#[allow(clippy::indexing_slicing, reason = "evaluated at compile time only")]
pub(crate) const fn names<const N: usize>(values: [Value; N]) -> [&'static str; N] {
    let mut names = [""; N];
    let mut place = 0;
    while place < N {
        names[place] = values[place].name;
        place += 1;
    }
    names
}

/// The remedies of values, in the same way.
#[allow(clippy::indexing_slicing, reason = "evaluated at compile time only")]
const fn remedies<const N: usize>(values: [Value; N]) -> [&'static str; N] {
    let mut remedies = [""; N];
    let mut place = 0;
    while place < N {
        remedies[place] = values[place].remedy;
        place += 1;
    }
    remedies
}

/// The names of the secrets.
pub(crate) const SECRET_NAMES: [&str; SECRETS.len()] = names(SECRETS);

/// The remedy of a setting or secret that is missing or wrong.
pub(crate) fn remedy(name: &str) -> &'static str {
    const SETTING_NAMES: [&str; SETTINGS.len()] = names(SETTINGS);
    const SETTING_REMEDIES: [&str; SETTINGS.len()] = remedies(SETTINGS);
    const SECRET_REMEDIES: [&str; SECRETS.len()] = remedies(SECRETS);
    let settings = SETTING_NAMES.iter().zip(&SETTING_REMEDIES);
    let mut all = settings.chain(SECRET_NAMES.iter().zip(&SECRET_REMEDIES));
    all.find(|(other, _)| **other == name).map_or("Correct it.", |(_, remedy)| *remedy)
}

impl Value {
    /// The setting or secret of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        const VALUES: [&[Value]; 2] = [&SETTINGS, &SECRETS];
        VALUES.into_iter().flatten().find(|value| value.name == name)
    }
}

/// A kind of failure that a caller handles in one way. The set is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureClass {
    /// The call has to be corrected.
    Caller,
    /// A setting has to be corrected.
    Settings,
    /// The credentials have to be corrected.
    Credentials,
    /// The service refuses the action.
    Refused,
    /// The thing that the call names does not exist.
    Absent,
    /// A later attempt may succeed.
    Retry,
    /// The response cannot be trusted.
    Untrusted,
    /// The host or the driver failed.
    Host,
}

impl FailureClass {
    /// The name of the class.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Settings => "settings",
            Self::Credentials => "credentials",
            Self::Refused => "refused",
            Self::Absent => "absent",
            Self::Retry => "retry",
            Self::Untrusted => "untrusted",
            Self::Host => "host",
        }
    }
}

/// The description of an error code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorEntry {
    /// The code: lower case, words joined by hyphens.
    pub code: &'static str,
    /// The class.
    pub class: FailureClass,
    /// A short title, without a full stop.
    pub title: &'static str,
    /// The cause, as a phrase.
    pub cause: &'static str,
    /// The remedy, as a phrase. The remedy of an error may be more specific.
    pub remedy: &'static str,
    /// The exit code of the command line.
    pub exit_code: u8,
    /// The HTTP status of the API.
    pub http_status: u16,
}

macro_rules! errors {
    ($($(#[$doc:meta])* $case:ident: $class:ident, $code:literal, $title:literal, $cause:literal, $remedy:literal, $exit:literal, $status:literal;)*) => {
        /// The code of an error. Exhaustive, so that a face that lacks one does not compile.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ErrorCode {
            $($(#[$doc])* $case,)*
        }

        /// All errors, in the order in which a table shows them.
        pub const ERRORS: &[ErrorCode] = &[$(ErrorCode::$case),*];

        impl ErrorCode {
            /// The code itself: lower case, words joined by hyphens.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$case => $code,)*
                }
            }

            /// The class of this code.
            #[must_use]
            pub fn class(self) -> FailureClass {
                match self {
                    $(Self::$case => FailureClass::$class,)*
                }
            }

            /// True if this connector alone has the code. The contract documents those that all connectors share.
            #[must_use]
            pub fn is_own(self) -> bool {
                !matches!(
                    self,
                    Self::InvalidArgument
                        | Self::Misconfigured
                        | Self::Unauthenticated
                        | Self::PermissionDenied
                        | Self::RateLimited
                        | Self::Unavailable
                        | Self::InvalidResponse
                        | Self::Intermediary
                        | Self::HostFailed
                        | Self::Other
                )
            }

            /// True if the same action may succeed if it is repeated later.
            #[must_use]
            pub fn is_retryable(self) -> bool {
                matches!(self.class(), FailureClass::Retry)
            }

            /// The description of this code.
            #[must_use]
            pub fn entry(self) -> &'static ErrorEntry {
                match self {
                    $(Self::$case => &ErrorEntry {
                        code: $code,
                        class: FailureClass::$class,
                        title: $title,
                        cause: $cause,
                        remedy: $remedy,
                        exit_code: $exit,
                        http_status: $status,
                    },)*
                }
            }
        }
    };
}

errors! {
    /// An argument is not valid.
    InvalidArgument: Caller, "invalid-argument", "An argument is not valid",
        "an argument is not valid; nothing was sent", "correct it", 2, 400;
    /// The service refused a page token.
    PageTokenRefused: Caller, "page-token-refused", "The page token was refused",
        "the service does not accept the page token any more", "start the list again", 2, 400;
    /// The account has more users than one list may have.
    TooManyUsers: Caller, "too-many-users", "There are too many users",
        "the account has more users, or more text, than one list may have", "list in parts, with `limit` and `page_token`", 1, 422;
    /// A setting or secret is missing or wrong.
    Misconfigured: Settings, "misconfigured", "A setting is missing or wrong",
        "a setting or secret is missing or wrong, a certificate is not accepted, or the platform denies the host",
        "correct the one that is named", 3, 503;
    /// The credentials are not accepted.
    Unauthenticated: Credentials, "unauthenticated", "The credentials are not accepted",
        "the service does not accept the credentials", "check client id and secret, or renew the access token", 4, 503;
    /// The credentials do not allow the action.
    PermissionDenied: Refused, "permission-denied", "The permission is missing",
        "a permission is missing, the user is protected, or the account is another",
        "check permissions and account; the service's words are kept", 5, 403;
    /// There is no such user.
    UserNotFound: Absent, "user-not-found", "There is no such user",
        "no such user", "check id or address, and account", 6, 404;
    /// Several users have the address, or only similar ones.
    AmbiguousUser: Caller, "ambiguous-user", "The address does not name one user",
        "several users have the address, or none has it and some have a similar one",
        "use one of the ids that it names, if it is the right one", 7, 409;
    /// The user has another address than the caller says.
    AddressMismatch: Caller, "address-mismatch", "The user has another address",
        "the user with the id has another address than the call says", "look the user up again", 7, 409;
    /// The last owner cannot be suspended.
    LastOwner: Refused, "last-owner", "The last owner cannot be suspended",
        "the last owner cannot be suspended", "give the account another owner", 8, 409;
    /// The user is managed elsewhere.
    ExternallyManaged: Refused, "externally-managed", "The user is managed elsewhere",
        "an externally managed administrator cannot be suspended here", "suspend in the account of the provider that manages it", 8, 409;
    /// The user is protected by a setting.
    ProtectedUser: Refused, "protected-user", "The user is protected",
        "`protected-users` names the user; no change was sent", "remove the user from that setting first", 8, 409;
    /// Too many requests.
    RateLimited: Retry, "rate-limited", "1Password received too many requests",
        "too many requests", "wait for the time that it names", 9, 503;
    /// The service or a store is not available.
    Unavailable: Retry, "unavailable", "1Password is not available",
        "no connection, no answer in time, or the service failed", "try later; if `may-have-changed`, look at the user first", 10, 503;
    /// The response cannot be trusted.
    InvalidResponse: Untrusted, "invalid-response", "The answer cannot be trusted",
        "the response is not one of the service", "check `base-url`, and proxies in between", 11, 502;
    /// The list has no end.
    EndlessList: Untrusted, "endless-list", "The list has no end",
        "the pages of the list lead in a circle or go on without an end", "check `base-url`, and proxies in between", 11, 502;
    /// A proxy or gateway answered instead of the service.
    Intermediary: Untrusted, "intermediary", "Something in between refused the request",
        "a proxy or gateway between here and the service answered instead of it", "check proxies, gateways and firewalls on the way", 11, 502;
    /// The host or the driver failed.
    HostFailed: Host, "host-failed", "The host failed",
        "the component trapped, or the host ended or could not run it", "report it to the platform; look at the user first", 13, 502;
    /// Any other failure.
    Other: Refused, "other", "The request failed",
        "anything else", "read the message", 1, 502;
}
