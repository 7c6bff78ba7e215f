//! A log of changes in a file: a line before each change is sent, and one after it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use onepassword_users_host::{Audit, AuditError, ChangeEvent, ChangeResult, Recording};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::{output, users_file};

/// The file, and what is the same in all its lines.
pub(crate) struct AuditLog {
    file: Arc<Mutex<File>>,
    name: String,
    simulated: bool,
    requested_by: Option<String>,
}

impl AuditLog {
    /// Opens the file, at whose end the lines are written. A new file can be read by its owner only. If the last line of an old
    /// one was cut off, the next one does not continue it.
    pub(crate) fn open(path: &Path, simulated: bool) -> Result<Self, Failure> {
        let mut options = std::fs::OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let name = path.display().to_string();
        let path = path.to_owned();
        let open = move || {
            let mut file = options.open(&path)?;
            if is_cut_off(&path) {
                file.write_all(b"\n")?;
            }
            Ok(file)
        };
        let file = users_file::within_limit(open).map_err(|error| {
            Failure::settings(format!("the audit log {name} cannot be written: {error}. Nothing was changed"))
        })?;
        // The name that the environment gives, as other logs of commands have it.
        let requested_by = ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
        Ok(Self { file: Arc::new(Mutex::new(file)), name, simulated, requested_by })
    }

    /// Appends a line, and waits until the disk has it.
    async fn append(&self, members: Value) -> io::Result<()> {
        let mut entry = json!({ "time": jiff::Timestamp::now().to_string(), "simulated": self.simulated });
        if let (Value::Object(entry), Value::Object(members)) = (&mut entry, members) {
            entry.extend(members);
        }
        let (file, line) = (self.file.clone(), output::line(&entry));
        let write = move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = file.write_all(line.as_bytes()) {
                // A part of the line may be there, on which the next one must not continue.
                let _ = file.write_all(b"\n");
                return Err(error);
            }
            // A pipe or a terminal cannot be synchronised.
            if file.metadata()?.is_file() { file.sync_data() } else { file.flush() }
        };
        tokio::task::spawn_blocking(write).await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }
}

/// True if a file does not end with a line feed.
fn is_cut_off(path: &Path) -> bool {
    let last = || {
        let mut file = File::open(path)?;
        if !file.metadata()?.is_file() {
            return Ok(b'\n');
        }
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last).map(|()| last[0])
    };
    last().is_ok_and(|last: u8| last != b'\n')
}

impl Audit for AuditLog {
    fn before<'a>(&'a self, change: &'a ChangeEvent) -> Recording<'a, Result<(), AuditError>> {
        Box::pin(async move {
            let entry = json!({
                "event": "sending",
                "correlation_id": change.correlation_id,
                "action": change.action,
                "requested_by": self.requested_by,
                "user": change.asked,
                "user_id": change.user_id,
            });
            let appended = self.append(entry).await;
            appended.map_err(|error| AuditError(format!("the audit log {} cannot be written: {error}", self.name)))
        })
    }

    fn after<'a>(&'a self, change: &'a ChangeEvent, result: &'a ChangeResult) -> Recording<'a, ()> {
        Box::pin(async move {
            let entry = json!({
                "event": "ended",
                "correlation_id": change.correlation_id,
                "action": change.action,
                "user": change.asked,
                "user_id": change.user_id,
                "outcome": result.outcome,
                "may_have_changed": result.may_have_changed,
            });
            if let Err(error) = self.append(entry).await {
                message!("error: the end of this change is missing in the audit log {}: {error}", self.name);
            }
        })
    }
}
