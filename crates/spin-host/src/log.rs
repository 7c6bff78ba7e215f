//! The log of a component: its standard output and standard error, line by line.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};

/// The maximum length of a line, in bytes. A longer line is split.
const MAX_LINE: usize = 64 * 1024;

/// A sink for log lines. Clones share it.
#[derive(Clone)]
pub struct Log(Arc<dyn Fn(&str) + Send + Sync>);

impl Log {
    /// Creates a log that calls `sink` with every line.
    pub fn new(sink: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(sink))
    }

    /// Creates a log that collects its lines, and returns it with the lines.
    #[must_use]
    pub fn collecting() -> (Self, Arc<Mutex<Vec<String>>>) {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let collected = lines.clone();
        let sink = move |line: &str| collected.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_owned());
        (Self::new(sink), lines)
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Log")
    }
}

impl IsTerminal for Log {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Log {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(Lines { log: self.clone(), buffer: Vec::new() })
    }
}

struct Lines {
    log: Log,
    buffer: Vec<u8>,
}

impl Lines {
    fn emit(&mut self) {
        (self.log.0)(&String::from_utf8_lossy(&self.buffer));
        self.buffer.clear();
    }
}

impl AsyncWrite for Lines {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        for byte in bytes {
            if *byte == b'\n' || self.buffer.len() == MAX_LINE {
                self.emit();
            }
            if *byte != b'\n' {
                self.buffer.push(*byte);
            }
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if !self.buffer.is_empty() {
            self.emit();
        }
    }
}
