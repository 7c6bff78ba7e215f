//! Actions against scripted servers: no sockets, virtual time.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use std::borrow::Cow;
use std::time::Duration;

use onepassword_users_core::{
    ArgumentError, ChangeMode, ChangeOutcome, DriverError, Error, Event, Instant, ListQuery, Listing, LookupError,
    MAX_USERS, QueryError, Request, Response, Secret, Session, SettingError, StateFilter, Step, TooMany,
    TransportError, TransportFault, UnavailableCause, UserRef, UserState,
};
use onepassword_users_simulator::{Account, Person, Service};
use onepassword_users_test_kit::driver::{ACCOUNT, SECRET, World, application, ask};

const TOKEN: &str = r#"{"access_token":"canary-token","token_type":"Bearer","expires_in":900}"#;

fn ok(body: &str) -> Result<Response, TransportError> {
    Ok(Response::new(200, body.into()))
}

fn is_token(request: &Request) -> bool {
    request.path_and_query.ends_with("/token")
}

/// A server that issues tokens and answers every other request with `answer`.
fn with_tokens(
    mut answer: impl FnMut(&Request) -> Result<Response, TransportError>,
) -> impl FnMut(&Request, &mut Duration) -> Result<Response, TransportError> {
    move |request, _| if is_token(request) { ok(TOKEN) } else { answer(request) }
}

/// A parameter of a request's query.
fn parameter(request: &Request, name: &str) -> Option<String> {
    let (_, value) = request.path_and_query.split_once(&format!("{name}="))?;
    Some(value.split('&').next().unwrap().to_owned())
}

