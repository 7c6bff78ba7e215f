//! The sandbox of the host: a hostile guest, and the limits that stop it.

use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use onepassword_users_host::catalogue::ErrorCode;
use onepassword_users_host::types::ChangeMode;
use onepassword_users_host::{Connector, Error, Host, HostConfig, Network, Options};
use onepassword_users_test_kit::harness::{
    ALL, HOST, Harness, Values, config, email, expect_failure, id, options, values,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const MAX_MEMORY: usize = 32 * 1024 * 1024;

/// The hostile guest, in a host with little memory.
static HOSTILE: LazyLock<Host> = LazyLock::new(hostile_host);

fn hostile_host() -> Host {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let target_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guest");
    let component = onepassword_users_guest_build::build(workspace, "hostile-guest", &target_dir).unwrap();
    Host::new(&std::fs::read(component).unwrap(), HostConfig { max_memory: MAX_MEMORY, ..config() }).unwrap()
}

struct Hostile {
    connector: Connector,
    values: Values,
}

impl Hostile {
    fn new() -> Self {
        Self::with_deadline(Duration::from_secs(1))
    }

    fn with_deadline(deadline: Duration) -> Self {
        let values = Values::default();
        let connector = HOSTILE.connector(Options { deadline, ..options(&values) }).unwrap();
        Self { connector, values }
    }

    async fn act(&self, behaviour: &str) -> Result<(), Error> {
        self.values.set("behaviour", behaviour);
        self.connector.list_users(ALL).await.map(drop)
    }

    /// The report of the guest about a behaviour.
    async fn report(&self, behaviour: &str) -> String {
        expect_failure(ErrorCode::Other, self.act(behaviour).await).message
    }

    /// Asserts that the next call succeeds.
    async fn assert_works(&self) {
        assert_eq!(self.report("nothing").await, "nothing done: nothing");
    }
}

/// The error of a call that read only, after this many seconds.
fn deadline(seconds: u64) -> Error {
    Error::Deadline { deadline: Duration::from_secs(seconds), may_have_changed: false }
}

/// Starts a server that sends `first` on every connection, and then repeats `rest` forever. Returns its address, the heads that
/// it read, and the number of open connections.
async fn server(first: &'static [u8], rest: &'static [u8]) -> (String, Arc<Mutex<String>>, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (heads, open) = (Arc::new(Mutex::new(String::new())), Arc::new(AtomicUsize::new(0)));
    let (shared_heads, count) = (heads.clone(), open.clone());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (heads, count) = (shared_heads.clone(), count.clone());
            tokio::spawn(async move {
                count.fetch_add(1, Ordering::Relaxed);
                let mut head = vec![0; 4096];
                let length = stream.read(&mut head).await.unwrap_or(0);
                heads.lock().unwrap().push_str(&String::from_utf8_lossy(&head[..length]));
                let mut alive = stream.write_all(first).await.is_ok() && !rest.is_empty();
                while alive {
                    alive = stream.write_all(rest).await.is_ok();
                }
                count.fetch_sub(1, Ordering::Relaxed);
            });
        }
    });
    (address, heads, open)
}

const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

#[tokio::test]
async fn an_endless_loop_is_ended_by_the_deadline() {
    let hostile = Hostile::new();
    let start = Instant::now();
    assert_eq!(hostile.act("spin").await, Err(deadline(1)));
    assert!(start.elapsed() < Duration::from_secs(10));
    hostile.assert_works().await;
}

#[tokio::test]
async fn an_endless_loop_does_not_block_others() {
    // Both run on one thread, so the looping guest must yield.
    let (hostile, harness) = (Hostile::with_deadline(Duration::from_secs(6)), Harness::new().await);
    let honest = async {
        let start = Instant::now();
        harness.connector.get_user(email("wendy.appleseed@example.com")).await.unwrap();
        start.elapsed()
    };
    let (looped, honest) = tokio::join!(hostile.act("spin"), honest);
    assert!(looped.is_err() && honest < Duration::from_secs(5), "{honest:?}");
}

