//! The gate: compares counts with the ceilings recorded in `ceilings.toml`.
//!
//! A count above its ceiling fails the test, so nothing grows unnoticed. To raise or lower ceilings, run the tests with
//! [`UPDATE`] set to `1` in the environment, and commit the file with the change.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// The environment variable that makes the tests record their counts.
pub const UPDATE: &str = "UPDATE_CEILINGS";

/// The recorded ceilings.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../ceilings.toml");

/// Tolerance above a recorded count, in thousandths. The counts are exact, but without a tolerance every reworded message
/// would need a new record. Growth cannot accumulate: the recorded count does not move.
const HEADROOM: u64 = 5;

/// Tolerance if the guest was built by another compiler than the recorded one, in thousandths.
const OTHER_COMPILER: u64 = 100;

/// A count that is lower than its ceiling by more than this gets a note, in thousandths.
const SLACK: u64 = 10;

/// Relation between a count and the recorded one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Equal. For requests: fewer may mean that a check was lost.
    Equal,
    /// Not larger, apart from a tolerance. For counts that depend on the compiler, whose version is recorded as well.
    AtMost,
}

/// Compares counts with a section of `ceilings.toml`, or records them there. `counts` are all counts of the section.
///
/// # Panics
///
/// Panics if a count breaks the rule, if the names differ from the recorded ones, or if the file cannot be read.
pub fn check(section: &str, rule: Rule, counts: &[(&str, u64)]) {
    // Tests of one program run side by side, and the file is replaced as a whole.
    static FILE_LOCK: Mutex<()> = Mutex::new(());
    let _lock = FILE_LOCK.lock().unwrap_or_else(PoisonError::into_inner);
    let text = fs::read_to_string(FILE).unwrap_or_else(|error| panic!("ceilings.toml cannot be read: {error}"));
    let rustc = match rule {
        Rule::Equal => None,
        Rule::AtMost => Some(rustc()),
    };
    if std::env::var_os(UPDATE).is_some_and(|value| value == "1") {
        let new = record(&text, section, rustc.as_deref(), counts);
        if new != text {
            fs::write(Path::new(FILE), new).unwrap();
        }
        return;
    }
    let Verdict { problems, notes } = compare(&text, section, rustc.as_deref(), counts);
    if !notes.is_empty() {
        // The test harness captures `eprint!` and shows it only if the test fails.
        let _ = writeln!(io::stderr(), "{}", notes.join("\n"));
    }
    assert!(
        problems.is_empty(),
        "{}\nIf this is intended, run {UPDATE}=1 cargo test and commit ceilings.toml with the reason.",
        problems.join("\n")
    );
}

/// Result of a comparison.
#[derive(Debug, Default)]
struct Verdict {
    problems: Vec<String>,
    notes: Vec<String>,
}

fn compare(text: &str, section: &str, rustc: Option<&str>, counts: &[(&str, u64)]) -> Verdict {
    let mut verdict = Verdict::default();
    let recorded = entries(text, section);
    let recorded_rustc = recorded.get("rustc").map(|value| value.trim_matches('"'));
    let is_same = rustc == recorded_rustc;
    let headroom = match rustc {
        None => 0,
        Some(_) if is_same => HEADROOM,
        Some(_) => OTHER_COMPILER,
    };
    if let Some(rustc) = rustc.filter(|_| !is_same) {
        let recorded = recorded_rustc.unwrap_or("an unknown compiler");
        verdict.notes.push(format!(
            "note: the ceilings of [{section}] were recorded with {recorded}, and this is {rustc}: \
             growth up to {} % is tolerated",
            OTHER_COMPILER / 10
        ));
    }
    for (name, count) in counts {
        let Some(ceiling) = recorded.get(name).and_then(|value| value.replace('_', "").parse::<u64>().ok()) else {
            verdict.problems.push(format!("[{section}] {name}: {count}, but no ceiling is recorded"));
            continue;
        };
        if *count > ceiling + ceiling * headroom / 1000 {
            let growth = (*count - ceiling) as f64 * 100.0 / ceiling.max(1) as f64;
            verdict.problems.push(format!("[{section}] {name}: grew from {ceiling} to {count} (+{growth:.2} %)"));
        } else if rustc.is_none() && *count < ceiling {
            verdict.problems.push(format!("[{section}] {name}: fell from {ceiling} to {count}"));
        } else if is_same && *count + ceiling * SLACK / 1000 < ceiling {
            verdict.notes.push(format!(
                "note: [{section}] {name}: {count} is below its ceiling {ceiling}; {UPDATE}=1 cargo test lowers the ceiling"
            ));
        }
    }
    let measured: BTreeSet<&str> = counts.iter().map(|(name, _)| *name).collect();
    for name in recorded.keys().filter(|name| **name != "rustc" && !measured.contains(*name)) {
        verdict.problems.push(format!("[{section}] {name}: a ceiling is recorded, but nothing was measured"));
    }
    verdict
}

