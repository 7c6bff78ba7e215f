//! Runs the table through each face but the command line, whose binary belongs to another package: its test is in `cli/tests/e2e`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use onepassword_users_acceptance::{Face, Suite};

/// Runs all rows, and prints a line for each.
async fn run(face: Face) {
    let report = Suite::new().await.unwrap().run(&face, "").await;
    println!("{report}");
    assert!(report.is_ok(), "results differ; the lines above say which");
}

#[tokio::test(flavor = "multi_thread")]
async fn typed() {
    run(Face::typed().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_name() {
    run(Face::by_name().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn steps() {
    run(Face::steps().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_typed() {
    run(Face::steps_typed().unwrap()).await;
}

#[cfg(feature = "portable")]
#[tokio::test(flavor = "multi_thread")]
async fn portable() {
    run(Face::portable().unwrap()).await;
}

#[cfg(feature = "spin")]
#[tokio::test(flavor = "multi_thread")]
async fn spin() {
    run(Face::spin().unwrap()).await;
}
