//! Many requests at once: one instance serves several, and they share one token and one request for it.

use std::time::Duration;

use futures::future::join_all;
use onepassword_users_simulator::{Config, Fault, Operation};

use crate::harness::{Harness, Setup, WENDY};

async fn get_64(harness: &Harness) {
    let path = format!("/v1/users/{}", harness.id(WENDY));
    let answers = join_all((0..64).map(|_| harness.get(&path))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_requests_obtain_one_token_for_each_instance() {
    let harness = Harness::new().await;
    // The token is slow to come, so that all requests of an instance want it meanwhile.
    for _ in 0..64 {
        harness.simulator.inject(Operation::Token, Fault::Delay(Duration::from_millis(300)));
    }
    get_64(&harness).await;
    let instances = harness.server.instances();
    let (requests, tokens) = harness.requests();
    assert!((1..64).contains(&instances), "instances are shared: {instances}");
    assert!((1..=instances).contains(&tokens), "{tokens} token requests by {instances} instances");
    assert_eq!(requests, 64 + tokens, "and nothing is asked twice");

    // Taken back, it is replaced in the same way.
    harness.simulator.revoke_tokens();
    get_64(&harness).await;
    let (_, tokens) = harness.requests();
    let instances = harness.server.instances();
    assert!((1..=instances).contains(&tokens), "{tokens} token requests by {instances} instances");
}

/// Requests that come while an instance waits are given to it: 16 at once, and one token for all.
#[tokio::test(flavor = "multi_thread")]
async fn requests_of_one_instance_share_its_token() {
    let harness = Harness::new().await;
    harness.simulator.inject(Operation::Token, Fault::Delay(Duration::from_secs(2)));
    let path = format!("/v1/users/{}", harness.id(WENDY));
    let answers = join_all((0..16_u64).map(|n| {
        let (harness, path) = (&harness, &path);
        async move {
            tokio::time::sleep(Duration::from_millis(50 * n)).await;
            harness.get(path).await
        }
    }));
    assert!(answers.await.iter().all(|answer| answer.status == 200));
    let instances = harness.server.instances();
    assert!(instances <= 4, "{instances} instances for 16 requests, of which most wait");
    let (requests, tokens) = harness.requests();
    assert!((1..=instances).contains(&tokens), "{tokens} token requests by {instances} instances");
    assert_eq!(requests, 16 + tokens);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_request_keeps_no_other_waiting() {
    let harness = Harness::new().await;
    harness.get("/v1/users?limit=1").await;
    harness.simulator.inject(Operation::List, Fault::Delay(Duration::from_secs(3)));
    let began = std::time::Instant::now();
    let path = format!("/v1/users/{WENDY}");
    let slow = harness.get("/v1/users?limit=1");
    let fast = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let answer = harness.get(&path).await;
        (answer.status, began.elapsed())
    };
    let (slow, (status, took)) = tokio::join!(slow, fast);
    assert_eq!((slow.status, status), (200, 200));
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(harness.server.instances(), 1, "one instance served both");
}

/// An instance serves 128 requests, and one that has nothing to do ends after a second.
#[tokio::test]
async fn instances_come_and_go() {
    let harness = Setup::with(Config { users: 10, ..Config::default() }).await.serve().await;
    let path = format!("/v1/users/{}", harness.id(WENDY));
    for _ in 0..129 {
        assert_eq!(harness.get(&path).await.status, 200);
    }
    // On a slow machine an instance may have been idle for too long in between.
    let instances = harness.server.instances();
    assert!((2..=4).contains(&instances), "{instances}");
    assert_eq!(harness.requests(), (129 + instances, instances), "each obtains a token of its own");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(harness.get(&path).await.status, 200);
    assert_eq!(harness.server.instances(), instances + 1);
}
