//! Invariants for any input, shared by the fuzz targets, their corpora and the property tests.

use std::time::Duration;

use onepassword_users_core::{
    AccountId, ApiVersion, BaseUrl, ChangeMode, Error, ListQuery, Request, Response, Session, TransportError,
    TransportFault, UserAgent, UserRef,
};

use crate::driver::{SECRET, World};

const TOKEN: &str = r#"{"access_token":"canary-token","token_type":"Bearer","expires_in":900}"#;

/// Any bytes as the response to any request: the action ends, and its result claims no more than the bytes say.
pub fn response(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let status = [200, 200, 200, 400, 401, 403, 404, 409, 429, 500, 503, 204, 302][usize::from(kind >> 2) % 13];
    let is_token_response = kind & 1 == 1;
    let mut world = World::new(|request: &Request, _: &mut Duration| {
        let is_token = request.path_and_query.ends_with("/token");
        Ok(if is_token == is_token_response {
            Response::new(status, bytes.to_vec())
        } else {
            Response::new(200, TOKEN.into())
        })
    });
    world.values.insert("max-attempts", "1".into());
    // A token that was never issued is no secret.
    let secrets = if is_token_response { &[SECRET][..] } else { &[SECRET, "canary-token"] };
    let session = Session::new();
    let got = world.run(session.get_user(UserRef::Id("A".into())));
    if let Ok(user) = &got {
        assert!(user.id == "A" && status == 200);
    }
    assert_redacted(&got, secrets);
    let listed = world.run(session.list_users(ListQuery::default()));
    if let Ok(list) = &listed {
        let has_ids = list.users.iter().all(|user| !user.id.is_empty() && user.id.trim() == user.id);
        assert!(status == 200 && list.next_page_token.is_none() && !list.users.is_empty() && has_ids);
    }
    assert_redacted(&listed, secrets);
    let suspended = world.run(session.suspend_user(UserRef::Id("A".into()), ChangeMode::Apply));
    if let Ok(change) = &suspended {
        assert!(change.user.id == "A" && change.user.state == onepassword_users_core::UserState::Suspended);
    }
    assert_redacted(&suspended, secrets);
}

/// Any text as any setting, id or page token: it is refused, or leaves the path, query and headers of every request intact.
pub fn settings(text: &str) {
    if let Ok(base_url) = BaseUrl::parse(text) {
        let again = BaseUrl::parse(&base_url.origin());
        assert!(again.is_ok_and(|again| again.origin() == base_url.origin()), "{text:?}");
        assert!(!base_url.authority().contains(['/', '?', '#', '@', '\\', ' ']) && base_url.authority().is_ascii());
    }
    if let Ok(account) = AccountId::parse(text) {
        assert!(account.as_str().len() == 26 && account.as_str().bytes().all(|b| b.is_ascii_alphanumeric()));
    }
    if let Ok(user_agent) = UserAgent::parse(text) {
        assert!(user_agent.as_str().bytes().all(|b| matches!(b, b' '..=b'~')));
    }
    let _ = ApiVersion::parse(text);

    for name in
        ["base-url", "account-id", "api-version", "timeout", "deadline", "max-attempts", "user-agent", "client-id"]
    {
        let mut world = World::new(check_request);
        world.values.insert(name, text.into());
        let result = world.run(Session::new().get_user(UserRef::Id("A".into())));
        if let Err(Error::Misconfigured { name: named, .. }) = &result {
            assert!(*named == name || name == "base-url", "{named} instead of {name}");
        }
    }
    for user in [UserRef::Id(text.into()), UserRef::Email(text.into())] {
        let _ = World::new(check_request).run(Session::new().suspend_user(user, ChangeMode::Apply));
    }
    // A list of protected users is refused, or it protects a user with the id or address that it names.
    let user = r#"{"id":"A","email":"a@example.com","state":"ACTIVE"}"#;
    let mut world = World::new(|request: &Request, _: &mut Duration| {
        Ok(Response::new(200, if request.path_and_query.ends_with("/token") { TOKEN } else { user }.into()))
    });
    world.values.insert("protected-users", text.into());
    let result = world.run(Session::new().suspend_user(UserRef::Id("A".into()), ChangeMode::DryRun));
    match &result {
        Ok(change) => assert!(change.user.id == "A" && !text.trim().eq_ignore_ascii_case("a@example.com"), "{text:?}"),
        Err(Error::ProtectedUser { user_id }) => assert_eq!(user_id, "A"),
        Err(Error::Misconfigured { name, .. }) => assert_eq!(*name, "protected-users"),
        Err(error) => panic!("{text:?}: {error}"),
    }
    let query = ListQuery { page_token: Some(text.into()), limit: Some(1), ..ListQuery::default() };
    let _ = World::new(check_request).run(Session::new().list_users(query));
}

