use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use crate::audit::checkpoint::LogSigner;
use crate::audit::signing::SigningKey;
use crate::audit::tree;
use crate::entropy::SystemEntropy;

/// A log of so many entries, each different from those of another kind.
struct Log {
    rows: Vec<Vec<u8>>,
    roots: Vec<TreeHash>,
}

impl Log {
    fn new(kinds: &[(u8, u64)]) -> Self {
        let (mut frontier, mut rows, mut roots) = (Frontier::default(), Vec::new(), Vec::new());
        roots.push(frontier.root().unwrap());
        for (kind, count) in kinds {
            for _ in 0..*count {
                rows.push(frontier.append(format!("{kind} {}", rows.len()).as_bytes()).unwrap());
                roots.push(frontier.root().unwrap());
            }
        }
        Self { rows, roots }
    }

    fn read(&self, node: NodeAt) -> Option<TreeHash> {
        node.pick(self.rows.get(usize::try_from(node.row()).ok()?)?)
    }

    fn link(&self, from: u64, to: u64) -> Link {
        let proof = tree::consistency_proof(to, from, |node| self.read(node)).unwrap();
        Link { from, to, hashes: proof.into_iter().map(Base64Hash).collect() }
    }
}

struct Signing(LogSigner);

impl Signing {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = SigningKey::generate(&folder.path().join("k"), &SystemEntropy::default());
        Self(LogSigner::new("log", Arc::new(key.unwrap())).unwrap())
    }

    fn head(&self, log: &Log, size: u64, at: i64) -> Kept {
        let root = log.roots[usize::try_from(size).unwrap()];
        let note = self.0.sign_checkpoint(size, root, Timestamp::from_second(at).unwrap());
        let checkpoint = Checkpoint::parse_and_verify(&note.unwrap(), &self.0.vkey()).unwrap();
        Kept { place: format!("kept {size}"), checkpoint }
    }
}

#[test]
fn heads_of_one_log_are_proved_to_be_by_proofs_or_by_the_tree_and_else_it_is_said() {
    let (log, signing) = (Log::new(&[(1, 90)]), Signing::new());
    let kept: Vec<Kept> = [13, 32, 90].map(|size| signing.head(&log, size, 1000)).into();
    let judged = judge(&kept, &Ties::default());
    assert!(judged.is_one_history());
    assert_eq!((judged.proved.len(), judged.not_proved.len()), (0, 2));
    assert!(judged.not_proved[0].contains("from=13&to=32"));

    let links = vec![log.link(13, 32), log.link(32, 90)];
    let judged = judge(&kept, &Ties { links, tree: None });
    assert_eq!((judged.proved.len(), judged.not_proved.len()), (2, 0));

    let read = |node| log.read(node);
    let judged = judge(&kept, &Ties { links: Vec::new(), tree: Some((90, &read)) });
    assert_eq!((judged.proved.len(), judged.not_proved.len()), (2, 0));
    let judged = judge(&kept, &Ties { links: Vec::new(), tree: Some((40, &read)) });
    assert_eq!((judged.proved.len(), judged.not_proved.len()), (1, 1), "a tree that ends before");
}

#[test]
fn two_histories_are_told_by_a_fork_a_proof_a_tree_or_a_log_that_became_shorter() {
    let (first, second) = (Log::new(&[(1, 60)]), Log::new(&[(1, 50), (2, 40)]));
    let signing = Signing::new();
    let says = |kept: &[Kept], ties: &Ties<'_>| judge(kept, ties).contradictions.join(" ");

    let fork = [signing.head(&first, 60, 1000), signing.head(&second, 60, 2000)];
    assert!(says(&fork, &Ties::default()).starts_with("FORK"));

    let restored = [signing.head(&first, 60, 1000), signing.head(&second, 90, 2000)];
    assert_eq!(says(&restored, &Ties::default()), "", "nothing ties them yet");
    let links = vec![second.link(60, 90)];
    assert!(says(&restored, &Ties { links, tree: None }).starts_with("REWRITTEN"));
    let read = |node| second.read(node);
    assert!(
        says(&restored, &Ties { tree: Some((90, &read)), ..Ties::default() })
            .starts_with("REWRITTEN")
    );
    let read = |node| first.read(node);
    let other = [signing.head(&first, 55, 1000), signing.head(&second, 60, 1100)];
    assert!(
        says(&other, &Ties { tree: Some((60, &read)), ..Ties::default() }).starts_with("REWRITTEN")
    );

    let cut = [signing.head(&first, 60, 1000), signing.head(&first, 52, 2000)];
    assert!(says(&cut, &Ties::default()).contains("became shorter"));
    let skew = [signing.head(&first, 60, 1000), signing.head(&first, 52, 1001)];
    assert_eq!(says(&skew, &Ties::default()), "", "clocks of two gateways differ a little");

    let mut wrong = first.link(13, 60);
    wrong.hashes.reverse();
    let kept = [signing.head(&first, 13, 900), signing.head(&first, 60, 1000)];
    let links = vec![wrong];
    assert!(says(&kept, &Ties { links, tree: None }).starts_with("The proof from 13 to 60"));
}
