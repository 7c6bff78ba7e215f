//! Decimal numbers of seconds, such as `2.5`. Parsing floating-point numbers would add the tables for them to the component.

use core::time::Duration;

/// Parses seconds with an optional fraction. `None` if the text is anything else, or too large.
pub(crate) fn seconds(text: &str) -> Option<Duration> {
    let text = text.trim();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let mut nanos = 0;
    for place in 0..9 {
        nanos = nanos * 10 + fraction.as_bytes().get(place).map_or(0, |digit| u32::from(digit - b'0'));
    }
    Some(Duration::new(whole.parse().ok()?, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_may_have_a_fraction() {
        for (text, millis) in [("0", 0), (" 7 ", 7000), ("2.5", 2500), ("2.", 2000), ("1.0009999999999", 1000)] {
            assert_eq!(seconds(text).map(|seconds| seconds.as_millis()), Some(millis), "{text}");
        }
        for text in ["", ".5", "-1", "+1", "1e3", "1,5", "1.5.2", "soon", "99999999999999999999999"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
