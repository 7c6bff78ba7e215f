//! Reading JSON of the service: faults of one text are repaired, keys compare in any spelling, and fields have any type.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

use crate::text::hex;
use crate::values::user::UNREADABLE;

/// Parses JSON. If that fails, it is tried once more with faults repaired that concern one text only.
///
/// # Errors
///
/// The error of the first attempt, whose text may quote the JSON.
pub(crate) fn parse<T: for<'a> Deserialize<'a>>(json: &[u8]) -> Result<T, serde_json::Error> {
    match core::str::from_utf8(json) {
        Ok(text) => {
            serde_json::from_str(text).or_else(|error| serde_json::from_str(&repaired(text)).map_err(|_| error))
        }
        Err(_) => {
            let text = Zeroizing::new(String::from_utf8_lossy(json).into_owned());
            serde_json::from_str(&repaired(&text))
        }
    }
}

/// JSON with U+FFFD in place of lone surrogates and unescaped control characters within texts, and without a byte-order mark.
fn repaired(json: &str) -> Zeroizing<String> {
    let mut rest = json.strip_prefix('\u{feff}').unwrap_or(json);
    let mut repaired = Zeroizing::new(String::with_capacity(rest.len() + rest.len() / 8));
    let mut is_text = false;
    while let Some(c) = rest.chars().next() {
        let mut len = c.len_utf8();
        let (_, after) = rest.split_at(len);
        let mut replacement = None;
        match c {
            '"' => is_text = !is_text,
            '\\' if is_text => {
                let second = after.get(5..).and_then(|rest| rest.strip_prefix('\\'));
                len = match (surrogate(after), second.and_then(surrogate)) {
                    // A pair: `\ud83d\ude00`.
                    (Some(Surrogate::Leading), Some(Surrogate::Trailing)) => 12,
                    (Some(_), _) => {
                        replacement = Some(UNREADABLE);
                        6
                    }
                    (None, _) => 1 + after.chars().next().map_or(0, char::len_utf8),
                };
            }
            ..' ' if is_text => replacement = Some(UNREADABLE),
            _ => {}
        }
        let (taken, after) = rest.split_at_checked(len).unwrap_or((rest, ""));
        repaired.push_str(replacement.unwrap_or(taken));
        rest = after;
    }
    repaired
}

#[derive(PartialEq, Eq)]
enum Surrogate {
    Leading,
    Trailing,
}

/// The surrogate of an escape such as `ud83d`, after its backslash.
fn surrogate(escape: &str) -> Option<Surrogate> {
    match hex(escape.strip_prefix('u')?.get(..4)?)? {
        0xd800..=0xdbff => Some(Surrogate::Leading),
        0xdc00..=0xdfff => Some(Surrogate::Trailing),
        _ => None,
    }
}

/// True if a key is this name, given in lower case and without separators: `nextpagetoken` for `next_page_token`,
/// `nextPageToken` or `Next-Page-Token`.
pub(crate) fn is_key(key: &str, name: &str) -> bool {
    let letters = key.bytes().filter(|byte| !matches!(byte, b'_' | b'-'));
    letters.map(|byte| byte.to_ascii_lowercase()).eq(name.bytes())
}

/// The value of a field that should be a text.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) enum Field {
    /// The key is missing, or its value is null.
    #[default]
    Absent,
    /// A text.
    Text(String),
    /// A whole number that is not negative.
    Number(u64),
    /// A negative whole number.
    Negative,
    /// A truth value.
    Bool(bool),
    /// An object or an array without anything in it.
    Empty,
    /// Anything else.
    Odd,
}

impl Field {
    /// The field of a number with a point: some services send whole numbers so.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "only whole numbers within the range are cast"
    )]
    pub(crate) fn of_float(number: f64) -> Self {
        match number as u64 {
            whole if number >= 0.0 && whole < u64::MAX >> 11 && number - whole as f64 == 0.0 => Self::Number(whole),
            _ => Self::Odd,
        }
    }

    /// Takes a further value of the same key, or of the same key in another spelling. Two that differ cannot be read.
    pub(crate) fn put(&mut self, value: Self) {
        match self {
            Self::Absent => *self = value,
            _ if *self == value || value == Self::Absent => {}
            _ => *self = Self::Odd,
        }
    }

    /// The text; empty if the field is absent, U+FFFD if it is no text.
    pub(crate) fn into_text(self) -> String {
        match self {
            Self::Absent => String::new(),
            Self::Text(text) => text,
            _ => UNREADABLE.into(),
        }
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Reader { entry: None, is_in_array: false }.deserialize(deserializer)
    }
}

/// The methods of a visitor for everything but arrays and objects: all that JSON may have there. A visitor that refuses a type
/// would bring serde's words for all types into the component.
macro_rules! scalars {
    ($value:ty, $of:expr) => {
        fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            f.write_str("anything")
        }

        fn visit_unit<E>(self) -> Result<$value, E> {
            Ok($of(Field::Absent))
        }

        fn visit_str<E>(self, text: &str) -> Result<$value, E> {
            Ok($of(Field::Text(text.into())))
        }

        fn visit_bool<E>(self, value: bool) -> Result<$value, E> {
            Ok($of(Field::Bool(value)))
        }

        fn visit_u64<E>(self, number: u64) -> Result<$value, E> {
            Ok($of(Field::Number(number)))
        }

        fn visit_i64<E>(self, _: i64) -> Result<$value, E> {
            Ok($of(Field::Negative))
        }

        fn visit_f64<E>(self, number: f64) -> Result<$value, E> {
            Ok($of(Field::of_float(number)))
        }
    };
}
pub(crate) use scalars;

