//! Superseding: a message takes the place of an earlier one of the same sender.
//!
//! What has not been opened is not delivered any more; whoever opened the earlier one gets the new
//! one and is shown what it replaces. A superseded request's clocks go over to the new request: a
//! correction does not give a service another six weeks (regulation 8(1)).
//!
//! A message names only what was accepted before it and is superseded once, so there is no cycle.

use schemas::{Field, Issue, MessageType, Place, Record};

use super::ReceiveError;
use super::admission::{Batch, Facts};
use super::relations::{How, TakingBack};

impl Batch<'_> {
    /// The earlier record that a message takes the place of; none when it names none.
    pub(super) async fn superseded(
        &self,
        record: &Record,
        facts: &Facts,
        place: &Place,
    ) -> Result<Result<Option<TakingBack>, Issue>, ReceiveError> {
        let Some(reference) = &record.message().supersedes else { return Ok(Ok(None)) };
        let issue = |rule: &str, message: &str, next: &str| {
            Err(Issue::error(rule, Some(Field::SUPERSEDES), place.clone(), message, next))
        };
        if !may_supersede(facts.kind) {
            return Ok(issue(
                "supersedes-not-this-type",
                "stands on a type of message that takes no other's place",
                "send a new decision about sharing, or a new notice; what was said before stays",
            ));
        }
        if self.seen.contains_key(&self.identity_of(reference.expose())) {
            return Ok(issue(
                "supersedes-same-submission",
                "names a message of the same submission",
                "leave the earlier one out, or send the newer one once this was answered",
            ));
        }
        let Some(earlier) = self.own_record(reference.expose()).await? else {
            return Ok(issue(
                "supersedes-unknown",
                "is not the reference of an earlier message of yours that was accepted",
                "use the reference you gave the earlier message, or send this one without it",
            ));
        };
        if !corrects(facts.kind, earlier.sealed.kind()) {
            return Ok(issue(
                "supersedes-other-type",
                "names a message of a type that this type does not correct",
                "send the same type again, advice.amend for advice, or recall the earlier message",
            ));
        }
        if !self.same_person(earlier.subject, facts.subject).await? {
            return Ok(issue(
                "supersedes-other-person",
                "names a message about another person",
                "recall the earlier message, and send this one without naming it",
            ));
        }
        let mut newest = None;
        let mut next = self.app.store.superseded_by(earlier.sealed.record()).await?;
        while let Some(record) = next {
            newest = Some(record);
            next = self.app.store.superseded_by(record).await?;
        }
        if let Some(newest) = newest {
            let words = format!("name the newest one; to this gateway it is record {newest}");
            let told = "names a message that was superseded before";
            return Ok(issue("supersedes-superseded", told, &words));
        }
        Ok(Ok(Some(self.taking(earlier, How::Superseded, None, facts).await?)))
    }
}

/// Whether a type may take another message's place. The ledger of agreement is append-only, and a
/// notice is an event: what was said was said.
fn may_supersede(kind: MessageType) -> bool {
    let notice = matches!(
        kind,
        MessageType::TransportReceipt
            | MessageType::Acknowledgement
            | MessageType::Error
            | MessageType::Recall
    );
    !notice && !kind.is_about_consent()
}

/// Whether a type corrects another: its own, and what the catalogue has a correcting type for.
fn corrects(kind: MessageType, earlier: MessageType) -> bool {
    let correcting = [
        (MessageType::AdviceAmend, MessageType::AdviceResponse),
        (MessageType::PlanAmended, MessageType::PlanFinal),
    ];
    kind == earlier || correcting.contains(&(kind, earlier))
}
