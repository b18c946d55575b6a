//! The decision: a pure function from a question, its evidence and the rules to an outcome.
//!
//! Owns the steps of `domain.md` 5.3, in order: an agreement in force; who decides today;
//! authorities that could be relied on; restrictions in their way; reduction to what is needed;
//! the outcome with its rule, its versions and its reason in plain words.
//!
//! Must never know the store, the clock, a message's content, or how anything is sent. It makes no
//! tokens: [`admit`](super::admit) and [`release`](super::release) do.
//!
//! Use: `let decision = decide(&question, &evidence, &book, now, today);`.
//!
//! Limits: it does not see whether the recipient is authenticated, nor protected addresses.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use schemas::catalogue::DataClass;

use super::agreements::{Agreement, Flow, NoAgreement, PartyKind};
use super::ledger::{Ledger, Restriction, Standing};
use super::rules::{Basis, Candidate, Restricted, Rule, RuleBook};
use super::{Evidence, Override, Question};
use crate::audit::DecisionNote;
use crate::clock::london_date;

/// What was decided. The order is that of preference between authorities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It goes, whole.
    Release,
    /// It goes, without the classes of data its recipient does not need.
    ReleaseReduced,
    /// A person must decide.
    Hold,
    /// It does not go.
    Refuse,
}

/// A decision with everything an auditor asks about it (`domain.md` 5.3 step 6, 5.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What was decided.
    pub outcome: Outcome,
    /// The authority relied on, or the one that a restriction met.
    pub authority: Option<String>,
    /// The rule that decided.
    pub rule: String,
    /// The version of rules and agreements.
    pub rule_version: String,
    /// The agreement in force.
    pub agreement: Option<String>,
    /// The version of the newest entry of the consent ledger that was looked at.
    pub consent_version: Option<u32>,
    /// The classes of data that may go; none unless it is released.
    pub classes: BTreeSet<DataClass>,
    /// Why, in plain words, without personal details.
    pub reason: String,
}

/// Decides one question (`domain.md` 5.3). Votes recorded after `now` do not count.
pub fn decide(
    question: &Question,
    evidence: &Evidence,
    book: &RuleBook,
    now: Timestamp,
    today: Date,
) -> Decision {
    let draft = Draft { version: book.version(), agreement: None, consent_version: None };
    let Some(rule) = book.rules.rule(question.kind.as_str()) else {
        return draft.refuse("rule-none", "No rule covers this type of message.");
    };
    let flow = Flow {
        sender: &question.sender,
        recipient: &question.recipient,
        message: question.kind.as_str(),
        purposes: &rule.purposes,
    };
    let agreement = match book.agreements.in_force(&flow, today) {
        Ok(agreement) => agreement,
        Err(absence) => return draft.refuse("agreement-none", absence_in_words(absence)),
    };
    let ledger = Ledger::new(&evidence.consents, today);
    let draft = Draft {
        agreement: Some(agreement.id.clone()),
        consent_version: ledger.newest(rule.consent_kind).map(|entry| entry.version),
        ..draft
    };
    let Some(kind) = direction(rule, agreement, question) else {
        let reason = "This type of message does not pass from this kind of body to that one.";
        return draft.refuse("direction-not-allowed", reason);
    };
    let case = Case {
        question,
        rule,
        restriction: ledger.restriction(rule.consent_kind, &question.recipient),
        standing: ledger.standing(
            rule.consent_kind,
            &rule.purposes,
            question.decisions_pass_on,
            today,
        ),
        given_at: ledger.newest(rule.consent_kind).map(|entry| entry.recorded_at),
    };
    let candidates = rule.authority.iter().filter(|one| {
        (one.to.is_empty() || one.to.contains(&kind))
            && (one.basis != Basis::Ca2004S16la || book.rules.ca2004_16la_holds_on(today))
    });
    // The first candidate that releases; failing that, the first that holds; else the first.
    let Some(verdict) = candidates.map(|one| case.weigh(one)).min_by_key(|one| one.outcome) else {
        return draft.refuse("authority-none", "No authority covers this recipient.");
    };
    let verdict = case.with_votes(verdict, &evidence.overrides, now);
    reduce(verdict, rule, agreement, kind, draft)
}

