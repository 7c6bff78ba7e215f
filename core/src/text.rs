//! What other people's words go through before they are shown: cleaned, cut, and without secrets.

use alloc::format;
use alloc::string::String;

use crate::secret::Secret;

/// The longest text of the service that is passed on, in characters.
const MAX_WORDS: usize = 300;

/// What is shorter is no secret, and might be a part of any word.
const SHORTEST_SECRET: usize = 6;

/// Without control and direction characters, with single spaces, at most [`MAX_WORDS`] characters long, and with
/// `[redacted]` wherever a server sent a secret back.
pub(crate) fn clean(text: &str, secrets: &[&Secret]) -> String {
    let mut text = String::from(text);
    for secret in secrets.iter().map(|secret| secret.expose()).filter(|secret| secret.len() >= SHORTEST_SECRET) {
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
    if let Some((end, _)) = words.char_indices().nth(MAX_WORDS) {
        words.truncate(end);
        words.push('…');
    }
    words
}

/// A caller's text as it may stand in a message: in quotes, escaped, cut after 64 characters.
pub(crate) fn quoted(text: &str) -> String {
    match text.char_indices().nth(64) {
        Some((end, _)) => format!("{:?}… ({} bytes)", text.get(..end).unwrap_or_default(), text.len()),
        None => format!("{text:?}"),
    }
}

/// Characters that turn the writing direction of what follows, and could disguise a text.
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
        assert_eq!(cut.chars().count(), MAX_WORDS + 1);
        let secret = Secret::new("hunter2".into());
        assert_eq!(clean("Bearer hunter2?", &[&secret]), "Bearer [redacted]?");
        assert_eq!(clean("a client", &[&Secret::new("a".into()), &Secret::new(String::new())]), "a client");
    }
}
