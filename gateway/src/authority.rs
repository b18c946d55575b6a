//! Release authority: may we hold this, and may it go to them, now?
//!
//! Consent is not the legal basis of most EHC exchange, so the question is not "is there
//! consent?" but "is there an authority, and does nothing stop it?" (`domain.md` 5.3). It is asked
//! twice: when a message is admitted and again at dispatch. The answers are values,
//! [`Admission`] and [`Release`], that later code must spend; nothing else makes them.
//!
//! Pure: evidence and time are arguments. This module must never know the store, the vault's
//! keys, or how anything is sent.
//!
//! Use: [`admit`] once for a record with one [`Question`] per recipient; [`release`] once per
//! delivery, each time before bytes leave. [`rehearsal`] asks both of another [`RuleBook`].
//!
//! In reading order: [`agreements`] and [`routing`] (who shares with whom, who answers), [`rules`]
//! (the law as data), `ledger` and `restrictions` (what families decided, what protects them),
//! `weighing` (each authority against both), `overrides` (what two people decide), `reduction`
//! (which classes of data), [`decision`] (the steps in order), [`explanation`] (the same in words).
//!
//! Limits: a release holds for [`RELEASE_HOLDS_FOR`] and for one delivery.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use schemas::{MessageType, OrganisationCode, RecordId, ServiceCode};
use serde::Serialize;

use crate::audit::{DecisionNote, SubjectKey};
use crate::queue::DeliveryId;

pub mod agreements;
pub mod decision;
pub mod explanation;
#[cfg(test)]
mod fixtures;
mod ledger;
mod overrides;
mod reduction;
pub mod rehearsal;
mod restrictions;
pub mod routing;
pub mod rules;
pub(crate) mod table;
mod weighing;

pub use agreements::Agreements;
pub use decision::{Decision, Outcome, decide};
pub use explanation::{Explanation, explain};
pub use reduction::Cut;
pub use routing::{Route, RouteError, Routing};
pub use rules::{Basis, RuleBook, Rules};
pub use table::TableError;

/// What is asked: may this record, about this person, go from here to there?
#[derive(Debug, Clone)]
pub struct Question {
    /// The record.
    pub record: RecordId,
    /// What kind of message it is.
    pub kind: MessageType,
    /// Who sends.
    pub sender: OrganisationCode,
    /// Who would receive.
    pub recipient: OrganisationCode,
    /// The service within the recipient, for requests.
    pub service: Option<ServiceCode>,
    /// About whom.
    pub subject: Option<SubjectKey>,
    /// The day from which the young person decides (end of compulsory school age).
    pub decisions_pass_on: Option<Date>,
}

/// A decision about sharing in the append-only consent ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConsentEntry {
    /// The version, from 1, for this person; 0 while it is about to be recorded.
    pub version: u32,
    /// What was decided.
    pub status: schemas::record::ConsentStatus,
    /// Whether about sharing or about the plan document.
    pub kind: schemas::record::ConsentKind,
    /// Who decided.
    pub given_by: Option<schemas::record::DecisionMaker>,
    /// The date of the decision.
    pub decided_on: Option<Date>,
    /// The last day on which it holds.
    pub expires_on: Option<Date>,
    /// The purposes it covers; none means all.
    pub purposes: Vec<String>,
    /// Organisations that must not receive anything.
    pub exclusions: Vec<OrganisationCode>,
    /// The organisations it covers; none means every one that needs it.
    pub recipients: Vec<OrganisationCode>,
    /// The classes of data it covers; none means every class that is needed.
    pub classes: Vec<schemas::catalogue::DataClass>,
    /// The restriction that begins or is lifted.
    pub restriction: Option<schemas::record::Restriction>,
    /// When competence or capacity for the decision was assessed.
    pub assessed_on: Option<Date>,
    /// The record that brought it: the id of the decision, with its evidence.
    pub record: RecordId,
    /// Who recorded it.
    pub recorded_by: OrganisationCode,
    /// When.
    pub recorded_at: Timestamp,
}

impl ConsentEntry {
    /// An entry that says what was decided about sharing and nothing else: by nobody named, on no
    /// day, without bounds. Its version is 0.
    pub fn bare(
        status: schemas::record::ConsentStatus,
        record: RecordId,
        recorded_by: OrganisationCode,
        recorded_at: Timestamp,
    ) -> Self {
        Self {
            version: 0,
            status,
            kind: schemas::record::ConsentKind::Sharing,
            given_by: None,
            decided_on: None,
            expires_on: None,
            purposes: Vec::new(),
            exclusions: Vec::new(),
            recipients: Vec::new(),
            classes: Vec::new(),
            restriction: None,
            assessed_on: None,
            record,
            recorded_by,
            recorded_at,
        }
    }
}

