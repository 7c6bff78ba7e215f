//! The ways in which the service may answer where its documentation leaves that open.

use std::borrow::Cow;

use fastrand::Rng;
use serde::Deserialize;

/// The form of the answers of a [`Service`](crate::Service). The default is the documented form.
///
/// A dialect changes answers. The service is as strict in each dialect about paths, methods, headers, credentials,
/// bodies and query parameters; only the rules for page tokens depend on their form, see [`PageTokens`].
///
/// Fields marked as defective describe a service whose answers cannot be trusted, so that a client must report an error.
///
/// With serde, a dialect is an object of its fields, and the cases of an enum are in kebab case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dialect {
    /// Decides which unknown keys are sent, and the places of empty pages.
    pub seed: u64,
    /// The spelling of keys of several words in pages and users. Tokens are always issued in snake case.
    pub keys: Spelling,
    /// Adds harmless unknown keys to pages and users. What they say of further pages is true.
    pub extras: bool,
    /// Leaves out an empty `results`, and empty fields of users other than the id.
    /// An empty array is sent beside unknown keys: an object of those alone is no list.
    pub leave_out_empty: bool,
    /// Sends an empty `next_page_token` on the last page.
    pub blank_last_token: bool,
    /// The form of errors, except for those of the token and revoke routes.
    pub errors: ErrorForm,
    /// The form of errors about credentials and forms on the token and revoke routes.
    pub token_errors: TokenErrorForm,
    /// The form of page tokens.
    pub page_tokens: PageTokens,
    /// The maximum number of users on a page, at least 1. The smaller of this and
    /// [`Service::set_page_size`](crate::Service::set_page_size) counts.
    pub clamp: Option<usize>,
    /// Sends about a quarter of the pages empty first, with a page token that leads on. Has no effect on page numbers.
    pub empty_pages: bool,
    /// Compresses every body with gzip, unless `accept-encoding` contains `identity`.
    pub compress: bool,
    /// The answer to a suspension or reactivation that is not refused.
    pub changes: ChangeAnswer,
    /// Sends one field of about one user in five in an odd form: `display_name`, `create_time` or `path`.
    pub odd_records: bool,
    /// Sends undocumented states, or none, in place of `STATE_UNSPECIFIED`. Filters use the stored state.
    pub unknown_states: bool,
    /// Defective: no page token follows, and something else says that the list goes on.
    pub cut: Option<Cut>,
    /// The routes that work. All but the default are defective.
    pub routes: Routes,
    /// Defective: the first user is listed with the id of the last one and white space around it.
    pub shadow: bool,
    /// Defective: the last user is listed with a number as its e-mail address.
    pub unreadable: bool,
}

/// The spelling of keys of several words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spelling {
    /// `next_page_token`
    #[default]
    Snake,
    /// `nextPageToken`
    Camel,
}

/// The form of an error. The message is the same in each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorForm {
    /// `{"code":7,"message":…,"details":[]}`
    #[default]
    Gateway,
    /// `{"error":{"code":403,"message":…,"status":"PERMISSION_DENIED","details":[]}}`
    Nested,
    /// `{"code":"PERMISSION_DENIED","message":…}`
    Named,
    /// `{"errors":[{"code":7,"message":…}]}`
    List,
    /// `{"type":"about:blank","title":…,"status":403,"detail":…,"code":7}` as `application/problem+json`
    Problem,
}

/// The form of an error of the token and revoke routes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenErrorForm {
    /// RFC 6749, section 5.2.
    #[default]
    OAuth,
    /// `{"code":16,"message":…,"details":[]}`
    Gateway,
}

/// The form of page tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PageTokens {
    /// Position and signature, in base64 for URLs. Refused if altered or sent with another filter.
    #[default]
    Opaque,
    /// Position and `max_page_size`, in base64. Refused if sent with another `max_page_size`.
    Position,
    /// The number of the page, counted in pages of the size that the request gets. Not signed.
    PageNumber,
    /// As [`Opaque`](Self::Opaque), but beginning with `-` and containing `+`, `/` and `=`.
    Awkward,
    /// As [`PageNumber`](Self::PageNumber), but sent as a JSON number.
    Number,
}

