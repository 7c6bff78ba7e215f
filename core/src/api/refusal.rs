//! Responses that are refusals: redirects, encodings that were not asked for, protected users, and refusals by something else.

use alloc::format;
use alloc::string::String;

use crate::api::service_error::{ErrorResponse, ServiceError};
use crate::http::Response;
use crate::text::{contains_any, quoted};

/// The reason why a response cannot be used, whatever its body says. `None` for a success and for errors. Any status from 200 to
/// 299 is a success for a change, only 200 for other calls.
pub(crate) fn unusable(response: &Response, is_change: bool) -> Option<String> {
    if let Some(flaw) = response.flaw {
        return Some(flaw.into());
    }
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
        201..=299 if is_change => None,
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
/// are not known, so anything close to that term counts, except in words about asking somebody.
pub(crate) fn protection(error: &ServiceError) -> Option<Protection> {
    let mut words = String::from(" ");
    let mut chars = error.message.chars().peekable();
    let mut last = ' ';
    while let Some(c) = chars.next() {
        // A capital begins a word after a small letter (`noOwner`), and before one (`EAMUser`).
        let is_small = |c: &char| c.is_ascii_lowercase();
        let begins_word = c.is_ascii_uppercase()
            && (is_small(&last) || last.is_ascii_uppercase() && chars.peek().is_some_and(is_small));
        if begins_word {
            words.push(' ');
        }
        words.push(if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { ' ' });
        last = c;
    }
    words.push(' ');
    if contains_any(&words, " ask | contact | permission| token") {
        return None;
    }
    let last_owner = " no owner remain| no owners remain| last owner | last remaining owner | the only owner | only owner of | sole owner ";
    if contains_any(&words, last_owner) {
        return Some(Protection::LastOwner);
    }
    let external = " eam | externally managed | external managed | managed externally | external admin| external account manager| \
                    managed service provider| managed by msp | managed by an msp ";
    contains_any(&words, external).then_some(Protection::ExternallyManaged)
}

/// The names by which proxies of companies call themselves.
const PROXIES: &str = "squid|zscaler|bluecoat|fortiproxy|mcafee web gateway";

/// True if something between here and the service refused a request: a proxy, a gateway or a sign-in page. The service answers in
/// JSON and knows neither sign-in pages nor the log-in of a Windows domain.
pub(crate) fn is_by_intermediary(response: &Response, error: &ErrorResponse) -> bool {
    if response.header("proxy-authenticate").is_some() || matches!(response.status, 407 | 511) {
        return true;
    }
    let mut headers =
        response.headers.iter().filter_map(|(name, value)| Some((name, core::str::from_utf8(value).ok()?)));
    let is_marked = headers.any(|(name, value)| {
        let names = |words| contains_any(&value.to_ascii_lowercase(), words);
        match name.to_ascii_lowercase().as_str() {
            "www-authenticate" => names("negotiate|ntlm|kerberos"),
            "server" if error.has_form => false,
            "server" if error.error.message.is_empty() => names(PROXIES),
            // These may stand in front of the service itself, which answers in JSON.
            "server" => names(PROXIES) || names("cloudflare|envoy|cloudfront|akamai|awselb"),
            "x-squid-error" | "proxy-status" | "proxy-connection" => !error.has_form,
            _ => false,
        }
    });
    is_marked || error.is_markup
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_24_protected_users_are_known_by_the_words() {
        let protection = |message: &str| protection(&ServiceError { status: 403, code: None, message: message.into() });
        assert_eq!(protection("no_owner_remain"), Some(Protection::LastOwner));
        for words in
            ["Cannot suspend the last owner.", "noOwnerRemain", "NO_OWNERS_REMAIN", "cannot suspend the only owner"]
        {
            assert_eq!(protection(words), Some(Protection::LastOwner), "{words}");
        }
        for words in [
            "user_externally_managed",
            "EAM user",
            "Externally managed administrators cannot be suspended",
            "cannot suspend an external account manager",
            "EXTERNAL_ACCOUNT_MANAGER",
            "The user belongs to a managed service provider",
            "ExternallyManagedAdmin",
            "EAMUser",
            "user is managed by MSP",
        ] {
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
            "Contact your account manager to enable this API",
            "ask your account manager for the permission",
            "MSP feature not enabled",
            "caller lacks permission; ask the last owner",
            "the last owner of the token has left",
        ] {
            assert_eq!(protection(words), None, "{words}");
        }
    }

    #[test]
    fn row_20_a_refusal_by_something_else_is_known_by_its_marks() {
        use crate::redact::Redactor;

        let is_by_intermediary = |status, headers: &[(&str, &str)], body: &str| {
            let mut response = Response::new(status, body.into());
            response.headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            is_by_intermediary(&response, &ErrorResponse::read(&response, &Redactor::default()))
        };
        let own = r#"{"code":7,"message":"words"}"#;
        for (status, headers, body) in [
            (403, &[][..], "<html>"),
            (403, &[("Content-Type", "text/html; charset=utf-8")], ""),
            (403, &[], " \r\n<!DOCTYPE html>"),
            (401, &[("WWW-Authenticate", "Negotiate")], ""),
            (401, &[("WWW-Authenticate", "Basic"), ("www-authenticate", "NTLM")], own),
            (403, &[("Proxy-Authenticate", "Basic")], own),
            (407, &[], ""),
            (511, &[], ""),
            (403, &[("Server", "squid/6.1")], "denied"),
            (403, &[("X-Squid-Error", "ERR_ACCESS_DENIED 0")], ""),
            (403, &[("Server", "cloudflare")], "error code: 1020"),
            (403, &[("Server", "envoy")], "RBAC: access denied"),
        ] {
            assert!(is_by_intermediary(status, headers, body), "{status} {headers:?} {body}");
        }
        for (status, headers, body) in [
            (403, &[][..], own),
            (403, &[], ""),
            (401, &[("WWW-Authenticate", "Bearer")], own),
            (403, &[("Via", "1.1 google"), ("Server", "squid")], own),
            (403, &[("Server", "cloudflare")], own),
            (403, &[("Server", "cloudflare")], ""),
            (403, &[("Content-Type", "application/json")], own),
            (403, &[("Content-Type", "text/html")], own),
        ] {
            assert!(!is_by_intermediary(status, headers, body), "{status} {headers:?} {body}");
        }
    }

    #[test]
    fn a_redirect_is_named_by_its_host_alone() {
        assert_eq!(redirect_target("https://evil.example/steal?token=1"), "\"evil.example\"");
        assert_eq!(redirect_target("//user:pw@evil.example:8443/x"), "\"evil.example:8443\"");
        assert_eq!(redirect_target("/login"), "another path of the same host");
    }
}