impl Outcome {
    /// The name in decisions and in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::ReleaseReduced => "release-reduced",
            Self::Hold => "hold",
            Self::Refuse => "refuse",
        }
    }

    /// Whether it goes, whole or reduced.
    pub fn is_release(self) -> bool {
        matches!(self, Self::Release | Self::ReleaseReduced)
    }
}

impl Decision {
    /// What the log says of it.
    pub fn note(&self) -> DecisionNote {
        DecisionNote {
            outcome: self.outcome.as_str().to_owned(),
            authority: self.authority.clone(),
            rule: self.rule.clone(),
            rule_version: self.rule_version.clone(),
            agreement: self.agreement.clone(),
            consent_version: self.consent_version,
            reason: self.reason.clone(),
        }
    }

    /// A refusal made before any rule is looked at.
    pub(super) fn refused_outright(book: &RuleBook, rule: &str, reason: &str) -> Self {
        let draft = Draft { version: book.version(), agreement: None, consent_version: None };
        draft.refuse(rule, reason)
    }

    /// Whether a record of a type that goes to nobody is kept.
    pub(super) fn keeping(rule: Option<&Rule>, book: &RuleBook) -> Self {
        let basis = rule.filter(|rule| rule.undirected).and_then(|rule| {
            let candidate = rule.authority.first()?;
            Some((rule, candidate))
        });
        let Some((rule, candidate)) = basis else {
            let reason = "This type of message needs a recipient, and none was named.";
            return Self::refused_outright(book, "recipient-none", reason);
        };
        Self {
            outcome: Outcome::Release,
            authority: Some(candidate.basis.as_str().to_owned()),
            rule: rule.id.clone(),
            rule_version: book.version(),
            agreement: None,
            consent_version: None,
            classes: rule.carries.clone(),
            reason: format!("{} asks that this be kept. It goes to nobody.", candidate.reference),
        }
    }
}

impl From<Decision> for DecisionNote {
    fn from(decision: Decision) -> Self {
        decision.note()
    }
}

struct Draft {
    version: String,
    agreement: Option<String>,
    consent_version: Option<u32>,
}

impl Draft {
    fn refuse(self, rule: &str, reason: &str) -> Decision {
        let verdict = Verdict {
            outcome: Outcome::Refuse,
            authority: None,
            rule: rule.to_owned(),
            reason: reason.to_owned(),
            since: None,
            version: None,
        };
        self.decide(verdict, BTreeSet::new())
    }

    fn decide(self, verdict: Verdict, classes: BTreeSet<DataClass>) -> Decision {
        Decision {
            outcome: verdict.outcome,
            authority: verdict.authority.map(str::to_owned),
            rule: verdict.rule,
            rule_version: self.version,
            agreement: self.agreement,
            consent_version: verdict.version.or(self.consent_version),
            classes,
            reason: verdict.reason,
        }
    }
}

struct Verdict {
    outcome: Outcome,
    authority: Option<&'static str>,
    rule: String,
    reason: String,
    /// Since when the matter of a hold has been on record.
    since: Option<Timestamp>,
    /// The ledger entry that decided, where one did.
    version: Option<u32>,
}

struct Case<'a> {
    question: &'a Question,
    rule: &'a Rule,
    restriction: Option<Restriction>,
    standing: Standing,
    given_at: Option<Timestamp>,
}

