//! The page tokens that callers see.
//!
//! A service's page token alone is not enough to continue a list: it may be good for one page size only, and a limit may end a
//! list inside a page. So the caller's token holds the service's token, the page size, the number of users of that page that
//! were returned already, and the state filter. It is opaque: `1` and base64url, which is safe in URLs and shells and never
//! begins with a hyphen.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::hash::Hash;
use crate::values::user::StateFilter;

/// The version in front of every token.
const VERSION: char = '1';
/// The largest page that the service returns.
pub(crate) const MAX_PAGE_SIZE: u16 = 1000;
/// The longest page token of the service that is accepted, in bytes. This fits into a URL everywhere.
pub(crate) const MAX_SERVICE_TOKEN_BYTES: usize = 4096;
/// The bytes in front of the service's token: checksum, page size, offset, state filter and digest.
const HEADER_BYTES: usize = 4 + 2 + 2 + 1 + 4;
/// The longest token that is accepted, in bytes.
pub(crate) const MAX_PAGE_TOKEN_BYTES: usize = 1 + (HEADER_BYTES + MAX_SERVICE_TOKEN_BYTES).div_ceil(3) * 4;

/// The place at which a list continues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PageToken {
    /// The service's token of the page; `None` for the first page.
    pub(crate) service_token: Option<String>,
    /// The page size of the whole list, from 1 to [`MAX_PAGE_SIZE`].
    pub(crate) page_size: u16,
    /// The number of users at the beginning of the page that were returned already.
    pub(crate) offset: u16,
    /// The state filter of the list.
    pub(crate) state: Option<StateFilter>,
    /// The hash of the ids of those users, each followed by a byte that UTF-8 does not have. If they are others when the page
    /// is read again, the account has changed, and skipping as many would lose users.
    pub(crate) digest: u32,
}

impl PageToken {
    /// Encodes the token for the caller.
    pub(crate) fn encode(&self) -> String {
        let mut bytes = Vec::from([0; 4]);
        bytes.extend(self.page_size.to_be_bytes());
        bytes.extend(self.offset.to_be_bytes());
        bytes.push(match self.state {
            None => 0,
            Some(StateFilter::Active) => 1,
            Some(StateFilter::Suspended) => 2,
        });
        bytes.extend(self.digest.to_be_bytes());
        bytes.extend(self.service_token.as_deref().unwrap_or_default().bytes());
        let checksum = checksum(bytes.get(4..).unwrap_or_default());
        bytes.splice(..4, checksum);
        format!("{VERSION}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Decodes a caller's token, which must be one that [`encode`](Self::encode) made.
    pub(crate) fn decode(text: &str) -> Result<Self, PageTokenError> {
        if text.is_empty() {
            return Err(PageTokenError::Empty);
        }
        if text.len() > MAX_PAGE_TOKEN_BYTES {
            return Err(PageTokenError::Long);
        }
        Self::decode_bytes(text).ok_or(PageTokenError::Foreign)
    }

    fn decode_bytes(text: &str) -> Option<Self> {
        let bytes = base64url(text.strip_prefix(VERSION)?)?;
        let (sum, rest) = bytes.split_first_chunk()?;
        let (page_size, rest_of_header) = rest.split_first_chunk()?;
        let (offset, state_and_token) = rest_of_header.split_first_chunk()?;
        let (state, rest_of_header) = state_and_token.split_first()?;
        let (digest, service_token) = rest_of_header.split_first_chunk()?;
        let service_token = core::str::from_utf8(service_token).ok()?;
        let token = Self {
            service_token: (!service_token.is_empty()).then(|| service_token.to_owned()),
            page_size: u16::from_be_bytes(*page_size),
            offset: u16::from_be_bytes(*offset),
            state: match state {
                0 => None,
                1 => Some(StateFilter::Active),
                2 => Some(StateFilter::Suspended),
                _ => return None,
            },
            digest: u32::from_be_bytes(*digest),
        };
        let is_valid = *sum == checksum(rest)
            && (1..=MAX_PAGE_SIZE).contains(&token.page_size)
            && token.offset < token.page_size
            && (token.service_token.is_some() || token.offset > 0)
            && service_token.len() <= MAX_SERVICE_TOKEN_BYTES;
        is_valid.then_some(token)
    }
}

/// The reason why a page token is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PageTokenError {
    /// It is empty.
    Empty,
    /// It is longer than any page token.
    Long,
    /// It is not the page token of a [`UserList`](crate::UserList), or a part of it is missing.
    Foreign,
    /// It belongs to a list with another state filter.
    OtherState,
}

impl fmt::Display for PageTokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty; leave it out to begin at the first page"),
            Self::Long => write!(f, "it is longer than {MAX_PAGE_TOKEN_BYTES} bytes"),
            Self::Foreign => f.write_str("it is not the page token of a list, or a part of it is missing"),
            Self::OtherState => f.write_str("it belongs to a list with another state filter"),
        }
    }
}

