//! Answers from the field on which other clients broke, and attacks, each test named by its row: what is claimed, and what is
//! not. The service is a function from requests to responses.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use onepassword_users_core::catalogue::ErrorCode;
use onepassword_users_core::{
    ChangeMode, ChangeOutcome, Error, Failure, ListQuery, LookupError, Request, Response, Session, StateFilter,
    SubjectKind, TransportError, UserRef, UserState,
};
use onepassword_users_test_kit::driver::{SECRET, World};

const TOKEN: &str = r#"{"access_token":"canary-token","token_type":"Bearer","expires_in":900}"#;
const WENDY: &str = r#"{"id":"WENDY","email":"wendy@x.org","state":"ACTIVE"}"#;
const OTHER: &str = r#"{"id":"OTHER","email":"other@x.org","state":"ACTIVE"}"#;
const SUSPENDED: &str = r#"{"id":"WENDY","email":"wendy@x.org","state":"SUSPENDED"}"#;
/// The gateway's answer for a route that it does not have.
const NOT_FOUND: &str = r#"{"code":5,"message":"Not Found","details":[]}"#;

type Exchange = Result<Response, TransportError>;

fn answer(status: u16, body: &str) -> Exchange {
    Ok(Response::new(status, body.into()))
}

fn with_headers(status: u16, headers: &[(&str, &str)], body: &str) -> Exchange {
    let mut response = Response::new(status, body.into());
    response.headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    Ok(response)
}

fn is_token(request: &Request) -> bool {
    request.path_and_query.ends_with("/token")
}

fn is_list(request: &Request) -> bool {
    request.path_and_query.contains("max_page_size")
}

fn is_change(request: &Request) -> bool {
    request.path_and_query.contains(':')
}

/// A world whose service issues tokens, and answers every other request as this function says.
fn world(mut service: impl FnMut(&Request) -> Exchange) -> World<impl FnMut(&Request, &mut Duration) -> Exchange> {
    World::new(
        move |request: &Request, _: &mut Duration| {
            if is_token(request) { answer(200, TOKEN) } else { service(request) }
        },
    )
}

