//! The checks of the fuzz targets, run on their seed corpora and on random input.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use onepassword_users_test_kit::checks;
use proptest::prelude::*;

/// The files of a seed corpus.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = format!("{}/../fuzz/seeds/{name}", env!("CARGO_MANIFEST_DIR"));
    let files = std::fs::read_dir(&folder).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap());
    let files: Vec<_> = files.collect();
    assert!(!files.is_empty(), "{folder}");
    files
}

#[test]
fn seed_corpora_pass_the_checks() {
    corpus("response").iter().for_each(|bytes| checks::response(bytes));
    corpus("settings").iter().for_each(|bytes| checks::settings(&String::from_utf8_lossy(bytes)));
    corpus("conversation").iter().for_each(|bytes| checks::conversation(bytes));
}

/// Random JSON built from the service's keys and values.
fn json() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("id"),
        Just("email"),
        Just("state"),
        Just("results"),
        Just("next_page_token"),
        Just("code"),
        Just("message"),
        Just("error"),
        Just("access_token"),
        Just("expires_in"),
        Just("A"),
        Just("ACTIVE"),
        Just("SUSPENDED"),
        Just("canary-token"),
    ]
    .prop_map(|word| format!("{word:?}"));
    let leaf =
        prop_oneof![word.clone(), Just("null".to_owned()), any::<i64>().prop_map(|n| n.to_string()), "[a-z]{0,3}"];
    leaf.prop_recursive(4, 32, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec((word.clone(), inner), 0..4).prop_map(|pairs| {
                format!(
                    "{{{}}}",
                    pairs.iter().map(|(key, value)| format!("{key}:{value}")).collect::<Vec<_>>().join(",")
                )
            }),
        ]
    })
}

proptest! {
    #[test]
    fn any_response_passes_the_checks(kind in any::<u8>(), body in prop_oneof![json().prop_map(String::into_bytes), any::<Vec<u8>>()]) {
        checks::response(&[&[kind][..], &body].concat());
    }

    #[test]
    fn any_setting_passes_the_checks(text in prop_oneof![".{0,60}", "(https?://)?[a-z0-9.:@/?#%\\[\\]-]{0,40}(/v1)?/?", "[A-Z0-9]{20,30}"]) {
        checks::settings(&text);
    }

    #[test]
    fn any_conversation_passes_the_checks(lines in prop::collection::vec((prop_oneof![Just('t'), Just('l'), Just('w'), Just('4'), Just('5'), Just(' '), any::<char>()], json()), 0..12)) {
        let text: Vec<String> = lines.iter().map(|(kind, body)| format!("{kind}{body}")).collect();
        checks::conversation(text.join("\n").as_bytes());
    }
}
