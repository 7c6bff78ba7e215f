//! Users from a file or from standard input, one on each line.

use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use crate::failure::Failure;

/// The longest file, in bytes.
const MAX_BYTES: u64 = 4 * 1024 * 1024;
/// The most users of one command.
const MAX_USERS: usize = 10_000;
/// The longest time to read a file. A named pipe may have no writer.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// Reads the users. `-` is standard input.
pub(crate) fn read(path: &Path) -> Result<Vec<String>, Failure> {
    let name = if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() };
    let bytes = read_bytes(path).map_err(|error| Failure::usage(format!("cannot read {name}: {error}")))?;
    parse(&bytes).map_err(|problem| Failure::usage(format!("{name}: {problem}")))
}

/// Reads a file, or standard input if the path is `-`, up to a byte more than the longest.
pub(crate) fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin().lock().take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    read_file(path, MAX_BYTES)
}

/// Reads a file up to a byte more than `max`, within the time limit.
pub(crate) fn read_file(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let path = path.to_owned();
    within_limit(move || {
        let mut bytes = Vec::new();
        std::fs::File::open(path)?.take(max + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    })
}

/// Does something with a file within the time limit: a named pipe may have nobody at its other end.
pub(crate) fn within_limit<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(work()));
    let late = || io::Error::new(io::ErrorKind::TimedOut, "nobody is at its other end");
    receiver.recv_timeout(MAX_WAIT).unwrap_or_else(|_| Err(late()))
}

/// The text of a file. The error names the problem.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, String> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("it is longer than {MAX_BYTES} bytes"));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) || bytes.contains(&0) {
        return Err("it is not UTF-8, but looks like UTF-16: save it as UTF-8".into());
    }
    std::str::from_utf8(bytes).map_err(|error| format!("it is not UTF-8, after {} bytes", error.valid_up_to()))
}

fn parse(bytes: &[u8]) -> Result<Vec<String>, String> {
    let mut users = Vec::new();
    for (number, line) in text(bytes)?.lines().enumerate() {
        let (number, line) = (number + 1, line.trim());
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.starts_with('\'') {
            return Err(format!("line {number} begins with ', which CSV output puts before formulas: remove it"));
        }
        if users.len() == MAX_USERS {
            return Err(format!("line {number}: at most {MAX_USERS} users are changed by one command"));
        }
        users.push(line.to_owned());
    }
    if users.is_empty() { Err("it names no user".into()) } else { Ok(users) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_users_but_for_comments_and_empty_ones() {
        let parsed = parse(b"\xef\xbb\xbfA\r\n\n  # a comment\n\tb@example.com \n");
        assert_eq!(parsed.unwrap(), ["A", "b@example.com"]);
    }

    #[test]
    fn other_files_are_refused_by_what_is_wrong_with_them() {
        for (bytes, words) in [
            (&b"\n# nobody\n"[..], "names no user"),
            (b"\xff\xfeA\0", "UTF-16"),
            (b"A\0B", "UTF-16"),
            (b"A\xff", "after 1 bytes"),
            (b"A\n'=1+1@example.com", "line 2 begins with '"),
        ] {
            let problem = parse(bytes).unwrap_err();
            assert!(problem.contains(words), "{problem}");
        }
        assert!(parse("A\n".repeat(MAX_USERS + 1).as_bytes()).unwrap_err().contains("at most 10000"));
        assert!(parse(&vec![b'A'; MAX_BYTES as usize + 1]).unwrap_err().contains("longer"));
    }
}
