//! The sources of settings and secrets: what they are asked for, and slow or broken ones.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use onepassword_users_host::catalogue::ErrorCode;
use onepassword_users_host::{Lookup, Options, Source, SourceError, Subject, SubjectKind};
use onepassword_users_simulator::Simulator;
use onepassword_users_test_kit::harness::{
    ALL, HOST, Values, email, expect_failure, is_over_steps, network, options, values,
};

const WENDY: &str = "wendy.appleseed@example.com";

/// A source that notes the names of each look-up.
#[derive(Clone)]
struct Noted {
    values: Values,
    lookups: Arc<Mutex<Vec<String>>>,
}

impl Source for Noted {
    fn get<'a>(&'a self, names: &'a [&'a str]) -> Lookup<'a> {
        self.lookups.lock().unwrap().push(names.join(" "));
        self.values.get(names)
    }
}

/// A source that answers this after a pause, or else with the values.
struct Broken {
    values: Values,
    pause: Duration,
    answer: Option<Result<usize, SourceError>>,
}

impl Source for Broken {
    fn get<'a>(&'a self, names: &'a [&'a str]) -> Lookup<'a> {
        Box::pin(async move {
            tokio::time::sleep(self.pause).await;
            match &self.answer {
                None => self.values.get(names).await,
                Some(Ok(count)) => Ok(vec![None; *count]),
                Some(Err(error)) => Err(error.clone()),
            }
        })
    }
}

#[tokio::test]
async fn the_settings_are_looked_up_at_once_and_secrets_only_when_needed() {
    let simulator = Simulator::start(Default::default()).await.unwrap();
    let lookups = [(); 2].map(|()| Arc::<Mutex<Vec<String>>>::default());
    let [settings, secrets] = [0, 1].map(|place: usize| {
        let source = Noted { values: values(&simulator), lookups: lookups[place].clone() };
        Arc::new(source) as Arc<dyn Source>
    });
    let connector = HOST.connector(Options { settings, secrets, network: network(), ..Options::default() }).unwrap();
    let take = |place: usize| std::mem::take(&mut *lookups[place].lock().unwrap());
    // A component over WASI asks for what it needs. One without imports gets all settings at the beginning.
    let settings = if is_over_steps() {
        "base-url account-id protected-users api-version timeout deadline max-attempts user-agent"
    } else {
        "base-url account-id api-version timeout deadline max-attempts user-agent"
    };

    connector.get_user(email(WENDY)).await.unwrap();
    // The host looks up the origin that it allows by itself, once per call.
    assert_eq!(take(0), [settings, "base-url"]);
    assert_eq!(take(1), ["access-token client-id", "client-secret"]);
    connector.get_user(email(WENDY)).await.unwrap();
    assert_eq!(take(0), [settings, "base-url"]);
    assert_eq!(take(1), ["access-token client-id"], "the token is still good");
}

#[tokio::test]
async fn a_slow_source_is_unavailable() {
    let simulator = Simulator::start(Default::default()).await.unwrap();
    let values = values(&simulator);
    for is_secret in [false, true] {
        let pause = Duration::from_secs(60);
        let slow: Arc<dyn Source> = Arc::new(Broken { values: values.clone(), pause, answer: None });
        let mut options = Options { lookup_timeout: Duration::from_millis(200), ..options(&values) };
        *(if is_secret { &mut options.secrets } else { &mut options.settings }) = slow;
        let connector = HOST.connector(options).unwrap();
        let start = Instant::now();
        let error = expect_failure(ErrorCode::Unavailable, connector.list_users(ALL).await);
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        assert!(error.is_retryable() && !error.may_have_changed && error.service.is_none(), "{error:?}");
        assert_eq!(error.subject, None, "no single value is at fault");
        assert!(error.message.contains("within 0.2 s"), "{}", error.message);
        let text = format!("{error:?}");
        for value in [simulator.base_url(), simulator.client_id().into(), simulator.client_secret().into()] {
            assert!(!text.contains(&value), "{text}");
        }
    }
    assert!(simulator.take_records().is_empty(), "nothing was sent");
    // A source that is slow, but not too slow.
    let slow = Arc::new(Broken { values: values.clone(), pause: Duration::from_millis(50), answer: None });
    let connector = HOST.connector(Options { secrets: slow, ..options(&values) }).unwrap();
    assert_eq!(connector.get_user(email(WENDY)).await.unwrap().email, WENDY);
}

#[tokio::test]
async fn the_reason_of_a_failed_look_up_is_kept() {
    let simulator = Simulator::start(Default::default()).await.unwrap();
    let values = values(&simulator);
    let name = String::from("client-id");
    let denied = SourceError::Denied { name: name.clone(), reason: "not for this connector".into() };
    let unavailable = |name| SourceError::Unavailable { name, reason: "the vault is sealed".into() };
    let subject = Some(Subject { kind: SubjectKind::Secret, name: name.clone() });
    for (answer, code, subject, words) in [
        (Err(denied), ErrorCode::Misconfigured, subject.clone(), "not for this connector"),
        (Err(unavailable(Some(name))), ErrorCode::Unavailable, subject, "the vault is sealed"),
        (Err(unavailable(None)), ErrorCode::Unavailable, None, "the vault is sealed"),
        (Ok(0), ErrorCode::Unavailable, None, "another number of values"),
        (Ok(3), ErrorCode::Unavailable, None, "another number of values"),
    ] {
        let broken = Broken { values: values.clone(), pause: Duration::ZERO, answer: Some(answer) };
        let connector = HOST.connector(Options { secrets: Arc::new(broken), ..options(&values) }).unwrap();
        let error = expect_failure(code, connector.list_users(ALL).await);
        assert_eq!(error.subject, subject, "{error:?}");
        assert!(error.message.contains(words), "{}", error.message);
    }
    assert!(simulator.take_records().is_empty(), "nothing was sent");
}