#[tokio::test]
async fn a_guest_may_wait_for_a_slow_service() {
    use onepassword_users_simulator::{Fault, Operation};
    let harness = Harness::new().await;
    harness.simulator.inject(Operation::List, Fault::Delay(Duration::from_secs(2)));
    harness.connector.list_users(ALL).await.unwrap();
}

#[tokio::test]
async fn memory_is_bounded() {
    let hostile = Hostile::new();
    let Err(Error::Trap { may_have_changed: false, .. }) = hostile.act("exhaust memory").await else { panic!() };
    hostile.assert_works().await;
}

/// A connector may have any code. One of the contract's is read as such, unless its class is another one.
#[tokio::test]
async fn codes_and_results_of_any_connector_are_passed_on() {
    let hostile = Hostile::new();
    hostile.values.set("behaviour", "fail");
    let fail = |code| hostile.connector.invoke(code, "words");
    let Err(Error::Action(failure)) = fail("unavailable").await else { panic!() };
    assert_eq!((failure.code, failure.message.as_str()), (ErrorCode::Unavailable, "words"));
    for code in ["quota-exceeded", "last-owner", ""] {
        let Err(error @ Error::Foreign(_)) = fail(code).await else { panic!("{code}") };
        let record = error.record();
        assert_eq!((error.code(), error.failure().code, record.is_retryable()), (code, ErrorCode::Other, true));
        assert!(error.to_string().starts_with("words"));
    }
    hostile.values.set("behaviour", "trap");
    assert!(matches!(hostile.connector.invoke("x", "").await, Err(Error::Trap { may_have_changed: false, .. })));
    hostile.values.set("behaviour", "nothing");
    let output = hostile.connector.invoke("[1,", "2]").await.unwrap();
    assert_eq!(output.json, "[1,2]", "parts are one document");
}

/// The origins come from the description, so nothing runs without one.
#[tokio::test]
async fn a_component_without_a_description_is_refused() {
    let values = Values::default();
    values.set("behaviour", "no manifest");
    // A host of its own, which has not asked for the description yet.
    let connector = hostile_host().connector(options(&values)).unwrap();
    let Err(Error::Load(problem)) = connector.invoke("x", "").await else { panic!() };
    assert!(problem.contains("its description is not one"), "{problem}");
}

#[tokio::test]
async fn an_instance_that_trapped_is_discarded() {
    let hostile = Hostile::new();
    for _ in 0..100 {
        let Err(Error::Trap { may_have_changed: false, .. }) = hostile.act("trap").await else { panic!() };
    }
    hostile.assert_works().await;
}

/// A change has no effect without a request for it. After one, nobody knows what it did.
#[tokio::test]
async fn row_12_a_change_that_was_sent_before_a_trap_or_the_deadline_is_reported() {
    let hostile = Hostile::new();
    let (address, heads, _) = server(RESPONSE, b"").await;
    hostile.values.set("base-url", &format!("http://{address}"));
    hostile.values.set("authority", &address);
    for (request, sent) in [
        ("nothing", ""),
        ("look up", "GET / "),
        ("ask for a token", "POST /v1/oauth/token "),
        ("change", "POST /v1/accounts/A/users/A:suspend "),
    ] {
        for end in ["trap", "spin"] {
            heads.lock().unwrap().clear();
            hostile.values.set("behaviour", &format!("{request}, then {end}"));
            let error = hostile.connector.suspend_user(id("A"), ChangeMode::Apply).await.unwrap_err();
            assert!(heads.lock().unwrap().starts_with(sent), "{request}: {}", heads.lock().unwrap());
            let changed = match (end, &error) {
                ("trap", Error::Trap { may_have_changed, .. }) => *may_have_changed,
                ("spin", Error::Deadline { may_have_changed, .. }) => *may_have_changed,
                _ => panic!("{request}, then {end}: {error:?}"),
            };
            assert_eq!(changed, request == "change", "{request}, then {end}");
            let failure = error.failure();
            assert_eq!((failure.code, failure.may_have_changed), (ErrorCode::HostFailed, changed));
            assert_eq!(failure.remedy.contains("may have been changed"), changed, "{}", failure.remedy);
        }
    }
    hostile.assert_works().await;
}

