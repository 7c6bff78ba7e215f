//! Text from outside, made fit for a message: cleaned and cut.

use alloc::format;
use alloc::string::String;
use core::fmt::{self, Write};

/// The longest text of the service that is passed on, in characters.
const MAX_MESSAGE_CHARS: usize = 300;

/// The longest argument that a message repeats, in characters.
const MAX_QUOTED_CHARS: usize = 64;

/// Cleans a text for a message: removes control, direction and invisible characters, collapses white space, and cuts after
/// [`MAX_MESSAGE_CHARS`].
pub(crate) fn clean(text: &str) -> String {
    let mut words = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control() || is_invisible(c)) {
        if !word.is_empty() {
            if !words.is_empty() {
                words.push(' ');
            }
            words.push_str(word);
        }
    }
    if let Some((end, _)) = words.char_indices().nth(MAX_MESSAGE_CHARS) {
        words.truncate(end);
        words.push('…');
    }
    words
}

/// Quotes and escapes a caller's text for a message, cut after [`MAX_QUOTED_CHARS`].
pub(crate) fn quoted(text: &str) -> String {
    match text.char_indices().nth(MAX_QUOTED_CHARS) {
        Some((end, _)) => format!("{}… ({} bytes)", Quoted(text.get(..end).unwrap_or_default()), text.len()),
        None => format!("{}", Quoted(text)),
    }
}

/// Displays a text in quotation marks, with escapes for quotation marks, backslashes, and everything that does not show. The
/// standard library's `Debug` would add its tables of printable characters to the component.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                c if is_unprintable(c) => {
                    write!(f, "\\u{{{:x}}}", u32::from(c))?;
                }
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

/// True if a character does not show as one of its own: control characters, white space other than the plain space, line
/// separators, and characters that are invisible or change the direction of others. In a log or on a terminal it could move the
/// cursor, forge a line or hide a part of a text. Faces escape such characters in every text from outside.
#[must_use]
pub fn is_unprintable(c: char) -> bool {
    c.is_control() || is_invisible(c) || (c.is_whitespace() && c != ' ')
}

/// True if a character of a name may be shown to people as it is: it is not [unprintable](is_unprintable), or it is one of the
/// spaces, joiners and selectors that names need in Japanese, Persian, the languages of India, and with emoji.
#[must_use]
pub fn is_printable(c: char) -> bool {
    !is_unprintable(c) || matches!(c, '\u{a0}' | '\u{200c}' | '\u{200d}' | '\u{3000}' | '\u{fe00}'..='\u{fe0f}')
}

/// True if a text contains one of these parts, which are separated by `|`.
#[inline(never)]
pub(crate) fn contains_any(text: &str, parts: &str) -> bool {
    parts.split('|').any(|part| text.contains(part))
}

/// True if a text is one of these words, which are separated by `|`, without regard to case.
#[inline(never)]
pub(crate) fn is_any(text: &str, words: &str) -> bool {
    words.split('|').any(|word| text.eq_ignore_ascii_case(word))
}

/// The number in hexadecimal digits. `None` if there are none, or others, or more than eight.
pub(crate) fn hex(digits: &str) -> Option<u32> {
    let add = |number: u32, c: char| Some(number << 4 | c.to_digit(16)?);
    digits.chars().try_fold(0, add).filter(|_| (1..=8).contains(&digits.len()))
}

/// The text without ASCII white space and byte-order marks at its ends.
pub(crate) fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\u{feff}')
}

/// True if a character shows nothing, or only changes how others show: joiners, direction marks, fillers, selectors, tags.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{17b4}'
            | '\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cleaned_and_cut() {
        assert_eq!(clean(" a\r\n\tb\u{1b}[31m\u{202e}c\u{85}d\u{9b}e\u{2028}f\u{200b} "), "a b [31m c d e f");
        assert_eq!(clean(&"é".repeat(1000)).chars().count(), MAX_MESSAGE_CHARS + 1);
    }

    #[test]
    fn row_41_quoted_texts_show_everything() {
        assert_eq!(quoted("a \"b\" \\"), r#""a \"b\" \\""#);
        assert_eq!(
            quoted("\u{1b}[31m\u{85}\u{9b}\u{2028}\u{202e}\u{200b}é"),
            r#""\u{1b}[31m\u{85}\u{9b}\u{2028}\u{202e}\u{200b}é""#
        );
        assert_eq!(quoted(&"é".repeat(100)).len(), 2 + 64 * 2 + "… (200 bytes)".len());
    }

    #[test]
    fn row_41_characters_that_deceive_are_not_printable() {
        let deceiving = "\0\t\n\r\u{1b}\u{7f}\u{85}\u{9b}\u{ad}\u{61c}\u{200b}\u{200e}\u{2028}\u{2029}\u{202e}\u{2066}\u{feff}\u{e0041}";
        assert!(deceiving.chars().all(|c| !is_printable(c)));
        assert!("aé 木\u{a0}\u{200c}👩\u{200d}💻\u{fe0f}".chars().all(is_printable));
    }

    #[test]
    fn white_space_at_the_ends_is_that_of_ascii() {
        assert_eq!(trimmed("\u{feff} a b\r\n\t"), "a b");
        assert_eq!(trimmed("\u{a0}a\u{200b}"), "\u{a0}a\u{200b}");
    }
}
