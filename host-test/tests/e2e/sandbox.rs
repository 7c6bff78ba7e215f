//! Hostile guests: components that do what a guest must not do, and the host that stops them.

use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use onepassword_users_host::types::Error as Action;
use onepassword_users_host::{Connector, Error, Host, HostConfig, Network, Options};
use onepassword_users_test_kit::harness::{ALL, HOST, Harness, Values, action_error, email, options, values};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const MEMORY: usize = 32 * 1024 * 1024;

/// The hostile guest, in a host with little memory.
static HOSTILE: LazyLock<Host> = LazyLock::new(|| {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let target_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guest");
    let component = onepassword_users_guest_build::build(workspace, "hostile-guest", &target_dir).unwrap();
    Host::new(&std::fs::read(component).unwrap(), HostConfig { max_memory: MEMORY, ..HostConfig::default() }).unwrap()
});

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

    /// What the guest tells of its attempt.
    async fn told(&self, behaviour: &str) -> String {
        match action_error(self.act(behaviour).await) {
            Action::Other(failure) => failure.message,
            other => panic!("{other:?}"),
        }
    }

    /// Whatever happened before, the next call is as good as the first.
    async fn still_works(&self) {
        assert_eq!(self.told("nothing").await, "nothing done: nothing");
    }
}

/// A server that answers every connection with these bytes, and then for ever with those; it keeps what it read.
async fn server(first: &'static [u8], then: &'static [u8]) -> (String, Arc<Mutex<String>>, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (heads, open) = (Arc::new(Mutex::new(String::new())), Arc::new(AtomicUsize::new(0)));
    let (kept, count) = (heads.clone(), open.clone());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (kept, count) = (kept.clone(), count.clone());
            tokio::spawn(async move {
                count.fetch_add(1, Ordering::Relaxed);
                let mut head = vec![0; 4096];
                let length = stream.read(&mut head).await.unwrap_or(0);
                kept.lock().unwrap().push_str(&String::from_utf8_lossy(&head[..length]));
                let mut alive = stream.write_all(first).await.is_ok() && !then.is_empty();
                while alive {
                    alive = stream.write_all(then).await.is_ok();
                }
                count.fetch_sub(1, Ordering::Relaxed);
            });
        }
    });
    (address, heads, open)
}

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

#[tokio::test]
async fn an_endless_loop_is_ended_by_the_deadline() {
    let hostile = Hostile::new();
    let began = Instant::now();
    assert_eq!(hostile.act("spin").await, Err(Error::Deadline(Duration::from_secs(1))));
    assert!(began.elapsed() < Duration::from_secs(10));
    hostile.still_works().await;
}

#[tokio::test]
async fn an_endless_loop_does_not_keep_others_waiting() {
    // One thread for both: the guest that spins has to give way.
    let (hostile, harness) = (Hostile::with_deadline(Duration::from_secs(6)), Harness::new().await);
    let honest = async {
        let began = Instant::now();
        harness.connector.get_user(email("wendy.appleseed@example.com")).await.unwrap();
        began.elapsed()
    };
    let (spun, honest) = tokio::join!(hostile.act("spin"), honest);
    assert!(spun.is_err() && honest < Duration::from_secs(5), "{honest:?}");
}

#[tokio::test]
async fn a_guest_that_waits_for_a_slow_service_is_not_ended() {
    use onepassword_users_simulator::{Fault, Operation};
    let harness = Harness::new().await;
    harness.simulator.inject(Operation::List, Fault::Delay(Duration::from_secs(2)));
    harness.connector.list_users(ALL).await.unwrap();
}

#[tokio::test]
async fn memory_is_bounded() {
    let hostile = Hostile::new();
    let Err(Error::Trap(_)) = hostile.act("eat memory").await else { panic!() };
    hostile.still_works().await;
}

#[tokio::test]
async fn an_instance_that_trapped_is_thrown_away() {
    let hostile = Hostile::new();
    for _ in 0..100 {
        let Err(Error::Trap(_)) = hostile.act("trap").await else { panic!() };
    }
    hostile.still_works().await;
}

#[tokio::test]
async fn only_the_configured_host_is_reached() {
    let hostile = Hostile::new();
    let (allowed, ..) = server(ANSWER, b"").await;
    let (other, heads, _) = server(ANSWER, b"").await;
    hostile.values.set("base-url", &format!("http://{allowed}"));
    hostile.values.set("authority", &allowed);
    assert_eq!(hostile.told("fetch").await, "200 and 2 bytes");
    let port = allowed.rsplit(':').next().unwrap();
    for authority in [
        other.as_str(),
        "evil.example",
        "127.0.0.1",
        &format!("localhost:{port}"),
        &format!("127.0.0.1.evil.example:{port}"),
    ] {
        hostile.values.set("authority", authority);
        let told = hostile.told("fetch").await;
        assert!(told.contains("HttpRequestDenied"), "{authority}: {told}");
    }
    // With a base URL that is none, nothing is allowed at all.
    hostile.values.set("base-url", "nonsense");
    hostile.values.set("authority", &allowed);
    assert!(hostile.told("fetch").await.contains("HttpRequestDenied"));
    assert_eq!(*heads.lock().unwrap(), "", "the other server heard nothing");
}