#[tokio::test]
async fn only_the_configured_host_is_reached() {
    let hostile = Hostile::new();
    let (allowed, ..) = server(RESPONSE, b"").await;
    let (other, heads, _) = server(RESPONSE, b"").await;
    hostile.values.set("base-url", &format!("http://{allowed}"));
    hostile.values.set("authority", &allowed);
    assert_eq!(hostile.report("fetch").await, "200 and 2 bytes");
    let port = allowed.rsplit(':').next().unwrap();
    for authority in [
        other.as_str(),
        "evil.example",
        "127.0.0.1",
        &format!("localhost:{port}"),
        &format!("127.0.0.1.evil.example:{port}"),
    ] {
        hostile.values.set("authority", authority);
        let report = hostile.report("fetch").await;
        assert!(report.contains("HttpRequestDenied"), "{authority}: {report}");
    }
    // With an invalid base URL, no host is allowed.
    hostile.values.set("base-url", "nonsense");
    hostile.values.set("authority", &allowed);
    assert!(hostile.report("fetch").await.contains("HttpRequestDenied"));
    assert_eq!(*heads.lock().unwrap(), "", "the other server got a request");
}

#[tokio::test]
async fn private_addresses_are_not_reached_unless_allowed() {
    let simulator = onepassword_users_simulator::Simulator::start(Default::default()).await.unwrap();
    let values = values(&simulator);
    values.set("timeout", "8");
    values.set("max-attempts", "1");
    for address in ["10.0.0.1", "192.168.0.1", "169.254.169.254", "[fd00::1]", "[fe80::1]", "0.0.0.0"] {
        let origin = format!("https://{address}");
        values.set("base-url", &origin);
        let network = Network { allowed_origins: vec![origin], ..Network::default() };
        let connector = HOST.connector(Options { network, ..options(&values) }).unwrap();
        let start = Instant::now();
        let error = expect_failure(ErrorCode::Misconfigured, connector.list_users(ALL).await);
        assert!(error.message.contains("does not allow"), "{}", error.message);
        assert!(start.elapsed() < Duration::from_secs(6), "it must be refused without an attempt");
    }
    // 0.0.0.0 is this machine, which does not listen: if it is allowed, the connection fails.
    let allowed_origins = vec!["https://0.0.0.0".into()];
    let network = Network { allow_private: true, allowed_origins, ..Network::default() };
    let connector = HOST.connector(Options { network, ..options(&values) }).unwrap();
    expect_failure(ErrorCode::Unavailable, connector.list_users(ALL).await);
}

