//! Events about who somebody is: a match, a merge, a death, an address to be kept safe (M33).
//!
//! Each acts before its sender is answered, under the person's exclusive guard like a withdrawal:
//! pseudonyms that mean one person are tied together, so that ledger, guards, legs and history
//! follow; after a death everything that is not needed any more waits for a person; a protected
//! address becomes a restriction in the ledger. What is queued is decided again.
//!
//! Must never know the rules of sharing: a death is the one thing it adds to what authority says,
//! and it only ever stops.
//!
//! Limits: a match or merge acts only for an organisation that has sent or received something about
//! one of the two; a protection is lifted only by whoever recorded it. A name that changed is tied
//! to its person by a match that carries the new name. Not supported: taking a match back, because
//! what was shared under it cannot be told apart afterwards.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use schemas::record::{ConsentStatus, Particulars, Restriction};
use schemas::{Field, Issue, MessageType, NhsNumber, Place};

use super::ReceiveError;
use super::admission::{Batch, Facts, Mode};
use crate::app::App;
use crate::audit::alias::KNOWN_AS;
use crate::audit::{DecisionNote, EventKind, SubjectKey};
use crate::authority::{ConsentEntry, Decision, Override, Question, Ruling};
use crate::store::{Change, IdentityKind, IdentityWrite, NewIdentity, StoreError, Write};
use crate::telemetry::name_of;

/// The rule under which what is about somebody who died waits for a person.
pub const PERSON_DIED: &str = "person-died";

