//! Access control: two lists of labelled keys, one per [`Role`].
//!
//! A list is a text of entries separated by commas, spaces or line breaks. An entry is `label:key` or only a key.

use onepassword_users_core::Secret;
use subtle::ConstantTimeEq;

/// The shortest key, in characters: 128 bits in hexadecimal.
pub const MIN_KEY_CHARS: usize = 32;
/// The longest key, in characters.
const MAX_KEY_CHARS: usize = 512;
/// The longest label, in characters. It is shorter than any key, so that a key is never logged as a label.
const MAX_LABEL_CHARS: usize = MIN_KEY_CHARS - 1;
/// The most keys in one list. Each request is compared with all of them.
const MAX_KEYS: usize = 100;

/// The permissions of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Enrichment: read-only actions.
    Reader,
    /// Enrichment and containment: all actions.
    Responder,
}

/// The owner of an accepted key.
#[derive(Debug, PartialEq, Eq)]
pub struct Caller {
    /// The label of the key, for the log. An entry without a label gets its role and position, such as `reader-1`.
    pub label: String,
    /// The role of the key.
    pub role: Role,
}

/// The credential of an `Authorization: Bearer` header (RFC 6750, section 2.1), which has the form of a key.
#[derive(Clone, Copy)]
pub struct Credential<'a>(&'a [u8]);

impl std::fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<'a> Credential<'a> {
    /// Takes the credential out of the header. `None` if it cannot be a key, so that the keys need not be looked up.
    #[must_use]
    pub fn parse(authorization: &'a [u8]) -> Option<Self> {
        let (scheme, key) = authorization.split_at_checked("Bearer ".len())?;
        let key = key.trim_ascii();
        let is_key = (MIN_KEY_CHARS..=MAX_KEY_CHARS).contains(&key.len()) && key.iter().copied().all(is_token);
        (scheme.eq_ignore_ascii_case(b"Bearer ") && is_key).then_some(Self(key))
    }
}

/// True if a key may have this character.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
}

/// The accepted keys.
#[derive(Debug)]
pub struct Keys(Vec<(Caller, Secret)>);

impl Keys {
    /// Parses both lists.
    ///
    /// # Errors
    ///
    /// A message that names the list and the entry, but never a key, if there is no key, an invalid key or label, a duplicate
    /// key or label, or more than 100 entries in a list.
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

    /// Finds the caller of a credential; `None` if it is not accepted. Compares it with every key, in constant time.
    #[must_use]
    pub fn authenticate(self, Credential(key): Credential<'_>) -> Option<Caller> {
        let mut found = None;
        for (caller, own) in self.0 {
            if bool::from(own.expose().as_bytes().ct_eq(key)) {
                found = Some(caller);
            }
        }
        found
    }
}

fn list(name: &str, kind: &str, role: Role, text: &str) -> Result<Vec<(Caller, Secret)>, String> {
    let entries = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|entry| !entry.is_empty());
    let mut keys = Vec::new();
    for (entry, number) in entries.zip(1..) {
        let problem = |problem: &str| Err(format!("{name}: entry {number} {problem}"));
        if number > MAX_KEYS {
            return Err(format!("{name}: there are more than {MAX_KEYS} entries"));
        }
        let (label, key) = match entry.split_once(':') {
            Some((label, key)) => (label.to_owned(), key),
            None => (format!("{kind}-{number}"), entry),
        };
        let is_label = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if !(1..=MAX_LABEL_CHARS).contains(&label.len()) || !label.bytes().all(is_label) {
            return problem("has a label that is not 1 to 31 letters, digits, dots, hyphens and underscores");
        }
        if keys.iter().any(|(caller, _): &(Caller, Secret)| caller.label == label) {
            return problem("repeats the label of an earlier entry");
        }
        if keys.iter().any(|(_, other)| other.expose() == key) {
            return problem("repeats the key of an earlier entry");
        }
        if key.len() < MIN_KEY_CHARS {
            return problem(&format!("is a key of less than {MIN_KEY_CHARS} characters"));
        }
        if key.len() > MAX_KEY_CHARS || !key.bytes().all(is_token) {
            return problem("is not a valid bearer token: a key has at most 512 letters, digits and -._~+/=");
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

    fn authenticate(authorization: &str) -> Option<(String, Role)> {
        let keys = Keys::parse(&format!("{A},\n soc:{B}"), &format!(" ir-2026:{C} ")).unwrap();
        let caller = keys.authenticate(Credential::parse(authorization.as_bytes())?);
        caller.map(|caller| (caller.label, caller.role))
    }

    #[test]
    fn a_key_has_the_role_of_its_list() {
        assert_eq!(authenticate(&format!("Bearer {A}")), Some(("reader-1".into(), Role::Reader)));
        assert_eq!(authenticate(&format!("bearer  {B} ")), Some(("soc".into(), Role::Reader)));
        assert_eq!(authenticate(&format!("BEARER {C}")), Some(("ir-2026".into(), Role::Responder)));
        assert!(Role::Responder > Role::Reader);
    }

    #[test]
    fn anything_else_is_refused() {
        let long = A.repeat(1000);
        for key in ["", "a", &A[1..], &format!("{A}a"), &format!("{A}\n{B}"), &format!("soc:{B}"), "é", &long] {
            assert_eq!(authenticate(&format!("Bearer {key}")), None, "{key}");
        }
        for authorization in ["", "Bearer", "Bearer ", A, &format!("Basic {A}"), &format!("Bearer{A}"), "\u{fffd}"] {
            assert_eq!(authenticate(authorization), None, "{authorization}");
        }
    }

    #[test]
    fn row_59_a_header_that_cannot_be_a_key_is_refused_without_a_look_at_the_keys() {
        for authorization in ["", "Bearer", "Bearer ", "Bearer a", A, &format!("Basic {A}"), &format!("Bearer {A}!")] {
            assert!(Credential::parse(authorization.as_bytes()).is_none(), "{authorization}");
        }
        assert!(Credential::parse(format!("Bearer {}", "k".repeat(513)).as_bytes()).is_none());
        assert!(Credential::parse(format!("Bearer {C}").as_bytes()).is_some());
    }

    #[test]
    fn invalid_lists_are_refused_without_showing_a_key() {
        let short = &A[1..];
        for (readers, responders, problem) in [
            ("", " \n, ", "neither"),
            (short, "", "reader_keys: entry 1 is a key of less than 32"),
            (A, &format!("{B} x:{short}"), "responder_keys: entry 2 is a key of less than 32"),
            (&format!(":{A}"), "", "reader_keys: entry 1 has a label"),
            (&format!("a/b:{A}"), "", "reader_keys: entry 1 has a label"),
            (&format!("{}:{A}", "x".repeat(32)), "", "reader_keys: entry 1 has a label"),
            (&format!("a:{A} b:{A}"), "", "reader_keys: entry 2 repeats the key of an earlier entry"),
            (&format!("soc:{A} soc:{B}"), "", "reader_keys: entry 2 repeats the label of an earlier entry"),
            (&format!("soc:{A}"), &format!("soc:{B}"), "share the label soc"),
            (&format!("{A}!"), "", "reader_keys: entry 1 is not a valid bearer token"),
            (&"k".repeat(513), "", "reader_keys: entry 1 is not a valid bearer token"),
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
