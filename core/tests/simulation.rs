//! A few thousand seeds of the storm. The example `storm` of the test kit runs any number.

#![allow(clippy::panic, reason = "a test may panic")]

use onepassword_users_test_kit::storm;

#[test]
fn seeded_faults_never_lead_to_a_wrong_result() {
    let mut sum = storm::Tally::default();
    for seed in 0..4000 {
        match storm::run(seed) {
            Ok(tally) => sum.add(tally),
            Err(problem) => panic!("{problem}"),
        }
    }
    // The run must have had faults of most kinds, and actions that succeeded in spite of them.
    assert!(sum.faults.values().sum::<u64>() > 5000 && sum.faults.len() >= 20, "{sum:#?}");
    assert!(sum.outcomes.get("ok").is_some_and(|ok| *ok > 2000) && sum.outcomes.len() >= 10, "{sum:#?}");
}
