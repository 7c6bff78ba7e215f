//! Backoff: capped exponential, with full jitter, and at least as long as `Retry-After` says.

use core::time::Duration;

use crate::decimal::seconds;
use crate::http::Response;

/// The longest backoff before the second attempt. It doubles with each further attempt.
const INITIAL_BACKOFF: Duration = Duration::from_millis(500);
/// The longest backoff before any attempt, unless the service asks for more.
const MAX_BACKOFF: Duration = Duration::from_secs(20);

/// The longest time to wait that is taken from a response. What asks for more is not meant, or misread.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
/// Numbers above this are points in time, in seconds since 1970, and no times to wait.
const MIN_EPOCH: Duration = Duration::from_secs(1_000_000_000);

/// True if a status means that the same request may succeed later: those of RFC 9110, 499 (a gateway's caller went away) and those
/// with which content networks report the service behind them (520 to 524, 530). 525 to 527 report a fault of its TLS set-up.
pub(crate) fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 499 | 500 | 502..=504 | 520..=524 | 530)
}

/// The pause after this attempt (1 for the first): the time that the service asks for, plus a random part of the backoff, so
/// that clients that failed together do not come back together.
pub(crate) fn pause(attempt: u32, retry_after: Option<Duration>, entropy: u64) -> Duration {
    let doubled = INITIAL_BACKOFF.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1)));
    let nanos = u64::try_from(doubled.min(MAX_BACKOFF).as_nanos()).unwrap_or(u64::MAX);
    let random = scramble(entropy) % nanos.saturating_add(1);
    retry_after.unwrap_or_default().saturating_add(Duration::from_nanos(random))
}

