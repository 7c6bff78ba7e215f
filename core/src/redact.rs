//! Removes credentials from texts of the service.
//!
//! A service may repeat what it was sent, in any encoding that it happens to use. So a text is decoded before it is searched
//! (percent-encoding, also several times over, HTML entities, escapes of JSON), and it is searched for each value as it is, in
//! hexadecimal digits and in base64 at any place of a longer text, without regard to case.

use alloc::string::String;
use alloc::vec::Vec;
use core::cell::OnceCell;
use core::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

use crate::secret::Secret;
use crate::text::hex;

/// The shortest part of a value that is removed, in bytes. Shorter ones would match ordinary words.
const MIN_PART_BYTES: usize = 8;
/// The shortest value that is removed as a whole wherever it stands, in bytes. Shorter ones are removed as words only.
const MIN_VALUE_BYTES: usize = 6;
/// The shortest value that is removed at all, in bytes.
const MIN_WORD_BYTES: usize = 4;
/// The text in place of a value.
pub(crate) const REDACTED: &str = "[redacted]";
/// The part of a text that is searched, in bytes. The rest is dropped, since messages are cut anyway.
const MAX_TEXT_BYTES: usize = 2048;

/// The credentials that were handed out so far: by one action of the core, or by a host.
#[derive(Default)]
pub struct Redactor {
    values: Vec<Secret>,
    /// The length of the shortest text that holds a value to find. 0 if there is none.
    min_bytes: usize,
    /// The forms in which the values are searched. Made when they are needed: most answers repeat nothing.
    forms: OnceCell<Vec<Form>>,
}

/// A folded form of a value.
type Form = Zeroizing<String>;

/// Appends the forms of a value.
fn add_forms(forms: &mut Vec<Form>, value: &str) {
    forms.push(folded(value));
    if value.len() < MIN_VALUE_BYTES {
        return;
    }
    let mut hex = Zeroizing::new(String::with_capacity(2 * value.len()));
    for byte in value.bytes() {
        for digit in [byte >> 4, byte & 15] {
            hex.push(char::from(if digit < 10 { b'0' + digit } else { b'a' - 10 + digit }));
        }
    }
    forms.push(hex);
    for lead in 0..3 {
        let mut padded = Zeroizing::new(Vec::with_capacity(lead + value.len()));
        padded.resize(lead, 0);
        padded.extend_from_slice(value.as_bytes());
        let text = Zeroizing::new(STANDARD_NO_PAD.encode(&*padded));
        // The characters at the ends depend on the bytes around the value.
        let (start, end) = ((lead * 8).div_ceil(6), padded.len() * 8 / 6);
        forms.push(folded(text.get(start..end).unwrap_or_default()));
    }
}

impl Redactor {
    /// Adds a value that was handed out. False if it was added before.
    pub fn add(&mut self, value: &Secret) -> bool {
        if self.values.contains(value) {
            return false;
        }
        let len = value.expose().len();
        if len >= MIN_PART_BYTES {
            // The shortest form is the value itself, or base64 without its ends.
            let len = len.min((len * 4 / 3).saturating_sub(4));
            self.min_bytes = if self.min_bytes == 0 { len } else { len.min(self.min_bytes) };
        }
        self.values.push(value.clone());
        self.forms = OnceCell::new();
        true
    }

    fn forms(&self) -> &[Form] {
        self.forms.get_or_init(|| {
            let mut forms = Vec::new();
            self.values.iter().for_each(|value| add_forms(&mut forms, value.expose()));
            forms
        })
    }

