//! A page of a list, and whether it really is the last one.
//!
//! The service names the next page in `next_page_token`. Services change, and gateways rewrite: a page without that key that says
//! in another way that there is more is not the end of a list. So unknown keys are looked at, at the top and one object deep.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::api::body::{BodyError, object};
use crate::api::parse::{Field, Key, Reader, is_key, scalars};
use crate::http::Response;
use crate::text::{contains_any, is_any};
use crate::values::user::{User, is_unreadable};

/// The most unknown keys of one page that are looked at.
const MAX_HINTS: usize = 256;

/// The most unknown keys that an error names.
const MAX_NAMED_KEYS: usize = 5;

/// One page of a list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    /// The users. U+FFFD stands for what could not be read; an id that is no text, or too long, is empty.
    pub(crate) users: Vec<User>,
    pub(crate) next_page_token: Option<String>,
    hints: Vec<Hint>,
    /// A key says that there is no more, such as `"has_more": false`.
    denies_more: bool,
}

/// The part of a list that was read, as far as it is known.
pub(crate) struct Extent<'a> {
    /// The page token that the last page was requested with.
    pub(crate) page_token: Option<&'a str>,
    /// The number of users and pages. `None` if the list did not start at its first page.
    pub(crate) read: Option<(u64, u64)>,
}

impl Page {
    /// Parses the body of a list response. An object without `results` is an empty page only if it has no other keys: with
    /// others the response is not understood, and an empty list would hide that.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, BodyError> {
        let Body { results, next_page_token, hints, denies_more, others } = object(body, "a list of users")?;
        let users = match results {
            Results::Users(users) => users,
            Results::Absent if others.is_empty() => Vec::new(),
            Results::Absent => return Err(BodyError::NoResults(others)),
            Results::Odd => return Err(BodyError::Results),
        };
        let next_page_token = match next_page_token {
            Field::Text(token) if is_unreadable(&token) => return Err(BodyError::PageToken),
            Field::Text(token) if token.trim().is_empty() && !token.is_empty() => return Err(BodyError::PageToken),
            Field::Text(token) if !token.is_empty() => Some(token),
            Field::Number(number) if number > 0 => Some(format!("{number}")),
            Field::Absent | Field::Text(_) | Field::Number(_) | Field::Bool(false) => None,
            _ => return Err(BodyError::PageToken),
        };
        Ok(Self { users, next_page_token, hints, denies_more })
    }

    /// Notes the headers of the response that may say that the list goes on: links (RFC 8288), a range of the users, and `x-`
    /// headers such as `X-Next-Page`.
    pub(crate) fn note_headers(&mut self, response: &Response) {
        let headers =
            response.headers.iter().filter_map(|(name, value)| Some((name, core::str::from_utf8(value).ok()?)));
        for (name, value) in headers {
            let hint = match name.to_ascii_lowercase().as_str() {
                "link" if links_to_next(value) => Some((Topic::More, Field::Odd)),
                "content-range" => value.rsplit_once('/').map(|(_, total)| (Topic::Total, Field::Text(total.into()))),
                name => name.strip_prefix("x-").and_then(Topic::of).map(|topic| (topic, Field::Text(value.into()))),
            };
            if let Some((topic, value)) = hint {
                self.hints.push(Hint { key: cut(name).to_owned(), topic, value });
            }
        }
    }

    /// The key or header that claims that the list goes on, although there is no page token.
    pub(crate) fn claim_of_more(&self, extent: &Extent<'_>) -> Option<&str> {
        let claim = self.hints.iter().find(|hint| hint.claims_more(extent, self.denies_more));
        claim.map(|hint| hint.key.as_str())
    }
}

/// An unknown key that may say something about the end of the list.
#[derive(Debug, PartialEq, Eq)]
struct Hint {
    key: String,
    topic: Topic,
    value: Field,
}

/// The topic of a key, by the words in its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Topic {
    /// More users, or a next page.
    More,
    /// A place in the list.
    Place,
    /// The number of users before a place in the list.
    Offset,
    /// The end of the list: false says that there is more.
    End,
    /// The number of all users.
    Total,
    /// The number of all pages.
    Pages,
}