/// Replaces the section in the text of the file, and keeps its comments.
fn record(text: &str, section: &str, rustc: Option<&str>, counts: &[(&str, u64)]) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let begin = lines.iter().position(|line| header(line) == Some(section)).unwrap_or(lines.len());
    let (before, rest) = lines.split_at(begin);
    let rest = rest.get(1..).unwrap_or_default();
    let end = rest.iter().position(|line| header(line).is_some()).unwrap_or(rest.len());
    let (inside, after) = rest.split_at(end);

    let mut new = format!("{}\n\n[{section}]\n", before.join("\n").trim_end());
    for comment in inside.iter().filter(|line| line.starts_with('#')) {
        let _ = writeln!(new, "{comment}");
    }
    if let Some(rustc) = rustc {
        let _ = writeln!(new, "rustc = \"{rustc}\"");
    }
    for (name, count) in counts {
        let _ = writeln!(new, "\"{name}\" = {count}");
    }
    if !after.is_empty() {
        let _ = write!(new, "\n{}\n", after.join("\n"));
    }
    new
}

/// Names and values of a section. Reads the subset of TOML that the file uses: one name and value on a line.
fn entries<'a>(text: &'a str, section: &str) -> BTreeMap<&'a str, &'a str> {
    text.lines()
        .skip_while(|line| header(line) != Some(section))
        .skip(1)
        .take_while(|line| header(line).is_none())
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, value)| (name.trim().trim_matches('"'), value.trim()))
        .collect()
}

fn header(line: &str) -> Option<&str> {
    line.trim().strip_prefix('[')?.strip_suffix(']')
}

/// Version of the compiler that cargo uses.
fn rustc() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# A file.\n\n[a]\n# Of a.\nrustc = \"rustc 1\"\n\"x\" = 1000\n\"y, z\" = 7\n\n[b]\n\"x\" = 2\n";

    fn problems(rustc: &str, counts: &[(&str, u64)]) -> (Vec<String>, usize) {
        let Verdict { problems, notes } = compare(TEXT, "a", Some(rustc), counts);
        (problems, notes.len())
    }

    #[test]
    fn a_count_above_its_ceiling_is_a_problem_and_one_far_below_a_note() {
        assert_eq!(problems("rustc 1", &[("x", 1000), ("y, z", 7)]), (vec![], 0));
        assert_eq!(problems("rustc 1", &[("x", 990), ("y, z", 7)]), (vec![], 0));
        assert_eq!(problems("rustc 1", &[("x", 989), ("y, z", 7)]), (vec![], 1));
        assert_eq!(problems("rustc 1", &[("x", 1005), ("y, z", 7)]), (vec![], 0));
        let grew = vec!["[a] x: grew from 1000 to 1006 (+0.60 %)".to_owned()];
        assert_eq!(problems("rustc 1", &[("x", 1006), ("y, z", 7)]), (grew, 0));
    }

    #[test]
    fn another_compiler_has_an_allowance_and_a_note() {
        assert_eq!(problems("rustc 2", &[("x", 1100), ("y, z", 7)]), (vec![], 1));
        assert_eq!(problems("rustc 2", &[("x", 1101), ("y, z", 7)]).0.len(), 1);
    }

    #[test]
    fn names_on_one_side_alone_are_problems() {
        let (problems, _) = problems("rustc 1", &[("x", 1000), ("new", 1)]);
        let expected =
            ["[a] new: 1, but no ceiling is recorded", "[a] y, z: a ceiling is recorded, but nothing was measured"];
        assert_eq!(problems, expected);
    }

    #[test]
    fn counts_that_must_be_equal_may_not_fall_either() {
        assert_eq!(compare(TEXT, "b", None, &[("x", 2)]).problems, [""; 0]);
        assert_eq!(compare(TEXT, "b", None, &[("x", 1)]).problems, ["[b] x: fell from 2 to 1"]);
        assert_eq!(compare(TEXT, "b", None, &[("x", 3)]).problems, ["[b] x: grew from 2 to 3 (+50.00 %)"]);
    }

    #[test]
    fn recording_replaces_one_section_and_keeps_the_comments() {
        let new = record(TEXT, "a", Some("rustc 2"), &[("w", 5)]);
        assert_eq!(new, "# A file.\n\n[a]\n# Of a.\nrustc = \"rustc 2\"\n\"w\" = 5\n\n[b]\n\"x\" = 2\n");
        let same = record(TEXT, "b", None, &[("x", 2)]);
        assert_eq!(same, TEXT);
        let added = record(TEXT, "c", None, &[("x", 1)]);
        assert_eq!(added, format!("{TEXT}\n[c]\n\"x\" = 1\n"));
    }
}
