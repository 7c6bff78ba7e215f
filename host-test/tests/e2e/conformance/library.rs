//! A runner for the host library.

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use onepassword_users_component::{COMPONENT, STEPS};
use onepassword_users_conformance::{LookupFailure, Outcome, Report, Task, TaskAction};
use onepassword_users_host::{Connector, Host, HostConfig, Lookup, Options, Source, SourceError, Value};
use onepassword_users_test_kit::harness::network;
use tracing::instrument::WithSubscriber;

pub(super) static STEPS_HOST: LazyLock<Host> = LazyLock::new(|| Host::new(STEPS, HostConfig::default()).unwrap());
pub(super) static WASI_HOST: LazyLock<Host> = LazyLock::new(|| Host::new(COMPONENT, HostConfig::default()).unwrap());

/// Runs the actions of a task, and reports what came of them.
pub(super) async fn run(host: &Host, task: Task) -> Report {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let task = Arc::new(task);
    let options = Options {
        settings: Arc::new(Values { task: task.clone(), of: |task| &task.settings }),
        secrets: Arc::new(Values { task: task.clone(), of: |task| &task.secrets }),
        lookup_timeout: Duration::from_millis(task.lookup_limit_ms),
        network: network(),
        ..Options::default()
    };
    let work = async {
        let connector = host.connector(options).unwrap();
        let mut outcomes = Vec::new();
        if task.together {
            outcomes = join_all(task.actions.iter().map(|action| act(&connector, action))).await;
        } else {
            for action in &task.actions {
                outcomes.push(act(&connector, action).await);
            }
        }
        outcomes
    };
    let outcomes = work.with_subscriber(subscriber).await;
    let log = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    // The library logs changes, and has no hook for an audit.
    Report { outcomes, log, audit: None }
}

async fn act(connector: &Connector, action: &TaskAction) -> Outcome {
    let call = async {
        match action.action.as_str() {
            "test" => connector.test().await,
            name => connector.invoke(name, &action.arguments).await,
        }
    };
    let limit = action.drop_after_ms.map_or(Duration::MAX, Duration::from_millis);
    match tokio::time::timeout(limit, call).await {
        Ok(Ok(output)) => Outcome::Done { output: output.json, summary: output.summary, changed: output.changed },
        Ok(Err(error)) => Outcome::Failed(serde_json::to_value(error.record()).unwrap()),
        Err(_) => Outcome::Dropped,
    }
}

/// Runs futures at the same time on one task.
pub(super) async fn join_all<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut futures: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        for (future, result) in &mut futures {
            if result.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *result = Some(value);
            }
        }
        let is_done = futures.iter().all(|(_, result)| result.is_some());
        if is_done { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    futures.into_iter().filter_map(|(_, result)| result).collect()
}

/// The settings or the secrets of a task, with look-ups as it says.
struct Values {
    task: Arc<Task>,
    of: fn(&Task) -> &std::collections::BTreeMap<String, String>,
}

impl Source for Values {
    fn get<'a>(&'a self, names: &'a [&'a str]) -> Lookup<'a> {
        Box::pin(async move {
            look_up(&self.task, names).await.map_err(|(name, LookupFailure { kind, message, .. })| {
                if kind == "denied" {
                    SourceError::Denied { name: name.into(), reason: message }
                } else {
                    SourceError::Unavailable { name: Some(name.into()), reason: message }
                }
            })?;
            let values = (self.of)(&self.task);
            Ok(names.iter().map(|name| values.get(*name).cloned().map(Value::from)).collect())
        })
    }
}

/// Takes as long as a look-up of these names takes, and fails if one of them does.
pub(super) async fn look_up<'a>(task: &Task, names: &[&'a str]) -> Result<(), (&'a str, LookupFailure)> {
    for name in names {
        if task.hanging_lookups.iter().any(|hanging| hanging == name) {
            std::future::pending::<()>().await;
        }
        if let Some(milliseconds) = task.slow_lookups_ms.get(*name) {
            tokio::time::sleep(Duration::from_millis(*milliseconds)).await;
        }
        if let Some(failure) = task.failing_lookups.get(*name) {
            return Err((name, failure.clone()));
        }
    }
    Ok(())
}

/// The log of one run.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
