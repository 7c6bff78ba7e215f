//! The conformance kit: the host library passes every case over both components, and so does a small driver of the steps by
//! itself. The same driver with a fault is refused.

mod driver;
mod library;
mod wrong_events;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use onepassword_users_conformance::control::Control;
use onepassword_users_conformance::{Case, Play, Report, Task, Verdict, cases};
use tokio::sync::Semaphore;

use self::driver::Fault;

/// The most cases at one time. Most of them wait.
const MAX_CONCURRENT: usize = 16;

/// Plays cases concurrently. Prints a line for each, and fails with the words of the judge.
async fn pass<F: Future<Output = Report> + Send>(
    driver: &str,
    cases: Vec<Case>,
    run: impl Fn(Task) -> F + Clone + Send + 'static,
) {
    let permits = Arc::new(Semaphore::new(MAX_CONCURRENT));
    let mut playing = tokio::task::JoinSet::new();
    for case in cases {
        let (permits, run) = (permits.clone(), run.clone());
        playing.spawn(async move {
            let _permit = permits.acquire_owned().await.unwrap();
            (case.name.clone(), play(&case, run).await)
        });
    }
    let mut failed = Vec::new();
    for (name, verdict) in playing.join_all().await {
        println!("{driver}: {name}: {}", if verdict.passed { "passed" } else { "FAILED" });
        failed.extend(verdict.problems.into_iter().map(|problem| format!("{name}: {problem}")));
    }
    assert!(failed.is_empty(), "{driver}: {failed:#?}");
}

async fn play<F: Future<Output = Report>>(case: &Case, run: impl Fn(Task) -> F) -> Verdict {
    let play = Play::start(case).await.unwrap();
    let report = tokio::time::timeout(Duration::from_secs(40), run(play.task().clone())).await;
    play.judge(&report.unwrap_or_default()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_library_passes_over_steps() {
    pass("the host library over steps", cases().unwrap(), |task| library::run(&library::STEPS_HOST, task)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_library_passes_over_wasi() {
    let cases: Vec<Case> = cases().unwrap().into_iter().filter(|case| !case.steps_only).collect();
    assert!(cases.len() > 80, "{}", cases.len());
    pass("the host library over WASI", cases, |task| library::run(&library::WASI_HOST, task)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_driver_passes() {
    pass("a small driver", cases().unwrap(), |task| driver::run(task, None)).await;
}

/// The control interface is all that a runner needs.
#[tokio::test(flavor = "multi_thread")]
async fn a_small_driver_passes_over_the_control_interface() {
    let control = Control::bind(0, cases().unwrap()).await.unwrap();
    let address = control.address().unwrap();
    tokio::spawn(control.serve());
    let client = driver::client(reqwest::redirect::Policy::none());
    let post = async |path: String, body: String| -> serde_json::Value {
        let answer = client.post(format!("http://{address}{path}")).body(body).send().await.unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    };
    for name in ["get-user", "list-in-parts", "change-without-answer", "token-is-shared", "secret-unavailable"] {
        let task = post(format!("/cases/{name}"), String::new()).await;
        let run = task["run"].as_str().unwrap().to_owned();
        let report = driver::run(serde_json::from_value(task).unwrap(), None).await;
        let verdict = post(format!("/runs/{run}"), serde_json::to_string(&report).unwrap()).await;
        assert_eq!(verdict, serde_json::json!({ "passed": true, "problems": [], "notes": [] }), "{name}");
    }
}

/// Each kind of wrong driver is refused in a case, with these words.
#[tokio::test(flavor = "multi_thread")]
async fn wrong_drivers_are_refused() {
    let cases = cases().unwrap();
    let wrong = [
        (Fault::FollowsRedirects, "redirect-to-another-host", "a redirect must not be followed"),
        (Fault::FollowsRedirects, "redirect-to-the-same-host", "users/B is not expected at all"),
        (Fault::SendsAgain, "change-without-answer", "users/A:suspend was sent once too often"),
        (Fault::SendsAgain, "closed-without-answer", "users/A was sent once too often"),
        (Fault::DoesNotWait, "retry-after-seconds", "the wait was not made"),
        (Fault::DropsBadBytes, "invalid-utf-8", "output.display_name is \"Zo X\""),
        (Fault::DropsBadBytes, "invalid-utf-8-in-an-address", "the action succeeded"),
        (Fault::ReadsLatin1, "charset-is-not-obeyed", "output.display_name is"),
        (Fault::IdleIsTotal, "slow-but-steady", "the action failed with `unavailable`"),
        (Fault::NoIdleTimeout, "silence", "and may take 5000 ms"),
        (Fault::KeepsCookies, "cookies", "has the header cookie, which nobody asked for"),
        (Fault::SaysDecoded, "gzip-not-asked-for", "should say \"compressed\""),
        (Fault::NoAudit, "suspend-user", "the audit names [], and not [A]"),
        (Fault::LogsAuthorization, "get-user", "the log shows a secret: access token"),
        (Fault::LogsAuthorization, "get-user", "the log shows a secret: client id and secret in base64"),
        (Fault::LastPartOnly, "list-in-parts", "are all its parts joined?"),
        (Fault::OwnAuthorization, "get-user", "has another authorization than the step says"),
        (Fault::TakesWhatCame, "chunks-cut-off", "the action succeeded"),
        (Fault::NoMaxBody, "body-without-end", "bytes of an endless body"),
        (Fault::OneAtATime, "actions-overlap", "and may take 5000 ms"),
        (Fault::GoesOnAfterDrop, "drop-ends-an-action", "users/A:suspend is not expected at all"),
    ];
    let kinds = wrong.len();
    let mut playing = tokio::task::JoinSet::new();
    for (fault, name, words) in wrong {
        let case = cases.iter().find(|case| case.name == name).unwrap().clone();
        playing.spawn(async move {
            (fault, case.name.clone(), words, play(&case, |task| driver::run(task, Some(fault))).await)
        });
    }
    let mut accepted = Vec::new();
    for (fault, name, words, verdict) in playing.join_all().await {
        println!("{fault:?}: {name}: {:?}", verdict.problems);
        if verdict.passed || !verdict.problems.iter().any(|problem| problem.contains(words)) {
            accepted.push(format!("{fault:?} in {name}: {:?}, and not {words:?}", verdict.problems));
        }
    }
    assert!(accepted.is_empty(), "{accepted:#?}");
    assert!(kinds > 15);
}