impl Batch<'_> {
    /// What an identity event that was accepted does; warnings where it does nothing.
    #[expect(clippy::wildcard_enum_match_arm, reason = "all other types say nothing of identity")]
    pub(super) async fn identify(
        &mut self,
        said: &Particulars,
        facts: &Facts,
        place: &Place,
    ) -> Result<Vec<Issue>, ReceiveError> {
        let Some(subject) = facts.subject else { return Ok(Vec::new()) };
        let on = said.date("effective_on").unwrap_or_else(|| self.app.clock.today());
        match facts.kind {
            MessageType::PersonMatch => {
                self.tie((said, subject), facts, (IdentityKind::Match, on), place).await
            }
            MessageType::PersonMerge => {
                self.tie((said, subject), facts, (IdentityKind::Merge, on), place).await
            }
            MessageType::PersonDeath => {
                self.died.insert(subject);
                self.restricted.insert(subject);
                let new = self.identity(facts, (IdentityKind::Death, on), (subject, subject));
                self.changes.extend(new);
                Ok(Vec::new())
            }
            MessageType::PersonAddressSafe => {
                let protected = said.flag("address_protected").unwrap_or(true);
                self.protect(facts, subject, (protected, on), place).await
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Ties the pseudonyms of a match or merge together.
    async fn tie(
        &mut self,
        (said, subject): (&Particulars, SubjectKey),
        facts: &Facts,
        (kind, on): (IdentityKind, Date),
        place: &Place,
    ) -> Result<Vec<Issue>, ReceiveError> {
        let (named, newest) = self.named(said, subject);
        let mut dealt = false;
        for one in &named {
            dealt |= self.app.store.has_dealt_with(&self.sender.organisation, *one).await?;
        }
        if !dealt {
            return Ok(vec![Issue::warning(
                "identity-no-effect",
                None,
                place.clone(),
                "changes nothing here: your organisation has dealt with nothing about this person",
                "check the identifiers, or leave it to the organisation that sent the messages",
            )]);
        }
        // With one pseudonym only, the details are what is new.
        let others = named.iter().filter(|one| **one != newest || named.len() == 1);
        let ties: Vec<Change> =
            others.filter_map(|one| self.identity(facts, (kind, on), (*one, newest))).collect();
        self.changes.extend(ties);
        self.restricted.extend(named.iter().copied());
        self.same.push(named);
        Ok(Vec::new())
    }

    /// The pseudonyms that a match or merge names, and the one that counts from now on.
    fn named(&self, said: &Particulars, subject: SubjectKey) -> (BTreeSet<SubjectKey>, SubjectKey) {
        let names = self.app.vault.pseudonyms();
        let number = |name: &str| {
            let number = NhsNumber::parse(said.text(name)?).ok()?;
            Some(names.key_of_nhs_number(&number))
        };
        let own = &self.sender.organisation;
        let person_id = |name: &str| Some(names.key_of_person_id(said.text(name)?, own));
        let newest = number("new_nhs_number").or_else(|| person_id("new_person_id"));
        let newest = newest.unwrap_or(subject);
        let mut named = BTreeSet::from([subject, newest]);
        named.extend(number("old_nhs_number"));
        named.extend(person_id("old_person_id"));
        named.extend(person_id("new_person_id"));
        (named, newest)
    }

    fn identity(
        &self,
        facts: &Facts,
        (kind, on): (IdentityKind, Date),
        (old, subject): (SubjectKey, SubjectKey),
    ) -> Option<Change> {
        let mut event = self
            .event(EventKind::IdentityRecorded, facts)
            .with("what", name_of(kind))
            .with("effective_on", on)
            .with(KNOWN_AS, subject.to_hex());
        event.subject = Some(old);
        Some(Change::because(event).write(Write::Identity(IdentityWrite::Identity(NewIdentity {
            record: facts.id,
            kind,
            old,
            subject,
            demographics: facts.demographics?,
            effective_on: on,
            recorded_by: self.sender.organisation.clone(),
            recorded_at: self.app.clock.now(),
        }))))
    }

    /// Records that an address is protected, or that it is no longer.
    async fn protect(
        &mut self,
        facts: &Facts,
        subject: SubjectKey,
        (protected, on): (bool, Date),
        place: &Place,
    ) -> Result<Vec<Issue>, ReceiveError> {
        let own = &self.sender.organisation;
        if !protected {
            let ledger = self.app.store.consents_for(subject).await?;
            let theirs = |entry: &ConsentEntry| {
                entry.restriction == Some(Restriction::ProtectedAddress)
                    && entry.status == ConsentStatus::Restricted
                    && entry.recorded_by == *own
            };
            if !ledger.iter().any(theirs) {
                return Ok(vec![Issue::warning(
                    "protection-not-yours",
                    Some(Field::TYPE),
                    place.clone(),
                    "lifts nothing: your organisation has not protected this address",
                    "ask the organisation that did to lift it",
                )]);
            }
        }
        let today = self.app.clock.today();
        let status = if protected { ConsentStatus::Restricted } else { ConsentStatus::Lifted };
        let entry = ConsentEntry {
            decided_on: Some(if protected { on.min(today) } else { on }),
            restriction: Some(Restriction::ProtectedAddress),
            ..ConsentEntry::bare(status, facts.id, own.clone(), self.app.clock.now())
        };
        let change = self.record_consent(facts, subject, entry);
        self.changes.push(change);
        Ok(Vec::new())
    }

    /// What was decided at admission, with a death taken into account.
    pub(super) async fn with_death(
        &self,
        facts: &Facts,
        decisions: &[Decision],
    ) -> Result<Vec<DecisionNote>, StoreError> {
        let died = self.death_of(facts.subject).await?;
        let noted = decisions.iter().map(|decision| {
            let note = decision.note();
            let stopped = stopped_by_death((facts.kind, died), &[], &note);
            stopped.filter(|_| decision.outcome.is_release()).unwrap_or(note)
        });
        Ok(noted.collect())
    }

    /// A person's pseudonym with those that this batch has tied to it.
    pub(super) fn tied_to(&self, subject: SubjectKey) -> BTreeSet<SubjectKey> {
        let mut tied = BTreeSet::from([subject]);
        for group in &self.same {
            if !group.is_disjoint(&tied) {
                tied.extend(group.iter().copied());
            }
        }
        tied
    }

    /// Since when it is on record, or about to be, that a person died. A rehearsal does not look.
    pub(super) async fn death_of(
        &self,
        subject: Option<SubjectKey>,
    ) -> Result<Option<Timestamp>, StoreError> {
        let Some(subject) = subject.filter(|_| self.mode == Mode::Commit) else { return Ok(None) };
        let tied = self.tied_to(subject);
        if !self.died.is_disjoint(&tied) {
            return Ok(Some(self.app.clock.now()));
        }
        let mut newest = None;
        for one in tied {
            newest = newest.max(self.app.store.death_of(one).await?);
        }
        Ok(newest)
    }
}

/// Whether reminders about a person have ended, because the person died.
pub async fn reminders_ended(app: &App, subject: SubjectKey) -> Result<bool, StoreError> {
    Ok(app.store.death_of(subject).await?.is_some())
}

/// The issue of a reminder about somebody who died.
pub(super) fn no_reminder(place: &Place) -> Issue {
    Issue::error(
        PERSON_DIED,
        Some(Field::TYPE),
        place.clone(),
        "is a reminder about a person whose death is on record",
        "do not send reminders about this person any more",
    )
}

/// What still goes after a death: who somebody was, what was decided about sharing, what undoes
/// or acknowledges a message, and the way to the safeguarding team.
fn goes_after_a_death(kind: MessageType) -> bool {
    super::guard::is_about_identity(kind)
        || kind.is_about_consent()
        || matches!(
            kind,
            MessageType::SafeguardingAlertLink
                | MessageType::TransportReceipt
                | MessageType::Acknowledgement
                | MessageType::Error
                | MessageType::Recall
        )
}

/// The note of a release that a death stops; `None` where it does not. Two people's votes, cast
/// with the death on record, let it go after all.
pub(super) fn stopped_by_death(
    (kind, died): (MessageType, Option<Timestamp>),
    votes: &[Override],
    note: &DecisionNote,
) -> Option<DecisionNote> {
    let died = died.filter(|_| !goes_after_a_death(kind))?;
    let people: BTreeSet<&str> =
        votes.iter().filter(|vote| died <= vote.at).map(|vote| vote.person.as_str()).collect();
    (people.len() < 2).then(|| DecisionNote {
        outcome: "hold".to_owned(),
        rule: PERSON_DIED.to_owned(),
        reason: REASON.to_owned(),
        ..note.clone()
    })
}

/// A ruling on a question with the death on record, if there is one, taken into account.
pub(crate) async fn after_recorded_death<T>(
    app: &App,
    question: &Question,
    ruling: Ruling<T>,
    votes: &[Override],
) -> Result<Ruling<T>, StoreError> {
    let died = match question.subject {
        Some(subject) => app.store.death_of(subject).await?,
        None => None,
    };
    Ok(after_death(ruling, (question.kind, died), votes))
}

/// A ruling with a death taken into account.
pub(super) fn after_death<T>(
    ruling: Ruling<T>,
    kind_and_death: (MessageType, Option<Timestamp>),
    votes: &[Override],
) -> Ruling<T> {
    match ruling {
        Ruling::Granted(proof, note) => match stopped_by_death(kind_and_death, votes, &note) {
            Some(note) => Ruling::Hold(note),
            None => Ruling::Granted(proof, note),
        },
        Ruling::Hold(note) => Ruling::Hold(note),
        Ruling::Refused(note) => Ruling::Refused(note),
    }
}

const REASON: &str =
    "It is on record that the person has died. Somebody must decide whether this is still needed.";

#[cfg(test)]
mod tests;