/// Answers a request, and checks that its target and headers are well-formed.
fn check_request(request: &Request, _: &mut Duration) -> Result<Response, TransportError> {
    let target = &request.path_and_query;
    assert!(target.starts_with('/') && target.bytes().all(|b| b.is_ascii_graphic() && b != b'#'), "{target:?}");
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    assert!(!query.contains('?') && !path.contains("..") && !path.contains("//") && !path.contains('%'), "{target:?}");
    assert!(path.split('/').count() <= 6, "{target:?}");
    assert!(query.split('&').count() <= 3, "{target:?}");
    for (name, value) in &request.headers {
        assert!(value.expose().bytes().all(|b| matches!(b, b' '..=b'~')), "{name}: {:?}", value.expose());
    }
    if path.ends_with("/token") { Ok(Response::new(200, TOKEN.into())) } else { Ok(Response::new(400, b"{}".to_vec())) }
}

/// Any bytes as a conversation: each line is a response, and its first byte is the kind.
pub fn conversation(bytes: &[u8]) {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let mut requests = 0_u32;
    let mut world = World::new(|_: &Request, now: &mut Duration| {
        requests += 1;
        *now += Duration::from_millis(100);
        let Some((kind, body)) = lines.next().and_then(<[u8]>::split_first) else {
            return Err(TransportError { fault: TransportFault::Connect, detail: String::new() });
        };
        let status = match kind {
            b't' => return Ok(Response::new(200, TOKEN.into())),
            b'l' => return Err(TransportError { fault: TransportFault::Broken, detail: String::new() }),
            b'w' => return Err(TransportError { fault: TransportFault::Timeout, detail: String::new() }),
            b'1'..=b'5' => u16::from(kind - b'0') * 100 + u16::from(body.first().copied().unwrap_or_default() % 30),
            _ => 200,
        };
        let mut response = Response::new(status, body.to_vec());
        for name in ["retry-after", "date", "location", "content-encoding"] {
            if kind % 7 == 6 {
                response.headers.push((name.into(), body.to_vec()));
            }
        }
        Ok(response)
    });
    world.values.insert("deadline", "60".into());
    let session = Session::new();
    let user = || UserRef::Id("A".into());
    assert_redacted(&world.run(session.suspend_user(user(), ChangeMode::Apply)), &[SECRET]);
    assert_redacted(&world.run(session.get_user(UserRef::Email("a@b".into()))), &[SECRET]);
    assert_redacted(&world.run(session.list_users(ListQuery { limit: Some(2), ..ListQuery::default() })), &[SECRET]);
    assert_redacted(&world.run(session.reactivate_user(user(), ChangeMode::Apply)), &[SECRET]);
    let elapsed = world.now;
    assert!(elapsed <= Duration::from_secs(4 * 61), "{elapsed:?}");
    drop(world);
    assert!(requests < 3000, "{requests}");
}

/// Asserts that an error holds none of these secrets. A user's own texts are not redacted.
fn assert_redacted<T>(result: &Result<T, Error>, secrets: &[&str]) {
    if let Err(error) = result {
        let text = format!("{error} {error:?} {}", error.remedy());
        assert!(!secrets.iter().any(|secret| text.contains(secret)), "{text}");
    }
}
