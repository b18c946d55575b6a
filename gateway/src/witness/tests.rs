use std::sync::Arc;

use super::*;
use crate::audit::checkpoint::LogSigner;
use crate::audit::cosignature::CosignerKey;
use crate::audit::signing::SigningKey;
use crate::audit::tree::{Frontier, NodeAt};
use crate::clock::FrozenClock;
use crate::config::WitnessedLog;
use crate::entropy::SystemEntropy;

struct World {
    folder: tempfile::TempDir,
    log: LogSigner,
    config: WitnessConfig,
}

/// A log whose entries are of these kinds, in order.
struct Entries(Vec<Vec<u8>>, Vec<TreeHash>);

impl Entries {
    fn new(kinds: &[(u8, u64)]) -> Self {
        let (mut frontier, mut rows) = (Frontier::default(), Vec::new());
        let mut roots = vec![frontier.root().unwrap()];
        for (kind, count) in kinds {
            for number in 0..*count {
                rows.push(frontier.append(format!("{kind} {number}").as_bytes()).unwrap());
                roots.push(frontier.root().unwrap());
            }
        }
        Self(rows, roots)
    }

    fn read(&self, node: NodeAt) -> Option<TreeHash> {
        node.pick(self.0.get(usize::try_from(node.row()).ok()?)?)
    }
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let entropy = SystemEntropy::default();
        let key = SigningKey::generate(&folder.path().join("log"), &entropy).unwrap();
        let log = LogSigner::new("ehc-gateway/EHCGW", Arc::new(key)).unwrap();
        let config = WitnessConfig {
            name: "w.example/1".to_owned(),
            key: folder.path().join("w.key"),
            state: folder.path().join("w.json"),
            listen: None,
            partners: None,
            tls: None,
            logs: vec![WitnessedLog { vkey: log.vkey(), folder: None, url: None, gateway: None }],
        };
        Witness::make(&config, &entropy).unwrap();
        Self { folder, log, config }
    }

    fn open(&self) -> Result<Witness, WitnessError> {
        let clock = FrozenClock::new(Timestamp::from_second(1_700_000_000).unwrap());
        Witness::open(&self.config, Arc::new(clock), Arc::new(SystemEntropy::default()))
    }

    fn submission(&self, entries: &Entries, old: u64, size: u64) -> Submission {
        let root = entries.1[usize::try_from(size).unwrap()];
        let at = Timestamp::from_second(1_600_000_000).unwrap();
        let note = self.log.sign_checkpoint(size, root, at).unwrap();
        let proof = match old {
            0 => Vec::new(),
            _ => tree::consistency_proof(size, old, |node| entries.read(node)).unwrap(),
        };
        Submission { old, proof, note }
    }
}

#[test]
fn a_log_that_grows_is_cosigned_and_remembered_across_restarts() {
    let (world, log) = (World::new(), Entries::new(&[(1, 60)]));
    let witness = world.open().unwrap();
    let key = CosignerKey::parse(&witness.vkey()).unwrap();
    for (old, size) in [(0, 7), (7, 7), (7, 32), (32, 50)] {
        let asked = world.submission(&log, old, size);
        assert_eq!(Submission::parse(&asked.to_body()), Some(asked.clone()));
        let line = witness.add(&asked).unwrap();
        assert!(key.find(&asked.note, &line).is_some());
    }
    assert!(world.open().is_err(), "one process at a time has the state");
    drop(witness);
    let witness = world.open().unwrap();
    let head = witness.head("ehc-gateway/EHCGW").unwrap();
    assert_eq!(head.size, 50);
    assert!(key.find(&head.note, &head.note).is_some(), "the evidence has the cosignature");
    let stale = witness.add(&world.submission(&log, 32, 60));
    assert!(matches!(stale, Err(Refusal::Stale { cosigned: 50, shown: 60 })), "{stale:?}");
    witness.add(&world.submission(&log, 50, 60)).unwrap();
}

#[test]
fn forks_cut_tails_restored_backups_and_strangers_are_refused_and_change_nothing() {
    let world = World::new();
    let (log, other) = (Entries::new(&[(1, 60)]), Entries::new(&[(1, 40), (2, 40)]));
    let witness = world.open().unwrap();
    witness.add(&world.submission(&log, 0, 50)).unwrap();
    let before = std::fs::read(&world.config.state).unwrap();

    let cut = witness.add(&world.submission(&log, 40, 45));
    assert!(matches!(cut, Err(Refusal::Shorter { cosigned: 50, shown: 45 })), "{cut:?}");
    assert!(cut.unwrap_err().to_string().starts_with("SHORTER"));
    let fork = witness.add(&world.submission(&other, 50, 50));
    assert!(matches!(fork, Err(Refusal::Fork(50))), "{fork:?}");
    let restored = witness.add(&world.submission(&other, 50, 80));
    assert!(matches!(restored, Err(Refusal::NotProved { cosigned: 50, shown: 80 })));
    let again = witness.add(&world.submission(&other, 0, 80));
    assert!(matches!(again, Err(Refusal::Stale { cosigned: 50, .. })), "it does not forget");

    let mut unsigned = world.submission(&log, 50, 60);
    unsigned.note = unsigned.note.replacen("60", "61", 1);
    assert!(matches!(witness.add(&unsigned), Err(Refusal::NotSigned)));
    let mut unknown = world.submission(&log, 50, 60);
    unknown.note = unknown.note.replacen("EHCGW", "OTHER", 1);
    assert!(matches!(witness.add(&unknown), Err(Refusal::UnknownLog(_))));
    let mut backwards = world.submission(&log, 50, 60);
    backwards.old = 61;
    assert!(matches!(witness.add(&backwards), Err(Refusal::Form)));
    assert_eq!(std::fs::read(&world.config.state).unwrap(), before);
}

#[test]
fn nothing_is_cosigned_that_could_not_be_remembered() {
    let (mut world, log) = (World::new(), Entries::new(&[(1, 60)]));
    let witness = world.open().unwrap();
    // The folder is gone: the state cannot be written.
    let moved = world.folder.path().join("moved");
    std::fs::create_dir(&moved).unwrap();
    drop(witness);
    let state = moved.join("w.json");
    std::fs::rename(&world.config.state, &state).unwrap();
    world.config.state = state;
    let witness = world.open().unwrap();
    std::fs::remove_dir_all(&moved).unwrap();
    let asked = world.submission(&log, 0, 7);
    assert!(matches!(witness.add(&asked), Err(Refusal::State(_))));
    assert_eq!(witness.head("ehc-gateway/EHCGW"), None);
    drop(witness);
    std::fs::create_dir(&moved).unwrap();
    let lost = world.open().unwrap_err().to_string();
    assert!(lost.contains("must not cosign again"), "{lost}");
}

#[test]
fn a_body_that_is_not_of_the_form_is_no_submission() {
    let world = World::new();
    let body = world.submission(&Entries::new(&[(1, 9)]), 4, 9).to_body();
    assert!(Submission::parse(&body).is_some());
    for (was, is) in [("old 4", "old 04"), ("old 4", "new 4"), ("old 4\n", "old 4\nAAAA\n")] {
        assert_eq!(Submission::parse(&body.replacen(was, is, 1)), None, "{is}");
    }
    let many = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n".repeat(64);
    assert_eq!(Submission::parse(&body.replacen("old 4\n", &format!("old 4\n{many}"), 1)), None);
    assert_eq!(Submission::parse(""), None);
}
