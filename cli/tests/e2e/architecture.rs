//! ARCHITECTURE.md describes the repository as it is.

use std::collections::BTreeSet;
use std::path::Path;

/// The texts in backticks of a Markdown document, outside of fenced blocks.
fn code_spans(document: &str) -> Vec<&str> {
    let prose = document.split("```").step_by(2);
    prose.flat_map(|prose| prose.split('`').skip(1).step_by(2)).collect()
}

#[test]
fn the_architecture_names_every_folder_and_only_paths_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let document = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let spans = code_spans(&document);

    let named: BTreeSet<&str> =
        document.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let mut folders = 0;
    for parent in ["", "crates/"] {
        for entry in std::fs::read_dir(root.join(parent)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if entry.path().is_dir() && !["target", ".git", ".github"].contains(&name.as_str()) {
                assert!(named.contains(format!("{parent}{name}/").as_str()), "{parent}{name}/ has no row");
                folders += 1;
            }
        }
    }
    assert!(folders > 15, "{folders}");

    let paths: Vec<&str> = spans
        .into_iter()
        .filter(|span| span.contains('/') && span.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c)))
        .collect();
    assert!(paths.len() > 20, "{paths:?}");
    for path in paths {
        // A path relative to `wit/`, where the table names it.
        let exists = root.join(path).exists() || root.join("wit").join(path).exists();
        assert!(exists, "{path} does not exist");
    }
}
