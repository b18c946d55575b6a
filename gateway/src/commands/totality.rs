//! Every command that shows or does something must leave an entry in the log.
//!
//! What touches nothing of anybody is listed here with its reason, and with when: a command that leaves
//! nothing one way and an entry the other is let off only the one way, by what was typed or by what it says
//! of itself as it runs. A command that is not let off, and ended well without an entry, ends as a
//! failure. A test compares the list with the commands there are, and another runs every command and
//! compares the kinds of entries it was seen to leave with `entries.txt`.

use clap::ArgMatches;

use super::Outcome;
use crate::store::Notice;

/// What was typed: the words of the command, and what stands after them.
pub(super) struct Typed {
    words: String,
    arguments: ArgMatches,
}

impl Typed {
    pub(super) fn of(matches: &ArgMatches) -> Self {
        let (mut words, mut at) = (Vec::new(), matches);
        while let Some((name, inner)) = at.subcommand() {
            words.push(name);
            at = inner;
        }
        Self { words: words.join(" "), arguments: at.clone() }
    }

    fn has(&self, argument: &str) -> bool {
        self.arguments.value_source(argument).is_some()
    }
}

/// When a command may end well without an entry.
pub(super) enum When {
    /// Always.
    Always,
    /// When this was typed.
    Typed(fn(&Typed) -> bool),
    /// When it found something wrong.
    Found,
    /// When it said that nothing was done ([`Notice::say_nothing_was_done`]).
    NothingDone,
}

impl When {
    #[cfg(test)]
    pub(super) fn is_always(&self) -> bool {
        matches!(self, Self::Always)
    }

    fn is_so(&self, typed: &Typed, outcome: Outcome, notice: &Notice) -> bool {
        match self {
            Self::Always => true,
            Self::Typed(how) => how(typed),
            Self::Found => outcome == Outcome::Found,
            Self::NothingDone => notice.nothing_was_done(),
        }
    }
}

/// Whether a command left the entry it must leave.
pub(super) fn is_witnessed(typed: &Typed, outcome: Outcome, notice: &Notice) -> bool {
    let shown = match outcome {
        Outcome::Done | Outcome::Found => true,
        Outcome::NotFound
        | Outcome::InputRefused
        | Outcome::TryAgain
        | Outcome::Failed
        | Outcome::Stopped(_) => false,
    };
    let mut rows = LEAVES_NOTHING.iter().filter(|(words, _, _)| *words == typed.words);
    !shown || notice.left_an_entry() || rows.any(|(_, when, _)| when.is_so(typed, outcome, notice))
}

/// Every command that may end well without an entry, when, and why.
pub(super) const LEAVES_NOTHING: [(&str, When, &str); 46] = [
    ("demo", When::Always, "a made-up world of its own"),
    ("pki mint", When::Always, "made-up certificates; no gateway is there yet"),
    ("pki pin", When::Always, "a public key in a file"),
    ("keys make", When::Always, "no gateway is there yet; the next start says keys are others"),
    ("keys make-backup", When::Always, "the next start says that the keys are others"),
    ("config check", When::Always, "files of the operator; no record is read"),
    ("openapi", When::Always, "the same for everybody"),
    ("mapping check", When::Always, "a file of the operator; nothing of the gateway is read"),
    ("mapping new", When::Always, "a file of the operator; nothing of the gateway is read"),
    ("clocks due", When::Always, "a date of nobody"),
    ("clocks page", When::Always, "rules of the law"),
    ("clocks check", When::Always, "rules of the law"),
    ("evidence verify", When::Always, "a file that somebody was given; no gateway is needed"),
    ("reconcile verify", When::Always, "a file that somebody was given; no gateway is needed"),
    ("authority check", When::Always, "rules and agreements"),
    ("authority page", When::Always, "rules and agreements"),
    (
        "authority explain",
        When::Typed(|typed| !typed.has("id")),
        "without an id it answers a made-up question",
    ),
    (
        "audit verify",
        When::Typed(|typed| typed.has("bundle")),
        "a file that somebody was given; no gateway is needed",
    ),
    ("audit verify", When::Found, "a log that is not whole is left as it was found"),
    ("audit checkpoint", When::Always, "a size and a hash, as every partner may fetch it"),
    ("audit keys", When::Always, "public keys"),
    ("audit check-receipt", When::Always, "files that somebody was given; no gateway is needed"),
    ("audit look-ups", When::Always, "years, sizes and days"),
    ("audit status", When::Always, "sizes and days"),
    ("restore show", When::Always, "sizes and days"),
    ("import", When::NothingDone, "the same file again is answered as before, which was an entry"),
    ("documents rescan", When::NothingDone, "nothing waited; else an entry for each it looks at"),
    ("alerts rules", When::Always, "rules about access"),
    ("backup show", When::Always, "what a file says of itself, without a key"),
    ("backup verify", When::Always, "a copy of its own, which is removed again"),
    ("disclosure-pack check", When::Always, "files that somebody was given; no gateway is needed"),
    (
        "report",
        When::Typed(|typed| {
            typed.arguments.get_one::<String>("name").is_some_and(|name| name == "list")
        }),
        "the list of reports is the same for everybody",
    ),
    ("retention run", When::NothingDone, "nothing was due; else an entry for each it removes"),
    ("retention schedule", When::Always, "rules about how long things are kept"),
    ("retention verify", When::Always, "a file that somebody was given; no gateway is needed"),
    ("witness init", When::Always, "another organisation's; it learns sizes and hashes"),
    ("witness key", When::Always, "a public key"),
    ("witness once", When::Always, "another organisation's; it learns sizes and hashes"),
    ("witness serve", When::Always, "another organisation's; it learns sizes and hashes"),
    ("bench accept", When::Always, "made-up input"),
    ("bench adapters", When::Always, "made-up input"),
    ("bench audit", When::Always, "made-up input"),
    ("bench decisions", When::Always, "made-up input"),
    ("bench documents", When::Always, "made-up input"),
    ("bench tamper", When::Always, "made-up input"),
    ("bench withdrawals", When::Always, "made-up input"),
];
