//! Every command that shows or does something must leave an entry in the log.
//!
//! What touches nothing of anybody is listed here with its reason; a command that is not, and ended well
//! without an entry, ends as a failure. A test compares the list with the commands there are.

use clap::ArgMatches;

use super::Outcome;
use crate::store::Notice;

/// The words of the command that was typed.
pub(super) fn path(matches: &ArgMatches) -> String {
    let (mut words, mut at) = (Vec::new(), matches);
    while let Some((name, inner)) = at.subcommand() {
        words.push(name);
        at = inner;
    }
    words.join(" ")
}

/// Whether a command left the entry it must leave.
pub(super) fn is_witnessed(path: &str, outcome: Outcome, notice: &Notice) -> bool {
    let shown = match outcome {
        Outcome::Done | Outcome::Found => true,
        Outcome::NotFound
        | Outcome::InputRefused
        | Outcome::TryAgain
        | Outcome::Failed
        | Outcome::Stopped(_) => false,
    };
    !shown || notice.left_an_entry() || LEAVES_NOTHING.iter().any(|(exempt, _)| *exempt == path)
}

/// Every command that may end well without an entry, and why.
pub(super) const LEAVES_NOTHING: [(&str, &str); 46] = [
    ("demo", "a made-up world of its own"),
    ("pki mint", "made-up certificates; no gateway is there yet"),
    ("pki pin", "a public key in a file"),
    ("keys make", "no gateway is there yet; the next start says that the keys are others"),
    ("config check", "files of the operator; no record is read"),
    ("openapi", "the same for everybody"),
    ("mapping check", "a file of the operator; nothing of the gateway is read"),
    ("mapping new", "a file of the operator; nothing of the gateway is read"),
    ("clocks due", "a date of nobody"),
    ("clocks page", "rules of the law"),
    ("clocks check", "rules of the law"),
    ("evidence verify", "a file that somebody was given; no gateway is needed"),
    ("reconcile verify", "a file that somebody was given; no gateway is needed"),
    ("authority check", "rules and agreements"),
    ("authority page", "rules and agreements"),
    (
        "authority explain",
        "without an id it answers a made-up question; with one it leaves an entry",
    ),
    ("audit verify", "with a bundle no gateway is needed; without one it leaves an entry"),
    ("audit checkpoint", "a size and a hash, as every partner may fetch it"),
    ("audit keys", "public keys"),
    ("restore show", "sizes and days"),
    ("import", "the same file again is answered as before, which was an entry then"),
    ("documents rescan", "leaves an entry for each document and message it does something with"),
    ("alerts rules", "rules about access"),
    ("audit check-receipt", "files that somebody was given; no gateway is needed"),
    ("audit look-ups", "years, sizes and days"),
    ("audit status", "sizes and days"),
    ("backup restore", "its entry is in the transaction that puts the rows back"),
    ("backup show", "what a file says of itself, without a key"),
    ("backup verify", "a copy of its own, which is removed again"),
    ("disclosure-pack check", "files that somebody was given; no gateway is needed"),
    ("keys make-backup", "the next start says that the keys are others"),
    (
        "report",
        "`list` is the same for everybody, `check` tells of a file; a report leaves its entries",
    ),
    (
        "retention run",
        "an entry for each thing it removes and for each certificate; nothing when nothing is due",
    ),
    ("retention schedule", "rules about how long things are kept"),
    ("retention verify", "a file that somebody was given; no gateway is needed"),
    ("witness init", "another organisation's; it learns sizes and hashes"),
    ("witness key", "a public key"),
    ("witness once", "another organisation's; it learns sizes and hashes"),
    ("witness serve", "another organisation's; it learns sizes and hashes"),
    ("bench accept", "made-up input"),
    ("bench adapters", "made-up input"),
    ("bench audit", "made-up input"),
    ("bench decisions", "made-up input"),
    ("bench documents", "made-up input"),
    ("bench tamper", "made-up input"),
    ("bench withdrawals", "made-up input"),
];