fn user(id: &str, state: &str) -> String {
    format!(r#"{{"id":"{id}","email":"{id}@example.com","state":"{state}"}}"#)
}

fn id(id: &str) -> UserRef {
    UserRef::Id(id.into())
}

fn query(limit: Option<u32>) -> ListQuery {
    ListQuery { limit, ..ListQuery::default() }
}

#[test]
fn a_token_of_900_seconds_is_renewed_60_seconds_early() {
    let session = Session::new();
    let mut world = World::new(with_tokens(|_| ok(&user("A", "ACTIVE"))));
    for (seconds, requests) in [(0, 2), (1, 1), (839, 1), (840, 2), (1679, 1), (1680, 2)] {
        world.now = Duration::from_secs(seconds);
        world.sent.clear();
        world.run(session.get_user(id("A"))).unwrap();
        assert_eq!(world.sent.len(), requests, "at {seconds} s");
    }
}

#[test]
fn the_lifetime_of_a_token_counts_from_its_request() {
    let session = Session::new();
    let mut world = World::new(|request: &Request, now: &mut Duration| {
        if is_token(request) {
            *now += Duration::from_secs(200);
            ok(TOKEN)
        } else {
            ok(&user("A", "ACTIVE"))
        }
    });
    world.run(session.get_user(id("A"))).unwrap();
    world.sent.clear();
    world.now = Duration::from_secs(840);
    world.run(session.get_user(id("A"))).unwrap();
    assert_eq!(world.sent.len(), 2);
}

#[test]
fn secrets_are_looked_up_only_when_needed() {
    let session = Session::new();
    let mut world = World::new(with_tokens(|_| ok(&user("A", "ACTIVE"))));
    world.run(session.get_user(id("A"))).unwrap();
    assert_eq!(world.lookups.last(), Some(&"client-secret"));
    world.lookups.clear();
    world.run(session.get_user(id("A"))).unwrap();
    assert!(!world.lookups.contains(&"client-secret"), "{:?}", world.lookups);
    world.lookups.clear();
    world.run(session.get_user(id("../"))).unwrap_err();
    assert!(world.lookups.is_empty(), "an invalid argument looks nothing up");
}

#[test]
fn blank_values_count_as_not_set() {
    let mut world = World::new(with_tokens(|_| ok(&user("A", "ACTIVE"))));
    for name in ["base-url", "api-version", "timeout", "user-agent", "access-token"] {
        world.values.insert(name, " \n".into());
    }
    world.run(Session::new().get_user(id("A"))).unwrap();
    world.values.insert("client-id", String::new());
    let error = world.run(Session::new().get_user(id("A"))).unwrap_err();
    assert!(matches!(error, Error::Misconfigured { name: "client-id", .. }), "{error:?}");
}

#[test]
fn a_failing_store_is_retryable_and_a_denied_name_is_not() {
    for name in ["base-url", "account-id", "timeout", "client-id", "client-secret", "access-token"] {
        let mut world = World::new(with_tokens(|_| ok(&user("A", "ACTIVE"))));
        world.lookup_errors.insert(name, LookupError::unavailable(name, "the vault is sealed"));
        let error = world.run(Session::new().get_user(id("A"))).unwrap_err();
        assert!(
            matches!(&error, Error::Unavailable { cause: UnavailableCause::Lookup { name: Some(n), .. }, .. } if *n == name),
            "{error:?}"
        );
        assert!(error.is_retryable() && error.to_string().contains("sealed"));
        world.lookup_errors.insert(name, LookupError::denied(name, "by policy"));
        let error = world.run(Session::new().get_user(id("A"))).unwrap_err();
        assert!(matches!(&error, Error::Misconfigured { name: n, .. } if *n == name), "{error:?}");
        assert!(!error.is_retryable() && error.to_string().contains("by policy"));
    }
}

#[test]
fn lists_are_capped_and_the_error_suggests_a_limit() {
    let max = MAX_USERS as usize;
    let mut account = Account::new(ACCOUNT);
    (0..max).for_each(|n| drop(account.insert(Person::new(&format!("U{n}"), "a@example.com"))));
    let mut service = Service::new(account.clone(), 1);
    account.insert(Person::new("ONE-MORE", "a@example.com"));
    let mut larger = Service::new(account, 1);
    for service in [&mut service, &mut larger] {
        service.insert_application(application(SECRET));
    }
    let account = |mut service: Service| {
        World::new(move |request: &Request, now: &mut Duration| {
            let answer = ask(&mut service, request, *now);
            Ok(Response::new(answer.status, answer.body))
        })
    };
    assert_eq!(account(service).run(Session::new().list_users(query(None))).unwrap().users.len(), max);

    let mut world = account(larger);
    let error = world.run(Session::new().list_users(query(None))).unwrap_err();
    assert_eq!(error, Error::TooManyUsers(TooMany::Users(MAX_USERS)));
    assert!(error.remedy().contains("limit"), "{}", error.remedy());
    let list = world.run(Session::new().list_users(query(Some(MAX_USERS)))).unwrap();
    assert_eq!(list.users.len(), max);
    let rest = ListQuery { page_token: list.next_page_token, ..ListQuery::default() };
    let rest = world.run(Session::new().list_users(rest)).unwrap();
    assert_eq!((rest.users[0].id.as_str(), rest.users.len(), rest.next_page_token), ("ONE-MORE", 1, None));
}

/// Services whose page tokens are good for one page size only, or mean the number of a page. A list and its continuations, each
/// with a limit of its own, give every user exactly once.
#[test]
fn row_3_a_list_and_its_continuations_keep_one_page_size() {
    fn answer(users: std::ops::Range<usize>, next: Option<String>) -> Result<Response, TransportError> {
        let users: Vec<String> = users.map(|n| user(&format!("U{n}"), "ACTIVE")).collect();
        let next = next.map(|next| format!(r#","next_page_token":"{next}""#)).unwrap_or_default();
        ok(&format!(r#"{{"results":[{}]{next}}}"#, users.join(",")))
    }
    const TOTAL: usize = 3000;
    // The token is the number of the page, whose place depends on the page size of the request.
    let numbered = |request: &Request| {
        let size: usize = parameter(request, "max_page_size").unwrap().parse().unwrap();
        let page: usize = parameter(request, "page_token").map_or(1, |token| token.parse().unwrap());
        let (start, end) = ((page - 1) * size, TOTAL.min(page * size));
        answer(start..end, (end < TOTAL).then(|| (page + 1).to_string()))
    };
    // The token holds the place and the page size that it is good for. This service gives smaller pages than asked for.
    let bound = |request: &Request| {
        let size: usize = parameter(request, "max_page_size").unwrap().parse().unwrap();
        let token = parameter(request, "page_token").map(|token| token.replace("%2B", "+"));
        let start = match token.as_deref().map(|token| token.split_once('+').unwrap()) {
            None => 0,
            Some((start, made_for)) if made_for.parse() == Ok(size) => start.parse().unwrap(),
            Some(_) => return status(400),
        };
        let end = TOTAL.min(start + size.min(70));
        answer(start..end, (end < TOTAL).then(|| format!("{end}+{size}")))
    };
    type Service = Box<dyn Fn(&Request) -> Result<Response, TransportError>>;
    let services: [Service; 2] = [Box::new(numbered), Box::new(bound)];
    for service in services {
        for limits in
            [&[Some(1500), None][..], &[Some(1500), Some(7), Some(1000), None], &[Some(1), Some(101), Some(2898), None]]
        {
            let mut world = World::new(with_tokens(|request| service(request)));
            let (mut ids, mut page_token) = (Vec::new(), None);
            for (place, limit) in limits.iter().enumerate() {
                let query = ListQuery { limit: *limit, page_token, ..ListQuery::default() };
                let list = world.run(Session::new().list_users(query)).unwrap();
                let left = TOTAL - ids.len();
                assert_eq!(
                    list.users.len(),
                    limit.map_or(left, |limit| left.min(limit as usize)),
                    "{limits:?}, {place}"
                );
                ids.extend(list.users.into_iter().map(|user| user.id));
                page_token = list.next_page_token;
                if page_token.is_none() {
                    break;
                }
            }
            assert!(
                ids.iter().eq(&(0..TOTAL).map(|n| format!("U{n}")).collect::<Vec<_>>()),
                "{limits:?}: {}",
                ids.len()
            );
            assert_eq!(page_token, None);
        }
    }
}

#[test]
fn a_page_token_belongs_to_one_state_filter() {
    let mut world =
        World::new(with_tokens(|_| ok(&format!(r#"{{"results":[{}],"next_page_token":"x"}}"#, user("A", "ACTIVE")))));
    let list = world.run(Session::new().list_users(query(Some(1)))).unwrap();
    world.sent.clear();
    for (state, token) in
        [(Some(StateFilter::Active), list.next_page_token), (None, Some("x".into())), (None, Some(String::new()))]
    {
        let query = ListQuery { state, limit: None, page_token: token };
        let error = world.run(Session::new().list_users(query)).unwrap_err();
        assert!(matches!(error, Error::InvalidArgument { argument: Cow::Borrowed("page_token"), .. }), "{error}");
    }
    assert!(world.sent.is_empty());
}

#[test]
fn a_refused_page_token_is_the_callers_only_if_the_caller_sent_it() {
    let refuse = |request: &Request| match parameter(request, "page_token") {
        Some(_) => Ok(Response::new(400, br#"{"code":3,"message":"expired"}"#.to_vec())),
        None => ok(&format!(r#"{{"results":[{}],"next_page_token":"x"}}"#, user("A", "ACTIVE"))),
    };
    let mut world = World::new(with_tokens(refuse));
    let page_token = world.run(Session::new().list_users(query(Some(1)))).unwrap().next_page_token;
    let theirs = ListQuery { page_token, ..ListQuery::default() };
    let error = world.run(Session::new().list_users(theirs.clone())).unwrap_err();
    assert!(matches!(error, Error::PageTokenRefused { .. }), "{error}");

    let whole = world.run(Session::new().list_users(query(None))).unwrap_err();
    let search = world.run(Session::new().get_user(UserRef::Email("b@example.com".into()))).unwrap_err();
    let mut listing = Listing::new(theirs);
    assert_eq!(listing.error_of_part(error.clone()), error);
    listing.take(vec!["A"], Some("more".into()), |id| id).unwrap();
    for error in [whole, search, listing.error_of_part(error)] {
        assert!(
            matches!(&error, Error::Other { service: Some(service), .. } if service.message == "expired"),
            "{error}"
        );
    }
}

#[test]
fn several_users_are_found_with_one_search() {
    let mut account = Account::new(ACCOUNT);
    for n in 0..2500 {
        let mailbox = if n == 7 { 6 } else { n };
        account.insert(Person::new(&format!("U{n}"), &format!("user{mailbox}@example.com")));
    }
    let mut service = Service::new(account, 1);
    service.insert_application(application(SECRET));
    let mut world = World::new(move |request: &Request, now: &mut Duration| {
        let answer = ask(&mut service, request, *now);
        Ok(Response::new(answer.status, answer.body))
    });
    let session = Session::new();
    let email = |email: &str| UserRef::Email(email.into());
    let known = |id: &str, email: &str| UserRef::Known { id: id.into(), email: email.into() };
    let users = vec![
        email("user2400@example.com"),
        id("U5"),
        email("USER2400@example.com"),
        email("user6@example.com"),
        email("nobody@example.com"),
        known("U5", "User5@Example.com"),
        known("U5", "user4@example.com"),
        id("NOBODY"),
        id("a/b"),
        email("no address"),
    ];
    let results = world.run(session.find_users(users)).unwrap();
    let results: Vec<_> = results.iter().map(|result| result.as_ref().map(|user| user.id.as_str())).collect();
    assert!(
        matches!(
            results.as_slice(),
            [
                Ok("U2400"),
                Ok("U5"),
                Ok("U2400"),
                Err(Error::AmbiguousUser { .. }),
                Err(Error::UserNotFound { .. }),
                Ok("U5"),
                Err(Error::AddressMismatch { .. }),
                Err(Error::UserNotFound { .. }),
                Err(Error::InvalidArgument { argument: Cow::Borrowed("user"), .. }),
                Err(Error::InvalidArgument { argument: Cow::Borrowed("user"), .. }),
            ]
        ),
        "{results:?}"
    );
    let lists = world.sent.iter().filter(|request| request.contains("max_page_size")).count();
    assert_eq!((lists, world.sent.len()), (3, 1 + 3 + 4), "{:?}", world.sent);

    world.sent.clear();
    assert_eq!(world.run(session.find_users(Vec::new())), Ok(Vec::new()));
    let error = world.run(session.find_users(vec![id("U5"); 1001])).unwrap_err();
    assert!(matches!(error, Error::InvalidArgument { argument: Cow::Borrowed("users"), .. }), "{error}");
    assert!(world.sent.is_empty());
}

/// Without a token nothing can be asked. A later failure is the result of its reference.
#[test]
fn a_search_for_several_users_fails_as_a_whole_only_without_a_token() {
    let users = || vec![id("A"), UserRef::Email("a@b".into()), id("A")];
    let mut world = World::new(|_: &Request, _: &mut Duration| status(401));
    let error = world.run(Session::new().find_users(users())).unwrap_err();
    assert!(matches!(error, Error::Unauthenticated { .. }), "{error}");

    let mut world = World::new(with_tokens(|request| {
        if request.path_and_query.contains('?') { status(403) } else { ok(&user("A", "ACTIVE")) }
    }));
    let results = world.run(Session::new().find_users(users())).unwrap();
    assert!(matches!(results.as_slice(), [Ok(_), Err(Error::PermissionDenied { .. }), Ok(_)]), "{results:?}");
}

/// An account that changes between a list and its continuation: no user is lost silently.
#[test]
fn a_continuation_in_a_changed_account_loses_no_user_silently() {
    let simulated = |people: u32| {
        let mut account = Account::new(ACCOUNT);
        (0..people).for_each(|n| drop(account.insert(Person::new(&format!("U{n}"), &format!("u{n}@example.com")))));
        let mut service = Service::new(account, 1);
        service.insert_application(application(SECRET));
        std::rc::Rc::new(std::cell::RefCell::new(service))
    };
    let world = |service: &std::rc::Rc<std::cell::RefCell<Service>>| {
        let service = service.clone();
        World::new(move |request: &Request, now: &mut Duration| {
            let answer = ask(&mut service.borrow_mut(), request, *now);
            Ok(Response::new(answer.status, answer.body))
        })
    };
    let active = |limit, page_token| ListQuery { state: Some(StateFilter::Active), limit, page_token };

    // The users of the first part are suspended, and with them leave the filtered list.
    let service = simulated(40);
    let mut world_of_40 = world(&service);
    let session = Session::new();
    let first = world_of_40.run(session.list_users(active(Some(10), None))).unwrap();
    for user in &first.users {
        world_of_40.run(session.suspend_user(id(&user.id), ChangeMode::Apply)).unwrap();
    }
    let rest = world_of_40.run(session.list_users(active(None, first.next_page_token))).unwrap();
    let ids: Vec<_> = first.users.iter().chain(&rest.users).map(|user| user.id.clone()).collect();
    assert_eq!(ids, (0..40).map(|n| format!("U{n}")).collect::<Vec<_>>());

    // A limit inside a page: the users in front of it must be the same, or the token is refused.
    for (changed, is_refused) in [(None, false), (Some("U2050"), false), (Some("U3"), false), (Some("U1001"), true)] {
        let service = simulated(2100);
        let mut world = world(&service);
        let first = world.run(session.list_users(active(Some(1999), None))).unwrap();
        assert_eq!(first.users.len(), 1999);
        if let Some(id) = changed {
            // Behind the limit, on a page that was read before, or in front of the limit on its page.
            service.borrow_mut().account_mut().person_mut(id).unwrap().state = "SUSPENDED".into();
        }
        let rest = world.run(session.list_users(active(None, first.next_page_token)));
        match rest {
            Ok(rest) => {
                assert!(!is_refused && rest.users.first().is_some_and(|user| user.id == "U1999"), "{changed:?}")
            }
            Err(error) => {
                assert_eq!(error, Error::PageTokenRefused { service: None });
                assert!(is_refused, "{changed:?}");
            }
        }
    }
}

/// A failure that concerns every user ends the requests, and large users do not fill the memory.
#[test]
fn a_search_for_several_users_is_bounded() {
    let users = || (0..1000).map(|n| id(&format!("U{n}"))).collect::<Vec<_>>();
    let mut world = World::new(with_tokens(|request| {
        if request.path_and_query.ends_with("/U0") { ok(&user("U0", "ACTIVE")) } else { status(401) }
    }));
    let results = world.run(Session::new().find_users(users())).unwrap();
    assert!(results[0].is_ok() && results[1..].iter().all(|r| matches!(r, Err(Error::Unauthenticated { .. }))));
    assert_eq!(world.sent.len(), 1 + 1 + 3, "token, U0, U1, token, U1");

    let mut world = World::new(with_tokens(|request| {
        let (_, id) = request.path_and_query.rsplit_once('/').unwrap();
        ok(&format!(r#"{{"id":"{id}","display_name":"{}"}}"#, "n".repeat(1_000_000)))
    }));
    let results = world.run(Session::new().find_users(users())).unwrap();
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 16);
    assert!(matches!(results[999], Err(Error::TooManyUsers(TooMany::Bytes(_)))));
}

#[test]
fn endless_pages_are_abandoned() {
    let mut page = 0;
    let mut world = World::new(with_tokens(|_| {
        page += 1;
        ok(&format!(r#"{{"next_page_token":"{page}"}}"#))
    }));
    for action in [0, 1] {
        world.sent.clear();
        let session = Session::new();
        let error = match action {
            0 => world.run(session.list_users(query(None))).unwrap_err(),
            _ => world.run(session.get_user(UserRef::Email("a@b".into()))).unwrap_err(),
        };
        assert!(matches!(error, Error::EndlessList { .. }), "{error}");
        assert_eq!(world.sent.len(), 25_001);
    }
}

#[test]
fn a_repeated_page_token_is_an_error() {
    let mut pages = 0;
    let mut world = World::new(with_tokens(|_| {
        pages += 1;
        ok(&format!(r#"{{"results":[{}],"next_page_token":"{}"}}"#, user("A", "ACTIVE"), pages % 100))
    }));
    let error = world.run(Session::new().list_users(query(None))).unwrap_err();
    assert!(error.to_string().contains("second time"), "{error}");
    assert_eq!(world.sent.len(), 102);
}

#[test]
fn overlapping_pages_yield_every_user_once() {
    let mut world = World::new(with_tokens(|request| {
        // B was reactivated between the two pages.
        if request.path_and_query.ends_with("/B") {
            return ok(&user("B", "ACTIVE"));
        }
        let first = !request.path_and_query.contains("page_token");
        let (ids, next) = if first { (["A", "B"], r#","next_page_token":"x""#) } else { (["B", "C"], "") };
        ok(&format!(r#"{{"results":[{},{}]{next}}}"#, user(ids[0], "ACTIVE"), user(ids[1], "SUSPENDED")))
    }));
    let users = world.run(Session::new().list_users(query(None))).unwrap().users;
    assert_eq!(users.iter().map(|user| user.id.as_str()).collect::<Vec<_>>(), ["A", "B", "C"]);
    let user = world.run(Session::new().get_user(UserRef::Email("b@EXAMPLE.com".into()))).unwrap();
    assert_eq!(user.id, "B", "one id seen twice is one user");
    assert_eq!(user.state, UserState::Active, "its state is looked up");
    let users = vec![UserRef::Email("b@example.com".into()), UserRef::Email("a@example.com".into())];
    let found = world.run(Session::new().find_users(users)).unwrap();
    assert!(matches!(found.as_slice(), [Err(Error::InvalidResponse { .. }), Ok(_)]), "{found:?}");
}

#[test]
fn a_change_without_a_response_may_have_been_made_unless_it_was_never_sent() {
    for (fault, may_have_changed) in [
        (TransportFault::Dns, Some(false)),
        (TransportFault::Connect, Some(false)),
        (TransportFault::Tls, Some(false)),
        (TransportFault::Timeout, Some(true)),
        (TransportFault::Broken, Some(true)),
        (TransportFault::TooLarge { status: 200 }, Some(true)),
        (TransportFault::Certificate, None),
        (TransportFault::Denied, None),
        (TransportFault::Internal, None),
    ] {
        let mut world = World::new(with_tokens(|request| {
            if request.path_and_query.ends_with("/A") {
                return ok(&user("A", "ACTIVE"));
            }
            Err(TransportError { fault, detail: String::new() })
        }));
        let error = world.run(Session::new().suspend_user(id("A"), ChangeMode::Apply)).unwrap_err();
        let reported = match &error {
            Error::Unavailable { may_have_changed, .. } | Error::InvalidResponse { may_have_changed, .. } => {
                assert!(may_have_changed.as_deref().is_none_or(|id| id == "A"), "{error:?}");
                Some(may_have_changed.is_some())
            }
            _ => None,
        };
        assert_eq!(reported, may_have_changed, "{fault:?}: {error:?}");
    }
}

#[test]
fn a_user_with_an_id_unfit_for_a_path_is_not_changed() {
    let mut world = World::new(with_tokens(|_| ok(r#"{"results":[{"id":"../X","email":"a@b"}]}"#)));
    let error = world.run(Session::new().suspend_user(UserRef::Email("a@b".into()), ChangeMode::Apply)).unwrap_err();
    assert!(matches!(error, Error::InvalidResponse { .. }), "{error:?}");
    assert_eq!(world.sent.len(), 2, "only the token and the list");
}

#[test]
fn the_outcome_of_a_change_is_exact() {
    let mut state = "ACTIVE".to_owned();
    let mut world = World::new(with_tokens(|request| {
        match request.path_and_query.rsplit(':').next() {
            Some("suspend") => state = "SUSPENDED".into(),
            Some("reactivate") => state = "ACTIVE".into(),
            _ => {}
        }
        ok(&user("A", &state))
    }));
    let session = Session::new();
    let (normal, dry_run) = (ChangeMode::Apply, ChangeMode::DryRun);
    for (mode, outcome) in [
        (dry_run, ChangeOutcome::WouldChange),
        (normal, ChangeOutcome::Changed),
        (normal, ChangeOutcome::Unchanged),
        (dry_run, ChangeOutcome::Unchanged),
    ] {
        assert_eq!(world.run(session.suspend_user(id("A"), mode)).unwrap().outcome, outcome);
    }
    for (mode, outcome) in
        [(dry_run, ChangeOutcome::WouldChange), (normal, ChangeOutcome::Changed), (normal, ChangeOutcome::Unchanged)]
    {
        assert_eq!(world.run(session.reactivate_user(id("A"), mode)).unwrap().outcome, outcome);
    }
}

/// A server that issues tokens, fails the first `times` other requests, and then returns user A.
fn failing(
    times: usize,
    fail: impl Fn() -> Result<Response, TransportError>,
) -> World<impl FnMut(&Request, &mut Duration) -> Result<Response, TransportError>> {
    let mut left = times;
    World::new(with_tokens(move |_| {
        if left == 0 {
            return ok(&user("A", "ACTIVE"));
        }
        left -= 1;
        fail()
    }))
}

fn status(status: u16) -> Result<Response, TransportError> {
    Ok(Response::new(status, r#"{"code":2,"message":"its words","details":[]}"#.into()))
}

fn fault(fault: TransportFault) -> Result<Response, TransportError> {
    Err(TransportError { fault, detail: String::new() })
}

#[test]
fn transient_failures_are_retried_with_backoff() {
    type Failure = fn() -> Result<Response, TransportError>;
    let transient: [Failure; 11] = [
        || status(408),
        || status(429),
        || status(500),
        || status(502),
        || status(503),
        || status(504),
        || fault(TransportFault::Dns),
        || fault(TransportFault::Connect),
        || fault(TransportFault::Tls),
        || fault(TransportFault::Timeout),
        || fault(TransportFault::Broken),
    ];
    for fail in transient {
        let mut world = failing(3, fail);
        world.run(Session::new().get_user(id("A"))).unwrap();
        assert_eq!(world.sent.len(), 1 + 4);
        assert!(world.now > Duration::ZERO && world.now <= Duration::from_millis(500 + 1000 + 2000), "{:?}", world.now);

        let mut world = failing(usize::MAX, fail);
        let error = world.run(Session::new().get_user(id("A"))).unwrap_err();
        assert!(error.is_retryable(), "{error:?}");
        assert_eq!(world.sent.len(), 1 + 4);

        let mut world = failing(1, fail);
        world.values.insert("max-attempts", "1".into());
        world.run(Session::new().get_user(id("A"))).unwrap_err();
        assert_eq!((world.sent.len(), world.now), (1 + 1, Duration::ZERO));
    }
}

#[test]
fn a_token_request_is_retried_too() {
    let mut left = 3;
    let mut world = World::new(move |request: &Request, _: &mut Duration| match is_token(request) {
        true if left > 0 => {
            left -= 1;
            status(503)
        }
        true => ok(TOKEN),
        false => ok(&user("A", "ACTIVE")),
    });
    world.run(Session::new().get_user(id("A"))).unwrap();
    assert_eq!(world.sent.len(), 4 + 1);
}

#[test]
fn permanent_failures_are_not_retried() {
    for code in [400, 402, 403, 404, 405, 409, 418, 422, 501, 505, 301, 307, 204, 206] {
        let mut world = failing(usize::MAX, || status(code));
        world.run(Session::new().get_user(id("A"))).unwrap_err();
        assert_eq!((world.sent.len(), world.now), (1 + 1, Duration::ZERO), "{code}");
    }
    for kind in [
        TransportFault::Certificate,
        TransportFault::Denied,
        TransportFault::TooLarge { status: 503 },
        TransportFault::Internal,
    ] {
        let mut world = failing(usize::MAX, || fault(kind));
        world.run(Session::new().get_user(id("A"))).unwrap_err();
        assert_eq!((world.sent.len(), world.now), (1 + 1, Duration::ZERO), "{kind:?}");
    }
}

#[test]
fn retry_after_is_obeyed_within_the_deadline() {
    let limited = |headers: &'static [(&str, &str)]| {
        move || {
            let mut response = Response::new(429, b"{}".to_vec());
            response.headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            Ok(response)
        }
    };
    for (headers, seconds) in [
        (&[("Retry-After", "20")][..], 20),
        (&[("Date", "Sun, 31 Dec 2023 23:59:30 GMT"), ("Retry-After", "Mon, 01 Jan 2024 00:00:00 GMT")], 30),
    ] {
        let mut world = failing(1, limited(headers));
        world.run(Session::new().get_user(id("A"))).unwrap();
        let pause = Duration::from_secs(seconds);
        assert!((pause..=pause + Duration::from_millis(500)).contains(&world.now), "{:?}", world.now);
    }
    // A pause that would exceed the deadline is not started, and the error says when to come back.
    let mut world = failing(1, limited(&[("Retry-After", "300")]));
    let error = world.run(Session::new().get_user(id("A"))).unwrap_err();
    assert!(
        matches!(error, Error::RateLimited { retry_after: Some(pause), .. } if pause.as_secs() == 300),
        "{error:?}"
    );
    assert_eq!((world.sent.len(), world.now), (2, Duration::ZERO));
}

#[test]
fn the_deadline_bounds_the_whole_action() {
    let mut deadlines = Vec::new();
    let mut world = World::new(|request: &Request, now: &mut Duration| {
        deadlines.push(request.total_timeout.as_secs());
        *now += Duration::from_secs(4);
        if is_token(request) {
            ok(TOKEN)
        } else {
            ok(r#"{"results":[],"next_page_token":"NEXT"}"#.replace("NEXT", &now.as_secs().to_string()).as_str())
        }
    });
    world.values.insert("deadline", "10".into());
    let error = world.run(Session::new().list_users(query(None))).unwrap_err();
    assert!(matches!(error, Error::Unavailable { cause: UnavailableCause::Deadline(_), .. }), "{error:?}");
    assert_eq!(world.now.as_secs(), 12);
    assert_eq!(deadlines, [10, 6, 2], "each request gets the remaining time");
}

#[test]
fn after_an_uncertain_change_the_user_is_read_back() {
    // Failures of a POST after which the service may have made the change. `acts_on` is the number of the POST that makes it.
    type Lost = fn() -> Result<Response, TransportError>;
    let lost: [Lost; 7] = [
        || fault(TransportFault::Timeout),
        || fault(TransportFault::Broken),
        || status(408),
        || status(500),
        || status(502),
        || status(503),
        || status(504),
    ];
    for fail in lost {
        for acts_on in [Some(1), Some(2), Some(4), None] {
            let (mut state, mut posts) = ("ACTIVE", 0);
            let mut world = World::new(with_tokens(|request| {
                if request.path_and_query.ends_with(":suspend") {
                    posts += 1;
                    if Some(posts) == acts_on {
                        state = "SUSPENDED";
                    }
                    return fail();
                }
                ok(&user("A", state))
            }));
            let result = world.run(Session::new().suspend_user(id("A"), ChangeMode::Apply));
            let sent = world.sent.iter().map(|request| request.ends_with(":suspend")).collect::<Vec<_>>();
            match acts_on {
                Some(post) => {
                    assert_eq!(result.unwrap().outcome, ChangeOutcome::Changed);
                    assert_eq!(sent.iter().filter(|is_post| **is_post).count(), post);
                }
                None => {
                    let error = result.unwrap_err();
                    assert!(error.may_have_changed() && matches!(error, Error::Unavailable { .. }), "{error:?}");
                    assert_eq!(sent.iter().filter(|is_post| **is_post).count(), 4);
                }
            }
            assert!(sent.windows(2).all(|pair| pair != [true, true]), "a second POST without a look-up: {sent:?}");
            assert_eq!(sent.last(), Some(&false), "the last request is a look-up");
        }
    }
}

#[test]
fn a_change_that_was_certainly_not_made_is_resent_without_a_lookup() {
    type Refused = fn() -> Result<Response, TransportError>;
    let refused: [Refused; 4] = [
        || status(429),
        || fault(TransportFault::Dns),
        || fault(TransportFault::Connect),
        || fault(TransportFault::Tls),
    ];
    for fail in refused {
        let mut posts = 0;
        let mut world = World::new(with_tokens(|request| {
            if request.path_and_query.ends_with("/A") {
                return ok(&user("A", "ACTIVE"));
            }
            posts += 1;
            if posts < 3 { fail() } else { ok(&user("A", "SUSPENDED")) }
        }));
        world.run(Session::new().suspend_user(id("A"), ChangeMode::Apply)).unwrap();
        assert_eq!(world.sent.len(), 1 + 1 + 3);
    }
}

#[test]
fn an_uncertain_change_stays_uncertain_after_later_refusals() {
    // The first POST is lost and has had no effect yet. The later refusals prove nothing about it.
    type After = fn() -> Result<Response, TransportError>;
    let after: [After; 3] = [|| status(429), || fault(TransportFault::Connect), || fault(TransportFault::Dns)];
    for after in after {
        let mut posts = 0;
        let mut world = World::new(with_tokens(|request| {
            if !request.path_and_query.ends_with(":suspend") {
                return ok(&user("A", "ACTIVE"));
            }
            posts += 1;
            if posts == 1 { status(502) } else { after() }
        }));
        let error = world.run(Session::new().suspend_user(id("A"), ChangeMode::Apply)).unwrap_err();
        assert!(error.may_have_changed(), "{error:?}");
    }
}

#[test]
fn a_change_is_resent_only_after_transient_failures_up_to_max_attempts() {
    for (first, expected) in
        [(vec![429, 429, 429, 502], 4), (vec![502, 429, 502, 503], 4), (vec![511], 1), (vec![505], 1), (vec![501], 1)]
    {
        let (mut answers, mut posts) = (first.into_iter(), 0);
        let mut world = World::new(with_tokens(|request| {
            if !request.path_and_query.ends_with(":suspend") {
                return ok(&user("A", "ACTIVE"));
            }
            posts += 1;
            status(answers.next().unwrap_or(503))
        }));
        world.run(Session::new().suspend_user(id("A"), ChangeMode::Apply)).unwrap_err();
        drop(world);
        assert_eq!(posts, expected);
    }
}

#[test]
fn an_overlong_id_is_an_invalid_response() {
    let long = "x".repeat(1025);
    let mut world = World::new(with_tokens(|_| ok(&format!(r#"{{"results":[{{"id":"{long}","email":"a@b"}}]}}"#))));
    let error = world.run(Session::new().get_user(UserRef::Email("a@b".into()))).unwrap_err();
    assert!(matches!(error, Error::InvalidResponse { .. }), "{error}");
}

#[test]
fn an_uncertain_change_that_cannot_be_read_back_stays_uncertain() {
    let mut is_sent = false;
    let mut world = World::new(with_tokens(|request| {
        if request.path_and_query.ends_with(":suspend") {
            is_sent = true;
            return fault(TransportFault::Timeout);
        }
        if is_sent { status(403) } else { ok(&user("A", "ACTIVE")) }
    }));
    let error = world.run(Session::new().suspend_user(id("A"), ChangeMode::Apply)).unwrap_err();
    assert!(error.may_have_changed() && matches!(error, Error::Unavailable { .. }), "{error:?}");
    assert_eq!(world.sent.len(), 1 + 3);
}

#[test]
fn a_compressed_response_is_an_error() {
    let mut world = World::new(with_tokens(|_| {
        let mut response = Response::new(200, b"\x1f\x8b".to_vec());
        response.headers.push(("Content-Encoding".into(), b"gzip".to_vec()));
        Ok(response)
    }));
    let error = world.run(Session::new().get_user(id("A"))).unwrap_err();
    assert!(error.to_string().contains("compressed"), "{error}");
}

#[test]
fn echoed_secrets_are_redacted() {
    // A server that echoes the request's headers in its error, as some gateways do.
    let echo = |request: &Request, _: &mut Duration| {
        let (_, authorization) = request.headers.iter().find(|(name, _)| *name == "authorization").unwrap();
        let body = format!(r#"{{"code":3,"message":"you said {} {SECRET}"}}"#, authorization.expose());
        Ok(Response::new(400, body.into()))
    };
    let mut world = World::new(echo);
    let error = world.run(Session::new().get_user(id("A"))).unwrap_err();
    let text = format!("{error} {error:?} {}", error.remedy());
    assert!(text.contains("you said Basic [redacted] [redacted]"), "{text}");

    let mut world = World::new(
        |request: &Request, now: &mut Duration| {
            if is_token(request) { ok(TOKEN) } else { echo(request, now) }
        },
    );
    let error = world.run(Session::new().get_user(id("A"))).unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.contains("you said Bearer [redacted]") && !text.contains("canary-token"), "{text}");
}

#[test]
fn quotes_from_an_invalid_response_are_truncated_and_redacted() {
    for body in [
        r#"{"canary-token":[]}"#.to_owned(),
        r#"{"id":"A","state":"canary-token"}"#.to_owned(),
        format!(r#"{{"{}":1}}"#, "k".repeat(1_000_000)),
        format!(r#"{{"id":"A","state":"{}"}}"#, "s".repeat(1_000_000)),
    ] {
        let mut world = World::new(with_tokens(|request| {
            let is_look = request.path_and_query.ends_with("/A");
            ok(&if is_look { user("A", "ACTIVE") } else { body.clone() })
        }));
        for error in [
            world.run(Session::new().list_users(query(None))).unwrap_err(),
            world.run(Session::new().suspend_user(id("A"), ChangeMode::Apply)).unwrap_err(),
        ] {
            let text = format!("{error} {error:?}");
            assert!(!text.contains("canary-token") && text.len() < 2000, "{}", text.len());
        }
    }
}

#[test]
fn the_text_of_a_list_is_bounded() {
    let mut pages = 0;
    let name = "n".repeat(3900);
    let mut world = World::new(with_tokens(|_| {
        pages += 1;
        let users: Vec<String> =
            (0..1000).map(|n| format!(r#"{{"id":"U{pages}-{n}","display_name":"{name}"}}"#)).collect();
        ok(&format!(r#"{{"results":[{}],"next_page_token":"{pages}"}}"#, users.join(",")))
    }));
    let error = world.run(Session::new().list_users(query(None))).unwrap_err();
    assert!(matches!(error, Error::TooManyUsers(TooMany::Bytes(_))), "{error}");
    assert!(world.sent.len() < 50);
}

#[test]
fn the_ids_of_an_ambiguous_user_are_capped() {
    let users: Vec<String> = (0..1000).map(|n| format!(r#"{{"id":"U{n}","email":"a@b"}}"#)).collect();
    let mut world = World::new(with_tokens(|_| ok(&format!(r#"{{"results":[{}]}}"#, users.join(",")))));
    let error = world.run(Session::new().get_user(UserRef::Email("a@b".into()))).unwrap_err();
    assert!(matches!(&error, Error::AmbiguousUser { ids, .. } if ids.len() == 100), "{error}");
}

#[test]
fn user_not_found_needs_the_services_own_error() {
    let not_found = |body: &'static str| with_tokens(move |_| Ok(Response::new(404, body.into())));
    for (body, with_access_token, code) in [
        (r#"{"code":5,"message":"user not found","details":[]}"#, false, "user-not-found"),
        (r#"{"code":5,"message":"user not found","details":[]}"#, true, "user-not-found"),
        // A gateway's response for an unknown route.
        (r#"{"code":5,"message":"Not Found","details":[]}"#, false, "misconfigured"),
        (r#"{"code":5,"message":"Not Found","details":[]}"#, true, "misconfigured"),
        (r#"{"code":5,"message":"no route for /v1/accounts/A/users/user-1","details":[]}"#, false, "misconfigured"),
        (r#"{"status":404,"error":"Not Found","path":"/v1"}"#, false, "misconfigured"),
        ("<html>Not Found</html>", false, "misconfigured"),
        ("", false, "misconfigured"),
    ] {
        let mut world = World::new(not_found(body));
        if with_access_token {
            world.values.insert("access-token", "canary-token".into());
        }
        let error = world.run(Session::new().get_user(id("A"))).unwrap_err();
        assert_eq!(error.code().name(), code, "{body}");
    }
}

#[test]
fn a_401_leads_to_one_new_token_and_one_retry() {
    let mut world = World::new(with_tokens(|_| status(401)));
    let session = Session::new();
    for _ in 0..2 {
        world.sent.clear();
        let error = world.run(session.get_user(id("A"))).unwrap_err();
        assert!(matches!(error, Error::Unauthenticated { .. }), "{error}");
        assert_eq!(world.sent.len(), 4, "token, request, token, request");
    }
}

#[test]
fn debug_output_holds_no_secret() {
    let session = Session::new();
    let mut requests = Vec::new();
    let mut world = World::new(|request: &Request, _: &mut Duration| {
        requests.push(format!("{request:?}"));
        let response = if is_token(request) { ok(TOKEN) } else { ok(&user("A", "ACTIVE")) };
        requests.push(format!("{response:?}"));
        response
    });
    world.run(session.get_user(id("A"))).unwrap();
    let text = format!("{requests:?} {session:?} {:?}", session.get_user(id("A")));
    for secret in [SECRET, "canary-token", "Y2xpZW50"] {
        assert!(!text.contains(secret), "{text}");
    }
    assert!(text.contains("[redacted]"));
}

#[test]
fn a_wrong_event_ends_the_action() {
    let now = Instant::from_nanos(0);
    let mut action = Session::new().get_user(id("A"));
    assert!(matches!(action.step(Event::Start, now), Step::Settings(["base-url", ..])));
    let Step::Done(Err(Error::Driver(DriverError::WrongEvent("Settings")))) = action.step(Event::Elapsed, now) else {
        panic!("expected DriverError::WrongEvent")
    };
    let Step::Done(Err(Error::Driver(DriverError::Ended))) = action.step(Event::Elapsed, now) else {
        panic!("expected DriverError::Ended")
    };
}

#[test]
fn a_wrong_event_instead_of_the_answer_to_a_change_leaves_open_whether_it_was_made() {
    let now = Instant::from_nanos(0);
    let mut action = Session::new().suspend_user(id("A"), ChangeMode::Apply);
    let mut event = Event::Start;
    let error = loop {
        event = match action.step(event, now) {
            Step::Settings(names) => Event::Settings(Ok(names
                .iter()
                .map(|name| (*name == "account-id").then(|| "ABCDEFGHIJKLMNOPQRSTUVWXYZ".into()))
                .collect())),
            Step::Secrets(_) => Event::Secrets(Ok(vec![Some(Secret::new("canary-token".into())), None])),
            Step::Send(request) if request.changed_user.is_some() => Event::Elapsed,
            Step::Send(_) => Event::Response(Ok(Response::new(200, br#"{"id":"A","state":"ACTIVE"}"#.to_vec()))),
            Step::Wait { .. } => panic!("there is nothing to wait for"),
            Step::Done(result) => break result.unwrap_err(),
        };
    };
    assert_eq!(error, Error::Driver(DriverError::UnansweredChange { user_id: "A".into() }));
    assert!(error.may_have_changed() && error.user_id() == Some("A") && error.code().name() == "host-failed");
}

#[test]
fn every_error_has_a_code_a_status_and_a_remedy() {
    let service =
        || onepassword_users_core::ServiceError { status: 403, code: Some("7".into()), message: "its words".into() };
    let cases = [
        (
            Error::InvalidArgument { argument: "limit".into(), problem: ArgumentError::Query(QueryError::Limit) },
            "invalid-argument",
            None,
            false,
        ),
        (
            Error::Misconfigured { name: "timeout", problem: SettingError::Missing, service: None },
            "misconfigured",
            None,
            false,
        ),
        (Error::Unauthenticated { name: "client-secret", service: service() }, "unauthenticated", Some(403), false),
        (
            Error::PermissionDenied { permission: "list users", user_id: None, service: service() },
            "permission-denied",
            Some(403),
            false,
        ),
        (Error::UserNotFound { user: id("A"), service: Some(service()) }, "user-not-found", Some(403), false),
        (
            Error::AmbiguousUser { email: "a@b".into(), ids: vec!["A".into(), "B".into()], is_similar: false },
            "ambiguous-user",
            None,
            false,
        ),
        (Error::LastOwner { user_id: "A".into(), service: service() }, "last-owner", Some(403), false),
        (Error::ExternallyManaged { user_id: "A".into(), service: service() }, "externally-managed", Some(403), false),
        (
            Error::RateLimited { retry_after: Some(Duration::from_secs(7)), service: service() },
            "rate-limited",
            Some(403),
            true,
        ),
        (
            Error::Unavailable {
                cause: UnavailableCause::Service(service()),
                retry_after: None,
                may_have_changed: Some("A".into()),
            },
            "unavailable",
            Some(403),
            true,
        ),
        (
            Error::InvalidResponse { problem: "p".into(), status: 200, may_have_changed: None },
            "invalid-response",
            Some(200),
            false,
        ),
        (Error::PageTokenRefused { service: Some(service()) }, "page-token-refused", Some(403), false),
        (Error::TooManyUsers(TooMany::Users(5)), "too-many-users", None, false),
        (Error::EndlessList { problem: "p".into() }, "endless-list", None, false),
        (Error::Driver(DriverError::Ended), "host-failed", None, false),
        (Error::AddressMismatch { user_id: "A".into(), email: "a@b".into() }, "address-mismatch", None, false),
        (Error::Other { problem: "p".into(), service: None }, "other", None, false),
    ];
    for (error, code, status, retryable) in cases {
        assert_eq!((error.code().name(), error.status(), error.is_retryable()), (code, status, retryable));
        assert!(error.remedy().ends_with('.'), "{}", error.remedy());
        assert!(error.to_string().starts_with(char::is_lowercase) || error.to_string().starts_with('2'), "{error}");
        if let Some(service) = error.service() {
            assert!(error.to_string().contains(&service.message), "{error}");
        }
    }
}
