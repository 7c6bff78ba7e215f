//! The limits of a host and of its connectors, and the origins that they may reach.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use onepassword_users_component::{COMPONENT, STEPS};
use onepassword_users_host::catalogue::ErrorCode;
use onepassword_users_host::{Connector, Error, Host, HostConfig, Network, Options, Proxy};
use onepassword_users_simulator::{Config, Fault, Operation, Simulator};
use onepassword_users_test_kit::harness::{
    ALL, HOST, Values, config, email, expect_failure, id, is_over_steps, options, values,
};
use onepassword_users_test_kit::hostile::{Answer, Target, ok, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const WENDY: &str = "wendy.appleseed@example.com";

fn connect(values: &Values, network: Network) -> Connector {
    HOST.connector(Options { network, ..options(values) }).unwrap()
}

#[tokio::test]
async fn row_45_credentials_go_to_the_services_origins_only_unless_the_embedder_allows_more() {
    let simulator = Simulator::start(Default::default()).await.unwrap();
    let values = values(&simulator);
    let strict = connect(&values, Network::default());
    let loopback = simulator.base_url();
    for (origin, option) in [
        (loopback.as_str(), "Network.allow_loopback"),
        ("https://localhost:8443", "Network.allow_loopback"),
        ("https://[::1]", "Network.allow_loopback"),
        ("https://evil.example", "Network.allowed_origins"),
        ("https://api.1password.com.evil.example", "Network.allowed_origins"),
        ("https://api.1password.com:8443", "Network.allowed_origins"),
        ("https://10.0.0.1", "Network.allowed_origins"),
    ] {
        values.set("base-url", origin);
        for result in [
            strict.get_user(email(WENDY)).await.map(drop),
            strict.find_users(vec![email(WENDY), email("a@example.com")]).await.map(drop),
            strict.list_all_users(None, None, |_| {}).await.map(drop),
            strict.invoke("list-users", "").await.map(drop),
            strict.test().await.map(drop),
        ] {
            let failure = expect_failure(ErrorCode::Misconfigured, result);
            assert!(failure.message.contains(origin) && failure.remedy.contains(option), "{origin}: {failure:?}");
            assert_eq!(failure.subject.unwrap().name, "base-url");
        }
    }
    assert!(simulator.take_records().is_empty(), "nothing was sent");

    values.set("base-url", &loopback);
    for network in [
        Network { allow_loopback: true, ..Network::default() },
        Network {
            allowed_origins: vec!["https://other.example".into(), format!("{loopback}/v1")],
            ..Network::default()
        },
    ] {
        connect(&values, network).get_user(email(WENDY)).await.unwrap();
    }
    // The service's own origins are allowed, so that the attempt fails at the proxy.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::Url(format!("http://{}", listener.local_addr().unwrap()));
    drop(listener);
    let own = connect(&values, Network { proxy, ..Network::default() });
    values.set("max-attempts", "1");
    for origin in ["https://api.1password.com", "https://api.1password.ca", "API.1password.eu/v1"] {
        values.set("base-url", origin);
        let failure = expect_failure(ErrorCode::Unavailable, own.get_user(email(WENDY)).await);
        assert!(failure.message.contains("proxy"), "{failure:?}");
    }
    // An origin that is none is refused at once.
    let network = Network { allowed_origins: vec!["http://example.com".into()], ..Network::default() };
    let Err(Error::Options(problem)) = HOST.connector(Options { network, ..options(&values) }) else { panic!() };
    assert!(problem.contains("Network.allowed_origins"), "{problem}");
}

/// A name of this machine leads to a private address, or to a loopback one.
#[tokio::test]
async fn row_33_a_name_with_a_private_address_is_refused_at_once_with_the_option() {
    use std::net::ToSocketAddrs;
    let name = std::fs::read_to_string("/etc/hostname").unwrap_or_default().trim().to_ascii_lowercase();
    let Some(address) = (name.as_str(), 0).to_socket_addrs().ok().and_then(|mut found| found.next()) else { return };
    let simulator = Simulator::start(Default::default()).await.unwrap();
    let values = values(&simulator);
    let origin = format!("https://{name}:1");
    values.set("base-url", &origin);
    let network = Network { allowed_origins: vec![origin], proxy: Proxy::None, ..Network::default() };
    let start = std::time::Instant::now();
    let failure = expect_failure(ErrorCode::Misconfigured, connect(&values, network).get_user(email(WENDY)).await);
    assert!(start.elapsed() < Duration::from_secs(3), "there is one attempt");
    assert!(failure.message.contains(&address.ip().to_string()), "{failure:?}");
    assert!(failure.remedy.contains("Network.allow_private"), "{failure:?}");
}

#[tokio::test]
async fn row_33_a_ca_file_without_certificates_is_refused_with_the_option() {
    let ca = tempfile::NamedTempFile::new().unwrap();
    let simulator = Simulator::start(Default::default()).await.unwrap();
    let values = values(&simulator);
    for (content, problem) in [
        ("", "no certificate"),
        ("no PEM", "no certificate"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be used"),
        ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "not valid PEM"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no certificate"),
    ] {
        std::fs::write(ca.path(), content).unwrap();
        let network = Network { ca_file: Some(ca.path().into()), ..Network::default() };
        let Err(Error::Options(error)) = HOST.connector(Options { network, ..options(&values) }) else { panic!() };
        assert!(error.contains(problem) && error.contains("Network.ca_file"), "{content}: {error}");
    }
}

/// A proxy that answers every CONNECT with this status. Returns its URL and the number of its requests.
async fn proxy(status: &'static str) -> (Proxy, Arc<std::sync::atomic::AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://user:hunter2@{}", listener.local_addr().unwrap());
    let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = count.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await;
            counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let _ = stream.write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").as_bytes()).await;
        }
    });
    (Proxy::Url(url), count)
}