/// The topics of whole names, in lower case and without separators.
const NAMES: &[(Topic, &str)] = &[
    (
        Topic::Total,
        "totalsize|count|odatacount|usercount|resultcount|itemcount|fullcount|numfound|numresults|total|totalcount|totalusers|\
         totaluser|usertotal|totalusercount|totalresults|totalresultcount|totalitems|totalitemcount|totalrecords|totalelements|\
         totalhits|totalrows|totalentries|totalnumber|totalavailable",
    ),
    (Topic::Pages, "pages|pagecount|numpages|totalpages|totalpagecount"),
    (Topic::Place, "after|startingafter|lastevaluatedkey|pagekey|pagestate"),
    (
        Topic::End,
        "last|islast|lastpage|islastpage|isfinalpage|end|isend|done|isdone|complete|completed|iscomplete|finished|exhausted",
    ),
    (Topic::More, "error|errors|unreachable|timedout|limitreached"),
];

/// The topics of words within a name. The first that fits counts; `None` is for names that mean something else, such as the cursor
/// of the place where this page ended, which the last page has as well.
const PARTS: &[(Option<Topic>, &str)] = &[
    (Some(Topic::More), "hasnext"),
    (None, "prev|size|sync|info|learn|readmore|time|zone|utc|nextjs|maintenance|billing|version|endcursor|startcursor"),
    (
        Some(Topic::More),
        "next|more|continu|truncated|incomplete|partial|exceeded|remainingpage|remaininguser|remainingitem|itemsremaining",
    ),
    (Some(Topic::Place), "cursor|pagetoken|skiptoken|resum|scroll|marker|bookmark"),
    (Some(Topic::Offset), "offset"),
];

impl Topic {
    fn of(key: &str) -> Option<Self> {
        let name: String = key.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
        if let Some((topic, _)) = NAMES.iter().find(|(_, names)| is_any(&name, names)) {
            return Some(*topic);
        }
        PARTS.iter().find(|(_, parts)| contains_any(&name, parts))?.0
    }

    /// True if a value of false says that the list is complete.
    fn is_denied_by_false(key: &str) -> bool {
        is_any(key, "hasmore|has_more|hasnext|has_next|hasnextpage|has_next_page")
    }
}

/// True if a value says no, or nothing.
fn is_blank(value: &Field) -> bool {
    match value {
        Field::Absent | Field::Empty | Field::Negative | Field::Bool(false) | Field::Number(0) => true,
        Field::Text(text) => is_any(text.trim(), "|0|-1|false|no|null|nil|none|undefined"),
        Field::Bool(true) | Field::Number(_) | Field::Odd => false,
    }
}

impl Hint {
    fn claims_more(&self, extent: &Extent<'_>, denies_more: bool) -> bool {
        let number = match &self.value {
            Field::Number(number) => Some(*number),
            Field::Text(text) => text.replace(',', "").parse().ok(),
            _ => None,
        };
        let is_filled = !is_blank(&self.value);
        let is_echo = matches!((&self.value, extent.page_token), (Field::Text(text), Some(token)) if text == token);
        let is_above = |read: u64| number.is_some_and(|number| number > read);
        match (self.topic, extent.read) {
            (Topic::More, _) => is_filled,
            (Topic::Place, _) => is_filled && !denies_more && !is_echo,
            // The offset of the last page itself is below the number of users. A service with page tokens names the place of a
            // continuation.
            (Topic::Offset, read) => match number {
                Some(number) => is_filled && !denies_more && read.is_some_and(|(users, _)| number >= users),
                None => is_filled && !denies_more && !is_echo,
            },
            // The number of the last page, or false.
            (Topic::End, read) => {
                self.value != Field::Absent && is_blank(&self.value) || read.is_some_and(|(_, pages)| is_above(pages))
            }
            (Topic::Total, read) => read.is_some_and(|(users, _)| is_above(users)),
            (Topic::Pages, read) => read.is_some_and(|(_, pages)| is_above(pages)),
        }
    }
}

/// The body of a list response.
#[derive(Default)]
struct Body {
    results: Results,
    next_page_token: Field,
    hints: Vec<Hint>,
    denies_more: bool,
    /// The names of unknown keys, the first few.
    others: Vec<String>,
}

/// True if one of the links in a header leads to the next page.
fn links_to_next(links: &str) -> bool {
    links.split([';', ',']).any(|parameter| {
        let relations = parameter.split_once('=').filter(|(name, _)| name.trim().eq_ignore_ascii_case("rel"));
        relations.is_some_and(|(_, relations)| is_next_relation(relations.trim().trim_matches(['"', '\''])))
    })
}