impl core::error::Error for PageTokenError {}

/// Decodes base64 for URLs without padding. The library's decoder for all forms would add 3 kB to a component.
fn base64url(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut count) = (0_u32, 0);
    for c in text.bytes() {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff).try_into().ok()?);
        }
    }
    // The bits that are left belong to no byte, so they are zeros.
    (count < 6 && bits & ((1 << count) - 1) == 0).then_some(bytes)
}

/// Detects tokens that were cut or mistyped. It need not protect against forgery: a caller may list every page anyway.
fn checksum(bytes: &[u8]) -> [u8; 4] {
    Hash::EMPTY.with(bytes).folded().to_be_bytes()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;

    fn token(service_token: Option<&str>, page_size: u16, offset: u16) -> PageToken {
        PageToken {
            service_token: service_token.map(Into::into),
            page_size,
            offset,
            state: Some(StateFilter::Suspended),
            digest: 0x1234_5678,
        }
    }

    #[test]
    fn a_token_survives_the_round_trip_and_is_safe_everywhere() {
        let long = "x".repeat(MAX_SERVICE_TOKEN_BYTES);
        for service_token in [Some("-+/=_-"), Some("2"), Some("ü\0 \"'$(x)"), Some(long.as_str()), None] {
            for (page_size, offset) in [(1000, 999), (2, 1), (100, 50)] {
                let token = token(service_token, page_size, offset);
                let text = token.encode();
                assert!(text.starts_with('1') && text.len() <= MAX_PAGE_TOKEN_BYTES, "{text}");
                assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)), "{text}");
                assert_eq!(PageToken::decode(&text), Ok(token));
            }
        }
    }

    #[test]
    fn base64_is_read_as_the_library_reads_it() {
        for length in 0..50 {
            let bytes: Vec<u8> = (0..length).map(|n: u8| n.wrapping_mul(151).wrapping_add(length)).collect();
            let text = URL_SAFE_NO_PAD.encode(&bytes);
            assert_eq!(base64url(&text), Some(bytes));
            for odd in [format!("{text}A"), format!("{text}="), format!("{text}_"), format!("A{text}+")] {
                assert_eq!(base64url(&odd), URL_SAFE_NO_PAD.decode(&odd).ok(), "{odd}");
            }
        }
    }

    #[test]
    fn another_text_is_refused() {
        let good = token(Some("abc"), 100, 5).encode();
        let (cut, longer) = (good.get(..good.len() - 1).unwrap(), format!("{good}A"));
        let other_version = good.replacen('1', "2", 1);
        for text in ["1", "abc", "MS41MDJkMGRmNTFmOTFkYmU0", "-1", "1é", cut, &longer, &other_version, " 1"] {
            assert_eq!(PageToken::decode(text), Err(PageTokenError::Foreign), "{text}");
        }
        for odd in [token(Some("a"), 0, 0), token(Some("a"), 1001, 0), token(Some("a"), 5, 5), token(None, 5, 0)] {
            assert_eq!(PageToken::decode(&odd.encode()), Err(PageTokenError::Foreign), "{odd:?}");
        }
        assert_eq!(PageToken::decode(""), Err(PageTokenError::Empty));
        assert_eq!(PageToken::decode(&"1".repeat(MAX_PAGE_TOKEN_BYTES + 1)), Err(PageTokenError::Long));
        for place in 0..good.len() {
            let mut bytes = good.clone().into_bytes();
            bytes[place] = if bytes[place] == b'B' { b'C' } else { b'B' };
            assert!(PageToken::decode(core::str::from_utf8(&bytes).unwrap()).is_err(), "{place}");
        }
    }
}
