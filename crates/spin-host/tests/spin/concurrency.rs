//! Concurrent requests: an instance serves several, which share one token and its request.

use std::time::Duration;

use futures::future::join_all;
use onepassword_users_simulator::{Config, Fault, Operation};

use crate::harness::{Harness, Setup, WENDY};

async fn get_64(harness: &Harness) {
    let path = format!("/v1/users/{}", harness.id(WENDY));
    let responses = join_all((0..64).map(|_| harness.get(&path))).await;
    assert!(responses.iter().all(|response| response.status == 200), "{responses:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_requests_send_at_most_one_token_request_per_instance() {
    let harness = Harness::new().await;
    // The token response is slow, so that all requests of an instance need it meanwhile.
    for _ in 0..64 {
        harness.simulator.inject(Operation::Token, Fault::Delay(Duration::from_millis(300)));
    }
    get_64(&harness).await;
    let instances = harness.server.instances();
    let (requests, tokens) = harness.requests();
    assert!((1..64).contains(&instances), "{instances} instances: they are not shared");
    assert!((1..=instances).contains(&tokens), "{tokens} token requests by {instances} instances");
    assert_eq!(requests, 64 + tokens, "every user is requested once");

    // A revoked token is replaced in the same way.
    harness.simulator.revoke_tokens();
    get_64(&harness).await;
    let (_, tokens) = harness.requests();
    let instances = harness.server.instances();
    assert!((1..=instances).contains(&tokens), "{tokens} token requests by {instances} instances");
}

/// An instance that waits takes further requests, up to 16 at once.
#[tokio::test(flavor = "multi_thread")]
async fn requests_of_one_instance_share_a_token() {
    let harness = Harness::new().await;
    harness.simulator.inject(Operation::Token, Fault::Delay(Duration::from_secs(2)));
    let path = format!("/v1/users/{}", harness.id(WENDY));
    let responses = join_all((0..16_u64).map(|n| {
        let (harness, path) = (&harness, &path);
        async move {
            tokio::time::sleep(Duration::from_millis(50 * n)).await;
            harness.get(path).await
        }
    }));
    assert!(responses.await.iter().all(|response| response.status == 200));
    let instances = harness.server.instances();
    assert!(instances <= 4, "{instances} instances for 16 requests that wait");
    let (requests, tokens) = harness.requests();
    assert!((1..=instances).contains(&tokens), "{tokens} token requests by {instances} instances");
    assert_eq!(requests, 16 + tokens);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_request_does_not_block_others() {
    let harness = Harness::new().await;
    harness.get("/v1/users?limit=1").await;
    harness.simulator.inject(Operation::List, Fault::Delay(Duration::from_secs(3)));
    let start = std::time::Instant::now();
    let path = format!("/v1/users/{WENDY}");
    let slow = harness.get("/v1/users?limit=1");
    let fast = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let response = harness.get(&path).await;
        (response.status, start.elapsed())
    };
    let (slow, (status, elapsed)) = tokio::join!(slow, fast);
    assert_eq!((slow.status, status), (200, 200));
    assert!(elapsed < Duration::from_secs(2), "{elapsed:?}");
    assert_eq!(harness.server.instances(), 1, "one instance served both");
}

/// An instance ends after 128 requests, or after a second without any.
#[tokio::test]
async fn instances_end_after_128_requests_or_when_idle() {
    let harness = Setup::with(Config { users: 10, ..Config::default() }).await.serve().await;
    let path = format!("/v1/users/{}", harness.id(WENDY));
    for _ in 0..129 {
        assert_eq!(harness.get(&path).await.status, 200);
    }
    // On a slow machine, an instance may have reached its idle timeout in between.
    let instances = harness.server.instances();
    assert!((2..=4).contains(&instances), "{instances}");
    assert_eq!(harness.requests(), (129 + instances, instances), "each instance obtains its own token");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(harness.get(&path).await.status, 200);
    assert_eq!(harness.server.instances(), instances + 1);
}

/// A burst after an idle second starts several instances, and each that gets a request needs a token of its own. Spin fills
/// its instances with the same code: on Spin 4.1, 16 requests at once made 8 token requests, and 64 made 18 to 41.
#[tokio::test(flavor = "multi_thread")]
async fn row_70_a_burst_starts_several_instances() {
    for burst in [16, 64] {
        let harness = Harness::new().await;
        let path = format!("/v1/users/{}", harness.id(WENDY));
        let responses = join_all((0..burst).map(|_| harness.get(&path))).await;
        assert!(responses.iter().all(|response| response.status == 200), "{responses:?}");
        let instances = harness.server.instances();
        let (requests, tokens) = harness.requests();
        println!("{burst} requests at once: {instances} instances, {tokens} token requests");
        assert!((2..=instances).contains(&tokens), "{tokens} token requests by {instances} instances");
        assert_eq!(requests, burst + tokens);
    }
}