/// True if a link's relations, separated by white space, contain the next page (RFC 8288).
fn is_next_relation(relations: &str) -> bool {
    relations.split_ascii_whitespace().any(|relation| relation.eq_ignore_ascii_case("next"))
}

/// The beginning of a key, as far as an error shows it.
fn cut(key: &str) -> &str {
    key.get(..key.floor_char_boundary(200)).unwrap_or_default()
}

impl Body {
    /// Notes an unknown key with its value. `path` is the key with the object that it is in.
    fn note(&mut self, path: &str, key: &str, value: Field) {
        let Some(topic) = Topic::of(key) else { return };
        self.denies_more |= Topic::is_denied_by_false(key) && is_blank(&value) && value != Field::Absent;
        match MAX_HINTS.cmp(&self.hints.len()) {
            Ordering::Greater => self.hints.push(Hint { key: cut(path).to_owned(), topic, value }),
            // More than can be looked at, so none of it is trusted.
            Ordering::Equal => {
                self.hints.push(Hint { key: cut(path).to_owned(), topic: Topic::More, value: Field::Odd })
            }
            Ordering::Less => {}
        }
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BodyVisitor)
    }
}

struct BodyVisitor;

impl<'de> Visitor<'de> for BodyVisitor {
    type Value = Body;

    scalars!(Body, |_| Body::default());

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Body, A::Error> {
        Ok(Body::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Body, A::Error> {
        let mut body = Body::default();
        while let Some(Key(key)) = entries.next_key()? {
            if is_unreadable(&key) {
                // A key that was repaired may have been any other.
                entries.next_value::<IgnoredAny>()?;
                body.results = Results::Odd;
            } else if is_key(&key, "results") {
                match (entries.next_value()?, &body.results) {
                    (Results::Absent, _) => {}
                    (results, Results::Absent) => body.results = results,
                    _ => body.results = Results::Odd,
                }
            } else if is_key(&key, "nextpagetoken") {
                match entries.next_value()? {
                    // Empty in one spelling and not in the other.
                    Field::Text(token) if token.is_empty() => {}
                    token => body.next_page_token.put(token),
                }
            } else {
                let mut inner = |is_in_array: bool, inner: &str, value: Field| {
                    let is_total = || is_key(inner, "value") && Topic::of(&key) == Some(Topic::Total);
                    let is_link = || is_any(inner, "rel|relation|type");
                    let is_next = || matches!(&value, Field::Text(text) if is_next_relation(text));
                    match is_in_array {
                        true if is_link() && is_next() => body.note(&key, "next", value),
                        true => {}
                        false if is_total() => body.note(&key, &key, value),
                        false if Topic::of(inner).is_some() => {
                            body.note(&format!("{}.{}", cut(&key), cut(inner)), inner, value);
                        }
                        false => {}
                    }
                };
                let value = entries.next_value_seed(Reader::new(&mut inner))?;
                body.note(&key, &key, value);
                if body.others.len() < MAX_NAMED_KEYS {
                    body.others.push(key.into_owned());
                }
            }
        }
        Ok(body)
    }
}

/// The value of `results`.
#[derive(Default)]
enum Results {
    #[default]
    Absent,
    Users(Vec<User>),
    Odd,
}

impl<'de> Deserialize<'de> for Results {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ResultsVisitor)
    }
}

struct ResultsVisitor;

impl<'de> Visitor<'de> for ResultsVisitor {
    type Value = Results;

    scalars!(Results, |field| if field == Field::Absent { Results::Absent } else { Results::Odd });

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Results, A::Error> {
        let mut users = Vec::new();
        while let Some(user) = items.next_element()? {
            users.push(user);
        }
        Ok(Results::Users(users))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Results, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Results::Odd)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn page(body: &str) -> Result<(usize, Option<String>), BodyError> {
        Page::parse(body.as_bytes()).map(|page| (page.users.len(), page.next_page_token))
    }

