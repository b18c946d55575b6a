//! The sweep in small, and that it would notice a verifier that misses something.

use super::*;
use crate::audit::verify::{Fault, FaultKind};

fn plan(seed: u64) -> Plan {
    Plan { entries: 41, alterations: 12_000, backups: 3, seed }
}

#[tokio::test]
async fn a_short_sweep_finds_and_names_everything() {
    let folder = tempfile::tempdir().unwrap();
    let report = sweep(folder.path(), plan(7)).await.unwrap();
    assert!(report.holds(), "{}\n{:#?}", report.text(), report.failures);
    assert!(report.tried() >= 12_000);
    for (kind, tally) in &report.tallies {
        assert_eq!(tally.exact + tally.commit, tally.tries, "{}", kind.name());
    }
}

fn found(faults: Vec<(u64, FaultKind)>) -> Verification {
    let (rows, checkpoints) = (Vec::new(), Vec::new());
    let faults = faults.into_iter().map(|(seq, what)| Fault { first_bad: Some(seq), what });
    Verification { faults: faults.collect(), ..verify(&rows, checkpoints, None) }
}

#[test]
fn a_report_counts_only_with_the_right_entry_and_the_right_checkpoint() {
    let exact = Expected { first: 9, commit: None, checkpoint: None };
    assert_eq!(exact.compare(&found(vec![])), Naming::Missed);
    assert_eq!(exact.compare(&found(vec![(9, FaultKind::Changed)])), Naming::Exact);
    for other in [8, 10] {
        let named = found(vec![(9, FaultKind::Changed), (other, FaultKind::Changed)]);
        let right = if other > 9 { Naming::Exact } else { Naming::Wrong };
        assert_eq!(exact.compare(&named), right);
        assert_eq!(exact.compare(&found(vec![(other, FaultKind::Changed)])), Naming::Wrong);
    }
    let rewritten = |size| FaultKind::Rewritten { checkpoint_size: size };
    let located = Expected { first: 9, commit: Some(7), checkpoint: Some(12) };
    for (named, naming) in
        [(6, Naming::Wrong), (7, Naming::Commit), (8, Naming::Commit), (9, Naming::Exact)]
    {
        assert_eq!(located.compare(&found(vec![(named, rewritten(12))])), naming);
        assert_eq!(located.compare(&found(vec![(named, rewritten(20))])), Naming::Wrong);
        assert_eq!(located.compare(&found(vec![(named, FaultKind::Changed)])), Naming::Wrong);
    }
}

#[test]
fn a_sweep_holds_only_when_everything_was_tried_and_found() {
    let good = Tally { tries: 2, exact: 1, commit: 1, read_whole: 1, ..Tally::default() };
    assert!(good.holds(Kind::EntryBit));
    let bad = [
        Tally::default(),
        Tally { tries: 3, missed: 1, ..good.clone() },
        Tally { tries: 3, wrong: 1, ..good.clone() },
        Tally { read_whole: 0, ..good.clone() },
    ];
    for tally in bad {
        assert!(!tally.holds(Kind::EntryBit), "{tally:?}");
    }
    assert!(!good.holds(Kind::Cut), "without a checkpoint it must pass, or the sweep is wrong");
    assert!(Tally { pass_alone: 2, ..good }.holds(Kind::Cut));
}

#[tokio::test]
async fn a_run_can_be_repeated_by_its_seed() {
    let folder = tempfile::tempdir().unwrap();
    let mut made = Vec::new();
    for (name, seed) in [("a", 1), ("b", 1), ("c", 2)] {
        made.push(Deployment::found(&folder.path().join(name), seed, 20, 1).await.unwrap());
    }
    assert_eq!((&made[0].rows, &made[0].kept), (&made[1].rows, &made[1].kept));
    assert_ne!(made[0].rows, made[2].rows);
}
