//! Odd access: what is rare, or rarely right, among what people look at and send, and who looks
//! into it.
//!
//! Owns the [`Rules`] (data: `gateway/rules/odd-access-1.toml`), the watch over the log that raises
//! alerts by them ([`watch`]), the queue of alerts and samples that people sign off ([`list`],
//! [`show`], [`decide`]), the draw of samples ([`sample`]), and the lists of staff by which somebody's
//! own are told ([`list_staff`]). An alert is a reference, a rule, a severity, a time and
//! organisations; it names nobody. Whoever looks into one is never who did what it is about.
//!
//! Must never know HTTP or SQL, nor a name or a postcode for longer than it takes to make a mark of it.
//!
//! Use: [`watch`] is called every minute by [`duties`](crate::duties); the rest gives changes to
//! commit, or looks that are in the log before they are answered.
//!
//! Limits: what happened before there was a watch is not judged. People are told apart by the user
//! id that their organisation's system vouches for. Not supported: alerts by e-mail or to another
//! system, because the line in the log and the metric are what an operator's own alerting reads; what
//! somebody at the machine's own prompt has in common with a child, because nobody vouches there for
//! who it is; neighbours and colleagues, because nothing a message carries tells them.

mod judging;
mod review;
mod rules;
mod sampling;
mod staff;
mod watching;

pub use judging::{
    ACCESSES, Access, Acting, Around, Look, Observation, Odd, SettingAside, Sharing, Way,
    is_by_a_person, judge, observe,
};
pub use review::{
    AlertError, AlertLine, AlertView, DecisionLine, ESCALATE_REASONS, EntryLine, JUSTIFIED_REASONS,
    NOT_JUSTIFIED_REASONS, OUTCOMES, Outcome, REASONS, Reviewer, decide, list, show,
};
pub use rules::{Hours, Of, Reviewers, Rule, Rules, Severity, Test};
pub use sampling::{Draw, Drawn, rank, sample};
pub use staff::{STAFF_MAX, StaffEntry, StaffError, list_staff};
pub use watching::watch;

/// The name under which what was drawn in a sample stands in the queue.
pub const SAMPLE: &str = "sample";

#[cfg(test)]
mod tests;
