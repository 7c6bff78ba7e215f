//! The acceptance table, run through the command line.

use onepassword_users_acceptance::{Face, Suite};

#[tokio::test(flavor = "multi_thread")]
async fn acceptance_table() {
    let face = Face::command_line(env!("CARGO_BIN_EXE_onepassword-users"));
    let report = Suite::new().await.unwrap().run(&face, "").await;
    println!("{report}");
    assert!(report.is_ok(), "results differ; the lines above say which");
}