#[tokio::test]
async fn an_endless_response_is_ended_and_its_connection_closed() {
    let hostile = Hostile::new();
    let (address, _, open) = server(b"HTTP/1.1 200 OK\r\n\r\n", &[b'x'; 65536]).await;
    hostile.values.set("base-url", &format!("http://{address}"));
    hostile.values.set("authority", &address);
    assert_eq!(hostile.act("read forever").await, Err(deadline(1)));
    hostile.assert_works().await;
    for _ in 0..100 {
        if open.load(Ordering::Relaxed) == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the connection is still open");
}

#[tokio::test]
async fn row_57_connections_are_bounded_and_end_with_the_call() {
    let hostile = Hostile::with_deadline(Duration::from_secs(20));
    // A response that begins, and goes on forever.
    let (address, _, open) = server(b"HTTP/1.1 200 OK\r\n\r\n", &[b'x'; 65536]).await;
    hostile.values.set("base-url", &format!("http://{address}"));
    hostile.values.set("authority", &address);
    let most = Arc::new(AtomicUsize::new(0));
    let (watched, seen) = (open.clone(), most.clone());
    let watch = tokio::spawn(async move {
        loop {
            seen.fetch_max(watched.load(Ordering::Relaxed), Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    assert_eq!(hostile.report("open connections").await, "opened");
    hostile.assert_works().await;
    for _ in 0..100 {
        if open.load(Ordering::Relaxed) == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    watch.abort();
    assert_eq!(open.load(Ordering::Relaxed), 0, "its connections are closed");
    let most = most.load(Ordering::Relaxed);
    assert!((1..=64).contains(&most), "{most}");
}

#[tokio::test]
async fn a_dropped_call_closes_its_connection() {
    let hostile = Hostile::new();
    let (address, _, open) = server(b"HTTP/1.1 200 OK\r\n\r\n", &[b'x'; 65536]).await;
    hostile.values.set("base-url", &format!("http://{address}"));
    hostile.values.set("authority", &address);
    let timed_out = tokio::time::timeout(Duration::from_millis(300), hostile.act("read forever")).await;
    assert!(timed_out.is_err());
    for _ in 0..100 {
        if open.load(Ordering::Relaxed) == 0 {
            return hostile.assert_works().await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the connection is still open");
}

#[tokio::test]
async fn headers_that_belong_to_the_host_cannot_be_set() {
    let hostile = Hostile::new();
    let (address, heads, _) = server(RESPONSE, b"").await;
    hostile.values.set("base-url", &format!("http://{address}"));
    hostile.values.set("authority", &address);
    for header in ["host", "connection", "transfer-encoding", "proxy-authorization", "upgrade", "keep-alive"] {
        hostile.values.set("header", header);
        let report = hostile.report("set a header").await;
        assert!(report.contains("Forbidden"), "{header}: {report}");
    }
    assert_eq!(*heads.lock().unwrap(), "");
    hostile.values.set("header", "x-fine");
    assert_eq!(hostile.report("set a header").await, "200 and 2 bytes");
    assert!(heads.lock().unwrap().contains("x-fine: hostile"));
}

/// Counts the `tracing` events of this project.
struct EventCounter(Arc<AtomicUsize>);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for EventCounter {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        if event.metadata().target().starts_with("onepassword") {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test]
async fn the_log_cannot_be_flooded() {
    use tracing_subscriber::layer::SubscriberExt;
    let events = Arc::new(AtomicUsize::new(0));
    let _default = tracing::subscriber::set_default(tracing_subscriber::registry().with(EventCounter(events.clone())));
    let hostile = Hostile::new();
    assert!(hostile.report("look up a long name").await.contains("at most 64 bytes"));
    for (behaviour, max) in
        [("look up forever", 1010), ("look up long names forever", 10), ("fetch denied forever", 10)]
    {
        events.store(0, Ordering::Relaxed);
        assert_eq!(hostile.act(behaviour).await, Err(deadline(1)));
        let events = events.load(Ordering::Relaxed);
        assert!((1..=max).contains(&events), "{behaviour}: {events} events");
    }
    hostile.assert_works().await;
}

#[tokio::test]
async fn request_bodies_and_resources_are_bounded() {
    let hostile = Hostile::with_deadline(Duration::from_secs(20));
    let (address, heads, _) = server(RESPONSE, b"").await;
    hostile.values.set("base-url", &format!("http://{address}"));
    hostile.values.set("authority", &address);
    let report = hostile.report("post forever").await;
    assert!(report.contains("HttpRequestBodySize") && report.contains("little"), "{report}");
    assert_eq!(*heads.lock().unwrap(), "");
    let Err(Error::Trap { may_have_changed: false, .. }) = hostile.act("hoard resources").await else { panic!() };
    hostile.assert_works().await;
}