    /// The text with `[redacted]` for each value and each longer part of one, cut after 2 KiB.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        let text = text.get(..text.floor_char_boundary(MAX_TEXT_BYTES)).unwrap_or_default();
        let units = decoded(text);
        let (mut redacted, mut copied, mut place) = (String::new(), 0, 0);
        while place < units.len() {
            let longest = self.forms().iter().map(|form| run(form.as_bytes(), &units, place)).max().unwrap_or_default();
            let (Some(first), Some(last)) = (units.get(place), units.get(place + longest.saturating_sub(1))) else {
                break;
            };
            if longest > 0 {
                // A run that begins or ends inside a character takes the whole of it.
                redacted.push_str(text.get(copied..first.start.max(copied)).unwrap_or_default());
                redacted.push_str(REDACTED);
                copied = last.end.max(copied);
            }
            place += longest.max(1);
        }
        redacted.push_str(text.get(copied..).unwrap_or_default());
        redacted
    }

    /// True if a text holds a whole value of at least 8 bytes. Unlike [`redact`](Self::redact), this leaves texts alone that only
    /// resemble one. Takes time linear in the text.
    #[must_use]
    pub fn finds(&self, text: &str) -> bool {
        if self.min_bytes == 0 || text.len() < self.min_bytes {
            return false;
        }
        let bytes = Zeroizing::new(if text.contains(['%', '\\', '&']) {
            decoded(text).into_iter().map(|unit| unit.byte).collect()
        } else {
            text.bytes().map(fold).collect::<Vec<_>>()
        });
        // Bytes that are no text belong to no value.
        let text = String::from_utf8_lossy(&bytes);
        self.forms().iter().any(|form| form.len() >= MIN_PART_BYTES && text.contains(form.as_str()))
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor").finish_non_exhaustive()
    }
}

/// A byte of a decoded text, and the place in the text that it comes from.
struct Unit {
    byte: u8,
    start: usize,
    end: usize,
}

/// The number of units from `place` on that are a part of this form long enough to be removed.
fn run(form: &[u8], units: &[Unit], place: usize) -> usize {
    let rest = units.get(place..).unwrap_or_default();
    let longest = (0..form.len())
        .map(|start| form.iter().skip(start).zip(rest).take_while(|(byte, unit)| **byte == unit.byte).count())
        .max()
        .unwrap_or_default();
    let is_whole = longest == form.len();
    let is_word = || {
        let is_boundary = |unit: Option<&Unit>| unit.is_none_or(|unit| !unit.byte.is_ascii_alphanumeric());
        is_boundary(place.checked_sub(1).and_then(|before| units.get(before))) && is_boundary(rest.get(longest))
    };
    let is_removed =
        longest >= MIN_PART_BYTES || is_whole && (longest >= MIN_VALUE_BYTES || longest >= MIN_WORD_BYTES && is_word());
    if is_removed { longest } else { 0 }
}

/// Folds a text for a comparison without regard to case, to the two alphabets of base64, and to `+` for a space.
fn folded(text: &str) -> Form {
    Zeroizing::new(
        text.chars()
            .map(|c| u8::try_from(c).ok().filter(u8::is_ascii).map_or(c, |byte| char::from(fold(byte))))
            .collect(),
    )
}

fn fold(byte: u8) -> u8 {
    match byte {
        b'-' | b' ' => b'+',
        b'_' => b'/',
        byte => byte.to_ascii_lowercase(),
    }
}

/// Decodes and folds a text.
fn decoded(text: &str) -> Vec<Unit> {
    let (mut units, mut start) = (Vec::with_capacity(text.len()), 0);
    while let Some(c) = text.get(start..).and_then(|rest| rest.chars().next()) {
        let rest = text.get(start..).unwrap_or_default();
        let (code, len) = escape(rest).unwrap_or((u32::from(c), c.len_utf8()));
        let is_percent = c == '%' && len > 1;
        let end = start + len;
        match char::from_u32(code) {
            // A percent-encoded byte stands for itself.
            Some(c) if !is_percent => {
                units.extend(c.encode_utf8(&mut [0; 4]).bytes().map(|byte| Unit { byte: fold(byte), start, end }));
            }
            _ => units.push(Unit { byte: fold(u8::try_from(code).unwrap_or_default()), start, end }),
        }
        start = end;
    }
    units
}

