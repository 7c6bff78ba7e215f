//! Who may call: keys with labels, in two lists, and what each list allows.
//!
//! A list is text: entries between commas, spaces or line breaks, each `label:key` or just a key.

use onepassword_users_core::Secret;
use subtle::ConstantTimeEq;

/// The shortest key that is accepted, in characters: 128 bits in hexadecimal.
pub const SHORTEST_KEY: usize = 32;
/// The longest key that is accepted, in characters.
const LONGEST_KEY: usize = 512;
/// The longest label, in characters: too short for a key, lest one be logged as a label.
const LONGEST_LABEL: usize = SHORTEST_KEY - 1;
/// The most keys of one list: each call is compared with all.
const MOST_KEYS: usize = 100;

/// What a key allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Enrichment: everything that only reads.
    Reader,
    /// Containment as well.
    Responder,
}

/// A key that opened.
#[derive(Debug, PartialEq, Eq)]
pub struct Caller {
    /// The key's label, for the log: its own, or `reader-1` for the first entry of its list, and so on.
    pub label: String,
    /// What it allows.
    pub role: Role,
}

/// All keys that are accepted at this moment.
#[derive(Debug)]
pub struct Keys(Vec<(Caller, Secret)>);

impl Keys {
    /// Reads both lists.
    ///
    /// # Errors
    ///
    /// No key at all, a key or label that cannot be one, too many, or the same key in both lists. The text says what is wrong
    /// and where, and holds no key.
    pub fn parse(readers: &str, responders: &str) -> Result<Self, String> {
        let mut keys = list("reader_keys", "reader", Role::Reader, readers)?;
        let responders = list("responder_keys", "responder", Role::Responder, responders)?;
        if keys.is_empty() && responders.is_empty() {
            return Err("neither reader_keys nor responder_keys has a key".into());
        }
        for (reader, key) in &keys {
            if responders.iter().any(|(responder, _)| responder.label == reader.label) {
                return Err(format!("reader_keys and responder_keys share the label {}", reader.label));
            }
            if let Some((responder, _)) = responders.iter().find(|(_, other)| other == key) {
                let (reader, responder) = (&reader.label, &responder.label);
                return Err(format!("reader_keys and responder_keys share a key ({reader} and {responder})"));
            }
        }
        keys.extend(responders);
        Ok(Self(keys))
    }

    /// Whose key this `Authorization` header bears (RFC 6750, section 2.1); `None` if it is nobody's. Compares with each key,
    /// in constant time.
    #[must_use]
    pub fn admit(self, authorization: &[u8]) -> Option<Caller> {
        let (scheme, key) = authorization.split_at_checked("Bearer ".len())?;
        if !scheme.eq_ignore_ascii_case(b"Bearer ") {
            return None;
        }
        let key = key.trim_ascii();
        let mut admitted = None;
        for (caller, own) in self.0 {
            if bool::from(own.expose().as_bytes().ct_eq(key)) {
                admitted = Some(caller);
            }
        }
        admitted
    }
}

fn list(name: &str, kind: &str, role: Role, text: &str) -> Result<Vec<(Caller, Secret)>, String> {
    let entries = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|entry| !entry.is_empty());
    let mut keys = Vec::new();
    for (entry, number) in entries.zip(1..) {
        let problem = |problem: &str| Err(format!("{name}: entry {number} {problem}"));
        if number > MOST_KEYS {
            return Err(format!("{name}: there are more than {MOST_KEYS} entries"));
        }
        let (label, key) = match entry.split_once(':') {
            Some((label, key)) => (label.to_owned(), key),
            None => (format!("{kind}-{number}"), entry),
        };
        let is_label = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if !(1..=LONGEST_LABEL).contains(&label.len()) || !label.bytes().all(is_label) {
            return problem("has a label that is not 1 to 31 letters, digits, dots, hyphens and underscores");
        }
        if keys.iter().any(|(caller, _): &(Caller, Secret)| caller.label == label) {
            return problem("has the label of an entry before it");
        }
        if keys.iter().any(|(_, other)| other.expose() == key) {
            return problem("is the key of an entry before it");
        }
        if key.len() < SHORTEST_KEY {
            return problem(&format!("is a key of less than {SHORTEST_KEY} characters"));
        }
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if key.len() > LONGEST_KEY || !key.bytes().all(is_token) {
            return problem("is a key that a bearer token cannot be: at most 512 letters, digits and -._~+/=");
        }
        keys.push((Caller { label, role }, Secret::new(key.into())));
    }
    Ok(keys)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may end here")]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
    const C: &str = "c+/cccccccccccccccccccccccccc.-_~==";

    fn admit(authorization: &str) -> Option<(String, Role)> {
        let keys = Keys::parse(&format!("{A},\n soc:{B}"), &format!(" ir-2026:{C} ")).unwrap();
        keys.admit(authorization.as_bytes()).map(|caller| (caller.label, caller.role))
    }

    #[test]
    fn a_key_opens_what_its_list_says() {
        assert_eq!(admit(&format!("Bearer {A}")), Some(("reader-1".into(), Role::Reader)));
        assert_eq!(admit(&format!("bearer  {B} ")), Some(("soc".into(), Role::Reader)));
        assert_eq!(admit(&format!("BEARER {C}")), Some(("ir-2026".into(), Role::Responder)));
        assert!(Role::Responder > Role::Reader);
    }

    #[test]
    fn everything_else_opens_nothing() {
        let long = A.repeat(1000);
        for key in ["", "a", &A[1..], &format!("{A}a"), &format!("{A}\n{B}"), &format!("soc:{B}"), "é", &long] {
            assert_eq!(admit(&format!("Bearer {key}")), None, "{key}");
        }
        for authorization in ["", "Bearer", "Bearer ", A, &format!("Basic {A}"), &format!("Bearer{A}"), "\u{fffd}"] {
            assert_eq!(admit(authorization), None, "{authorization}");
        }
    }

    #[test]
    fn lists_that_cannot_be_meant_are_refused_without_showing_a_key() {
        let short = &A[1..];
        for (readers, responders, problem) in [
            ("", " \n, ", "neither"),
            (short, "", "reader_keys: entry 1 is a key of less than 32"),
            (A, &format!("{B} x:{short}"), "responder_keys: entry 2 is a key of less than 32"),
            (&format!(":{A}"), "", "reader_keys: entry 1 has a label"),
            (&format!("a/b:{A}"), "", "reader_keys: entry 1 has a label"),
            (&format!("{}:{A}", "x".repeat(32)), "", "reader_keys: entry 1 has a label"),
            (&format!("a:{A} b:{A}"), "", "reader_keys: entry 2 is the key of an entry before it"),
            (&format!("soc:{A} soc:{B}"), "", "reader_keys: entry 2 has the label of an entry before it"),
            (&format!("soc:{A}"), &format!("soc:{B}"), "share the label soc"),
            (&format!("{A}!"), "", "reader_keys: entry 1 is a key that a bearer token cannot be"),
            (&"k".repeat(513), "", "reader_keys: entry 1 is a key that a bearer token cannot be"),
            (&format!("{B},{A}"), &format!("me:{A}"), "share a key (reader-2 and me)"),
            (&(0..101).map(|n| format!("{A}{n} ")).collect::<String>(), "", "more than 100 entries"),
        ] {
            let error = Keys::parse(readers, responders).unwrap_err();
            assert!(error.contains(problem), "{error}");
            assert!(!error.contains(&A[..16]) && !error.contains(&B[..16]), "{error}");
        }
        assert!(!format!("{:?}", Keys::parse(A, B)).contains(&A[..16]));
    }
}
