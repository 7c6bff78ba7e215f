//! The JSON form of a failure of each code, as committed in `golden/`. Other faces compare their failures with these files.
//! `UPDATE_DOCS=1 cargo test -p onepassword-users-core --test golden` writes them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::time::Duration;

use onepassword_users_core::catalogue::{ERRORS, ErrorCode};
use onepassword_users_core::{
    ArgumentError, DriverError, Error, Failure, ServiceError, SettingError, TooMany, TransportError, TransportFault,
    UnavailableCause, UserRef,
};

/// An error of this code.
fn example(code: ErrorCode) -> Error {
    let service =
        |status, code: &str, message: &str| ServiceError { status, code: Some(code.into()), message: message.into() };
    let (id, email) = ("IR7VJHJ36JHINBFAD7V2T5MP3E".to_owned(), "wendy@example.com".to_owned());
    match code {
        ErrorCode::InvalidArgument => Error::InvalidArgument {
            argument: "limit".into(),
            problem: ArgumentError::Face("it is not from 1 to 250000".into()),
        },
        ErrorCode::PageTokenRefused => {
            Error::PageTokenRefused { service: Some(service(400, "3", "InvalidArgument: page_token")) }
        }
        ErrorCode::TooManyUsers => Error::TooManyUsers(TooMany::Users(250_000)),
        ErrorCode::Misconfigured => {
            Error::Misconfigured { name: "account-id", problem: SettingError::Missing, service: None }
        }
        ErrorCode::Unauthenticated => Error::Unauthenticated {
            name: "client-secret",
            service: service(401, "invalid_client", "client authentication failed"),
        },
        ErrorCode::PermissionDenied => Error::PermissionDenied {
            permission: "suspend users",
            user_id: Some(id),
            service: service(403, "7", "permission denied"),
        },
        ErrorCode::UserNotFound => {
            Error::UserNotFound { user: UserRef::Id(id), service: Some(service(404, "5", "user not found")) }
        }
        ErrorCode::AmbiguousUser => Error::AmbiguousUser { email, ids: vec![id, "ANOTHER".into()], is_similar: false },
        ErrorCode::AddressMismatch => Error::AddressMismatch { user_id: id, email },
        ErrorCode::LastOwner => Error::LastOwner { user_id: id, service: service(403, "7", "no_owner_remain") },
        ErrorCode::ExternallyManaged => {
            Error::ExternallyManaged { user_id: id, service: service(403, "7", "user_externally_managed") }
        }
        ErrorCode::ProtectedUser => Error::ProtectedUser { user_id: id },
        ErrorCode::Intermediary => Error::Intermediary {
            origin: "https://api.1password.com".into(),
            service: ServiceError { status: 403, code: None, message: String::new() },
        },
        ErrorCode::RateLimited => Error::RateLimited {
            retry_after: Some(Duration::from_secs(7)),
            service: service(429, "8", "too many requests"),
        },
        ErrorCode::Unavailable => Error::Unavailable {
            cause: UnavailableCause::Transport {
                origin: "https://api.1password.com".into(),
                error: TransportError { fault: TransportFault::Timeout, detail: String::new() },
            },
            retry_after: None,
            may_have_changed: Some(id),
        },
        ErrorCode::InvalidResponse => {
            Error::InvalidResponse { problem: "a user has no id".into(), status: 200, may_have_changed: None }
        }
        ErrorCode::EndlessList => Error::EndlessList { problem: "a page token came for the second time".into() },
        ErrorCode::HostFailed => Error::Driver(DriverError::Ended),
        ErrorCode::Other => Error::Other {
            problem: "the service refused the request".into(),
            service: Some(service(400, "3", "invalid argument")),
        },
    }
}

#[test]
fn every_failure_has_its_golden_file() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for code in ERRORS {
        let failure = Failure::from(example(*code));
        assert_eq!(failure.code, *code);
        let json = serde_json::to_string_pretty(&failure).unwrap() + "\n";
        let path = folder.join(format!("{}.json", code.name()));
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, &json).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), json, "{}", path.display());
    }
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), ERRORS.len());
}

/// Only the core's own words are spelt for a face.
#[test]
fn foreign_words_are_not_respelt() {
    let service = ServiceError { status: 401, code: None, message: "bad client-secret".into() };
    let failure = Failure::from(Error::Unauthenticated { name: "client-secret", service });
    let respelt = failure.clone().respelled(|name| name.to_uppercase());
    assert_eq!(respelt.message, failure.message);
    assert!(respelt.remedy.contains("CLIENT-SECRET"), "{}", respelt.remedy);
    let failure =
        Failure::from(Error::Misconfigured { name: "timeout", problem: SettingError::Missing, service: None });
    let respelt = failure.respelled(|name| name.to_uppercase());
    assert!(respelt.message.starts_with("TIMEOUT ") && respelt.remedy.contains("TIMEOUT"), "{respelt:?}");
}