/// The code and the length of the escape at the beginning of a text.
fn escape(text: &str) -> Option<(u32, usize)> {
    if let Some(mut rest) = text.strip_prefix('%') {
        // `%25` is an encoded `%`, which may begin another escape.
        while let Some(inner) =
            rest.strip_prefix("25").filter(|inner| inner.get(..2).is_some_and(|two| hex(two).is_some()))
        {
            rest = inner;
        }
        return Some((hex(rest.get(..2)?)?, text.len() - rest.len() + 2));
    }
    if let Some(rest) = text.strip_prefix('\\') {
        let digits = match rest.get(..1)? {
            "u" => 4,
            "x" => 2,
            "/" | "\"" | "\\" => return Some((u32::from(*rest.as_bytes().first()?), 2)),
            _ => return None,
        };
        return Some((hex(rest.get(1..=digits)?)?, 2 + digits));
    }
    let (name, _) = text.strip_prefix('&')?.split_once(';').filter(|(name, _)| name.len() <= 8)?;
    let code = match name.strip_prefix('#') {
        Some(number) => match number.strip_prefix(['x', 'X']) {
            Some(digits) => hex(digits)?,
            None => number.parse().ok()?,
        },
        None => u32::from(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            _ => return None,
        }),
    };
    Some((code, name.len() + 2))
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString;

    use base64::engine::general_purpose::{STANDARD, URL_SAFE};

    use super::*;

    const SECRET: &str = "Zq3+Wf%9é:/x\"<7>&_t-k";

    fn redactor(values: &[&str]) -> Redactor {
        let mut redactor = Redactor::default();
        values.iter().for_each(|value| assert!(redactor.add(&Secret::new((*value).into()))));
        redactor
    }

    #[test]
    fn a_value_is_removed_in_every_encoding() {
        let percent = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
        let once = percent_encoding::utf8_percent_encode(SECRET, percent_encoding::NON_ALPHANUMERIC).to_string();
        let forms: [String; 16] = [
            SECRET.into(),
            SECRET.to_ascii_uppercase(),
            once.clone(),
            once.to_lowercase(),
            once.replace('%', "%25"),
            once.replace('%', "%2525"),
            percent(SECRET),
            STANDARD.encode(SECRET),
            URL_SAFE.encode(SECRET),
            STANDARD.encode(format!("x{SECRET}y")),
            STANDARD.encode(format!("xy{SECRET}")),
            STANDARD.encode(SECRET).replace('+', "&#43;").replace('/', "&#x2F;"),
            SECRET.bytes().map(|byte| format!("{byte:02X}")).collect(),
            SECRET.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect(),
            SECRET.replace('"', "\\\"").replace('/', "\\/"),
            SECRET.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;"),
        ];
        let redactor = redactor(&[SECRET]);
        for form in forms {
            let redacted = redactor.redact(&format!("you sent {form}, so no"));
            let kept = redacted.replace("[redacted]", "");
            // The ends of a base64 text that holds more than the secret belong to no value.
            assert!(kept.starts_with("you sent ") && kept.ends_with(", so no"), "{form}: {redacted}");
            assert!(kept.len() <= "you sent , so no".len() + 7, "{form}: {redacted}");
            assert!(redactor.finds(&form), "{form}");
        }
    }

    #[test]
    fn parts_of_a_value_and_short_values_are_removed_but_no_ordinary_words() {
        let redactor = redactor(&["canary-token-0123456789", "hunter2", "pw42", "a"]);
        assert_eq!(redactor.redact("Bearer canary-token-01234…"), "Bearer [redacted]…");
        assert_eq!(redactor.redact("n-0123456789"), "[redacted]");
        assert_eq!(redactor.redact("Hunter2! is pw42, spw42 a client"), "[redacted]! is [redacted], spw42 a client");
        assert_eq!(redactor.redact("no token, 1234567"), "no token, 1234567");
        assert!(!redactor.finds("canary-token-012345678") && !redactor.finds("hunter2"));
        assert_eq!(redactor.redact("é&x;%zz\\q%"), "é&x;%zz\\q%");
        assert_eq!(redactor.redact(&"x".repeat(10_000)).len(), MAX_TEXT_BYTES);
    }
}