/// The finalizer of splitmix64. It spreads nanoseconds over all bits, and is not meant for secrets.
fn scramble(seed: u64) -> u64 {
    let seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let seed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let seed = (seed ^ (seed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    seed ^ (seed >> 31)
}

/// The time to wait according to `Retry-After` (RFC 9110, section 10.2.3): seconds, also with a fraction, or a point in time. A
/// point in time is measured against the `Date` of the same response, since the component has no wall clock. Without a usable
/// header it is `delay`, the time that the body asks for.
pub(crate) fn retry_after(response: &Response, delay: Option<Duration>) -> Option<Duration> {
    let is_sane = |pause: &Duration| *pause <= MAX_RETRY_AFTER;
    header(response).filter(is_sane).or(delay.filter(is_sane))
}

fn header(response: &Response) -> Option<Duration> {
    let value = response.header("retry-after")?;
    let then = match seconds(value) {
        Some(pause) if pause < MIN_EPOCH => return Some(pause),
        Some(then) => then,
        None => since_1970(value)?,
    };
    Some(then.saturating_sub(since_1970(response.header("date")?)?))
}

/// The time from 1970 to an HTTP date (RFC 9110, section 5.6.7), in the preferred form, `Sun, 06 Nov 1994 08:49:37 GMT`, or in an
/// obsolete one, `Sunday, 06-Nov-94 08:49:37 GMT` and `Sun Nov  6 08:49:37 1994`.
fn since_1970(date: &str) -> Option<Duration> {
    const MONTHS: &[u8; 36] = b"janfebmaraprmayjunjulaugsepoctnovdec";
    // The numbers in their order, and the month: the three letters of its name are three of the date's.
    let (mut numbers, mut count, mut month, mut words) = ([0_u64; 5], 0, None, 0);
    let mut rest = date.as_bytes();
    while let Some(first) = rest.first() {
        let is_digit = first.is_ascii_digit();
        let len =
            rest.iter().take_while(|byte| byte.is_ascii_digit() == is_digit && byte.is_ascii_alphanumeric()).count();
        let (word, after) = rest.split_at(len.max(1).min(rest.len()));
        rest = after;
        if is_digit {
            if word.len() > 4 {
                return None;
            }
            *numbers.get_mut(count)? = word.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
            count += 1;
        } else if first.is_ascii_alphabetic() {
            words += 1;
            let is_zone = word.eq_ignore_ascii_case(b"gmt") || word.eq_ignore_ascii_case(b"utc");
            match MONTHS.chunks(3).position(|name| name.eq_ignore_ascii_case(word)) {
                Some(place) if month.is_none() => month = Some(place as u64 + 1),
                None if words == 1 || is_zone => {}
                _ => return None,
            }
        } else if !matches!(first, b' ' | b',' | b'-' | b':') {
            return None;
        }
    }
    let (month, [day, a, b, c, d]) = (month.filter(|_| count == 5)?, numbers);
    // The year is the last number if the month comes first.
    let is_asctime = d > 60;
    let (year, hour, minute, second) = if is_asctime { (d, a, b, c) } else { (a, b, c, d) };
    let year = match year {
        ..70 => 2000 + year,
        70..100 => 1900 + year,
        _ => year,
    };
    if !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Years that begin in March have the leap day at their end.
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day;
    let days = days.checked_sub(719_469)?;
    Some(Duration::from_secs(((days * 24 + hour) * 60 + minute) * 60 + second))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(headers: &[(&str, &str)]) -> Option<u64> {
        let mut response = Response::new(429, [].into());
        response.headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        retry_after(&response, None).map(|pause| pause.as_secs())
    }

    #[test]
    fn retry_after_in_seconds_or_as_a_date() {
        assert_eq!(asks(&[("Retry-After", "7")]), Some(7));
        assert_eq!(asks(&[("retry-after", " 0 ")]), Some(0));
        let date = ("Date", "Sun, 31 Dec 2023 23:59:30 GMT");
        assert_eq!(asks(&[date, ("Retry-After", "Mon, 01 Jan 2024 00:01:00 GMT")]), Some(90));
        assert_eq!(asks(&[date, ("Retry-After", "Sun, 31 Dec 2023 23:00:00 GMT")]), Some(0));
        let (leap, march) = ("Wed, 28 Feb 2024 23:59:59 GMT", "Thu, 29 Feb 2024 00:00:00 GMT");
        assert_eq!(asks(&[("Date", leap), ("Retry-After", march)]), Some(1));
        let (leap, march) = ("Thu, 29 Feb 2024 12:00:00 GMT", "Fri, 01 Mar 2024 00:00:00 GMT");
        assert_eq!(asks(&[("Date", leap), ("Retry-After", march)]), Some(43_200));
        for odd in [
            "",
            "-1",
            "soon",
            "1e3",
            "99999999999999999999999",
            "86401",
            "Mon, 01 Jan 2024",
            "Mon, 01 Jan 2024 00:01:00 CET",
            "Mon, 99 Jan 2024 00:01:00 GMT",
            "Mon, 01 Foo 2024 00:01:00 GMT",
            "Wed, 03 Jan 2024 00:01:00 GMT",
        ] {
            assert_eq!(asks(&[date, ("Retry-After", odd)]), None, "{odd}");
        }
        assert_eq!(asks(&[("Retry-After", "Mon, 01 Jan 2024 00:01:00 GMT")]), None, "a date without a Date");
        assert_eq!(asks(&[]), None);
    }

    #[test]
    fn row_29_every_form_of_retry_after_is_read() {
        let date = ("Date", "Sun, 31 Dec 2023 23:59:30 GMT");
        for (value, seconds) in [
            ("2.5", 2),
            ("86400", 86400),
            ("1704067260", 90),
            ("1704067260.5", 90),
            ("1000000001", 0),
            ("Monday, 01-Jan-24 00:01:00 GMT", 90),
            ("Mon Jan  1 00:01:00 2024", 90),
            ("Mon, 1 jan 2024 00:01:00 UTC", 90),
        ] {
            assert_eq!(asks(&[date, ("Retry-After", value)]), Some(seconds), "{value}");
        }
        for value in ["1704067260", "1704067260000", "Mon Jan  1 00:01:00 2024"] {
            assert_eq!(asks(&[("Retry-After", value)]), None, "{value} without a Date");
        }
        assert_eq!(asks(&[date, ("Retry-After", "1804067260")]), None, "in years");
        assert_eq!(since_1970("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::from_secs(784_111_777)));
        assert_eq!(since_1970("Sunday, 06-Nov-94 08:49:37 GMT"), Some(Duration::from_secs(784_111_777)));

        let asks = |header: Option<&str>, delay| {
            let mut response = Response::new(429, [].into());
            response.headers.extend(header.map(|value| ("Retry-After".into(), value.into())));
            retry_after(&response, Some(Duration::from_secs(delay))).map(|pause| pause.as_secs())
        };
        assert_eq!((asks(None, 7), asks(Some("soon"), 7), asks(Some("3"), 7)), (Some(7), Some(7), Some(3)));
        assert_eq!(asks(None, 86_401), None);
    }

    #[test]
    fn a_pause_is_random_grows_and_is_capped() {
        for attempt in 1..40 {
            let cap = INITIAL_BACKOFF.saturating_mul(2_u32.saturating_pow(attempt - 1)).min(MAX_BACKOFF);
            let pauses: [Duration; 100] = core::array::from_fn(|n| pause(attempt, None, n as u64));
            assert!(pauses.iter().all(|pause| *pause <= cap));
            assert!(pauses.iter().any(|pause| *pause < cap / 4) && pauses.iter().any(|pause| *pause > cap / 4 * 3));
        }
        let asked = Duration::from_secs(7);
        assert!((asked..=asked + INITIAL_BACKOFF).contains(&pause(1, Some(asked), 1)));
        assert_eq!(pause(1, Some(Duration::MAX), 1), Duration::MAX);
    }
}
