//! Text from outside, made fit for a message: cleaned, cut, and with secrets removed.

use alloc::format;
use alloc::string::String;

use crate::secret::Secret;

/// The longest text of the service that is passed on, in characters.
const MAX_MESSAGE_CHARS: usize = 300;

/// The longest argument that a message repeats, in characters.
const MAX_QUOTED_CHARS: usize = 64;

/// Shorter values are not redacted: they would match ordinary words. In bytes.
const MIN_REDACTED_BYTES: usize = 6;

/// Cleans a text of the service for a message: removes control and direction characters, collapses white space, cuts after
/// [`MAX_MESSAGE_CHARS`], and replaces each of the secrets by `[redacted]`.
pub(crate) fn clean(text: &str, secrets: &[&Secret]) -> String {
    let mut text = String::from(text);
    for secret in secrets.iter().map(|secret| secret.expose()).filter(|secret| secret.len() >= MIN_REDACTED_BYTES) {
        text = text.replace(secret, "[redacted]");
    }
    let mut words = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control() || changes_direction(c)) {
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
        Some((end, _)) => format!("{:?}… ({} bytes)", text.get(..end).unwrap_or_default(), text.len()),
        None => format!("{text:?}"),
    }
}

/// True if a character changes the direction of the text after it, which could disguise that text.
fn changes_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cleaned_cut_and_redacted() {
        assert_eq!(clean(" a\r\n\tb\u{1b}[31m\u{202e}c ", &[]), "a b [31m c");
        let cut = clean(&"é".repeat(1000), &[]);
        assert_eq!(cut.chars().count(), MAX_MESSAGE_CHARS + 1);
        let secret = Secret::new("hunter2".into());
        assert_eq!(clean("Bearer hunter2?", &[&secret]), "Bearer [redacted]?");
        assert_eq!(clean("a client", &[&Secret::new("a".into()), &Secret::new(String::new())]), "a client");
    }
}
