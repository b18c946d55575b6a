//! The decision table: one row for each sentence that an information governance officer can read,
//! each a test, all of them exported to `gateway/docs/decision-table.md`.
//!
//! A row asks one question with a ledger and says what must come of it. The document is written
//! from the rows and from what the engine answered, so it cannot say anything else:
//! `EHC_WRITE_DECISION_TABLE=1 cargo test -p gateway --lib decision_table` writes it again.

mod bodies;
mod families;
mod people;

use std::fmt::Write as _;

use schemas::record::{ConsentKind, Restriction};

use super::*;
use crate::authority::BreakGlass;

/// A question, what is known, and by which rules.
#[derive(Clone)]
pub(super) struct Asked {
    question: Question,
    consents: Vec<ConsentEntry>,
    votes: Vec<crate::authority::Override>,
    emergency: Option<BreakGlass>,
    book: fn() -> RuleBook,
    today: Date,
}

/// What must come of it.
pub(super) struct Expected {
    outcome: Outcome,
    /// The authority of what goes; the rule of what does not.
    by: &'static str,
    cut: Vec<(DataClass, &'static str)>,
}

/// One row.
pub(super) struct Row {
    sentence: &'static str,
    asked: Asked,
    expected: Expected,
}

fn asks(kind: MessageType, sender: &str, recipient: &str) -> Asked {
    Asked {
        question: question(kind, sender, recipient),
        consents: Vec::new(),
        votes: Vec::new(),
        emergency: None,
        book,
        today: today(),
    }
}

impl Asked {
    fn with(mut self, consents: impl IntoIterator<Item = ConsentEntry>) -> Self {
        let from = self.consents.len();
        self.consents.extend(consents);
        for (entry, version) in self.consents.iter_mut().zip(1..).skip(from) {
            entry.version = version;
        }
        self
    }

    fn claimed_by_two(mut self, basis: Basis) -> Self {
        self.votes.extend(both_claim(basis));
        self
    }

    fn claimed_by(mut self, person: &str, basis: Basis) -> Self {
        self.votes.push(claim(person, basis, ago(1)));
        self
    }

    fn released_in_an_emergency(mut self, basis: Basis) -> Self {
        self.emergency = Some(BreakGlass { basis, at: ago(1) });
        self
    }

    fn under(mut self, book: fn() -> RuleBook, today: Date) -> Self {
        (self.book, self.today) = (book, today);
        self
    }

    fn young_person_decides(mut self) -> Self {
        self.question.decisions_pass_on = Some(date(2026, 3, 1));
        self
    }

    fn decide(&self) -> Decision {
        let evidence =
            Evidence { emergency: self.emergency, ..evidence(&self.consents, &self.votes) };
        decide(&self.question, &evidence, &(self.book)(), now(), self.today)
    }
}

/// Consent about the plan document itself.
fn about_plan() -> ConsentEntry {
    ConsentEntry { kind: ConsentKind::Plan, ..given() }
}

fn goes(authority: &'static str) -> Expected {
    Expected { outcome: Outcome::Release, by: authority, cut: Vec::new() }
}

fn goes_without(authority: &'static str, cut: &[(DataClass, &'static str)]) -> Expected {
    Expected { outcome: Outcome::ReleaseReduced, by: authority, cut: cut.to_vec() }
}

fn waits(rule: &'static str) -> Expected {
    Expected { outcome: Outcome::Hold, by: rule, cut: Vec::new() }
}

fn refused(rule: &'static str) -> Expected {
    Expected { outcome: Outcome::Refuse, by: rule, cut: Vec::new() }
}

fn check(asked: &Asked, expected: &Expected) {
    let decision = asked.decide();
    let by = if decision.outcome.is_release() {
        decision.authority.as_deref().unwrap_or_default()
    } else {
        decision.rule.as_str()
    };
    assert_eq!((decision.outcome, by), (expected.outcome, expected.by), "{}", decision.reason);
    let cut: Vec<_> = decision.cut.iter().map(|(class, why)| (*class, why.as_str())).collect();
    assert_eq!(cut, expected.cut);
    // What goes and what is cut are together all that the type of message is for; what does not go
    // gives nothing.
    let book = (asked.book)();
    let carries = &book.rules.rule(asked.question.kind.as_str()).unwrap().carries;
    let cut: BTreeSet<_> = decision.cut.keys().copied().collect();
    let all = if decision.outcome.is_release() { carries.clone() } else { BTreeSet::new() };
    assert_eq!(&decision.classes | &cut, all);
    assert!(decision.classes.is_disjoint(&cut));
}

/// Each row becomes a test of its name, and a line of the document.
macro_rules! decision_table {
    ($($sentence:ident: $asked:expr => $expected:expr;)*) => {
        $(#[test]
        fn $sentence() {
            check(&$asked, &$expected);
        })*

        pub(super) fn rows() -> Vec<Row> {
            vec![$(Row {
                sentence: stringify!($sentence),
                asked: $asked,
                expected: $expected,
            }),*]
        }
    };
}
use decision_table;