#[tokio::test]
async fn row_35_a_proxy_that_refuses_is_named() {
    let simulator = Simulator::start(Default::default()).await.unwrap();
    let values = values(&simulator);
    values.set("base-url", "https://api.1password.com");
    values.set("max-attempts", "2");
    for (status, code, requests) in [
        ("407 Proxy Authentication Required", ErrorCode::Misconfigured, 1),
        ("403 Forbidden", ErrorCode::Unavailable, 2),
        ("502 Bad Gateway", ErrorCode::Unavailable, 2),
    ] {
        let (proxy, count) = proxy(status).await;
        let result = connect(&values, Network { proxy, ..Network::default() }).get_user(email(WENDY)).await;
        let failure = expect_failure(code, result);
        assert!(failure.message.contains("the proxy of Network.proxy"), "{failure:?}");
        assert!(!format!("{failure:?}").contains("hunter2"), "{failure:?}");
        assert_eq!(count.load(std::sync::atomic::Ordering::Relaxed), requests, "{status}");
        assert!(!failure.may_have_changed);
    }
}

fn small_host(max_instances: u32) -> Host {
    let component = if is_over_steps() { STEPS } else { COMPONENT };
    Host::new(component, HostConfig { max_instances, ..config() }).unwrap()
}

#[tokio::test]
async fn row_57_an_idle_instance_makes_room_and_a_full_host_is_busy() {
    let simulator = Simulator::start(Config { users: 60, ..Config::default() }).await.unwrap();
    let wendy = simulator.account(|account| account.by_email(WENDY).unwrap().id.clone());
    let host = small_host(2);
    let connectors: Vec<Connector> = (0..5).map(|_| host.connector(options(&values(&simulator))).unwrap()).collect();
    for connector in connectors.iter().chain(&connectors) {
        connector.get_user(id(&wendy)).await.unwrap();
    }
    let tokens = |simulator: &Simulator| {
        simulator.take_records().iter().filter(|record| record.target.ends_with("/token")).count()
    };
    assert_eq!(tokens(&simulator), 10, "each had to make room for the next");
    // The one that was used last is kept.
    connectors[4].get_user(id(&wendy)).await.unwrap();
    connectors[0].get_user(id(&wendy)).await.unwrap();
    connectors[4].get_user(id(&wendy)).await.unwrap();
    assert_eq!(tokens(&simulator), 1);

    for _ in 0..2 {
        simulator.inject(Operation::Get, Fault::Delay(Duration::from_secs(3)));
    }
    let (first, second, third) =
        tokio::join!(connectors[1].get_user(id(&wendy)), connectors[2].get_user(id(&wendy)), async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            connectors[3].get_user(id(&wendy)).await
        });
    assert!(first.is_ok() && second.is_ok());
    let Err(error @ Error::Busy { max_instances: 2 }) = third else { panic!("{third:?}") };
    assert!(error.failure().is_retryable() && error.code() == "busy", "{error}");
    connectors[3].get_user(id(&wendy)).await.unwrap();
}

