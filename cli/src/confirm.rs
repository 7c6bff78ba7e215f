//! Confirmation of changes, asked for on a terminal.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::Path;

use crate::args;
use crate::failure::Failure;
use crate::output;

/// Asks for confirmation of a suspension. Nobody can be asked if the users came from standard input.
pub(crate) fn confirm(change: &args::Change, users: &[String]) -> Result<(), Failure> {
    if change.users_file.as_deref() == Some(Path::new("-")) {
        return Err(Failure::not_confirmed("nothing was changed: users from standard input need --yes, or --dry-run"));
    }
    let shown: Vec<&str> = users.iter().take(10).map(String::as_str).collect();
    let others = match users.len() - shown.len() {
        0 => String::new(),
        others => format!(" and {others} others"),
    };
    if confirmed(&format!("Suspend {}{others}?", shown.join(", ")))? {
        return Ok(());
    }
    Err(Failure::not_confirmed("not confirmed; nothing was changed"))
}

/// Asks for confirmation if standard input is a terminal. A script is not asked.
pub(crate) fn confirmed(question: &str) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Ok(true);
    }
    if !io::stderr().is_terminal() {
        return Err(Failure::not_confirmed("cannot prompt: standard error is not a terminal; pass --yes"));
    }
    let mut answer = String::new();
    let prompt = write!(io::stderr(), "{} [y/N] ", output::printable(question));
    let read = prompt.and_then(|()| io::stderr().flush()).and_then(|()| io::stdin().lock().read_line(&mut answer));
    read.map_err(|error| Failure::other(format!("cannot read the answer: {error}")))?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
