//! Backoff: capped exponential, with full jitter, and at least as long as `Retry-After` says.

use core::time::Duration;

use crate::http::Response;
use crate::time::Instant;

/// The longest backoff before the second attempt. It doubles with each further attempt.
const INITIAL_BACKOFF: Duration = Duration::from_millis(500);
/// The longest backoff before any attempt, unless the service asks for more.
const MAX_BACKOFF: Duration = Duration::from_secs(20);

/// True if a status means that the same request may succeed later.
pub(crate) fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
}

/// The pause after this attempt (1 for the first): the time that the service asks for, plus a random part of the backoff, so
/// that clients that failed together do not come back together.
pub(crate) fn pause(attempt: u32, retry_after: Option<Duration>, now: Instant) -> Duration {
    let doubled = INITIAL_BACKOFF.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1)));
    let nanos = u64::try_from(doubled.min(MAX_BACKOFF).as_nanos()).unwrap_or(u64::MAX);
    let random = scramble(now.entropy()) % nanos.saturating_add(1);
    retry_after.unwrap_or_default().saturating_add(Duration::from_nanos(random))
}

/// The finalizer of splitmix64. It spreads nanoseconds over all bits, and is not meant for secrets.
fn scramble(seed: u64) -> u64 {
    let seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let seed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let seed = (seed ^ (seed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    seed ^ (seed >> 31)
}

/// The time to wait according to `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date. A date is measured against the
/// `Date` of the same response, since the component has no wall clock.
pub(crate) fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.header("retry-after")?;
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let (then, now) = (seconds_of(value)?, seconds_of(response.header("date")?)?);
    Some(Duration::from_secs(then.saturating_sub(now)))
}

/// The seconds from a fixed day to an HTTP date in the preferred form, `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, section
/// 5.6.7). The two obsolete forms are not parsed.
fn seconds_of(date: &str) -> Option<u64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_, date) = date.split_once(", ")?;
    let mut parts = date.split(' ');
    let day = number(parts.next()?, 1, 31)?;
    let name = parts.next()?;
    let month = MONTHS.iter().position(|month| *month == name)? as u64 + 1;
    let year = number(parts.next()?, 1, 9999)?;
    let mut time = parts.next()?.split(':');
    let (hour, minute, second) =
        (number(time.next()?, 0, 23)?, number(time.next()?, 0, 59)?, number(time.next()?, 0, 60)?);
    if time.next().is_some() || parts.next() != Some("GMT") || parts.next().is_some() {
        return None;
    }
    // Years that begin in March have the leap day at their end.
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

fn number(text: &str, min: u64, max: u64) -> Option<u64> {
    text.parse().ok().filter(|number| (min..=max).contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(headers: &[(&str, &str)]) -> Option<u64> {
        let mut response = Response::new(429, [].into());
        response.headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        retry_after(&response).map(|pause| pause.as_secs())
    }

    #[test]
    fn retry_after_in_seconds_or_as_a_date() {
        assert_eq!(asks(&[("Retry-After", "7")]), Some(7));
        assert_eq!(asks(&[("retry-after", " 0 ")]), Some(0));
        assert_eq!(asks(&[("Retry-After", "99999999999999999999999")]), Some(u64::MAX));
        let date = ("Date", "Sun, 31 Dec 2023 23:59:30 GMT");
        assert_eq!(asks(&[date, ("Retry-After", "Mon, 01 Jan 2024 00:01:00 GMT")]), Some(90));
        assert_eq!(asks(&[date, ("Retry-After", "Sun, 31 Dec 2023 23:00:00 GMT")]), Some(0));
        let (leap, march) = ("Wed, 28 Feb 2024 00:00:00 GMT", "Fri, 01 Mar 2024 00:00:00 GMT");
        assert_eq!(asks(&[("Date", leap), ("Retry-After", march)]), Some(172_800));
        for odd in [
            "",
            "-1",
            "1.5",
            "soon",
            "Mon, 01 Jan 2024",
            "Mon, 01 Jan 2024 00:01:00 CET",
            "Mon, 99 Jan 2024 00:01:00 GMT",
            "Mon, 01 Foo 2024 00:01:00 GMT",
            "Monday, 01-Jan-24 00:01:00 GMT",
        ] {
            assert_eq!(asks(&[date, ("Retry-After", odd)]), None, "{odd}");
        }
        assert_eq!(asks(&[("Retry-After", "Mon, 01 Jan 2024 00:01:00 GMT")]), None, "a date without a Date");
        assert_eq!(asks(&[]), None);
    }

    #[test]
    fn a_pause_is_random_grows_and_is_capped() {
        for attempt in 1..40 {
            let cap = INITIAL_BACKOFF.saturating_mul(2_u32.saturating_pow(attempt - 1)).min(MAX_BACKOFF);
            let pauses: [Duration; 100] = core::array::from_fn(|n| pause(attempt, None, Instant::from_nanos(n as u64)));
            assert!(pauses.iter().all(|pause| *pause <= cap));
            assert!(pauses.iter().any(|pause| *pause < cap / 4) && pauses.iter().any(|pause| *pause > cap / 4 * 3));
        }
        let asked = Duration::from_secs(7);
        assert!((asked..=asked + INITIAL_BACKOFF).contains(&pause(1, Some(asked), Instant::from_nanos(1))));
        assert_eq!(pause(1, Some(Duration::MAX), Instant::from_nanos(1)), Duration::MAX);
    }
}
