//! The signals that ask the process to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// The signal that came first, if one did. A second one ends the process.
#[derive(Clone, Default)]
pub(crate) struct Interruption(Arc<AtomicU8>);

impl Interruption {
    /// Waits for Ctrl+C, and on Unix for `SIGTERM` and `SIGHUP`, in the background. A hang-up that was ignored at the start, as
    /// under `nohup`, stays ignored.
    pub(crate) fn watch() -> Self {
        let interruption = Self::default();
        let watcher = interruption.clone();
        tokio::spawn(async move {
            while let Some(code) = next().await {
                if watcher.0.swap(code, Ordering::Relaxed) != 0 {
                    std::process::exit(code.into());
                }
                message!("interrupted: stopping after the current user; a second signal stops now");
            }
        });
        interruption
    }

    /// The exit code of the signal that came first.
    pub(crate) fn code(&self) -> Option<u8> {
        Some(self.0.load(Ordering::Relaxed)).filter(|code| *code != 0)
    }
}

/// Waits for a signal and returns its exit code. `None` if none can come.
#[cfg(unix)]
async fn next() -> Option<u8> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt()).ok()?;
    let mut terminate = signal(SignalKind::terminate()).ok()?;
    let mut hang_up = if is_hang_up_ignored() { None } else { signal(SignalKind::hangup()).ok() };
    let hung_up = async {
        match &mut hang_up {
            Some(hang_up) => hang_up.recv().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        Some(()) = interrupt.recv() => Some(130),
        Some(()) = terminate.recv() => Some(143),
        Some(()) = hung_up => Some(129),
        else => None,
    }
}

#[cfg(not(unix))]
async fn next() -> Option<u8> {
    tokio::signal::ctrl_c().await.ok().map(|()| 130)
}

/// True if the process was started with `SIGHUP` ignored. Known on Linux only; elsewhere a hang-up is a request to stop.
#[cfg(unix)]
fn is_hang_up_ignored() -> bool {
    // Asked once: the first call that watches the signal changes it.
    static IGNORED: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    *IGNORED.get_or_init(|| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        // The lowest bit is that of signal 1, SIGHUP.
        mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
    })
}
