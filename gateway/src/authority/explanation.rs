//! Explanation: every step of a decision in words that an information governance officer can read.
//!
//! Owns the trace that [`decide`](super::decide) leaves when it is asked to explain itself: the
//! same steps in the same order, because it is the same function. Must never know a child, the
//! store or how it is shown.
//!
//! Use: `let explained = explain(&question, &evidence, &book, now, today);`.
//!
//! Limits: words are English. Organisations are named by their codes.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use super::decision::{Decision, decided};
use super::{Evidence, Question, RuleBook};

/// Which step of a decision (`domain.md` 5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Which rule is for this type of message.
    Rule,
    /// Whether a sharing agreement is in force.
    Agreement,
    /// Whether it may pass from this kind of body to that.
    Direction,
    /// Who decides today.
    DecisionMaker,
    /// What of the family's decisions stands.
    Consent,
    /// What is in the way.
    Restrictions,
    /// What each authority comes to.
    Authority,
    /// What people have claimed.
    Overrides,
    /// What the recipient may have.
    Reduction,
    /// What was decided.
    Outcome,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Which.
    pub stage: Stage,
    /// What was found, in words.
    pub words: String,
}

/// A decision with every step that led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The decision, exactly as [`decide`](super::decide) makes it.
    pub decision: Decision,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

/// Decides a question and keeps every step in words.
pub fn explain(
    question: &Question,
    evidence: &Evidence,
    book: &RuleBook,
    now: Timestamp,
    today: Date,
) -> Explanation {
    let mut trace = Trace(Some(Vec::new()));
    let decision = decided(question, evidence, book, (now, today), &mut trace);
    trace.say(Stage::Outcome, || {
        format!("{}, by rule {}. {}", decision.outcome.in_words(), decision.rule, decision.reason)
    });
    Explanation { decision, steps: trace.0.unwrap_or_default() }
}

/// Where steps are written down, when anybody wants them.
pub(super) struct Trace(Option<Vec<Step>>);

impl Trace {
    /// Keeps nothing, and costs nothing.
    pub(super) fn none() -> Self {
        Self(None)
    }

    pub(super) fn say(&mut self, stage: Stage, words: impl FnOnce() -> String) {
        if let Some(steps) = &mut self.0 {
            steps.push(Step { stage, words: words() });
        }
    }
}