/// The document, from the rows and from what the engine answers.
fn document() -> String {
    let mut text = String::from(HEAD);
    for (title, rows) in [
        ("Between which bodies, and by which power", bodies::rows()),
        ("What the family decided, and who decides", families::rows()),
        ("What protects somebody, and what two people can decide", people::rows()),
    ] {
        let count = rows.len();
        write!(text, "\n## {title}\n\n{count} rows.\n\n| so that | asked | what comes of it | why |\n|---|---|---|---|\n").unwrap();
        for row in rows {
            let decision = row.asked.decide();
            let question = &row.asked.question;
            let cut: Vec<_> = decision
                .cut
                .iter()
                .map(|(class, why)| format!("{class} ({})", why.as_str()))
                .collect();
            let mut outcome = decision.outcome.in_words().to_owned();
            if !cut.is_empty() {
                write!(outcome, "; cut: {}", cut.join(", ")).unwrap();
            }
            let by = decision.authority.filter(|_| row.expected.outcome.is_release());
            let by = by.map_or(format!("`{}`", decision.rule), |authority| {
                format!("`{}`, on `{authority}`", decision.rule)
            });
            let on = row.asked.today;
            let on = if on == today() { String::new() } else { format!(" on {on}") };
            writeln!(
                text,
                "| {} | `{}` {} to {}{on} | {outcome}. {by} | {} |",
                sentence(row.sentence),
                question.kind.as_str(),
                question.sender,
                question.recipient,
                decision.reason,
            )
            .unwrap();
        }
    }
    text
}

/// The name of a test as a sentence.
fn sentence(name: &str) -> String {
    let words = name
        .replace("_s_", "'s_")
        .replace('_', " ")
        .replace("16la", "section 16LA")
        .replace("ehc", "EHC");
    let mut letters = words.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}

#[test]
fn the_decision_table_in_the_documents_is_what_the_rows_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/decision-table.md");
    let document = document();
    #[expect(clippy::disallowed_methods, reason = "a test is told to write the document again")]
    let write = std::env::var_os("EHC_WRITE_DECISION_TABLE").is_some();
    if write {
        std::fs::write(path, &document).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == document,
        "gateway/docs/decision-table.md is not what the rows say; write it again with \
         EHC_WRITE_DECISION_TABLE=1 cargo test -p gateway --lib decision_table"
    );
}

#[test]
fn every_basis_and_every_kind_of_outcome_has_a_row() {
    let all = || [bodies::rows(), families::rows(), people::rows()].into_iter().flatten();
    for basis in [
        "statute",
        "consent",
        "direct-care-implied",
        "ca2004-16la",
        "record-keeping",
        "safeguarding-override",
        "court-or-tribunal",
        "best-interests",
        "vital-interests",
    ] {
        let found = all().any(|row| row.expected.outcome.is_release() && row.expected.by == basis);
        assert!(found, "no row shows a release on {basis}");
    }
    for outcome in [Outcome::Release, Outcome::ReleaseReduced, Outcome::Hold, Outcome::Refuse] {
        assert!(all().any(|row| row.expected.outcome == outcome), "{outcome:?}");
    }
}

#[test]
fn every_type_of_message_is_decided_for_some_bodies_and_says_why() {
    for kind in MessageType::ALL {
        let parties = ["334", "330", "RYW", "RRK", "QHL"];
        let pairs = parties.iter().flat_map(|from| parties.iter().map(move |to| (from, to)));
        let outcomes = pairs.filter(|(from, to)| from != to).map(|(from, to)| {
            asks(kind, from, to)
                .with([given(), ConsentEntry { kind: ConsentKind::Plan, ..given() }])
        });
        let released = outcomes.map(|asked| asked.decide()).any(|one| one.outcome.is_release());
        // Agreements for children's services between local authorities are not in the example.
        assert!(released, "{} never goes anywhere", kind.as_str());
    }
}

const HEAD: &str = "# Decision table

What the gateway decides about sharing, case by case, for people who know the law. Every row is a
test of the decision engine; this page is written from the tests, and a test fails when it is not
what they say. Do not edit it: change a row under `gateway/src/authority/decision/tests/table/`.

The rules are in [`authority-1.toml`](../rules/authority-1.toml), the sharing agreements of the
examples in [`agreements.example.toml`](../config/agreements.example.toml). In the examples 334 and
330 are local authorities, RYW, RRK, RXT and RQ3 health trusts (RQ3 is party to no agreement), QHL is
an integrated care board. Every case is decided on 2 March 2026 unless it says otherwise.

| what comes of it | means |
|---|---|
| It goes, whole | released; what authority it rests on stands beside the rule |
| It goes, reduced | released without the classes of data named, each with what cut it |
| It waits for a person | held; two different named people can release it, on the same lawful ground |
| It does not go | refused; no vote releases a refusal |

`ehc-gateway authority explain` gives every step of any decision in words.
";
