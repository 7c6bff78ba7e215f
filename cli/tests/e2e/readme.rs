//! The README shows real output and names real tests.

use crate::command_line::command;

#[test]
fn the_readme_shows_real_output() {
    let readme = include_str!("../../../README.md");
    let mut shown = 0;
    for block in readme.split("```console\n").skip(1).filter_map(|rest| rest.split("\n```").next()) {
        let (command_line, expected) = block.split_once('\n').unwrap();
        let Some(arguments) = command_line.strip_prefix("$ cargo run -- ") else { continue };
        // The README shows the output at a terminal.
        let arguments: Vec<&str> = ["--output", "table"]
            .into_iter()
            .chain(arguments.split(' '))
            .map(|argument| argument.trim_matches('\''))
            .collect();
        let output = command(&arguments, &[]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let mut lines = text.lines().map(str::trim_end);
        for line in expected.lines() {
            if line == "…" {
                assert!(lines.next().is_some(), "… must stand for at least one line");
                lines = "".lines().map(str::trim_end);
            } else {
                assert_eq!(lines.next(), Some(line), "{command_line}");
            }
        }
        assert_eq!(lines.next(), None, "{command_line}");
        shown += 1;
    }
    assert_eq!(shown, 3);
}

/// Every row of "What happens when…", and every promise of `SECURITY.md`, names an existing test.
#[test]
fn the_readme_and_the_promises_name_real_tests() {
    let readme = include_str!("../../../README.md");
    let (_, table) = readme.split_once("## What happens when…").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let mut names: Vec<&str> = table.lines().filter_map(|line| line.strip_suffix("` |")?.rsplit('`').next()).collect();
    assert!(names.len() > 15, "{names:?}");
    // The test that "Two commands" shows.
    let shown = |line: &'static str| line.strip_prefix("test ")?.strip_suffix(" ... ok")?.rsplit("::").next();
    names.push(readme.lines().find_map(shown).unwrap());
    // The table of promises has tests in its second column.
    let security = include_str!("../../../SECURITY.md");
    let (_, promises) = security.split_once("## What is promised").unwrap();
    let (promises, _) = promises.split_once("\n## ").unwrap();
    let cells = promises.lines().filter(|line| line.starts_with("| ")).filter_map(|line| line.split('|').nth(2));
    let promised: Vec<&str> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    assert!(promised.len() > 15, "{promised:?}");
    names.extend(promised);
    let folders =
        ["tests/e2e", "../core/tests", "../host-test/tests/e2e", "../host-test/src", "../crates/spin-host/tests/spin"]
            .map(|folder| format!("{}/{folder}", env!("CARGO_MANIFEST_DIR")));
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let sources: String = files.filter_map(|file| std::fs::read_to_string(file.unwrap().path()).ok()).collect();
    for name in names {
        assert!(sources.contains(&format!("fn {name}(")), "{name}");
    }
}