/// The answer to a suspension or reactivation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeAnswer {
    /// 200 with the changed user.
    #[default]
    User,
    /// 204 without a body.
    NoContent,
    /// 202 with `{}`. The change takes effect after the next request for that user, which gets the old state.
    Accepted,
    /// 200 without a body.
    EmptyOk,
    /// 200 with the user as it was before. The change has taken effect.
    OldState,
}

/// The way in which a defective service says that a list goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cut {
    /// `"has_more":true`
    HasMore,
    /// `"cursor":"x1"`
    Cursor,
    /// `"pagination":{"next":"/v1/…"}`
    Pagination,
    /// `"@odata.nextLink":"https://…"`
    NextLink,
    /// `"total":` and the number of users that match the filter
    Total,
    /// `"pageInfo":{"hasNextPage":true,"endCursor":"x"}`
    PageInfo,
    /// `"links":{"next":"https://…"}`
    Links,
    /// `"is_last":false`
    IsLast,
}

/// The routes that work. The token route always does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Routes {
    /// Every route.
    #[default]
    All,
    /// Defective: every other route gets the 404 of a gateway that does not know it, in [`ErrorForm::Gateway`].
    Gateway404,
    /// Defective: every list is empty, and every user is `{}`. Changes work.
    NoData,
    /// Defective: every other route gets a 403 with a page of HTML.
    Portal,
}

impl Dialect {
    /// A dialect without defects, picked at random. About half of the dialects have the default in any one field.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let random = &mut random;
        Self {
            seed,
            keys: pick(random, &[Spelling::Camel]),
            extras: random.bool(),
            leave_out_empty: random.bool(),
            blank_last_token: random.bool(),
            errors: pick(random, &[ErrorForm::Nested, ErrorForm::Named, ErrorForm::List, ErrorForm::Problem]),
            token_errors: pick(random, &[TokenErrorForm::Gateway]),
            page_tokens: pick(
                random,
                &[PageTokens::Position, PageTokens::PageNumber, PageTokens::Awkward, PageTokens::Number],
            ),
            clamp: pick(random, &[Some(2), Some(5), Some(25), Some(100)]),
            empty_pages: random.bool(),
            compress: random.bool(),
            changes: pick(
                random,
                &[ChangeAnswer::NoContent, ChangeAnswer::Accepted, ChangeAnswer::EmptyOk, ChangeAnswer::OldState],
            ),
            odd_records: random.bool(),
            unknown_states: random.bool(),
            ..Self::default()
        }
    }

    /// The dialect [`seeded`](Self::seeded) with the same seed, and one defect. Lists are cut after three users.
    #[must_use]
    pub fn defective(seed: u64) -> Self {
        const CUTS: [Cut; 8] = [
            Cut::HasMore,
            Cut::Cursor,
            Cut::Pagination,
            Cut::NextLink,
            Cut::Total,
            Cut::PageInfo,
            Cut::Links,
            Cut::IsLast,
        ];
        // Independent of the numbers that `seeded` draws.
        let mut random = Rng::with_seed(hash(seed, b"defect"));
        let mut dialect = Self::seeded(seed);
        match random.u8(..6) {
            0 => (dialect.cut, dialect.clamp) = (random.choice(CUTS), Some(3)),
            1 => dialect.routes = Routes::Gateway404,
            2 => dialect.routes = Routes::NoData,
            3 => dialect.routes = Routes::Portal,
            4 => dialect.shadow = true,
            _ => dialect.unreadable = true,
        }
        dialect
    }

    /// Returns true if any of the defects is set.
    #[must_use]
    pub fn is_defective(&self) -> bool {
        self.cut.is_some() || self.routes != Routes::All || self.shadow || self.unreadable
    }

    /// Returns true if page tokens are page numbers.
    pub(crate) fn numbers_pages(&self) -> bool {
        matches!(self.page_tokens, PageTokens::PageNumber | PageTokens::Number)
    }

    /// Returns true if an empty page precedes the users at this position.
    pub(crate) fn empty_page_at(&self, position: usize) -> bool {
        self.empty_pages && !self.numbers_pages() && hash(self.seed, &position.to_le_bytes()).is_multiple_of(4)
    }

    /// Decides, by the seed, about an optional part of the answers.
    pub(crate) fn includes(&self, part: &str) -> bool {
        hash(self.seed, part.as_bytes()).is_multiple_of(2)
    }
}

