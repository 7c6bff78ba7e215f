//! Responses that are refusals: redirects, encodings that were not asked for, and protected users.

use alloc::format;
use alloc::string::String;

use crate::api::service_error::ServiceError;
use crate::http::Response;
use crate::text::quoted;

/// The reason why a response cannot be used, whatever its body says. `None` for a 200 and for errors.
pub(crate) fn unusable(response: &Response) -> Option<String> {
    match response.header("content-encoding") {
        Some(encoding) if !encoding.eq_ignore_ascii_case("identity") && !encoding.is_empty() => {
            return Some("its body is compressed, which was not asked for".into());
        }
        _ => {}
    }
    match response.status {
        300..=399 => {
            let target = response.header("location").map_or_else(|| "nowhere".into(), redirect_target);
            Some(format!("it redirects to {target}; redirects are never followed"))
        }
        200 => None,
        0..=399 => Some("only 200 means success".into()),
        _ => None,
    }
}

/// The host of a redirect. Path and query are left out: they may hold anything.
fn redirect_target(location: &str) -> String {
    let Some((_, rest)) = location.split_once("//") else { return "another path of the same host".into() };
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    quoted(authority.rsplit('@').next().unwrap_or_default())
}

/// The reasons for which the service refuses to suspend a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protection {
    LastOwner,
    ExternallyManaged,
}

/// The protection that an error names. `no_owner_remain` is known verbatim. The words for externally managed administrators
/// are not known, so anything close to that term counts.
pub(crate) fn protection(error: &ServiceError) -> Option<Protection> {
    let mut words = String::from(" ");
    for c in error.message.chars() {
        words.push(if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { ' ' });
    }
    words.push(' ');
    let has = |part: &str| words.contains(part);
    if has(" no owner remain") || has(" last owner ") || has(" last remaining owner ") {
        Some(Protection::LastOwner)
    } else if has(" eam ") || has(" externally managed ") || has(" managed externally ") || has(" external admin") {
        Some(Protection::ExternallyManaged)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protected_users_are_known_by_the_words() {
        let protection = |message: &str| protection(&ServiceError { status: 403, code: None, message: message.into() });
        assert_eq!(protection("no_owner_remain"), Some(Protection::LastOwner));
        assert_eq!(protection("Cannot suspend the last owner."), Some(Protection::LastOwner));
        for words in ["user_externally_managed", "EAM user", "Externally managed administrators cannot be suspended"] {
            assert_eq!(protection(words), Some(Protection::ExternallyManaged), "{words}");
        }
        for words in [
            "",
            "permission denied",
            "steam",
            "teams",
            "owner required",
            "Only owner or administrator roles may suspend users",
            "external service failed",
        ] {
            assert_eq!(protection(words), None, "{words}");
        }
    }

    #[test]
    fn a_redirect_is_named_by_its_host_alone() {
        assert_eq!(redirect_target("https://evil.example/steal?token=1"), "\"evil.example\"");
        assert_eq!(redirect_target("//user:pw@evil.example:8443/x"), "\"evil.example:8443\"");
        assert_eq!(redirect_target("/login"), "another path of the same host");
    }
}