/// A named person's vote to release a held delivery; two different people are needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The person, as a keyed pseudonym.
    pub person: String,
    /// Their organisation.
    pub organisation: OrganisationCode,
    /// On what ground, of those that people can claim; `statute` confirms the rule's own duty.
    pub basis: Basis,
    /// When.
    pub at: Timestamp,
}

/// One named person's release of a held delivery in an emergency; somebody else must review it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakGlass {
    /// On what ground: vital interests or safeguarding, nothing else counts.
    pub basis: Basis,
    /// When.
    pub at: Timestamp,
}

/// What the question is decided on, gathered in the same breath.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// The person's consent ledger, oldest first.
    pub consents: Vec<ConsentEntry>,
    /// Votes to release this delivery although it was held.
    pub overrides: Vec<Override>,
    /// The emergency in which one person released this delivery, if anybody did.
    pub emergency: Option<BreakGlass>,
}

/// The answer, with what it costs: a token only when the answer is yes.
#[derive(Debug)]
pub enum Ruling<T> {
    /// Yes. The token must be spent.
    Granted(T, DecisionNote),
    /// A person must decide.
    Hold(DecisionNote),
    /// No.
    Refused(DecisionNote),
}

/// Proof that the gateway may hold a record for these recipients. Spent by `Vault::seal`.
///
/// Only [`admit`] makes one:
///
/// ```compile_fail
/// fn forge(record: schemas::RecordId, kind: schemas::MessageType, sender: schemas::OrganisationCode)
///     -> gateway::authority::Admission {
///     gateway::authority::Admission { record, kind, sender, recipients: Default::default() }
/// }
/// ```
///
/// The twin that compiles, so that the example above fails for the right reason:
///
/// ```
/// fn ask(
///     facts: &gateway::authority::RecordFacts,
///     book: &gateway::authority::RuleBook,
///     now: jiff::Timestamp,
/// ) -> Option<gateway::authority::Admission> {
///     let today = gateway::clock::london_date(now);
///     gateway::authority::admit(facts, &[], &Default::default(), book, now, today).admission
/// }
/// ```
///
/// It is spent once, so it cannot be cloned:
///
/// ```compile_fail
/// fn twice(proof: &gateway::authority::Admission) -> gateway::authority::Admission {
///     proof.clone()
/// }
/// ```
///
/// The twin that compiles:
///
/// ```
/// fn once(proof: gateway::authority::Admission) -> gateway::authority::Admission {
///     proof
/// }
/// ```
#[derive(Debug)]
pub struct Admission {
    pub(crate) record: RecordId,
    pub(crate) kind: MessageType,
    pub(crate) sender: OrganisationCode,
    pub(crate) recipients: BTreeSet<OrganisationCode>,
}

/// Proof that one record may go to one recipient, now. Spent by `Vault::open`.
///
/// Only [`release`] makes one:
///
/// ```compile_fail
/// fn forge(
///     delivery: gateway::queue::DeliveryId,
///     record: schemas::RecordId,
///     recipient: schemas::OrganisationCode,
///     expires_at: jiff::Timestamp,
/// ) -> gateway::authority::Release {
///     gateway::authority::Release {
///         delivery, record, recipient, classes: Default::default(), expires_at,
///     }
/// }
/// ```
///
/// The twin that compiles, so that the example above fails for the right reason:
///
/// ```
/// fn ask(
///     question: &gateway::authority::Question,
///     delivery: gateway::queue::DeliveryId,
///     book: &gateway::authority::RuleBook,
///     now: jiff::Timestamp,
/// ) -> gateway::authority::Ruling<gateway::authority::Release> {
///     let today = gateway::clock::london_date(now);
///     gateway::authority::release(question, delivery, &Default::default(), book, now, today)
/// }
/// ```
///
/// It is spent once, so it cannot be cloned:
///
/// ```compile_fail
/// fn twice(proof: &gateway::authority::Release) -> gateway::authority::Release {
///     proof.clone()
/// }
/// ```
///
/// The twin that compiles:
///
/// ```
/// fn once(proof: gateway::authority::Release) -> gateway::authority::Release {
///     proof
/// }
/// ```
#[derive(Debug)]
pub struct Release {
    pub(crate) delivery: DeliveryId,
    pub(crate) record: RecordId,
    pub(crate) recipient: OrganisationCode,
    pub(crate) classes: BTreeSet<schemas::catalogue::DataClass>,
    pub(crate) expires_at: Timestamp,
}

/// The facts of a record to be admitted, whoever receives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordFacts {
    /// The record.
    pub record: RecordId,
    /// What kind of message it is.
    pub kind: MessageType,
    /// Who sends.
    pub sender: OrganisationCode,
}