impl Case<'_> {
    fn weigh(&self, candidate: &Candidate) -> Verdict {
        match (self.restriction, candidate.restricted) {
            (Some(restriction), Restricted::Hold) if !self.fails_anyway(candidate) => {
                return Self::meets(candidate, restriction);
            }
            (Some(restriction), Restricted::Refuse) => {
                let because = restriction.because;
                let reason = format!("It rests on agreement to share, and {because}.");
                return Verdict {
                    version: Some(restriction.version),
                    ..Self::stop(Outcome::Refuse, restriction.rule, reason)
                };
            }
            (Some(_), Restricted::Hold | Restricted::Proceed) | (None, _) => {}
        }
        match candidate.basis {
            Basis::Consent => self.rests_on_consent(candidate),
            Basis::Statute | Basis::Ca2004S16la => {
                let mut reason = format!(
                    "{} is the power relied on; agreement to share is not needed.",
                    candidate.reference
                );
                reason.push_str(match self.standing {
                    Standing::Stale => STALE_NOTED,
                    Standing::Disputed => DISPUTE_NOTED,
                    Standing::Valid
                    | Standing::Missing
                    | Standing::Refused
                    | Standing::Withdrawn
                    | Standing::NotBegun
                    | Standing::Expired
                    | Standing::OtherPurpose => "",
                });
                self.go(candidate, reason)
            }
            Basis::RecordKeeping => {
                let reason =
                    format!("{} asks that this be kept and made known.", candidate.reference);
                self.go(candidate, reason)
            }
        }
    }

    /// Whether agreement would not carry it even if nothing stood in its way: two votes lift a
    /// restriction, they do not make up an agreement.
    fn fails_anyway(&self, candidate: &Candidate) -> bool {
        candidate.basis == Basis::Consent
            && match self.standing {
                Standing::Missing
                | Standing::NotBegun
                | Standing::Expired
                | Standing::OtherPurpose => true,
                Standing::Valid
                | Standing::Refused
                | Standing::Withdrawn
                | Standing::Stale
                | Standing::Disputed => false,
            }
    }

    fn rests_on_consent(&self, candidate: &Candidate) -> Verdict {
        let (outcome, rule, reason) = match self.standing {
            Standing::Valid => {
                let reason = format!(
                    "Agreement to share holds today and covers this purpose ({}).",
                    candidate.reference
                );
                return self.go(candidate, reason);
            }
            Standing::Missing => (Outcome::Refuse, "consent-missing", MISSING),
            Standing::Refused => (Outcome::Refuse, "consent-refused", REFUSED),
            Standing::Withdrawn => (Outcome::Refuse, "consent-withdrawn", WITHDRAWN),
            Standing::NotBegun => (Outcome::Refuse, "consent-not-begun", NOT_BEGUN),
            Standing::Expired => (Outcome::Refuse, "consent-expired", EXPIRED),
            Standing::OtherPurpose => (Outcome::Refuse, "consent-purpose", OTHER_PURPOSE),
            Standing::Stale => (Outcome::Hold, "consent-stale-decision-maker", STALE),
            Standing::Disputed => (Outcome::Hold, "consent-disputed", DISPUTED),
        };
        let authority = (outcome == Outcome::Hold).then(|| candidate.basis.as_str());
        Verdict { authority, since: self.given_at, ..Self::stop(outcome, rule, reason.to_owned()) }
    }

    /// A restriction meets a power: for a person, never silently either way.
    fn meets(candidate: &Candidate, restriction: Restriction) -> Verdict {
        let because = restriction.because;
        let (rule, reason) = match candidate.basis {
            Basis::Consent => ("restriction-meets-consent", "It rests on agreement to share"),
            Basis::Statute | Basis::Ca2004S16la | Basis::RecordKeeping => {
                ("restriction-meets-statute", candidate.reference.as_str())
            }
        };
        let reason = match candidate.basis {
            Basis::Consent => format!("{reason}, but {because}. A person must decide."),
            Basis::Statute | Basis::Ca2004S16la | Basis::RecordKeeping => {
                format!("{reason} would allow this, but {because}. A person must decide.")
            }
        };
        Verdict {
            authority: Some(candidate.basis.as_str()),
            since: Some(restriction.since),
            version: Some(restriction.version),
            ..Self::stop(Outcome::Hold, rule, reason)
        }
    }

    fn go(&self, candidate: &Candidate, reason: String) -> Verdict {
        Verdict {
            authority: Some(candidate.basis.as_str()),
            ..Self::stop(Outcome::Release, &self.rule.id, reason)
        }
    }

    fn stop(outcome: Outcome, rule: &str, reason: String) -> Verdict {
        Verdict {
            outcome,
            authority: None,
            rule: rule.to_owned(),
            reason,
            since: None,
            version: None,
        }
    }

    /// Two different people's votes release what was held; nothing releases a refusal. Only votes
    /// cast with the matter on record count, so that an old approval never outlives a new
    /// withdrawal.
    fn with_votes(&self, verdict: Verdict, votes: &[Override], now: Timestamp) -> Verdict {
        if verdict.outcome != Outcome::Hold {
            return verdict;
        }
        let stale = verdict.rule == "consent-stale-decision-maker";
        let pass_on = self.question.decisions_pass_on.filter(|_| stale);
        let people: BTreeSet<&str> = votes
            .iter()
            .filter(|vote| vote.at <= now && verdict.since.is_none_or(|since| since <= vote.at))
            .filter(|vote| pass_on.is_none_or(|day| day <= london_date(vote.at)))
            .map(|vote| vote.person.trim())
            .filter(|person| !person.is_empty())
            .collect();
        match people.len() {
            0 => verdict,
            1 => Verdict { reason: format!("{}{ONE_VOTE}", verdict.reason), ..verdict },
            _ => Verdict {
                outcome: Outcome::Release,
                authority: Some("approved-override"),
                rule: "approved-override".to_owned(),
                reason: format!("Two different people approved the release ({}).", verdict.rule),
                ..verdict
            },
        }
    }
}

