//! The bodies of answers, written in a dialect.
//!
//! Bodies are bytes: a dialect may send what is not valid JSON.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;

use crate::account::Person;
use crate::dialect::{Cut, Dialect, ErrorForm, PageTokens, Spelling, hash};

/// The page that a portal sends in place of an answer.
pub(crate) const PORTAL: &str = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head>\
    <body><h1>Sign in to the guest network</h1></body></html>\n";

/// A JSON object while it is written.
struct Object<'a> {
    out: &'a mut Vec<u8>,
    keys: Spelling,
    empty: bool,
}

/// Writes a JSON object. Keys are given in snake case.
fn object(out: &mut Vec<u8>, keys: Spelling, write: impl FnOnce(&mut Object<'_>)) {
    out.push(b'{');
    write(&mut Object { out: &mut *out, keys, empty: true });
    out.push(b'}');
}

impl Object<'_> {
    fn key(&mut self, key: &str) {
        if !std::mem::replace(&mut self.empty, false) {
            self.out.push(b',');
        }
        value(self.out, &self.keys.spell(key));
        self.out.push(b':');
    }

    fn add(&mut self, key: &str, member: impl Serialize) {
        self.key(key);
        value(self.out, &member);
    }

    fn raw(&mut self, key: &str, json: &[u8]) {
        self.key(key);
        self.out.extend_from_slice(json);
    }

    fn object(&mut self, key: &str, write: impl FnOnce(&mut Object<'_>)) {
        self.key(key);
        object(self.out, self.keys, write);
    }
}

/// Writes a value, which must be serialisable.
fn value(out: &mut Vec<u8>, value: &impl Serialize) {
    let _ = serde_json::to_writer(out, value);
}

/// The JSON of a value, which must be serialisable.
pub(crate) fn json(serialisable: &impl Serialize) -> Vec<u8> {
    let mut out = Vec::new();
    value(&mut out, serialisable);
    out
}

/// A page of users.
pub(crate) struct Page<'a> {
    /// The users.
    pub(crate) users: Vec<Listed<'a>>,
    /// The token of the next page.
    pub(crate) next: Option<String>,
    /// The number of users that match the filter, if the dialect may send it.
    pub(crate) total: usize,
}

/// A user on a page.
pub(crate) struct Listed<'a> {
    pub(crate) person: &'a Person,
    /// The id to send in place of the user's.
    pub(crate) id: Option<String>,
    /// Sends a number as the e-mail address.
    pub(crate) unreadable: bool,
}

/// The body of a page.
pub(crate) fn page(dialect: &Dialect, page: &Page<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let extras_first = dialect.includes("extras first");
    object(&mut out, dialect.keys, |body| {
        if dialect.extras && extras_first {
            page_extras(body, dialect, page);
        }
        if !(page.users.is_empty() && dialect.leave_out_empty && !dialect.extras) {
            body.key("results");
            results(body.out, dialect, &page.users);
        }
        next(body, dialect, page);
        if dialect.extras && !extras_first {
            page_extras(body, dialect, page);
        }
    });
    out
}

fn results(out: &mut Vec<u8>, dialect: &Dialect, users: &[Listed<'_>]) {
    out.push(b'[');
    for (place, user) in users.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        write_user(out, dialect, user);
    }
    out.push(b']');
}

/// Writes the page token, or the sign of a cut list.
fn next(body: &mut Object<'_>, dialect: &Dialect, page: &Page<'_>) {
    match (&page.next, dialect.cut) {
        (None, _) if dialect.blank_last_token => body.add("next_page_token", ""),
        (None, _) => {}
        (Some(_), Some(cut)) => cut_sign(body, cut, page.total),
        // A page number is JSON as it is.
        (Some(token), None) if dialect.page_tokens == PageTokens::Number => {
            body.raw("next_page_token", token.as_bytes());
        }
        (Some(token), None) => body.add("next_page_token", token),
    }
}

fn cut_sign(body: &mut Object<'_>, cut: Cut, total: usize) {
    const LINK: &str = "https://api.example.com/v1/users?page=2";
    match cut {
        Cut::HasMore => body.add("has_more", true),
        Cut::Cursor => body.add("cursor", "x1"),
        Cut::Pagination => body.object("pagination", |inner| inner.add("next", "/v1/users?page=2")),
        Cut::NextLink => body.add("@odata.nextLink", LINK),
        Cut::Total => body.add("total", total),
        Cut::PageInfo => body.object("pageInfo", |inner| {
            inner.add("hasNextPage", true);
            inner.add("endCursor", "x");
        }),
        Cut::Links => body.object("links", |inner| inner.add("next", LINK)),
        Cut::IsLast => body.add("is_last", false),
    }
}

