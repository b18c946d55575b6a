//! Rehearsal: what would change if other rules or agreements came into force?
//!
//! Owns the comparison of two rule books over questions that were asked before. Nothing is
//! recorded, released or refused by it.
//!
//! Must never know the store, the clock or a message's content.
//!
//! Use: `for change in rehearse(&cases, &current, &draft) { .. }` and look at every line before
//! switching.
//!
//! Limits: it replays the evidence it is given; it cannot know evidence that was never kept.

use jiff::Timestamp;
use jiff::civil::Date;

use super::{Decision, Evidence, Question, RuleBook, decide};

/// A question as it was asked, with what was known and when.
#[derive(Debug, Clone)]
pub struct Case {
    /// The question.
    pub question: Question,
    /// What was known.
    pub evidence: Evidence,
    /// The instant at which it was asked.
    pub now: Timestamp,
    /// The civil date at which it was asked.
    pub today: Date,
}

/// A case that the draft decides differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Which case, counted from 0 in the order given.
    pub case: usize,
    /// What the rules in force say.
    pub before: Decision,
    /// What the draft says.
    pub after: Decision,
}

/// A case, decided again.
pub fn again(case: &Case, book: &RuleBook) -> Decision {
    decide(&case.question, &case.evidence, book, case.now, case.today)
}

/// Every case whose outcome, rule, authority or classes of data the draft would change.
pub fn rehearse<'a>(
    cases: &'a [Case],
    current: &'a RuleBook,
    draft: &'a RuleBook,
) -> impl Iterator<Item = Changed> + 'a {
    cases.iter().enumerate().filter_map(move |(index, case)| {
        let (before, after) = (again(case, current), again(case, draft));
        let same = before.outcome == after.outcome
            && before.rule == after.rule
            && before.authority == after.authority
            && before.classes == after.classes;
        (!same).then_some(Changed { case: index, before, after })
    })
}

#[cfg(test)]
mod tests;