/// The recipient's kind, when sender and recipient are of kinds between which this may pass.
fn direction(rule: &Rule, agreement: &Agreement, question: &Question) -> Option<PartyKind> {
    let from = agreement.kind_of(&question.sender)?;
    let to = agreement.kind_of(&question.recipient)?;
    (rule.from.contains(&from) && rule.release.contains_key(&to)).then_some(to)
}

/// Drops what the recipient does not need or the agreement does not cover (UK GDPR, Article
/// 5(1)(c)). Without the identity of the person a message is of no use, and does not go.
fn reduce(
    verdict: Verdict,
    rule: &Rule,
    agreement: &Agreement,
    kind: PartyKind,
    draft: Draft,
) -> Decision {
    if !verdict.outcome.is_release() {
        return draft.decide(verdict, BTreeSet::new());
    }
    let needed = rule.release.get(&kind).cloned().unwrap_or_default();
    let classes: BTreeSet<_> = needed.intersection(&agreement.classes).copied().collect();
    if !classes.contains(&DataClass::Identity) {
        let reason = "The agreement does not cover the details that say whom this is about.";
        return draft.refuse("agreement-classes", reason);
    }
    if classes == rule.carries {
        return draft.decide(verdict, classes);
    }
    let reason = format!("{}{REDUCED}", verdict.reason);
    draft.decide(Verdict { outcome: Outcome::ReleaseReduced, reason, ..verdict }, classes)
}

fn absence_in_words(absence: NoAgreement) -> &'static str {
    match absence {
        NoAgreement::None => "No sharing agreement covers this sender, recipient and purpose.",
        NoAgreement::Ended => "The sharing agreement for this has ended.",
        NoAgreement::NotBegun => "The sharing agreement for this has not begun.",
    }
}

const MISSING: &str = "It rests on agreement to share, and none is recorded.";
const REFUSED: &str = "It rests on agreement to share, which was refused.";
const WITHDRAWN: &str = "It rests on agreement to share, which was withdrawn.";
const NOT_BEGUN: &str = "It rests on agreement to share, which is dated in the future.";
const EXPIRED: &str = "It rests on agreement to share, which has expired.";
const OTHER_PURPOSE: &str = "It rests on agreement to share, which does not cover this purpose.";
const STALE: &str = "Agreement to share was given by somebody else before the young person became \
    the one to decide. A person must ask the young person.";
const DISPUTED: &str = "One person with parental responsibility agreed and one objected, as far as \
    the record shows. A person must decide.";
const STALE_NOTED: &str = " The agreement on record was given by somebody else before the young \
    person became the one to decide, and should be asked for again.";
const DISPUTE_NOTED: &str =
    " An objection by a person with parental responsibility is also on record.";
const ONE_VOTE: &str = " One person has approved the release; a second, different person must.";
const REDUCED: &str = " Classes of data that the recipient does not need were left out.";

#[cfg(test)]
mod tests;