/// Writes unknown keys of a page, at its top or in an object of their own.
fn page_extras(body: &mut Object<'_>, dialect: &Dialect, page: &Page<'_>) {
    if dialect.includes("extras in an object") {
        body.object("meta", |inner| page_extra_keys(inner, dialect, page));
    } else {
        page_extra_keys(body, dialect, page);
    }
}

fn page_extra_keys(body: &mut Object<'_>, dialect: &Dialect, page: &Page<'_>) {
    body.add("request_id", format!("req-{:016x}", hash(dialect.seed, b"request")));
    if dialect.includes("previous_page_token") {
        body.add("previous_page_token", "abc");
    }
    if dialect.includes("page_size") {
        body.add("page_size", 1000);
    }
    if dialect.includes("next_sync_token") {
        body.add("next_sync_token", "s1");
    }
    if dialect.includes("warnings") {
        body.add("warnings", [(); 0]);
    }
    if dialect.includes("metadata") {
        body.object("metadata", |inner| {
            inner.add("generated_at", "2030-01-01T00:00:00Z");
            inner.add("schema", 2);
            inner.object("links", |links| links.add("prev", "/x"));
        });
    }
    match page.next {
        Some(_) => claims(body, dialect),
        None => denials(body, dialect, page.total),
    }
}

/// Writes true claims of a further page. A cut list has its own.
fn claims(body: &mut Object<'_>, dialect: &Dialect) {
    if dialect.cut.is_none() && dialect.includes("has_more") {
        body.add("has_more", true);
    }
}

/// Writes true denials of a further page.
fn denials(body: &mut Object<'_>, dialect: &Dialect, total: usize) {
    if dialect.includes("has_more") {
        body.add("has_more", false);
    }
    if dialect.includes("next") {
        body.add("next", ());
    }
    if dialect.includes("next_cursor") {
        body.add("next_cursor", "");
    }
    if dialect.includes("total") {
        body.add("total", total);
    }
    if dialect.includes("pagination") {
        body.object("pagination", |inner| {
            inner.add("next", ());
            inner.add("remaining_pages", 0);
        });
    }
}

/// The body of a list without any user, as a defective service sends it.
pub(crate) fn no_data(dialect: &Dialect) -> Vec<u8> {
    if dialect.leave_out_empty { b"{}".to_vec() } else { br#"{"results":[]}"#.to_vec() }
}

/// The body of one user.
pub(crate) fn user(dialect: &Dialect, person: &Person) -> Vec<u8> {
    let mut out = Vec::new();
    write_user(&mut out, dialect, &Listed { person, id: None, unreadable: false });
    out
}

fn write_user(out: &mut Vec<u8>, dialect: &Dialect, listed: &Listed<'_>) {
    let person = listed.person;
    let odd = if dialect.odd_records { OddForm::of(&person.id) } else { None };
    object(out, dialect.keys, |body| {
        body.add("id", listed.id.as_ref().unwrap_or(&person.id));
        if listed.unreadable {
            body.add("email", 42);
        } else {
            field(body, dialect, "email", &person.email);
        }
        match odd.and_then(OddForm::display_name) {
            Some(json) => body.raw("display_name", json),
            None => field(body, dialect, "display_name", &person.display_name),
        }
        if let Some(state) = state(dialect, person) {
            field(body, dialect, "state", state);
        }
        match odd {
            Some(OddForm::TimeNumber) => body.add("create_time", 1_700_000_000),
            Some(OddForm::TimeMissing) => {}
            _ => field(body, dialect, "create_time", &person.create_time),
        }
        match odd {
            Some(OddForm::PathObject) => body.object("path", |path| path.add("name", &person.path)),
            _ => field(body, dialect, "path", &person.path),
        }
        if dialect.extras {
            user_extras(body, dialect);
        }
    });
}

fn field(body: &mut Object<'_>, dialect: &Dialect, key: &str, text: &str) {
    if !(text.is_empty() && dialect.leave_out_empty) {
        body.add(key, text);
    }
}

fn user_extras(body: &mut Object<'_>, dialect: &Dialect) {
    body.add("avatar_url", "https://images.example.com/1.png");
    if dialect.includes("email_verified") {
        body.add("email_verified", true);
    }
    if dialect.includes("groups") {
        body.raw("groups", b"[{}]");
    }
    if dialect.includes("next_review") {
        body.add("next_review", "2030-01-01");
    }
}

/// The state to send. `None` if none is sent.
fn state<'a>(dialect: &Dialect, person: &'a Person) -> Option<&'a str> {
    if !dialect.unknown_states || person.state != "STATE_UNSPECIFIED" {
        return Some(&person.state);
    }
    match hash(1, person.id.as_bytes()) % 5 {
        0 => Some("RECOVERY_STARTED"),
        1 => Some("RECOVERY_ACCEPTED"),
        2 => Some("TRANSFER_STARTED"),
        3 => Some("TRANSFER_SUSPENDED"),
        _ => None,
    }
}