#[tokio::test]
async fn private_addresses_are_not_reached_unless_allowed() {
    let simulator = onepassword_users_simulator::Simulator::start(Default::default()).await.unwrap();
    let values = values(&simulator);
    values.set("timeout", "8");
    values.set("max-attempts", "1");
    for address in ["10.0.0.1", "192.168.0.1", "169.254.169.254", "[fd00::1]", "[fe80::1]", "0.0.0.0"] {
        values.set("base-url", &format!("https://{address}"));
        let connector = HOST.connector(options(&values)).unwrap();
        let began = Instant::now();
        let Action::Misconfigured(error) = action_error(connector.list_users(ALL).await) else { panic!("{address}") };
        assert!(error.message.contains("does not allow"), "{}", error.message);
        assert!(began.elapsed() < Duration::from_secs(6), "it was not even tried");
    }
    // 0.0.0.0 leads to this machine, where nobody listens: allowed, it is tried.
    let network = Network { allow_private: true, ..Network::default() };
    let connector = HOST.connector(Options { network, ..options(&values) }).unwrap();
    let Action::Unavailable(_) = action_error(connector.list_users(ALL).await) else { panic!() };
}

#[tokio::test]
async fn an_answer_without_end_is_ended_and_its_connection_closed() {
    let hostile = Hostile::new();
    let (address, _, open) = server(b"HTTP/1.1 200 OK\r\n\r\n", &[b'x'; 65536]).await;
    hostile.values.set("base-url", &format!("http://{address}"));
    hostile.values.set("authority", &address);
    assert_eq!(hostile.act("read for ever").await, Err(Error::Deadline(Duration::from_secs(1))));
    hostile.still_works().await;
    for _ in 0..100 {
        if open.load(Ordering::Relaxed) == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the connection is still open");
}

#[tokio::test]
async fn a_call_that_is_dropped_half_way_leaves_nothing_running() {
    let hostile = Hostile::new();
    let (address, _, open) = server(b"HTTP/1.1 200 OK\r\n\r\n", &[b'x'; 65536]).await;
    hostile.values.set("base-url", &format!("http://{address}"));
    hostile.values.set("authority", &address);
    let given_up = tokio::time::timeout(Duration::from_millis(300), hostile.act("read for ever")).await;
    assert!(given_up.is_err());
    for _ in 0..100 {
        if open.load(Ordering::Relaxed) == 0 {
            return hostile.still_works().await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the connection is still open");
}

#[tokio::test]
async fn headers_that_belong_to_the_host_cannot_be_set() {
    let hostile = Hostile::new();
    let (address, heads, _) = server(ANSWER, b"").await;
    hostile.values.set("base-url", &format!("http://{address}"));
    hostile.values.set("authority", &address);
    for header in ["host", "connection", "transfer-encoding", "proxy-authorization", "upgrade", "keep-alive"] {
        hostile.values.set("header", header);
        let told = hostile.told("set a header").await;
        assert!(told.contains("Forbidden"), "{header}: {told}");
    }
    assert_eq!(*heads.lock().unwrap(), "");
    hostile.values.set("header", "x-fine");
    assert_eq!(hostile.told("set a header").await, "200 and 2 bytes");
    assert!(heads.lock().unwrap().contains("x-fine: hostile"));
}

/// Counts the events of this project.
struct Count(Arc<AtomicUsize>);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Count {
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
    let _default = tracing::subscriber::set_default(tracing_subscriber::registry().with(Count(events.clone())));
    let hostile = Hostile::new();
    assert!(hostile.told("ask for a long name").await.contains("at most 64 bytes"));
    for (behaviour, most) in [("ask for ever", 1010), ("ask long for ever", 10), ("ask elsewhere for ever", 10)] {
        events.store(0, Ordering::Relaxed);
        assert_eq!(hostile.act(behaviour).await, Err(Error::Deadline(Duration::from_secs(1))));
        let events = events.load(Ordering::Relaxed);
        assert!((1..=most).contains(&events), "{behaviour}: {events} events");
    }
    hostile.still_works().await;
}

#[tokio::test]
async fn what_a_guest_sends_and_holds_is_bounded() {
    let hostile = Hostile::with_deadline(Duration::from_secs(20));
    let (address, heads, _) = server(ANSWER, b"").await;
    hostile.values.set("base-url", &format!("http://{address}"));
    hostile.values.set("authority", &address);
    let told = hostile.told("post for ever").await;
    assert!(told.contains("HttpRequestBodySize") && told.contains("little"), "{told}");
    assert_eq!(*heads.lock().unwrap(), "");
    let Err(Error::Trap(_)) = hostile.act("hoard").await else { panic!() };
    hostile.still_works().await;
}