#[tokio::test]
async fn row_57_connections_of_a_connector_are_bounded() {
    if !is_over_steps() {
        return; // Over WASI, actions run one at a time; `sandbox.rs` has a component that opens many.
    }
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n";
    let drip = || Answer::Drip(head.to_vec(), vec![b' '; 100], Duration::from_millis(100));
    let (base_url, requests) = serve(Target::Api, Box::new(move |_, _| drip())).await;
    let values = Values::default();
    for (name, value) in [
        ("base-url", base_url.as_str()),
        ("account-id", "AAAAAAAAAAAAAAAAAAAAAAAAAA"),
        ("access-token", "token"),
        ("timeout", "2"),
        ("max-attempts", "1"),
    ] {
        values.set(name, value);
    }
    let connector = Arc::new(HOST.connector(options(&values)).unwrap());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let connector = connector.clone();
        tasks.spawn(async move { connector.get_user(id("CECVP4FQBNIIODOC7DDCOVMELY")).await.map(drop) });
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(requests.load(std::sync::atomic::Ordering::Relaxed), 64);
    tasks.abort_all();
}

/// 250,000 users with names of 400 bytes.
#[tokio::test]
async fn row_56_the_longest_list_with_long_names_is_whole() {
    let page = |page: usize| {
        let name = "n".repeat(400);
        let mut body = String::from(r#"{"results":["#);
        for user in 0..1000 {
            let number = page * 1000 + user;
            let comma = if user == 0 { "" } else { "," };
            write!(
                body,
                r#"{comma}{{"id":"ID{number:024}","email":"user{number}@example.com","display_name":"{name}","state":"ACTIVE"}}"#
            )
            .unwrap();
        }
        let next = if page < 249 { format!(r#","next_page_token":"p{}""#, page + 1) } else { String::new() };
        body + "]" + &next + "}"
    };
    let script = move |index: usize, _: &str| Answer::Open(ok(&page(index % 250)));
    let (base_url, _) = serve(Target::Api, Box::new(script)).await;
    let values = Values::default();
    for (name, value) in [
        ("base-url", base_url.as_str()),
        ("account-id", "AAAAAAAAAAAAAAAAAAAAAAAAAA"),
        ("access-token", "token"),
        ("deadline", "550"),
    ] {
        values.set(name, value);
    }
    let connector = HOST.connector(options(&values)).unwrap();
    let list = connector.list_users(ALL).await.unwrap();
    assert_eq!(list.users.len(), 250_000);
    assert!(list.users.iter().all(|user| user.display_name.len() == 400));
    drop(list);
    let output = connector.invoke("list-users", "").await.unwrap();
    assert_eq!(output.summary, "250000 users");
    assert_eq!(output.json.matches("\"display_name\"").count(), 250_000);
}