/// Reads a field and passes on the entries of an object, or of the objects of an array. The flag of an entry tells that it is in
/// an array.
pub(crate) struct Reader<'a> {
    pub(crate) entry: Option<&'a mut OnEntry<'a>>,
    pub(crate) is_in_array: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(entry: &'a mut OnEntry<'a>) -> Self {
        Self { entry: Some(entry), is_in_array: false }
    }
}

/// A function of an entry: the flag, the key and the value.
pub(crate) type OnEntry<'a> = dyn FnMut(bool, &str, Field) + 'a;

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Field;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Field, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Field;

    scalars!(Field, |field| field);

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Field, A::Error> {
        let mut field = Field::Empty;
        // Arrays within arrays are passed over, however deep they are.
        let Some(entry) = self.entry.filter(|_| !self.is_in_array) else {
            while items.next_element::<IgnoredAny>()?.is_some() {
                field = Field::Odd;
            }
            return Ok(field);
        };
        while items.next_element_seed(Reader { entry: Some(&mut *entry), is_in_array: true })?.is_some() {
            field = Field::Odd;
        }
        Ok(field)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Field, A::Error> {
        let mut field = Field::Empty;
        let Some(entry) = self.entry else {
            while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
                field = Field::Odd;
            }
            return Ok(field);
        };
        while let Some((Key(key), value)) = entries.next_entry()? {
            field = Field::Odd;
            entry(self.is_in_array, &key, value);
        }
        Ok(field)
    }
}

/// JSON of any form. It takes less code than `serde_json::Value`, which sorts the keys of objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    Field(Field),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl Node {
    /// The value of a key, if this is an object.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        let Self::Object(entries) = self else { return None };
        entries.iter().find(|(other, _)| other == key).map(|(_, node)| node)
    }

    /// The value of a key, if it is a text that is not empty, or a whole number.
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        match self.get(key) {
            Some(Self::Field(Field::Text(text))) if !text.is_empty() => Some(text.clone()),
            Some(Self::Field(Field::Number(number))) => Some(number.to_string()),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    scalars!(Node, Node::Field);

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = items.next_element()? {
            nodes.push(node);
        }
        Ok(Node::Array(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some((Key(key), node)) = entries.next_entry()? {
            nodes.push((key.into_owned(), node));
        }
        Ok(Node::Object(nodes))
    }
}

/// A key of an object.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct Key<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn text(json: &[u8]) -> Option<String> {
        parse::<Field>(json).ok().map(Field::into_text)
    }

    #[test]
    fn row_8_faults_of_one_text_are_repaired() {
        for (json, expected) in [
            (&br#""plain""#[..], Some("plain")),
            (br#""a\ud800b""#, Some("a\u{fffd}b")),
            (br#""a\udC00""#, Some("a\u{fffd}")),
            (br#""\ud83d\ude00""#, Some("😀")),
            (br#""\ud83d\ud83d\ude00""#, Some("\u{fffd}😀")),
            (br#""\\ud800""#, Some("\\ud800")),
            (br#""\ud800\"""#, Some("\u{fffd}\"")),
            (b"\"a\xffb\"", Some("a\u{fffd}b")),
            (b"\"a\x01\n\"", Some("a\u{fffd}\u{fffd}")),
            (b"\xef\xbb\xbf\"a\"", Some("a")),
            (b"\"a\\u12\"", None),
            (b"\"a", None),
            (b"\"\\", None),
            (b"\x01\"a\"", None),
        ] {
            assert_eq!(text(json).as_deref(), expected, "{}", json.escape_ascii());
        }
    }

    #[test]
    fn fields_may_have_any_type() {
        for (json, expected) in [
            ("null", Field::Absent),
            ("\"\"", Field::Text(String::new())),
            ("7", Field::Number(7)),
            ("7.0", Field::Number(7)),
            ("true", Field::Bool(true)),
            ("[]", Field::Empty),
            ("{}", Field::Empty),
        ] {
            assert_eq!(parse::<Field>(json.as_bytes()).unwrap(), expected, "{json}");
        }
        assert_eq!(parse::<Field>(b"-1").unwrap(), Field::Negative);
        for odd in ["1.5", "[null]", "{\"a\":{}}", "99999999999999999999"] {
            assert_eq!(parse::<Field>(odd.as_bytes()).unwrap(), Field::Odd, "{odd}");
        }
        let mut field = Field::Absent;
        for (value, expected) in [("a", "a"), ("a", "a"), ("b", "\u{fffd}"), ("a", "\u{fffd}")] {
            field.put(Field::Text(value.into()));
            assert_eq!(field.clone().into_text(), expected);
        }
    }

    #[test]
    fn keys_compare_in_any_spelling() {
        for key in ["next_page_token", "nextPageToken", "NextPageToken", "next-page-token", "nextpagetoken"] {
            assert!(is_key(key, "nextpagetoken"), "{key}");
        }
        for key in ["next_page_tokens", "next", "", "next.page.token"] {
            assert!(!is_key(key, "nextpagetoken"), "{key}");
        }
    }
}