/// A service whose change gets this answer, after which the user is in this state. Before, the user is active.
fn change_service(status: u16, body: &'static str, after: &'static [&'static str]) -> impl FnMut(&Request) -> Exchange {
    let (mut is_sent, mut looks) = (false, 0);
    move |request| {
        if is_change(request) {
            is_sent = true;
            return answer(status, body);
        }
        let place = if is_sent { looks } else { usize::MAX };
        looks += usize::from(is_sent);
        answer(200, if is_sent { after[place.min(after.len() - 1)] } else { WENDY })
    }
}

fn page(users: &[&str], rest: &str) -> String {
    format!(r#"{{"results":[{}]{rest}}}"#, users.join(","))
}

fn wendy() -> UserRef {
    UserRef::Id("WENDY".into())
}

fn email(email: &str) -> UserRef {
    UserRef::Email(email.into())
}

#[track_caller]
fn fails<T: std::fmt::Debug>(code: ErrorCode, result: Result<T, Error>) -> Failure {
    let failure = Failure::from(result.unwrap_err());
    assert_eq!(failure.code, code, "{failure:?}");
    failure
}

#[test]
fn row_1_a_list_that_is_cut_in_another_way_is_an_error_for_every_action() {
    let mut world = world(|_| answer(200, &page(&[WENDY], r#","pagination":{"next":"/v1/users?page=2"}"#)));
    let session = Session::new();
    let failure = fails(ErrorCode::InvalidResponse, world.run(session.list_users(ListQuery::default())));
    assert!(failure.message.contains("pagination.next"), "{}", failure.message);
    fails(ErrorCode::InvalidResponse, world.run(session.get_user(email("other@x.org"))));
    // Even if the user is on the first page: another one may have the same address.
    fails(ErrorCode::InvalidResponse, world.run(session.suspend_user(email("wendy@x.org"), ChangeMode::Apply)));
    let limited = ListQuery { limit: Some(1), ..ListQuery::default() };
    fails(ErrorCode::InvalidResponse, world.run(session.list_users(limited)));
}

#[test]
fn row_1_a_link_header_is_a_next_page_as_well() {
    let mut world = world(|_| with_headers(200, &[("Link", "</v1/users?page=2>; rel=\"next\"")], &page(&[WENDY], "")));
    let failure = fails(ErrorCode::InvalidResponse, world.run(Session::new().list_users(ListQuery::default())));
    assert!(failure.message.contains("Link"), "{}", failure.message);
}

/// A total counts from the beginning of the list, which a continuation does not know.
#[test]
fn row_1_a_total_refuses_no_continuation() {
    let user = |n: usize| format!(r#"{{"id":"U{n}","email":"u{n}@x.org","state":"ACTIVE"}}"#);
    let mut world = world(|request| {
        let first = !request.path_and_query.contains("page_token");
        let (users, rest) = if first {
            ([user(1), user(2)], r#","next_page_token":"x","total":4"#)
        } else {
            ([user(3), user(4)], r#","total":4"#)
        };
        answer(200, &page(&[&users[0], &users[1]], rest))
    });
    let session = Session::new();
    let first = world.run(session.list_users(ListQuery { limit: Some(2), ..ListQuery::default() })).unwrap();
    let rest = ListQuery { page_token: first.next_page_token, ..ListQuery::default() };
    assert_eq!(world.run(session.list_users(rest)).unwrap().users.len(), 2);
}

#[test]
fn row_2_camel_case_is_read_everywhere() {
    let mut world = world(|request| {
        let user = r#"{"id":"A","email":"a@x.org","state":"ACTIVE","displayName":"A. B.","createTime":"2024"}"#;
        let first = !request.path_and_query.contains("page_token");
        answer(200, &page(&[if first { WENDY } else { user }], if first { r#","nextPageToken":"x""# } else { "" }))
    });
    let list = world.run(Session::new().list_users(ListQuery::default())).unwrap();
    assert_eq!(
        (list.users.len(), list.users[1].display_name.as_str(), list.users[1].create_time.as_str()),
        (2, "A. B.", "2024")
    );
}

#[test]
fn row_4_absence_is_claimed_only_if_it_is_shown() {
    // The answer for the user, the answer for the list, and the result.
    for (get, list, code, requests) in [
        ((404, NOT_FOUND), (404, NOT_FOUND), ErrorCode::Misconfigured, 3),
        ((404, NOT_FOUND), (200, &*page(&[OTHER], "")), ErrorCode::UserNotFound, 3),
        // The list has the very user who is not found.
        ((404, NOT_FOUND), (200, &*page(&[WENDY], "")), ErrorCode::InvalidResponse, 3),
        ((404, NOT_FOUND), (403, r#"{"code":7,"message":"permission denied"}"#), ErrorCode::UserNotFound, 3),
        ((404, NOT_FOUND), (403, ""), ErrorCode::Unavailable, 3),
        ((404, NOT_FOUND), (403, "<html>"), ErrorCode::Unavailable, 3),
        ((404, NOT_FOUND), (200, "{}"), ErrorCode::Unavailable, 3),
        ((404, NOT_FOUND), (200, "<html>"), ErrorCode::Unavailable, 3),
        ((404, NOT_FOUND), (400, r#"{"code":3,"message":"x"}"#), ErrorCode::Unavailable, 3),
        ((404, NOT_FOUND), (404, "<html>"), ErrorCode::Misconfigured, 3),
        ((404, r#"{"code":5,"message":"user not found"}"#), (404, NOT_FOUND), ErrorCode::UserNotFound, 2),
        (
            (404, r#"{"error":{"code":404,"status":"NOT_FOUND","message":"No such user."}}"#),
            (404, ""),
            ErrorCode::UserNotFound,
            2,
        ),
        (
            (404, r#"{"code":5,"message":"no route for /v1/accounts/A/users/user"}"#),
            (404, NOT_FOUND),
            ErrorCode::Misconfigured,
            3,
        ),
        (
            (404, r#"{"code":5,"message":"the user service has no such endpoint"}"#),
            (404, NOT_FOUND),
            ErrorCode::Misconfigured,
            3,
        ),
        ((404, r#"{"message":"user not found"}"#), (404, NOT_FOUND), ErrorCode::Misconfigured, 3),
        ((404, r#"{"message":"user not found"}"#), (200, &*page(&[OTHER], "")), ErrorCode::UserNotFound, 3),
        (
            (404, r#"{"code":404,"message":"User WENDY does not exist."}"#),
            (200, &*page(&[OTHER], "")),
            ErrorCode::UserNotFound,
            3,
        ),
        ((404, r#"{"code":5,"message":"account not found for user"}"#), (404, NOT_FOUND), ErrorCode::Misconfigured, 3),
        ((404, r#"{"code":5,"message":"Unknown user agent"}"#), (404, NOT_FOUND), ErrorCode::Misconfigured, 3),
        ((404, r#"{"code":5,"message":"user api not found"}"#), (404, NOT_FOUND), ErrorCode::Misconfigured, 3),
        ((404, r#"{"code":5,"message":"user does not have access"}"#), (404, NOT_FOUND), ErrorCode::Misconfigured, 3),
        (
            (404, r#"{"status":404,"error":"Not Found","message":"No static resource."}"#),
            (404, NOT_FOUND),
            ErrorCode::Misconfigured,
            2,
        ),
        ((404, NOT_FOUND), (200, r#"{"results":[null]}"#), ErrorCode::Unavailable, 3),
    ] {
        for secret in ["client-secret", "access-token"] {
            let mut world =
                world(|request| if is_list(request) { answer(list.0, list.1) } else { answer(get.0, get.1) });
            if secret == "access-token" {
                world.values.insert(secret, "canary-token".into());
            }
            let failure = fails(code, world.run(Session::new().get_user(wendy())));
            let tokens = usize::from(secret != "access-token");
            assert_eq!(world.sent.len(), requests - 1 + tokens, "{get:?} {list:?}: {:?}", world.sent);
            if code == ErrorCode::Misconfigured {
                assert_eq!(failure.subject.unwrap().name, "base-url");
            }
        }
    }
}

#[test]
fn row_4_an_earlier_answer_with_the_same_token_shows_the_routes() {
    let mut world =
        world(
            |request| {
                if request.path_and_query.ends_with("/WENDY") { answer(200, WENDY) } else { answer(404, NOT_FOUND) }
            },
        );
    let session = Session::new();
    world.run(session.get_user(wendy())).unwrap();
    world.sent.clear();
    fails(ErrorCode::UserNotFound, world.run(session.get_user(UserRef::Id("NOBODY".into()))));
    assert_eq!(world.sent.len(), 1);
    // Another session knows nothing of it.
    fails(ErrorCode::Misconfigured, world.run(Session::new().get_user(UserRef::Id("NOBODY".into()))));
}

#[test]
fn row_4_a_wrong_account_is_named() {
    let words = r#"{"code":5,"message":"account not found"}"#;
    let mut world = world(|_| answer(404, words));
    let failure = fails(ErrorCode::Misconfigured, world.run(Session::new().get_user(wendy())));
    assert_eq!(failure.subject.unwrap().name, "account-id");
}

/// A gateway without the routes of changes: the user was there a moment ago.
#[test]
fn row_4_a_missing_route_of_a_change_is_no_missing_user() {
    let mut world = world(|request| if is_change(request) { answer(404, NOT_FOUND) } else { answer(200, WENDY) });
    let failure = fails(ErrorCode::Misconfigured, world.run(Session::new().suspend_user(wendy(), ChangeMode::Apply)));
    assert!(!failure.may_have_changed);
}

#[test]
fn row_5_a_text_that_is_no_address_is_refused_and_nothing_is_sent() {
    for text in
        ["Name <a@x.org>", "a@x.org,b@x.org", "a@x.org;", "a@@b", "a\u{200b}@x.org", "\u{a0}a@x.org", "<<a@x.org>>"]
    {
        let mut world = world(|_| panic!("a request"));
        let failure =
            fails(ErrorCode::InvalidArgument, world.run(Session::new().suspend_user(email(text), ChangeMode::Apply)));
        assert!(world.sent.is_empty() && world.lookups.is_empty());
        assert_eq!(failure.subject.unwrap().kind, SubjectKind::Argument);
        assert!(!failure.message.contains('\u{200b}'), "{}", failure.message);
    }
    for text in [" wendy@x.org\r\n", "\u{feff}wendy@x.org", "<wendy@x.org>", "\"wendy@x.org\"", "mailto:Wendy@x.org"] {
        let mut world = world(|_| answer(200, &page(&[WENDY], "")));
        assert_eq!(world.run(Session::new().get_user(email(text))).unwrap().id, "WENDY", "{text:?}");
    }
}

#[test]
fn row_6_domains_in_one_form_and_nothing_near_is_acted_on() {
    let user = |email: &str| format!(r#"{{"id":"WENDY","email":"{email}","state":"ACTIVE"}}"#);
    for (stored, asked) in [
        ("wendy@xn--bcher-kva.example", "wendy@bücher.example"),
        ("wendy@bücher.example", "Wendy@XN--BCHER-KVA.example"),
    ] {
        let mut world = world(|_| answer(200, &page(&[&user(stored)], "")));
        assert_eq!(world.run(Session::new().get_user(email(asked))).unwrap().email, stored);
    }
    for (stored, asked) in [
        ("ju\u{308}rgen@x.org", "jürgen@x.org"),
        ("jurgen@x.org", "jürgen@x.org"),
        ("JÜRGEN@x.org", "jürgen@x.org"),
        (" wendy@x.org", "wendy@x.org"),
        ("wen\u{200b}dy@x.org", "wendy@x.org"),
    ] {
        let mut world = world(|_| answer(200, &page(&[&user(stored)], "")));
        let failure =
            fails(ErrorCode::AmbiguousUser, world.run(Session::new().suspend_user(email(asked), ChangeMode::Apply)));
        assert_eq!((failure.candidates, world.sent.len()), (vec!["WENDY".to_owned()], 2), "{stored:?}");
        assert!(failure.message.contains("similar"), "{}", failure.message);
        let found = world.run(Session::new().find_users(vec![email(asked)])).unwrap();
        assert!(matches!(&found[0], Err(Error::AmbiguousUser { is_similar: true, .. })), "{found:?}");
    }
    // An address itself counts more than a similar one.
    let mut world =
        world(|_| answer(200, &page(&[&user("jurgen@x.org").replace("WENDY", "OTHER"), &user("jürgen@x.org")], "")));
    assert_eq!(world.run(Session::new().get_user(email("jürgen@x.org"))).unwrap().id, "WENDY");
}

#[test]
fn row_7_an_account_without_anybody_is_none() {
    for body in ["{}", r#"{"results":[]}"#, r#"{"results":null,"next_page_token":""}"#] {
        let mut world = world(|_| answer(200, body));
        let session = Session::new();
        fails(ErrorCode::InvalidResponse, world.run(session.list_users(ListQuery::default())));
        fails(
            ErrorCode::InvalidResponse,
            world.run(session.list_users(ListQuery { limit: Some(1), ..ListQuery::default() })),
        );
        fails(ErrorCode::InvalidResponse, world.run(session.get_user(email("a@x.org"))));
        fails(ErrorCode::InvalidResponse, world.run(session.get_user(wendy())));
        let suspended = ListQuery { state: Some(StateFilter::Suspended), ..ListQuery::default() };
        fails(ErrorCode::InvalidResponse, world.run(session.list_users(suspended)));
    }
    // A filter may leave nobody.
    let mut world = world(|request| {
        answer(200, if request.path_and_query.contains("filter") { "{}" } else { r#"{"results":[{"id":"A"}]}"# })
    });
    let suspended = ListQuery { state: Some(StateFilter::Suspended), ..ListQuery::default() };
    assert_eq!(world.run(Session::new().list_users(suspended)).unwrap().users, []);
    assert_eq!(world.sent.len(), 3, "{:?}", world.sent);
}

#[test]
fn row_8_one_odd_record_stops_nothing_that_does_not_depend_on_it() {
    let odd = r#"{"id":"ODD","email":"odd@x.org","display_name":"a\ud800b","create_time":17,"path":{"x":1},"state":"ACTIVE"}"#;
    let mut odd_name = world(|_| answer(200, &page(&[odd, WENDY], "")));
    assert_eq!(odd_name.run(Session::new().get_user(email("wendy@x.org"))).unwrap().id, "WENDY");
    assert_eq!(odd_name.run(Session::new().get_user(email("odd@x.org"))).unwrap().display_name, "a\u{fffd}b");
    fails(ErrorCode::UserNotFound, odd_name.run(Session::new().get_user(email("nobody@x.org"))));
    let list = odd_name.run(Session::new().list_users(ListQuery::default())).unwrap();
    assert_eq!((list.users.len(), list.users[0].create_time.as_str()), (2, "\u{fffd}"));

    for unreadable in [
        r#"{"id":"ODD","email":17}"#,
        r#"{"id":"ODD","email":"a\ud800@x.org"}"#,
        r#"{"id":"ODD","emailAddress":"nobody@x.org"}"#,
        r#"{"id":17,"email":"odd@x.org"}"#,
        "null",
        "[]",
    ] {
        let mut world = world(|request| {
            if is_change(request) { answer(200, SUSPENDED) } else { answer(200, &page(&[unreadable, WENDY], "")) }
        });
        let change = world.run(Session::new().suspend_user(email("wendy@x.org"), ChangeMode::Apply)).unwrap();
        assert_eq!(change.outcome, ChangeOutcome::Changed, "{unreadable}");
        let failure = fails(ErrorCode::InvalidResponse, world.run(Session::new().get_user(email("nobody@x.org"))));
        assert!(failure.message.contains("can be read"), "{}", failure.message);
    }
    // For the user who is meant, id, address and state must be readable.
    for (key, value) in [("id", "17"), ("email", "17"), ("state", "17"), ("state", "{}")] {
        let record = match key {
            "id" => format!(r#"{{"id":{value},"email":"wendy@x.org","state":"ACTIVE"}}"#),
            "email" => format!(r#"{{"id":"WENDY","email":{value},"state":"ACTIVE"}}"#),
            _ => format!(r#"{{"id":"WENDY","email":"wendy@x.org","state":{value}}}"#),
        };
        let mut world =
            world(|request| answer(200, if is_list(request) { page(&[&record], "") } else { record.clone() }.as_str()));
        fails(ErrorCode::InvalidResponse, world.run(Session::new().suspend_user(wendy(), ChangeMode::Apply)));
        fails(
            ErrorCode::InvalidResponse,
            world.run(Session::new().suspend_user(email("wendy@x.org"), ChangeMode::Apply)),
        );
        assert!(!world.sent.iter().any(|request| request.contains(':')), "{:?}", world.sent);
    }
    let mut nobody_has_an_address = world(|_| answer(200, &page(&[r#"{"id":"A","login":"x"}"#], "")));
    fails(ErrorCode::InvalidResponse, nobody_has_an_address.run(Session::new().get_user(email("a@x.org"))));
}

#[test]
fn row_9_an_id_of_the_service_is_taken_exactly_or_refused() {
    for id in [" OTHERID\\n", "OTHERID ", "\\ufeffOTHERID", "OTHER\\u0000ID", "../OTHERID"] {
        let shadow = format!(r#"{{"id":"{id}","email":"wendy@x.org","state":"ACTIVE"}}"#);
        let mut world = world(|request| {
            if is_list(request) {
                answer(200, &page(&[&shadow], ""))
            } else {
                answer(200, r#"{"id":"OTHERID","state":"SUSPENDED"}"#)
            }
        });
        let user = || email("wendy@x.org");
        fails(ErrorCode::InvalidResponse, world.run(Session::new().suspend_user(user(), ChangeMode::Apply)));
        fails(ErrorCode::InvalidResponse, world.run(Session::new().get_user(user())));
        assert!(world.sent.iter().all(|request| is_token_or_list(request)), "{:?}", world.sent);
        let listed = world.run(Session::new().list_users(ListQuery::default()));
        // A caller who names the user by a listed id must not reach another one.
        assert!(listed.is_err() || listed.is_ok_and(|list| list.users[0].id.trim() == list.users[0].id), "{id}");
    }
}

fn is_token_or_list(request: &str) -> bool {
    request.ends_with("/token") || request.contains("max_page_size")
}

#[test]
fn row_10_the_answer_to_a_change_by_address_is_about_that_address() {
    let other = r#"{"id":"WENDY","email":"mallory@x.org","state":"SUSPENDED"}"#;
    let known = || UserRef::Known { id: "WENDY".into(), email: "wendy@x.org".into() };
    let service = |after: &'static str| {
        move |request: &Request| match (is_change(request), is_list(request)) {
            (true, _) => answer(200, after),
            (_, true) => answer(200, &page(&[WENDY], "")),
            _ => answer(200, WENDY),
        }
    };
    // Whatever a look shows afterwards.
    for (after, look) in [(other, other), (other, SUSPENDED), (r#"{"id":"OTHER","state":"SUSPENDED"}"#, SUSPENDED)] {
        for user in [email("wendy@x.org"), known()] {
            let mut sent = false;
            let mut world = world(|request| {
                sent |= is_change(request);
                if sent && !is_change(request) { answer(200, look) } else { service(after)(request) }
            });
            let failure =
                fails(ErrorCode::InvalidResponse, world.run(Session::new().suspend_user(user, ChangeMode::Apply)));
            assert!(failure.may_have_changed && failure.user_id.as_deref() == Some("WENDY"), "{failure:?}");
            assert!(world.sent.last().unwrap().contains(":suspend"), "{:?}", world.sent);
        }
    }
    // After an answer that was lost as well.
    let mut sent = false;
    let mut world_of_lost = world(|request| {
        sent |= is_change(request);
        match (is_change(request), sent) {
            (true, _) => answer(503, ""),
            (false, true) => answer(200, other),
            (false, false) => service(other)(request),
        }
    });
    let failure =
        fails(ErrorCode::Unavailable, world_of_lost.run(Session::new().suspend_user(known(), ChangeMode::Apply)));
    assert!(failure.may_have_changed);
    assert_eq!(world_of_lost.sent.iter().filter(|request| request.contains(':')).count(), 1, "it is not sent again");
    // A missing address is not another one, and an address in another form is the same.
    for after in
        [r#"{"id":"WENDY","state":"SUSPENDED"}"#, r#"{"id":"WENDY","email":"WENDY@X.org","state":"SUSPENDED"}"#]
    {
        let mut world = world(service(after));
        let change = world.run(Session::new().suspend_user(known(), ChangeMode::Apply)).unwrap();
        assert_eq!(change.outcome, ChangeOutcome::Changed);
    }
    // But a user whose address the service does not tell is not known to be the one who is meant.
    let mut without_address = world(|_| answer(200, r#"{"id":"WENDY","state":"ACTIVE"}"#));
    fails(ErrorCode::InvalidResponse, without_address.run(Session::new().suspend_user(known(), ChangeMode::Apply)));
}

#[test]
fn row_20_a_refusal_on_the_way_has_an_error_of_its_own() {
    let html = "<!DOCTYPE html><title>Blocked</title>";
    for (status, headers, body) in [
        (403, &[][..], html),
        (401, &[], html),
        (403, &[("content-type", "text/html")], ""),
        (401, &[("WWW-Authenticate", "Negotiate")], ""),
        (401, &[("WWW-Authenticate", "NTLM")], ""),
        (407, &[("Proxy-Authenticate", "Basic realm=\"proxy\"")], ""),
        (451, &[], html),
    ] {
        let mut resource = world(|_| with_headers(status, headers, body));
        let failure =
            fails(ErrorCode::Intermediary, resource.run(Session::new().suspend_user(wendy(), ChangeMode::Apply)));
        assert!(failure.message.contains("https://api.1password.com") && !failure.may_have_changed, "{failure:?}");
        assert_eq!(resource.sent.len(), 2, "the token stays");
        let mut token = World::new(|_: &Request, _: &mut Duration| with_headers(status, headers, body));
        fails(ErrorCode::Intermediary, token.run(Session::new().get_user(wendy())));
    }
    // An empty refusal names both possibilities.
    let mut empty = world(|_| answer(403, ""));
    let failure = fails(ErrorCode::PermissionDenied, empty.run(Session::new().get_user(wendy())));
    assert!(
        failure.remedy.starts_with("Check the credentials") && failure.remedy.contains("permission"),
        "{}",
        failure.remedy
    );
    let mut empty = world(|_| answer(401, ""));
    fails(ErrorCode::Unauthenticated, empty.run(Session::new().get_user(wendy())));
    assert_eq!(empty.sent.len(), 4, "an empty 401 renews the token once: {:?}", empty.sent);
}

#[test]
fn row_21_a_token_route_that_is_not_there_is_misconfigured() {
    for status in [404, 405, 410, 501] {
        for body in ["", "<html>", r#"{"code":12,"message":"Method Not Allowed"}"#] {
            let mut token = World::new(|_: &Request, _: &mut Duration| answer(status, body));
            let failure = fails(ErrorCode::Misconfigured, token.run(Session::new().get_user(wendy())));
            assert_eq!((failure.subject.unwrap().name.as_str(), token.sent.len()), ("base-url", 1), "{status}");
            let mut resource = world(|_| answer(status, body));
            fails(ErrorCode::Misconfigured, resource.run(Session::new().list_users(ListQuery::default())));
        }
    }
}

#[test]
fn row_22_a_change_is_proved_by_a_look_if_the_answer_does_not() {
    for (status, body) in
        [(204, ""), (202, ""), (202, "{}"), (200, ""), (201, SUSPENDED), (200, WENDY), (200, "<html>"), (200, "{}")]
    {
        let mut at_once = world(change_service(status, body, &[SUSPENDED]));
        let change = at_once.run(Session::new().suspend_user(wendy(), ChangeMode::Apply)).unwrap();
        assert_eq!(
            (change.outcome, change.user.state),
            (ChangeOutcome::Changed, UserState::Suspended),
            "{status} {body}"
        );
        // The service needs a while.
        let mut later = world(change_service(status, body, &[WENDY, WENDY, SUSPENDED]));
        let change = later.run(Session::new().suspend_user(wendy(), ChangeMode::Apply)).unwrap();
        assert_eq!(change.outcome, ChangeOutcome::Changed, "{status} {body}");
        if body != SUSPENDED {
            let mut never = world(change_service(status, body, &[WENDY]));
            let failure =
                fails(ErrorCode::InvalidResponse, never.run(Session::new().suspend_user(wendy(), ChangeMode::Apply)));
            assert!(failure.may_have_changed && failure.user_id.as_deref() == Some("WENDY"), "{failure:?}");
            let changes = never.sent.iter().filter(|request| request.contains(':')).count();
            assert_eq!((changes, never.sent.len()), (1, 1 + 1 + 1 + 4), "{:?}", never.sent);
        }
    }
}

#[test]
fn row_22_a_slow_suspension_has_time_to_show() {
    for (headers, ready) in [(&[][..], 10), (&[("Retry-After", "20")][..], 50)] {
        let mut sent_at = None;
        let mut world = World::new(|request: &Request, now: &mut Duration| match () {
            () if is_token(request) => answer(200, TOKEN),
            () if is_change(request) => {
                sent_at = Some(*now);
                with_headers(202, headers, "{}")
            }
            () if sent_at.is_some_and(|sent| *now >= sent + Duration::from_secs(ready)) => answer(200, SUSPENDED),
            // A copy of the account that does not know the user yet.
            () if sent_at.is_some_and(|sent| *now >= sent + Duration::from_secs(2)) => answer(404, NOT_FOUND),
            () => answer(200, WENDY),
        });
        let change = world.run(Session::new().suspend_user(wendy(), ChangeMode::Apply)).unwrap();
        assert_eq!(change.outcome, ChangeOutcome::Changed, "after {ready} s");
    }
}

#[test]
fn a_timeout_at_the_deadline_is_called_so() {
    let mut world = World::new(|request: &Request, now: &mut Duration| {
        if is_token(request) {
            return answer(200, TOKEN);
        }
        *now += request.total_timeout;
        Err(TransportError { fault: onepassword_users_core::TransportFault::Timeout, detail: String::new() })
    });
    world.values.insert("deadline", "5".into());
    let failure = fails(ErrorCode::Unavailable, world.run(Session::new().get_user(wendy())));
    assert!(failure.message.contains("deadline of 5 s"), "{}", failure.message);
}

#[test]
fn row_23_another_state_after_the_change_is_said_in_plain_words() {
    const ODD: &str = r#"{"id":"WENDY","email":"wendy@x.org","state":"TRANSFER_SUSPENDED"}"#;
    let mut world = world(change_service(200, ODD, &[ODD]));
    let failure = fails(ErrorCode::InvalidResponse, world.run(Session::new().suspend_user(wendy(), ChangeMode::Apply)));
    assert!(
        failure.message.contains("the state of the user is TRANSFER_SUSPENDED after the change"),
        "{}",
        failure.message
    );
    assert!(failure.may_have_changed);
}

#[test]
fn row_24_an_external_account_manager_is_managed_elsewhere() {
    let body = r#"{"code":7,"message":"cannot suspend an external account manager"}"#;
    let mut world = world(change_service(403, body, &[WENDY]));
    let failure =
        fails(ErrorCode::ExternallyManaged, world.run(Session::new().suspend_user(wendy(), ChangeMode::Apply)));
    assert!(failure.remedy.contains("account of the provider"), "{}", failure.remedy);
}

#[test]
fn row_25_a_conflict_is_looked_at_and_tried_again() {
    for body in [r#"{"code":10,"message":"aborted"}"#, r#"{"error":{"code":409,"status":"ABORTED","message":"x"}}"#] {
        let (mut conflicts, mut state) = (1, WENDY);
        let mut world_of_one = world(|request| {
            if is_change(request) && conflicts > 0 {
                conflicts -= 1;
                return answer(409, body);
            }
            state = if is_change(request) { SUSPENDED } else { state };
            answer(200, state)
        });
        let change = world_of_one.run(Session::new().suspend_user(wendy(), ChangeMode::Apply)).unwrap();
        assert_eq!(change.outcome, ChangeOutcome::Changed);
        let posts: Vec<bool> = world_of_one.sent.iter().skip(1).map(|request| request.contains(':')).collect();
        assert_eq!(posts, [false, true, false, true], "looked at again before the second change");

        let mut always = world(|request| if is_change(request) { answer(409, body) } else { answer(200, WENDY) });
        let failure =
            fails(ErrorCode::Unavailable, always.run(Session::new().suspend_user(wendy(), ChangeMode::Apply)));
        assert!(!failure.may_have_changed, "a conflict says that nothing was changed");
        let mut get = world(|_| answer(409, body));
        fails(ErrorCode::Unavailable, get.run(Session::new().get_user(wendy())));
        assert_eq!(get.sent.len(), 1 + 4);
    }
    let mut other = world(change_service(409, r#"{"code":6,"message":"exists"}"#, &[WENDY]));
    fails(ErrorCode::Other, other.run(Session::new().suspend_user(wendy(), ChangeMode::Apply)));
}

#[test]
fn row_26_failures_that_pass_are_tried_again() {
    for status in [408, 425, 429, 499, 500, 502, 503, 504, 520, 521, 522, 523, 524, 530] {
        let mut left = 1;
        let mut get = world(|_| {
            left -= 1;
            if left >= 0 { answer(status, "<html>") } else { answer(200, WENDY) }
        });
        assert_eq!(get.run(Session::new().get_user(wendy())).unwrap().id, "WENDY", "{status}");
        // A change is looked at first.
        let mut state = WENDY;
        let mut failures = 1;
        let mut suspend = world(|request| {
            if is_change(request) {
                failures -= 1;
                if failures >= 0 {
                    state = SUSPENDED;
                    return answer(status, "");
                }
            }
            answer(200, state)
        });
        let change = suspend.run(Session::new().suspend_user(wendy(), ChangeMode::Apply)).unwrap();
        assert_eq!(change.outcome, ChangeOutcome::Changed, "{status}");
    }
    for status in [525, 526, 527] {
        let mut world = world(|_| answer(status, ""));
        fails(ErrorCode::Unavailable, world.run(Session::new().get_user(wendy())));
        assert_eq!(world.sent.len(), 2, "{status}");
    }
}

#[test]
fn row_27_every_form_of_an_expired_token_leads_to_one_new_one() {
    for (status, body) in [
        (403, r#"{"code":16,"message":"token expired"}"#),
        (403, r#"{"error":{"code":403,"status":"UNAUTHENTICATED","message":"x"}}"#),
        (200, r#"{"code":16,"message":"token expired","details":[]}"#),
        (200, r#"{"error":"invalid_token","error_description":"x"}"#),
        (200, r#"{"error":{"code":"UNAUTHENTICATED"}}"#),
        (200, r#"{"error":"The token has expired"}"#),
        (200, r#"{"message":"Unauthorized"}"#),
        (400, r#"{"code":16,"message":"x"}"#),
        (403, r#"{"error":"invalid_token"}"#),
        (403, r#"{"message":"jwt expired"}"#),
        (419, "token expired"),
    ] {
        for list in [false, true] {
            let mut issued = 0;
            let service = |request: &Request, _: &mut Duration| {
                if is_token(request) {
                    issued += 1;
                    return answer(200, &TOKEN.replace("canary-token", &format!("canary-token-{issued}")));
                }
                let authorization = request.headers.iter().find(|(name, _)| *name == "authorization").unwrap();
                if authorization.1.expose().ends_with("-1") {
                    return answer(status, body);
                }
                answer(200, &if list { page(&[WENDY], "") } else { WENDY.to_owned() })
            };
            let mut world = World::new(service);
            let user = if list { email("wendy@x.org") } else { wendy() };
            assert_eq!(world.run(Session::new().get_user(user)).unwrap().id, "WENDY", "{status} {body}");
            assert_eq!(world.sent.len(), 4, "{:?}", world.sent);
        }
        let mut always = world(|_| answer(status, body));
        let failure = fails(ErrorCode::Unauthenticated, always.run(Session::new().get_user(wendy())));
        assert_eq!((always.sent.len(), failure.subject.unwrap().name.as_str()), (4, "client-secret"));
        let mut given = world(|_| answer(status, body));
        given.values.insert("access-token", "canary-token".into());
        let failure = fails(ErrorCode::Unauthenticated, given.run(Session::new().get_user(wendy())));
        assert_eq!((given.sent.len(), failure.subject.unwrap().name.as_str()), (1, "access-token"));
    }
    // A change whose status says success is sent again with a new token; without one, nothing is denied.
    for token_status in [200, 401] {
        let mut issued = 0;
        let mut world = World::new(|request: &Request, _: &mut Duration| {
            if is_token(request) {
                issued += 1;
                let status = if issued == 1 { 200 } else { token_status };
                return answer(status, &TOKEN.replace("canary-token", &format!("canary-token-{issued}")));
            }
            let authorization = request.headers.iter().find(|(name, _)| *name == "authorization").unwrap();
            match (is_change(request), authorization.1.expose().ends_with("-1")) {
                (true, true) => answer(200, r#"{"code":16,"message":"token expired"}"#),
                (true, false) => answer(200, SUSPENDED),
                (false, _) => answer(200, WENDY),
            }
        });
        let result = world.run(Session::new().suspend_user(wendy(), ChangeMode::Apply));
        if token_status == 200 {
            assert_eq!(result.unwrap().outcome, ChangeOutcome::Changed);
        } else {
            assert!(fails(ErrorCode::InvalidResponse, result).may_have_changed);
        }
    }
    // If the body stays so, a look decides.
    let mut looks = 0;
    let mut disguised = world(|request| {
        looks += usize::from(!is_change(request));
        match (is_change(request), looks) {
            (true, _) => answer(200, r#"{"code":16,"message":"x"}"#),
            (false, 1) => answer(200, WENDY),
            (false, _) => answer(200, SUSPENDED),
        }
    });
    let change = disguised.run(Session::new().suspend_user(wendy(), ChangeMode::Apply)).unwrap();
    assert_eq!(change.outcome, ChangeOutcome::Changed);
    // Another error in the disguise of a success renews nothing, and its words are kept.
    for words in ["not yours", "InvalidArgument: page_token"] {
        let mut world = world(|_| answer(200, &format!(r#"{{"code":7,"message":"{words}"}}"#)));
        let failure = fails(ErrorCode::InvalidResponse, world.run(Session::new().get_user(wendy())));
        assert!(failure.message.contains(words) && world.sent.len() == 2, "{}", failure.message);
    }
}

#[test]
fn row_29_a_delay_in_the_body_is_obeyed() {
    let body = r#"{"code":8,"message":"slow down","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"7.5s"}]}"#;
    let mut world = world(|_| answer(429, body));
    world.values.insert("max-attempts", "1".into());
    assert_eq!(fails(ErrorCode::RateLimited, world.run(Session::new().get_user(wendy()))).retry_after, Some(8));
    world.values.insert("max-attempts", "2".into());
    fails(ErrorCode::RateLimited, world.run(Session::new().get_user(wendy())));
    assert!(world.now >= Duration::from_millis(7500) && world.now < Duration::from_secs(9), "{:?}", world.now);
}

#[test]
fn row_30_no_compression_is_asked_for() {
    let mut asked = 0;
    let mut world = World::new(|request: &Request, _: &mut Duration| {
        asked += usize::from(
            request.headers.iter().any(|(name, value)| *name == "accept-encoding" && value.expose() == "identity"),
        );
        answer(200, if is_token(request) { TOKEN } else { WENDY })
    });
    world.run(Session::new().get_user(wendy())).unwrap();
    drop(world);
    assert_eq!(asked, 2);
}

#[test]
fn row_31_the_remedy_of_a_401_names_what_servers_misread() {
    let mut world = World::new(|_: &Request, _: &mut Duration| answer(401, r#"{"error":"invalid_client"}"#));
    world.values.insert("client-secret", "\"a+b%c:é\"".into());
    let failure = fails(ErrorCode::Unauthenticated, world.run(Session::new().get_user(wendy())));
    for word in ["quotation marks", "+, %, :", "beyond ASCII"] {
        assert!(failure.remedy.contains(word), "{}", failure.remedy);
    }
    assert_eq!(world.sent.len(), 1, "the secret is not sent in a second form");
}

/// A service that repeats all credentials, in every encoding and in every place that it can write to.
#[test]
fn row_40_no_echo_of_a_credential_is_shown() {
    let (id, secret, token) = ("canary-id-9f8e7d6c", "canary+Secret/0123%é\"<45678>", "canary-token-AbCdEfGhIjKl");
    let pair = format!("{id}:{secret}");
    let percent = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let escape = |text: &str| text.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect::<String>();
    const FORMS: usize = 11;
    let mut forms = Vec::new();
    for value in [id, secret, token, &pair, &STANDARD.encode(&pair)] {
        let forms_of_value: [String; FORMS] = [
            value.to_owned(),
            value.to_ascii_uppercase(),
            percent(value),
            percent(value).replace('%', "%25"),
            STANDARD.encode(value),
            URL_SAFE.encode(value),
            STANDARD.encode(format!("x{value}")),
            STANDARD.encode(format!("xy{value}z")),
            hex(value),
            escape(value),
            value.replace('"', "&quot;").replace('<', "&#60;").replace('>', "&#x3e;"),
        ];
        forms.extend(forms_of_value);
    }
    for (place, form) in forms.iter().enumerate() {
        let is_of_token = (2 * FORMS..3 * FORMS).contains(&place);
        let text = serde_json::to_string(form).unwrap();
        let texts = [
            (400, format!(r#"{{"code":3,"message":{text}}}"#)),
            (401, format!(r#"{{"error":{text},"error_description":{text}}}"#)),
            (403, format!(r#"{{"error":{{"status":{text},"message":{text}}}}}"#)),
            (404, format!(r#"{{"code":5,"message":{text}}}"#)),
            (409, format!(r#"{{"errors":[{{"code":{text},"message":{text}}}]}}"#)),
            (429, form.clone()),
            (500, format!("failed: {form}!")),
            (200, format!("{{{text}:1}}")),
            (200, format!(r#"{{"id":{text},"state":"ACTIVE"}}"#)),
            (
                200,
                format!(
                    r#"{{"id":"WENDY","email":{text},"display_name":{text},"state":{text},"create_time":{text},"path":{text}}}"#
                ),
            ),
            (200, format!(r#"{{"results":[{{"id":{text}}}],{text}:true}}"#)),
            (200, format!(r#"{{"results":[{{"id":"A","display_name":{text}}}],"next_page_token":{text}}}"#)),
            (200, format!(r#"{{"results":[{{"id":"A"}}],"next":{{{text}:1}}}}"#)),
            (302, String::new()),
        ];
        for (status, body) in texts {
            let respond = || {
                with_headers(
                    status,
                    &[("location", &format!("https://{form}/")), ("x-request-id", form), ("retry-after", form)],
                    &body,
                )
            };
            for all in [false, true] {
                let mut world = World::new(|request: &Request, _: &mut Duration| {
                    if is_token(request) && !all {
                        answer(200, &TOKEN.replace("canary-token", token))
                    } else {
                        respond()
                    }
                });
                world.values.insert("client-id", id.into());
                world.values.insert("client-secret", secret.into());
                world.values.insert("max-attempts", "1".into());
                let mut shown = format!("{:?}", world.run(Session::new().get_user(wendy())).map_err(Failure::from));
                let change = world.run(Session::new().suspend_user(email("a@x.org"), ChangeMode::Apply));
                shown += &format!("{:?}", change.map_err(Failure::from));
                let limited = ListQuery { limit: Some(1), ..ListQuery::default() };
                let list = world.run(Session::new().list_users(limited));
                if let Ok(list) = &list
                    && let Some(token) = &list.next_page_token
                {
                    let token = URL_SAFE
                        .decode(format!("{}{}", &token[1..], &"==="[..(4 - (token.len() - 1) % 4) % 4]))
                        .unwrap();
                    shown += &String::from_utf8_lossy(&token);
                }
                shown += &format!("{:?}", list.map_err(Failure::from));
                // The Debug form escapes quotation marks, and so may the service.
                // A token that was never issued is no secret.
                for needle in forms.iter().filter(|_| !(all && is_of_token)) {
                    let debug = format!("{needle:?}");
                    assert!(!shown.contains(debug.trim_matches('"')), "{status} {body}\n{needle}\n{shown}");
                }
                assert!(!shown.contains(SECRET));
            }
        }
    }
}

#[test]
fn row_41_foreign_texts_cannot_move_a_cursor_in_a_message() {
    let evil = "\u{1b}[2J\u{9b}31m\u{202e}\u{85}\u{2028}";
    let json = serde_json::to_string(evil).unwrap();
    let id = format!(r#"{{"id":{json},"email":"wendy@x.org"}}"#);
    let mut world = world(|request| match is_list(request) {
        true => answer(200, &page(&[&id, &id.replace("2028", "2029").replace('\u{2028}', "\u{2029}")], "")),
        false => answer(400, &format!(r#"{{"code":{json},"message":{json}}}"#)),
    });
    let mut messages = Vec::new();
    messages.push(fails(ErrorCode::InvalidResponse, world.run(Session::new().get_user(email("wendy@x.org")))).message);
    messages.push(
        fails(ErrorCode::InvalidArgument, world.run(Session::new().get_user(email(&format!("{evil}@x.org"))))).message,
    );
    messages
        .push(fails(ErrorCode::InvalidArgument, world.run(Session::new().get_user(UserRef::Id(evil.into())))).message);
    messages.push(fails(ErrorCode::Other, world.run(Session::new().get_user(wendy()))).message);
    let token = ListQuery { page_token: Some(evil.into()), ..ListQuery::default() };
    messages.push(fails(ErrorCode::InvalidArgument, world.run(Session::new().list_users(token))).message);
    for message in messages {
        assert!(!message.contains(|c: char| c.is_control() || "\u{202e}\u{2028}\u{2029}".contains(c)), "{message:?}");
    }
}

#[test]
fn protected_users_are_never_suspended_however_they_are_named() {
    for (protected, is_protected) in [
        ("WENDY", true),
        ("wendy", true),
        ("WENDY@X.org", true),
        ("other, <wendy@x.org>; third@x.org", true),
        ("weńdy@x.org\nother@x.org", true),
        ("OTHER other@x.org", false),
        ("", false),
    ] {
        for user in [wendy(), email("wendy@x.org"), UserRef::Known { id: "WENDY".into(), email: "wendy@x.org".into() }]
        {
            for mode in [ChangeMode::Apply, ChangeMode::DryRun] {
                let mut world = world(|request| {
                    if is_change(request) {
                        answer(200, SUSPENDED)
                    } else {
                        answer(200, &if is_list(request) { page(&[WENDY], "") } else { WENDY.into() })
                    }
                });
                world.values.insert("protected-users", protected.into());
                let result = world.run(Session::new().suspend_user(user.clone(), mode));
                if !is_protected {
                    assert!(result.is_ok(), "{protected:?}: {result:?}");
                    continue;
                }
                let failure = fails(ErrorCode::ProtectedUser, result);
                assert_eq!(
                    (failure.user_id.as_deref(), failure.subject.unwrap().name.as_str()),
                    (Some("WENDY"), "protected-users")
                );
                assert!(!world.sent.iter().any(|request| request.contains(':')), "{:?}", world.sent);
                assert!(world.run(Session::new().get_user(user.clone())).is_ok());
            }
        }
    }
    // A protected user who is suspended already stays so, and everybody may be reactivated.
    let mut suspended = world(|request| answer(200, if is_change(request) { WENDY } else { SUSPENDED }));
    suspended.values.insert("protected-users", "WENDY".into());
    let change = suspended.run(Session::new().suspend_user(wendy(), ChangeMode::Apply)).unwrap();
    assert_eq!(change.outcome, ChangeOutcome::Unchanged);
    suspended.lookup_errors.insert("protected-users", LookupError::unavailable("protected-users", "sealed"));
    let change = suspended.run(Session::new().reactivate_user(wendy(), ChangeMode::Apply)).unwrap();
    assert_eq!(change.outcome, ChangeOutcome::Changed);
}

#[test]
fn nothing_is_suspended_while_the_protected_users_cannot_be_read() {
    let mut world = world(|_| answer(200, WENDY));
    let session = Session::new();
    for error in [LookupError::unavailable("protected-users", "sealed"), LookupError::denied("protected-users", "no")] {
        world.lookup_errors.insert("protected-users", error);
        let failure = Failure::from(world.run(session.suspend_user(wendy(), ChangeMode::DryRun)).unwrap_err());
        assert_eq!(failure.subject.unwrap().name, "protected-users");
        assert!(world.run(session.get_user(wendy())).is_ok(), "reading goes on");
    }
    world.lookup_errors.clear();
    for wrong in [
        "*@x.org",
        "@x.org",
        "a b@@c",
        "a@x.org, hunter2!",
        " ,; ",
        "\u{feff}",
        "none",
        "Null",
        "=a@x.org",
        "//a@x.org",
        "-a@x.org",
        "_a@x.org_",
        "email=a@x.org",
        "“a@x.org”",
        "--WENDY",
        "WENDY_",
        "a%40x.org",
        &"A,".repeat(40_000),
    ] {
        world.values.insert("protected-users", wrong.into());
        let failure = fails(ErrorCode::Misconfigured, world.run(session.suspend_user(wendy(), ChangeMode::Apply)));
        assert!(
            !failure.message.contains("hunter2") && failure.message.starts_with("protected-users"),
            "{}",
            failure.message
        );
    }
    // A user without an address might be one of them.
    world.values.insert("protected-users", "a@x.org".into());
    assert!(!world.sent.iter().any(|request| request.contains(':')));
    // So might one whose address something on the way has masked or wrapped.
    for stored in
        ["", " ", "n/a", "[redacted]", "o***@x.org", "a@x.org.", "Own <a@x.org>", "a%40x.org", "a@x.org;b@x.org", "a"]
    {
        let mut world =
            self::world(|_| answer(200, &format!(r#"{{"id":"WENDY","email":"{stored}","state":"ACTIVE"}}"#)));
        world.values.insert("protected-users", "a@x.org".into());
        // An address that is in there wrapped is similar to a protected one.
        let is_wrapped = stored.len() > "a@x.org".len() && stored.replace("%40", "@").contains("a@x.org");
        let code = if is_wrapped { ErrorCode::ProtectedUser } else { ErrorCode::InvalidResponse };
        fails(code, world.run(session.suspend_user(wendy(), ChangeMode::Apply)));
        assert!(!world.sent.iter().any(|request| request.contains(':')), "{stored}");
        world.values.insert("protected-users", "OTHER".into());
        assert!(
            world.run(session.suspend_user(wendy(), ChangeMode::DryRun)).is_ok(),
            "an id is distinguished: {stored}"
        );
    }
}

/// A driver can write an audit line before it sends a change: with the id, and the address that the service has.
#[test]
fn row_60_a_change_names_its_user_before_it_is_sent() {
    for user in [wendy(), email("<WENDY@x.org>")] {
        let mut named = Vec::new();
        let mut service = change_service(200, SUSPENDED, &[SUSPENDED]);
        let mut world = world(|request| {
            if is_list(request) {
                return answer(200, &page(&[WENDY], ""));
            }
            let of_change = (request.changed_user.clone(), request.changed_email.clone());
            assert_eq!(of_change.0.is_some(), is_change(request));
            named.extend(is_change(request).then_some(of_change));
            service(request)
        });
        world.run(Session::new().suspend_user(user, ChangeMode::Apply)).unwrap();
        drop(world);
        assert_eq!(named, [(Some("WENDY".into()), Some("wendy@x.org".into()))]);
    }
}

/// A page token that was good once has a code of its own, also if the service does not say 400.
#[test]
fn row_75_a_page_token_that_is_not_known_any_more_has_its_own_code() {
    for (status, body, code) in [
        (400, r#"{"code":3,"message":"invalid page_token","details":[]}"#, ErrorCode::PageTokenRefused),
        (404, r#"{"code":5,"message":"page token not found","details":[]}"#, ErrorCode::PageTokenRefused),
        (410, r#"{"code":9,"message":"the cursor has expired","details":[]}"#, ErrorCode::PageTokenRefused),
        (412, r#"{"code":9,"message":"stale","details":[]}"#, ErrorCode::PageTokenRefused),
        (422, "", ErrorCode::PageTokenRefused),
        (404, NOT_FOUND, ErrorCode::Misconfigured),
        (410, "", ErrorCode::Misconfigured),
    ] {
        let mut world = world(|request| {
            if request.path_and_query.contains("page_token=") {
                return answer(status, body);
            }
            answer(200, &page(&[WENDY], r#","next_page_token":"+/-=""#))
        });
        let session = Session::new();
        let first = ListQuery { limit: Some(1), ..ListQuery::default() };
        let page_token = world.run(session.list_users(first)).unwrap().next_page_token;
        let error = world.run(session.list_users(ListQuery { page_token, ..ListQuery::default() })).unwrap_err();
        assert_eq!(error.code(), code, "{status}: {error}");
    }
}
