//! The dialects of the simulated service, each field on its own and seeded.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

use std::io::Read;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use onepassword_users_simulator::{
    Account, ChangeAnswer, Cut, Dialect, ErrorForm, PageTokens, Person, Request, Response, Role, Routes, Service,
    Spelling, TokenErrorForm,
};
use serde_json::{Value, json};

const ACCOUNT: &str = "A";
const LIST: &str = "/v1/accounts/A/users";

struct Caller {
    service: Service,
    bearer: String,
}

impl Caller {
    /// A caller of an account with this many active users: `U000` is an owner.
    fn new(users: usize, dialect: Dialect) -> Self {
        let mut account = Account::new(ACCOUNT);
        for n in 0..users {
            let role = if n == 0 { Role::Owner } else { Role::Member };
            let person = Person::new(&format!("U{n:03}"), &format!("u{n}@example.com"));
            account.insert(Person { role, ..person });
        }
        let mut service = Service::new(account, 1);
        service.set_dialect(dialect);
        let client_id = service.application().client_id.clone();
        let bearer = format!("Bearer {}", service.issue_token(&client_id, Duration::ZERO));
        Self { service, bearer }
    }

    fn send(&mut self, method: &str, target: &str, headers: &[(&str, &str)]) -> Response {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let mut all = vec![("authorization", self.bearer.as_str()), ("user-agent", "Tests/1")];
        all.extend_from_slice(headers);
        let request = Request { method, path, query, headers: &all, body: b"" };
        self.service.handle(&request, Duration::ZERO)
    }

    fn get(&mut self, target: &str) -> Response {
        self.send("GET", target, &[])
    }

    fn post(&mut self, target: &str) -> Response {
        self.send("POST", target, &[])
    }

    /// Asks for a token with these credentials, or with wrong ones.
    fn token(&mut self, basic: Option<(&str, &str)>) -> Response {
        let (id, secret) = basic.unwrap_or(("x", "y"));
        let basic = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
        let headers = [
            ("authorization", basic.as_str()),
            ("user-agent", "Tests/1"),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        let body = b"grant_type=client_credentials";
        let request = Request { method: "POST", path: "/v1/oauth/token", query: None, headers: &headers, body };
        self.service.handle(&request, Duration::ZERO)
    }

    /// Reads a page that must succeed.
    fn page(&mut self, query: &str) -> Value {
        let response = self.get(&format!("{LIST}?{query}"));
        assert_eq!(response.status, 200, "{query}: {}", response.text());
        parse(&response)
    }

    fn state(&self, id: &str) -> &str {
        &self.service.account().person(id).unwrap().state
    }
}

fn is_gzip(response: &Response) -> bool {
    response.headers.iter().any(|(name, value)| name == "content-encoding" && value == "gzip")
}

/// The body of a response, decompressed.
fn plain(response: &Response) -> Vec<u8> {
    if !is_gzip(response) {
        return response.body.clone();
    }
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(response.body.as_slice()).read_to_end(&mut plain).unwrap();
    plain
}

/// The JSON of a response. Repairs the texts of odd records.
fn parse(response: &Response) -> Value {
    let text = String::from_utf8_lossy(&plain(response)).replace(r"\ud800", "?").replace('\u{1}', "?");
    serde_json::from_str(&text).unwrap()
}

/// The page token of a page in either spelling, percent-encoded.
fn next(page: &Value) -> Option<String> {
    let token = match page.get("next_page_token").or_else(|| page.get("nextPageToken"))? {
        Value::String(token) if token.is_empty() => return None,
        Value::String(token) => token.clone(),
        Value::Number(number) => number.to_string(),
        other => panic!("{other}"),
    };
    Some(percent_encoding::utf8_percent_encode(&token, percent_encoding::NON_ALPHANUMERIC).to_string())
}

fn ids(page: &Value) -> Vec<String> {
    let results = page.get("results").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    results.iter().map(|user| user["id"].as_str().unwrap().to_owned()).collect()
}

/// Follows page tokens. Returns the ids of each page.
fn follow(caller: &mut Caller, query: &str) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut token = String::new();
    loop {
        let page = caller.page(&format!("{query}{token}"));
        pages.push(ids(&page));
        assert!(pages.len() < 1000, "endless");
        match next(&page) {
            Some(next) => token = format!("&page_token={next}"),
            None => return pages,
        }
    }
}