/// The default with a probability of one half, and one of the others otherwise.
fn pick<T: Copy + Default>(random: &mut Rng, others: &[T]) -> T {
    if random.bool() { T::default() } else { random.choice(others).copied().unwrap_or_default() }
}

impl Spelling {
    /// A key, given in snake case, in this spelling.
    pub(crate) fn spell(self, key: &str) -> Cow<'_, str> {
        if self == Self::Snake || !key.contains('_') {
            return key.into();
        }
        let mut camel = String::with_capacity(key.len());
        let mut upper = false;
        for letter in key.chars() {
            match letter {
                '_' => upper = true,
                letter => {
                    camel.push(if upper { letter.to_ascii_uppercase() } else { letter });
                    upper = false;
                }
            }
        }
        camel.into()
    }
}

/// A hash that is the same on every platform: FNV-1a, and the last step of MurmurHash3.
pub(crate) fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let seed = seed.to_le_bytes();
    let mut hash = seed
        .iter()
        .chain(bytes)
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    for factor in [0xff51_afd7_ed55_8ccd, 0xc4ce_b9fe_1a85_ec53] {
        hash = (hash ^ (hash >> 33)).wrapping_mul(factor);
    }
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_determines_the_dialect_and_half_of_the_fields_have_their_default() {
        let default = Dialect::default();
        let dialects: Vec<Dialect> = (0..1000).map(Dialect::seeded).collect();
        assert!(dialects.iter().zip(0..).all(|(dialect, seed)| *dialect == Dialect::seeded(seed)));
        assert!(!dialects.iter().any(Dialect::is_defective));
        let fields: [fn(&Dialect, &Dialect) -> bool; 13] = [
            |a, b| a.keys == b.keys,
            |a, b| a.extras == b.extras,
            |a, b| a.leave_out_empty == b.leave_out_empty,
            |a, b| a.blank_last_token == b.blank_last_token,
            |a, b| a.errors == b.errors,
            |a, b| a.token_errors == b.token_errors,
            |a, b| a.page_tokens == b.page_tokens,
            |a, b| a.clamp == b.clamp,
            |a, b| a.empty_pages == b.empty_pages,
            |a, b| a.compress == b.compress,
            |a, b| a.changes == b.changes,
            |a, b| a.odd_records == b.odd_records,
            |a, b| a.unknown_states == b.unknown_states,
        ];
        for (place, same) in fields.iter().enumerate() {
            let count = dialects.iter().filter(|dialect| same(dialect, &default)).count();
            assert!((430..570).contains(&count), "field {place}: {count}");
        }
    }

    #[test]
    fn defective_dialects_have_one_defect_and_cover_all() {
        let mut found = Vec::new();
        for dialect in (0..300).map(Dialect::defective) {
            assert!(dialect.is_defective());
            let Dialect { cut, routes, shadow, unreadable, .. } = dialect;
            let defects = [cut.is_some(), routes != Routes::All, shadow, unreadable];
            assert_eq!(defects.iter().filter(|defect| **defect).count(), 1);
            assert!(cut.is_none() || dialect.clamp == Some(3));
            if !found.contains(&(cut, routes, shadow, unreadable)) {
                found.push((cut, routes, shadow, unreadable));
            }
        }
        assert_eq!(found.len(), 8 + 3 + 2, "{found:?}");
    }

    #[test]
    fn keys_are_spelled_in_either_case() {
        for (key, camel) in [("next_page_token", "nextPageToken"), ("id", "id"), ("@odata.nextLink", "@odata.nextLink")]
        {
            assert_eq!(Spelling::Snake.spell(key), key);
            assert_eq!(Spelling::Camel.spell(key), camel);
        }
    }
}