/// What was decided about a record, recipient by recipient.
#[derive(Debug)]
pub struct Admitted {
    /// Proof that it may be held, for the recipients to whom it was released or for whom it is
    /// held; none when every recipient was refused.
    pub admission: Option<Admission>,
    /// One decision per question, in their order.
    pub per_question: Vec<Decision>,
    /// The decision about keeping a record that goes to nobody; none when there were questions.
    pub keeping: Option<Decision>,
}

/// How long a release holds: long enough to open, render and hand over one parcel, short enough
/// that a withdrawal is effective at once (UK GDPR, Article 7(3)).
pub const RELEASE_HOLDS_FOR: SignedDuration = SignedDuration::from_secs(30);

/// Decides whether a record may be held, with one question per recipient.
///
/// With no questions, a record of a type the law requires to be kept (agreement to share, given or
/// withdrawn) is admitted for its sender alone, and any other is not. Votes are about deliveries;
/// at admission there is none yet, so they do not count.
pub fn admit(
    facts: &RecordFacts,
    questions: &[Question],
    evidence: &Evidence,
    rules: &RuleBook,
    now: Timestamp,
    today: Date,
) -> Admitted {
    let proof = |recipients| Admission {
        record: facts.record,
        kind: facts.kind,
        sender: facts.sender.clone(),
        recipients,
    };
    if questions.is_empty() {
        let keeping = Decision::keeping(rules.rules.rule(facts.kind.as_str()), rules);
        let admission = keeping.outcome.is_release();
        let admission = admission.then(|| proof(BTreeSet::from([facts.sender.clone()])));
        return Admitted { admission, per_question: Vec::new(), keeping: Some(keeping) };
    }
    let evidence =
        Evidence { consents: evidence.consents.clone(), overrides: Vec::new(), emergency: None };
    let decide_one = |question: &Question| {
        if facts.is_asked_by(question) {
            decide(question, &evidence, rules, now, today)
        } else {
            let reason = "The question is about another record than the one to be admitted.";
            Decision::refused_outright(rules, "question-mismatch", reason)
        }
    };
    let per_question: Vec<Decision> = questions.iter().map(decide_one).collect();
    let recipients: BTreeSet<_> = questions
        .iter()
        .zip(&per_question)
        .filter(|(_, decision)| decision.outcome != Outcome::Refuse)
        .map(|(question, _)| question.recipient.clone())
        .collect();
    let admission = (!recipients.is_empty()).then(|| proof(recipients));
    Admitted { admission, per_question, keeping: None }
}

/// Decides whether one delivery may go, now. A yes holds for [`RELEASE_HOLDS_FOR`].
pub fn release(
    question: &Question,
    delivery: DeliveryId,
    evidence: &Evidence,
    rules: &RuleBook,
    now: Timestamp,
    today: Date,
) -> Ruling<Release> {
    let decision = decide(question, evidence, rules, now, today);
    match decision.outcome {
        Outcome::Hold => Ruling::Hold(decision.note()),
        Outcome::Refuse => Ruling::Refused(decision.note()),
        Outcome::Release | Outcome::ReleaseReduced => {
            let note = decision.note();
            let proof = Release {
                delivery,
                record: question.record,
                recipient: question.recipient.clone(),
                classes: decision.classes,
                // Past the end of time there is nothing left to hold for.
                expires_at: now.checked_add(RELEASE_HOLDS_FOR).unwrap_or(now),
            };
            Ruling::Granted(proof, note)
        }
    }
}

impl RecordFacts {
    fn is_asked_by(&self, question: &Question) -> bool {
        (self.record, self.kind, &self.sender) == (question.record, question.kind, &question.sender)
    }
}

/// Whether what stands in the ledger keeps new information about a person from an organisation: an
/// objection of the family, a court's limits, sealed items. For what is shown and not sent, such as
/// a list of cases; `pass_on` is the day from which the young person decides.
pub fn is_kept_from(
    consents: &[ConsentEntry],
    from: &OrganisationCode,
    pass_on: Option<Date>,
    today: Date,
) -> bool {
    let ledger = ledger::Ledger::new(consents, pass_on, today);
    ledger.barriers(schemas::record::ConsentKind::Sharing, from).iter().any(|barrier| {
        use rules::Obstacle::{CourtLimits, Sealed};
        barrier.is_objection() || matches!(barrier.obstacle, CourtLimits | Sealed)
    })
}

/// The restrictions about a person that stand on a day, for whomever: none means none is in force.
pub fn restrictions_in_force(
    consents: &[ConsentEntry],
    today: Date,
) -> Vec<schemas::record::Restriction> {
    ledger::Ledger::new(consents, None, today).restrictions_in_force()
}

#[cfg(test)]
mod tests;