fn expected_ids(users: usize) -> Vec<String> {
    (0..users).map(|n| format!("U{n:03}")).collect()
}

#[test]
fn the_default_dialect_answers_as_documented() {
    let mut caller = Caller::new(3, Dialect::default());
    assert!(!Dialect::default().is_defective());
    let user = |n: usize| {
        format!(
            r#"{{"id":"U00{n}","email":"u{n}@example.com","display_name":"N. N.","state":"ACTIVE",{}U00{n}"}}"#,
            r#""create_time":"2024-01-01T00:00:00Z","path":"accounts/A/users/"#
        )
    };
    for (method, target, status, body) in [
        ("GET", LIST.to_owned(), 200, format!(r#"{{"results":[{},{},{}]}}"#, user(0), user(1), user(2))),
        ("GET", format!("{LIST}/U001"), 200, user(1)),
        ("POST", format!("{LIST}/U001:reactivate"), 200, user(1)),
        ("POST", format!("{LIST}/U000:suspend"), 403, r#"{"code":7,"message":"no_owner_remain","details":[]}"#.into()),
        ("GET", format!("{LIST}/U009"), 404, r#"{"code":5,"message":"user not found","details":[]}"#.into()),
        ("GET", "/v1/x".into(), 404, r#"{"code":5,"message":"Not Found","details":[]}"#.into()),
    ] {
        let response = caller.send(method, &target, &[]);
        assert_eq!((response.status, response.text()), (status, body), "{target}");
        assert_eq!(response.headers, []);
    }
    let page = caller.get(&format!("{LIST}?max_page_size=1")).text();
    let start = format!(r#"{{"results":[{}],"next_page_token":""#, user(0));
    assert!(page.starts_with(&start) && page.ends_with(r#""}"#), "{page}");
    let refused = r#"{"error":"invalid_client","error_description":"client authentication failed"}"#;
    assert_eq!(caller.token(None).text(), refused);
}

#[test]
fn keys_are_camel_case_except_in_tokens() {
    let mut caller = Caller::new(3, Dialect { keys: Spelling::Camel, ..Dialect::default() });
    let page = caller.page("max_page_size=2");
    assert!(page.get("nextPageToken").is_some() && page.get("next_page_token").is_none());
    let user = parse(&caller.get(&format!("{LIST}/U001")));
    for key in ["id", "email", "displayName", "state", "createTime", "path"] {
        assert!(user[key].is_string(), "{key}");
    }
    let (id, secret) = {
        let application = caller.service.application();
        (application.client_id.clone(), application.client_secret.clone())
    };
    assert!(parse(&caller.token(Some((&id, &secret))))["access_token"].is_string());
}

#[test]
fn extra_keys_are_true() {
    let (mut claims, mut denials, mut nested) = (0, 0, 0);
    for seed in 0..100 {
        let mut caller = Caller::new(5, Dialect { seed, extras: true, ..Dialect::default() });
        let first = caller.page("max_page_size=3");
        let last = caller.page(&format!("max_page_size=3&page_token={}", next(&first).unwrap()));
        assert_eq!([ids(&first), ids(&last)].concat(), expected_ids(5));
        let at = |page: &Value| page.get("meta").unwrap_or(page).clone();
        nested += usize::from(first.get("meta").is_some());
        let (first, last) = (at(&first), at(&last));
        assert!(first["request_id"].is_string() && last["request_id"].is_string());
        if let Some(claim) = first.get("has_more") {
            assert_eq!(*claim, json!(true));
            claims += 1;
        }
        for absent in ["next", "next_cursor", "total", "pagination"] {
            assert_eq!(first.get(absent), None);
        }
        for (key, value) in [
            ("has_more", json!(false)),
            ("next", json!(null)),
            ("next_cursor", json!("")),
            ("total", json!(5)),
            ("pagination", json!({ "next": null, "remaining_pages": 0 })),
        ] {
            if let Some(denial) = last.get(key) {
                assert_eq!(*denial, value);
                denials += 1;
            }
        }
        let user = parse(&caller.get(&format!("{LIST}/U001")));
        assert!(user["avatar_url"].is_string());
        assert!([Value::Null, json!("2030-01-01")].contains(&user["next_review"]));
    }
    assert!((30..70).contains(&claims) && (30..70).contains(&nested) && (150..350).contains(&denials));
}

#[test]
fn the_total_counts_the_users_that_match_the_filter() {
    let seed = (0..).find(|seed| {
        let mut caller = Caller::new(1, Dialect { seed: *seed, extras: true, ..Dialect::default() });
        caller.page("").get("total").is_some()
    });
    let mut caller = Caller::new(5, Dialect { seed: seed.unwrap(), extras: true, ..Dialect::default() });
    caller.post(&format!("{LIST}/U003:suspend"));
    assert_eq!(caller.page("filter=user.isActive()")["total"], 4);
    assert_eq!(caller.page("filter=user.isSuspended()")["total"], 1);
}

#[test]
fn empty_parts_are_left_out() {
    let mut caller = Caller::new(1, Dialect { leave_out_empty: true, ..Dialect::default() });
    assert_eq!(caller.get(&format!("{LIST}?filter=user.isSuspended()")).text(), "{}");
    let person = Person { display_name: String::new(), state: String::new(), ..Person::new("BARE", "") };
    caller.service.account_mut().insert(person);
    let bare = r#"{"id":"BARE","create_time":"2024-01-01T00:00:00Z","path":"accounts/A/users/BARE"}"#;
    assert_eq!(caller.get(&format!("{LIST}/BARE")).text(), bare);
}

#[test]
fn the_last_page_can_have_an_empty_token() {
    let mut caller = Caller::new(1, Dialect { blank_last_token: true, ..Dialect::default() });
    assert_eq!(caller.page("")["next_page_token"], "");
    let mut caller = Caller::new(2, Dialect { blank_last_token: true, ..Dialect::default() });
    assert_ne!(caller.page("max_page_size=1")["next_page_token"], "");
}

#[test]
fn errors_have_five_forms_with_the_same_words() {
    for (errors, not_found, last_owner) in [
        (
            ErrorForm::Gateway,
            r#"{"code":5,"message":"user not found","details":[]}"#,
            r#"{"code":7,"message":"no_owner_remain","details":[]}"#,
        ),
        (
            ErrorForm::Nested,
            r#"{"error":{"code":404,"message":"user not found","status":"NOT_FOUND","details":[]}}"#,
            r#"{"error":{"code":403,"message":"no_owner_remain","status":"PERMISSION_DENIED","details":[]}}"#,
        ),
        (
            ErrorForm::Named,
            r#"{"code":"NOT_FOUND","message":"user not found"}"#,
            r#"{"code":"PERMISSION_DENIED","message":"no_owner_remain"}"#,
        ),
        (
            ErrorForm::List,
            r#"{"errors":[{"code":5,"message":"user not found"}]}"#,
            r#"{"errors":[{"code":7,"message":"no_owner_remain"}]}"#,
        ),
        (
            ErrorForm::Problem,
            r#"{"type":"about:blank","title":"Not Found","status":404,"detail":"user not found","code":5}"#,
            r#"{"type":"about:blank","title":"Forbidden","status":403,"detail":"no_owner_remain","code":7}"#,
        ),
    ] {
        let mut caller = Caller::new(1, Dialect { errors, ..Dialect::default() });
        let response = caller.get(&format!("{LIST}/U009"));
        assert_eq!((response.status, response.text()), (404, not_found.into()));
        assert_eq!(response.reason.as_deref(), Some("user not found"));
        let problem = errors == ErrorForm::Problem;
        let header = ("content-type".into(), "application/problem+json".into());
        assert_eq!(response.headers, Vec::from_iter(problem.then_some(header)));
        let response = caller.post(&format!("{LIST}/U000:suspend"));
        assert_eq!((response.status, response.text()), (403, last_owner.into()));
        assert_eq!(parse(&caller.token(None))["error"], "invalid_client", "the token route has its own form");
    }
}

#[test]
fn token_errors_have_two_forms() {
    let mut caller = Caller::new(1, Dialect { token_errors: TokenErrorForm::Gateway, ..Dialect::default() });
    let response = caller.token(None);
    let expected = r#"{"code":16,"message":"client authentication failed","details":[]}"#;
    assert_eq!((response.status, response.text()), (401, expected.into()));
}

#[test]
fn page_tokens_have_five_forms() {
    let caller = |page_tokens| Caller::new(6, Dialect { page_tokens, ..Dialect::default() });
    let page = |n: u32| format!("max_page_size=2&page_token={n}");

    let mut position = caller(PageTokens::Position);
    let first = position.page("max_page_size=2");
    assert_eq!(first["next_page_token"], STANDARD.encode("2:2"));
    let token = next(&first).unwrap();
    assert_eq!(ids(&position.page(&format!("max_page_size=2&page_token={token}"))), ["U002", "U003"]);
    for query in [format!("max_page_size=3&page_token={token}"), format!("page_token={token}")] {
        let refused = position.get(&format!("{LIST}?{query}"));
        assert_eq!((refused.status, &parse(&refused)["code"]), (400, &json!(3)), "{query}");
    }

    for (page_tokens, expected) in [(PageTokens::PageNumber, json!("2")), (PageTokens::Number, json!(2))] {
        let mut numbers = caller(page_tokens);
        assert_eq!(numbers.page("max_page_size=2")["next_page_token"], expected);
        assert_eq!(ids(&numbers.page(&page(3))), ["U004", "U005"]);
        assert_eq!(ids(&numbers.page("max_page_size=3&page_token=2")), ["U003", "U004", "U005"]);
        assert_eq!(ids(&numbers.page(&page(9))), [""; 0]);
        for token in ["0", "-1", "%2B1", "01", "x"] {
            assert_eq!(numbers.get(&format!("{LIST}?page_token={token}")).status, 400, "{token}");
        }
    }

    let mut awkward = caller(PageTokens::Awkward);
    let first = awkward.page("max_page_size=2");
    let raw = first["next_page_token"].as_str().unwrap();
    assert!(raw.starts_with('-') && ["+", "/", "="].iter().all(|letter| raw.contains(letter)), "{raw}");
    assert_eq!(awkward.get(&format!("{LIST}?page_token={raw}")).status, 400, "a plus sign is a space");
    let token = next(&first).unwrap();
    assert_eq!(ids(&awkward.page(&format!("max_page_size=2&page_token={token}"))), ["U002", "U003"]);
    assert_eq!(awkward.get(&format!("{LIST}?filter=user.isActive()&page_token={token}")).status, 400);

    for page_tokens in [PageTokens::Opaque, PageTokens::Position, PageTokens::Awkward] {
        assert_eq!(caller(page_tokens).get(&format!("{LIST}?page_token=2")).status, 400);
    }
}

#[test]
fn pages_are_never_larger_than_the_clamp() {
    for page_tokens in [PageTokens::Opaque, PageTokens::PageNumber] {
        let mut caller = Caller::new(8, Dialect { clamp: Some(3), page_tokens, ..Dialect::default() });
        let sizes = |pages: Vec<Vec<String>>| pages.iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(sizes(follow(&mut caller, "max_page_size=1000")), [3, 3, 2]);
        assert_eq!(sizes(follow(&mut caller, "max_page_size=2")), [2, 2, 2, 2]);
        caller.service.set_page_size(1);
        assert_eq!(sizes(follow(&mut caller, "")), [1; 8]);
    }
}

#[test]
fn empty_pages_lead_on() {
    for page_tokens in [PageTokens::Opaque, PageTokens::Position, PageTokens::Awkward] {
        let mut empty = 0;
        for seed in 0..50 {
            let mut caller = Caller::new(10, Dialect { seed, empty_pages: true, page_tokens, ..Dialect::default() });
            let pages = follow(&mut caller, "max_page_size=2");
            assert_eq!(pages.concat(), expected_ids(10));
            assert!(!pages.last().unwrap().is_empty());
            empty += pages.iter().filter(|page| page.is_empty()).count();
        }
        assert!((30..100).contains(&empty), "{empty}");
    }
    for page_tokens in [PageTokens::PageNumber, PageTokens::Number] {
        for seed in 0..50 {
            let mut caller = Caller::new(10, Dialect { seed, empty_pages: true, page_tokens, ..Dialect::default() });
            assert_eq!(follow(&mut caller, "max_page_size=2").len(), 5);
        }
    }
}

#[test]
fn bodies_are_compressed_unless_the_request_wants_identity() {
    let mut caller = Caller::new(2, Dialect { compress: true, ..Dialect::default() });
    let mut plain_caller = Caller::new(2, Dialect::default());
    for (target, accepts) in [(LIST, "gzip"), (LIST, ""), ("/v1/x", "gzip, deflate")] {
        let compressed = caller.send("GET", target, &[("accept-encoding", accepts)]);
        assert!(is_gzip(&compressed));
        assert_eq!(plain(&compressed), plain_caller.get(target).body);
        let identity = caller.send("GET", target, &[("Accept-Encoding", "identity;q=1, *;q=0")]);
        assert_eq!(identity, plain_caller.get(target));
    }
    assert!(is_gzip(&caller.token(None)));
    let dialect = Dialect { compress: true, changes: ChangeAnswer::EmptyOk, ..Dialect::default() };
    caller.service.set_dialect(dialect);
    let empty = caller.post(&format!("{LIST}/U001:suspend"));
    assert!(empty.body.is_empty() && !is_gzip(&empty));
}

#[test]
fn changes_have_five_answers() {
    for (changes, status, body) in [
        (ChangeAnswer::User, 200, "SUSPENDED"),
        (ChangeAnswer::NoContent, 204, ""),
        (ChangeAnswer::Accepted, 202, "{}"),
        (ChangeAnswer::EmptyOk, 200, ""),
        (ChangeAnswer::OldState, 200, "ACTIVE"),
    ] {
        let mut caller = Caller::new(2, Dialect { changes, ..Dialect::default() });
        let response = caller.post(&format!("{LIST}/U001:suspend"));
        assert_eq!(response.status, status);
        let text = response.text();
        assert!(if body.len() > 2 { text.contains(body) } else { text == body }, "{changes:?}: {text}");
        let accepted = changes == ChangeAnswer::Accepted;
        assert_eq!(caller.state("U001"), if accepted { "ACTIVE" } else { "SUSPENDED" });
        // Refusals are the same in each.
        assert_eq!(caller.post(&format!("{LIST}/U000:suspend")).status, 403);
        assert_eq!(caller.post(&format!("{LIST}/U009:suspend")).status, 404);
    }
}

#[test]
fn an_accepted_change_takes_effect_after_the_next_look() {
    let mut caller = Caller::new(3, Dialect { changes: ChangeAnswer::Accepted, ..Dialect::default() });
    let (user, suspend) = (format!("{LIST}/U001"), format!("{LIST}/U001:suspend"));
    caller.post(&suspend);
    assert_eq!(caller.page("filter=user.isSuspended()")["results"], json!([]));
    caller.get(&format!("{LIST}/U002"));
    for state in ["ACTIVE", "SUSPENDED", "SUSPENDED"] {
        assert_eq!(parse(&caller.get(&user))["state"], state);
    }
    // A change to the present state takes back one in the other direction.
    caller.post(&format!("{LIST}/U001:reactivate"));
    caller.post(&suspend);
    for _ in 0..2 {
        assert_eq!(parse(&caller.get(&user))["state"], "SUSPENDED");
    }
}

#[test]
fn odd_records_are_odd_in_harmless_fields_only() {
    let mut caller = Caller::new(700, Dialect { odd_records: true, ..Dialect::default() });
    let mut found = [0; 7];
    for n in 0..700 {
        let response = caller.get(&format!("{LIST}/U{n:03}"));
        let (body, user) = (&response.body, parse(&response));
        assert_eq!(user["id"], format!("U{n:03}"));
        assert_eq!((&user["email"], &user["state"]), (&json!(format!("u{n}@example.com")), &json!("ACTIVE")));
        let forms = [
            response.text().contains(r"\ud800"),
            body.contains(&1),
            body.contains(&0xff),
            user["display_name"].is_null(),
            user["create_time"].is_number(),
            user.get("create_time").is_none(),
            user["path"].is_object(),
        ];
        assert!(forms.iter().filter(|form| **form).count() <= 1);
        found.iter_mut().zip(forms).for_each(|(count, form)| *count += usize::from(form));
    }
    assert!(found.iter().all(|count| *count > 5), "{found:?}");
    assert!((100..180).contains(&found.iter().sum::<usize>()), "{found:?}");
    let listed = parse(&caller.get(&format!("{LIST}?max_page_size=1000")));
    assert_eq!(ids(&listed), expected_ids(700));
}

#[test]
fn unspecified_states_come_in_undocumented_forms() {
    let mut caller = Caller::new(100, Dialect { unknown_states: true, ..Dialect::default() });
    assert_eq!(parse(&caller.get(&format!("{LIST}/U007")))["state"], "ACTIVE");
    let mut states = Vec::new();
    for id in expected_ids(100) {
        caller.service.account_mut().person_mut(&id).unwrap().state = "STATE_UNSPECIFIED".into();
        let state = parse(&caller.get(&format!("{LIST}/{id}"))).get("state").cloned();
        if !states.contains(&state) {
            states.push(state);
        }
        assert_eq!(caller.state(&id), "STATE_UNSPECIFIED");
    }
    assert_eq!(states.len(), 5, "{states:?}");
    assert!(states.contains(&None) && states.contains(&Some(json!("RECOVERY_STARTED"))));
}

#[test]
fn a_cut_list_says_so_without_a_page_token() {
    for (cut, key, expected) in [
        (Cut::HasMore, "has_more", json!(true)),
        (Cut::Cursor, "cursor", json!("x1")),
        (Cut::Pagination, "pagination", json!({ "next": "/v1/users?page=2" })),
        (Cut::NextLink, "@odata.nextLink", json!("https://api.example.com/v1/users?page=2")),
        (Cut::Total, "total", json!(5)),
        (Cut::PageInfo, "pageInfo", json!({ "hasNextPage": true, "endCursor": "x" })),
        (Cut::Links, "links", json!({ "next": "https://api.example.com/v1/users?page=2" })),
        (Cut::IsLast, "is_last", json!(false)),
    ] {
        let dialect = Dialect { cut: Some(cut), ..Dialect::default() };
        assert!(dialect.is_defective());
        let mut caller = Caller::new(5, dialect);
        let page = caller.page("max_page_size=3");
        assert_eq!((ids(&page).len(), &page[key]), (3, &expected), "{cut:?}");
        assert_eq!(page.as_object().unwrap().len(), 2, "{page}");
        let last = caller.page("max_page_size=5");
        assert_eq!((ids(&last).len(), last.as_object().unwrap().len()), (5, 1), "{last}");
    }
}

#[test]
fn routes_can_be_missing_empty_or_behind_a_portal() {
    let targets = [
        ("GET", LIST.to_owned()),
        ("GET", format!("{LIST}/U001")),
        ("POST", format!("{LIST}/U001:suspend")),
        ("POST", "/v1/oauth/revoke".into()),
        ("GET", "/v1/x".into()),
    ];
    let caller = |routes| {
        let dialect = Dialect { routes, errors: ErrorForm::Nested, ..Dialect::default() };
        assert!(dialect.is_defective());
        let mut caller = Caller::new(2, dialect);
        let application = caller.service.application().clone();
        assert_eq!(caller.token(Some((&application.client_id, &application.client_secret))).status, 200);
        caller
    };
    for (method, target) in &targets {
        let response = caller(Routes::Gateway404).send(method, target, &[]);
        let expected = r#"{"code":5,"message":"Not Found","details":[]}"#;
        assert_eq!((response.status, response.text()), (404, expected.into()), "{target}");
        let response = caller(Routes::Portal).send(method, target, &[]);
        assert_eq!((response.status, &response.text()[..14]), (403, "<!DOCTYPE html"), "{target}");
        assert_eq!(response.headers, [("content-type".into(), "text/html".into())]);
    }
    let mut empty = caller(Routes::NoData);
    for id in ["U001", "U009"] {
        assert_eq!(empty.get(&format!("{LIST}/{id}")).text(), "{}");
    }
    assert_eq!(empty.get(LIST).text(), r#"{"results":[]}"#);
    assert_eq!(empty.get(&format!("{LIST}?max_page_size=0")).status, 400);
    empty.service.set_dialect(Dialect { routes: Routes::NoData, leave_out_empty: true, ..Dialect::default() });
    assert_eq!(empty.get(LIST).text(), "{}");
    empty.service.revoke_tokens();
    assert_eq!(empty.get(LIST).status, 401);
}

#[test]
fn a_shadow_has_the_id_of_the_last_user() {
    let mut caller = Caller::new(3, Dialect { shadow: true, ..Dialect::default() });
    assert_eq!(ids(&caller.page("")), [" U002\n", "U001", "U002"]);
    assert_eq!(parse(&caller.get(&format!("{LIST}/U000")))["id"], "U000");
}

#[test]
fn an_unreadable_user_has_a_number_as_its_address() {
    let mut caller = Caller::new(2, Dialect { unreadable: true, ..Dialect::default() });
    let page = caller.page("");
    assert_eq!((&page["results"][0]["email"], &page["results"][1]["email"]), (&json!("u0@example.com"), &json!(42)));
    assert_eq!(parse(&caller.get(&format!("{LIST}/U001")))["email"], "u1@example.com");
}

#[test]
fn a_naive_reader_reads_every_user_once_in_every_seeded_dialect() {
    for seed in 0..300 {
        let dialect = Dialect::seeded(seed);
        let users = (seed % 40) as usize + 1;
        let mut caller = Caller::new(users, dialect.clone());
        for id in expected_ids(users).iter().step_by(3).skip(1) {
            caller.service.account_mut().person_mut(id).unwrap().state = "SUSPENDED".into();
        }
        let (active, suspended): (Vec<_>, Vec<_>) =
            expected_ids(users).into_iter().partition(|id| caller.state(id) == "ACTIVE");
        for size in [1, 7, 1000] {
            for (filter, expected) in
                [("", &expected_ids(users)), ("user.isActive()", &active), ("user.isSuspended()", &suspended)]
            {
                let read = follow(&mut caller, &format!("max_page_size={size}&filter={filter}")).concat();
                assert_eq!(read, *expected, "seed {seed}, size {size}, filter {filter:?}: {dialect:?}");
            }
        }
    }
}

#[test]
fn the_same_seed_and_requests_give_the_same_answers() {
    for seed in 0..50 {
        let conversation = || {
            let mut caller = Caller::new(10, Dialect::defective(seed));
            let requests = [("GET", LIST.to_owned()), ("POST", format!("{LIST}/U001:suspend"))];
            let user = ("GET", format!("{LIST}/U001"));
            let all = requests.into_iter().chain([user.clone(), user]);
            all.map(|(method, target)| caller.send(method, &target, &[])).collect::<Vec<_>>()
        };
        assert_eq!(conversation(), conversation());
    }
}