    #[test]
    fn an_empty_page_is_one_that_says_nothing_else() {
        for body in [
            "{}",
            r#"{"results":[]}"#,
            r#"{"results":null}"#,
            r#"{"next_page_token":""}"#,
            r#"{"next_page_token":0,"nextPageToken":null}"#,
            r#"{"next_page_token":false}"#,
            r#"{"results":[],"version":1}"#,
            "\u{feff}{}",
        ] {
            assert_eq!(page(body), Ok((0, None)), "{body}");
        }
        for (body, token) in [
            (r#"{"next_page_token":"x"}"#, "x"),
            (r#"{"nextPageToken":"x","next_page_token":""}"#, "x"),
            (r#"{"next_page_token":2}"#, "2"),
        ] {
            assert_eq!(page(body), Ok((0, Some(token.into()))), "{body}");
        }
        for body in
            [r#"{"users":[]}"#, r#"{"users":[{"id":"A"}]}"#, r#"{"code":7}"#, r#"{"next_page_token":"x","users":[]}"#]
        {
            assert!(page(body).unwrap_err().to_string().contains("needs \"results\""), "{body}");
        }
    }

    #[test]
    fn a_page_of_another_shape_is_an_error() {
        for body in [
            "",
            "null",
            "[]",
            "[[]]",
            "\"x\"",
            "{",
            "{}{}",
            "{\"results\":{}}",
            "{\"results\":[],\"results\":[]}",
            "{\"next_page_token\":[]}",
            "{\"next_page_token\":-1}",
            "{\"next_page_token\":true}",
            "{\"next_page_token\":\"a\\ud800\"}",
            "{\"next_page_token\":\"a\",\"nextPageToken\":\"b\"}",
        ] {
            assert!(page(body).is_err(), "{body}");
        }
    }

    /// The key that claims more, for a page that is the end of a list of 1,000 users in 2 pages.
    fn claim(keys: &str) -> Option<String> {
        let page = Page::parse(format!(r#"{{"results":[],{keys}}}"#).as_bytes()).unwrap();
        let extent = Extent { page_token: Some("sent"), read: Some((1000, 2)) };
        page.claim_of_more(&extent).map(Into::into)
    }

    #[test]
    fn row_1_a_page_that_says_that_there_is_more_is_not_the_last_one() {
        for (keys, key) in [
            (r#""has_more":true"#, "has_more"),
            (r#""hasNextPage":true"#, "hasNextPage"),
            (r#""pagination":{"next":"/users?page=2"}"#, "pagination.next"),
            (r#""pagination":{"has_more":1}"#, "pagination.has_more"),
            (r#""_links":{"next":{"href":"/users?page=2"}}"#, "_links.next"),
            (r#""links":[{"rel":"self"},{"rel":"next","href":"/x"}]"#, "links"),
            (r#""@odata.nextLink":"https://x""#, "@odata.nextLink"),
            (r#""next":"abc""#, "next"),
            (r#""next":2"#, "next"),
            (r#""next_page":{"page":2}"#, "next_page"),
            (r#""nextCursor":["x"]"#, "nextCursor"),
            (r#""cursor":"abc""#, "cursor"),
            (r#""Page-Token":"abc""#, "Page-Token"),
            (r#""response_metadata":{"next_cursor":"x"}"#, "response_metadata.next_cursor"),
            (r#""continuationToken":"x""#, "continuationToken"),
            (r#""offset":1000"#, "offset"),
            (r#""next_offset":10"#, "next_offset"),
            (r#""offset":"abc""#, "offset"),
            (r#""isTruncated":"true""#, "isTruncated"),
            (r#""is_last_page":false"#, "is_last_page"),
            (r#""total":1001"#, "total"),
            (r#""count":1001"#, "count"),
            (r#""totalSize":"1001""#, "totalSize"),
            (r#""@odata.count":1001"#, "@odata.count"),
            (r#""skipToken":"x""#, "skipToken"),
            (r#""partial":true"#, "partial"),
            (r#""partial":false,"cursor":"x""#, "cursor"),
            (r#""total":2500.0"#, "total"),
            (r#""total":"2,500""#, "total"),
            (r#""total":{"value":2500,"relation":"eq"}"#, "total"),
            (r#""last":false"#, "last"),
            (r#""finished":false"#, "finished"),
            (r#""current_page":2,"last_page":3"#, "last_page"),
            (r#""num_pages":3"#, "num_pages"),
            (r#""unreachable":["b"]"#, "unreachable"),
            (r#""errors":[{"message":"x"}]"#, "errors"),
            (r#""LastEvaluatedKey":{"id":"x"}"#, "LastEvaluatedKey"),
            (r#""links":[{"rel":"last next"}]"#, "links"),
            (r#""total_count":"2500""#, "total_count"),
            (r#""meta":{"totalResults":2500}"#, "meta.totalResults"),
            (r#""page":2,"total_pages":3"#, "total_pages"),
        ] {
            assert_eq!(claim(keys).as_deref(), Some(key), "{keys}");
        }
    }

    #[test]
    fn row_1_other_new_keys_are_harmless() {
        for keys in [
            r#""request_id":"x""#,
            r#""has_more":false,"next":null,"nextCursor":"","cursor":0,"links":{"next":{}},"pages":[]"#,
            r#""has_more":"false","next_page":"null","next_offset":-1"#,
            r#""pageInfo":{"hasNextPage":false,"endCursor":"abc"}"#,
            r#""previous_page_token":"x","prev_cursor":"x","next_sync_token":"x","next_page_size":10,"page_size":1000"#,
            r#""page_token":"sent","cursor":"sent""#,
            r#""offset":500,"total":1000,"total_pages":2,"is_last":true,"total_seats":5000,"count":1000"#,
            r#""links":[{"rel":"prev"},{"rel":"self"}],"warnings":[{"next":"x"}],"deep":{"er":{"next":"x"}}"#,
            r#""more_info":"https://x","utc_time_offset":"+2","sum":1.5,"nothing":null"#,
            r#""has_more":"no","cursor":"abc","next":"undefined","end_cursor":"abc","last":null,"last_page":2"#,
            r#""next_maintenance":"2030-01-01","next_api_version":"v2","utc_offset":3600,"read_more":"https://x""#,
            r#""seats":{"total_seats":5000},"errors":[],"error":null,"unreachable":[],"done":true,"end":"x""#,
        ] {
            assert_eq!(claim(keys), None, "{keys}");
        }
        let page = Page::parse(br#"{"results":[],"total":2500,"offset":7}"#).unwrap();
        let extent = Extent { page_token: None, read: None };
        assert_eq!(page.claim_of_more(&extent), None, "the place of a continuation is not known");
    }

    #[test]
    fn row_1_a_header_may_say_that_there_is_more() {
        let claim = |headers: &[(&str, &str)]| {
            let mut response = Response::new(200, Vec::new());
            response.headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            let mut page = Page::default();
            page.note_headers(&response);
            page.claim_of_more(&Extent { page_token: None, read: Some((1000, 1)) }).is_some()
        };
        for headers in [
            &[("Link", "</users?page=2>; rel=\"next\"")][..],
            &[("Link", "</a>; rel=prev, </b>; Rel=next")],
            &[("link", "</a>; rel = \"next\"")],
            &[("Link", "</a>; rel='self next'")],
            &[("Link", "</a>; rel=prev"), ("Link", "</b>; rel=next; title=x")],
            &[("X-Next-Page", "2")],
            &[("X-Total-Count", "2500")],
            &[("X-Has-More", "true")],
            &[("Content-Range", "users 0-999/2500")],
        ] {
            assert!(claim(headers), "{headers:?}");
        }
        for headers in [
            &[("Link", "</a>; rel=\"prev\"; title=\"next\"")][..],
            &[("Link", "</a?x=next>; rel=prefetch")],
            &[("Link", "")],
            &[("X-Next-Page", ""), ("X-Total-Count", "1000"), ("X-NextJS-Cache", "HIT"), ("X-Request-Id", "next")],
            &[("Content-Range", "users 0-999/1000"), ("Content-Range", "users 0-999/*"), ("Next", "x")],
        ] {
            assert!(!claim(headers), "{headers:?}");
        }
    }

    #[test]
    fn more_keys_than_can_be_looked_at_are_not_the_end() {
        let keys = |count: usize| (0..count).map(|n| format!(r#""has_more{n}":false"#)).collect::<Vec<_>>().join(",");
        assert_eq!(claim(&keys(MAX_HINTS)), None);
        assert!(claim(&format!(r#"{},"has_more":true"#, keys(MAX_HINTS))).is_some());
        // Neither does a long key take more than its own length.
        let long = "k".repeat(100_000);
        assert!(claim(&format!(r#""{long}":{{"next":1}}"#)).is_some_and(|key| key.len() < 500));
    }
}