/// An odd form of one field that no action depends on.
#[derive(Clone, Copy)]
enum OddForm {
    NameSurrogate,
    NameControl,
    NameNotUtf8,
    NameNull,
    TimeNumber,
    TimeMissing,
    PathObject,
}

impl OddForm {
    /// The odd form of the user with this id, if it has one.
    fn of(id: &str) -> Option<Self> {
        match hash(2, id.as_bytes()) % 35 {
            0 => Some(Self::NameSurrogate),
            1 => Some(Self::NameControl),
            2 => Some(Self::NameNotUtf8),
            3 => Some(Self::NameNull),
            4 => Some(Self::TimeNumber),
            5 => Some(Self::TimeMissing),
            6 => Some(Self::PathObject),
            _ => None,
        }
    }

    fn display_name(self) -> Option<&'static [u8]> {
        match self {
            Self::NameSurrogate => Some(br#""Odd \ud800 name""#),
            Self::NameControl => Some(b"\"Odd \x01 name\""),
            Self::NameNotUtf8 => Some(b"\"Odd \xff name\""),
            Self::NameNull => Some(b"null"),
            Self::TimeNumber | Self::TimeMissing | Self::PathObject => None,
        }
    }
}

/// The body of an error in this form.
pub(crate) fn error(form: ErrorForm, status: u16, code: u8, message: &str) -> Vec<u8> {
    let mut out = Vec::new();
    object(&mut out, Spelling::Snake, |body| match form {
        ErrorForm::Gateway => {
            body.add("code", code);
            body.add("message", message);
            body.add("details", [(); 0]);
        }
        ErrorForm::Nested => body.object("error", |inner| {
            inner.add("code", status);
            inner.add("message", message);
            inner.add("status", rpc_name(code));
            inner.add("details", [(); 0]);
        }),
        ErrorForm::Named => {
            body.add("code", rpc_name(code));
            body.add("message", message);
        }
        ErrorForm::List => {
            body.key("errors");
            body.out.push(b'[');
            object(body.out, Spelling::Snake, |inner| {
                inner.add("code", code);
                inner.add("message", message);
            });
            body.out.push(b']');
        }
        ErrorForm::Problem => {
            body.add("type", "about:blank");
            body.add("title", reason_phrase(status));
            body.add("status", status);
            body.add("detail", message);
            body.add("code", code);
        }
    });
    out
}

/// The body of an error as OAuth 2.0 has it (RFC 6749, section 5.2).
pub(crate) fn oauth_error(error: &str, description: &str) -> Vec<u8> {
    let mut out = Vec::new();
    object(&mut out, Spelling::Snake, |body| {
        body.add("error", error);
        body.add("error_description", description);
    });
    out
}

/// The name of a code of google.rpc, for the codes that the service uses.
fn rpc_name(code: u8) -> &'static str {
    match code {
        3 => "INVALID_ARGUMENT",
        5 => "NOT_FOUND",
        7 => "PERMISSION_DENIED",
        12 => "UNIMPLEMENTED",
        16 => "UNAUTHENTICATED",
        _ => "UNKNOWN",
    }
}

/// The reason phrase of a status, for the statuses that the service uses.
fn reason_phrase(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        501 => "Not Implemented",
        _ => "Error",
    }
}

/// The body, compressed with gzip. The header has no time, so that equal bodies stay equal.
pub(crate) fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing into memory does not fail.
    let _ = encoder.write_all(body);
    encoder.finish().unwrap_or_default()
}
