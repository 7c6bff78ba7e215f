//! The quick form of the storm: a few thousand seeds. For more, see the example `storm` of the test kit.

#![allow(clippy::panic, reason = "a test may end anywhere")]

use onepassword_users_test_kit::storm;

#[test]
fn thousands_of_faulty_conversations_end_as_they_must() {
    let mut sum = storm::Tally::default();
    for seed in 0..4000 {
        match storm::run(seed) {
            Ok(tally) => sum.add(tally),
            Err(problem) => panic!("{problem}"),
        }
    }
    // A storm in which nothing goes wrong, or nothing succeeds, would prove little.
    assert!(sum.faults.values().sum::<u64>() > 5000 && sum.faults.len() >= 20, "{sum:#?}");
    assert!(sum.outcomes.get("ok").is_some_and(|ok| *ok > 2000) && sum.outcomes.len() >= 10, "{sum:#?}");
}
