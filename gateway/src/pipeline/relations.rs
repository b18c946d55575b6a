//! How a message stands to earlier ones: the case it belongs to, what it takes the place of, what
//! it takes back.
//!
//! A case is found by the authority's reference, by the leg a message answers or is about, or by
//! the message it supersedes, recalls or acknowledges. A reference that belongs to somebody else's
//! case is for the wrong-person guard (`guard.rs`); one that leads nowhere is no case at all.

use jiff::civil::Date;
use schemas::record::{Body, Message};
use schemas::{Field, Issue, LegId, MessageType, Place, Record, RecordId, ServiceCode};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

use super::ReceiveError;
use super::admission::{Batch, Facts};
use super::answer::Attachment;
use super::destinations::Destination;
use crate::app::App;
use crate::audit::{DecisionNote, SubjectKey};
use crate::peer::Role;
use crate::queue::{CaseId, DeliveryId};
use crate::store::{Relations, StoreError, StoredRecord, Taken};
use schemas::OrganisationCode;

/// How a record stands to earlier ones.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// What is stored of it.
    pub(super) relations: Relations,
    /// What becomes of the earlier record.
    pub(super) taking: Option<TakingBack>,
    /// What the sender should know.
    pub(super) warning: Option<Issue>,
}

impl Standing {
    /// The date from which the clock of a service runs that an earlier, superseded request asked.
    pub(super) fn first_receipt(&self, service: Option<&ServiceCode>) -> Option<Date> {
        self.taking.as_ref()?.receipts.get(service?).copied()
    }
}

/// An earlier record that is superseded or recalled, as far as it is known before the guard.
#[derive(Debug)]
pub(super) struct TakingBack {
    /// The earlier record.
    pub(super) earlier: StoredRecord,
    /// Whether it is superseded or recalled.
    pub(super) how: How,
    /// The only recipient it is taken back from; none means all.
    pub(super) only: Option<OrganisationCode>,
    /// Its deliveries when it was looked at.
    pub(super) seen: Vec<Taken>,
    /// When the open legs of a superseded request were first received, by service.
    pub(super) receipts: BTreeMap<ServiceCode, Date>,
    /// Whoever would be told of a recall, with what was decided about it.
    pub(super) told: Vec<(Destination, DecisionNote)>,
    /// The record that does it.
    pub(super) by: Facts,
    /// The row of the answer that it is.
    pub(super) row: usize,
}

/// How an earlier record is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// A newer one takes its place.
    Superseded,
    /// Its sender takes it back.
    Recalled,
}

impl How {
    /// The rule that stands with what it stops.
    pub(super) fn rule(self) -> &'static str {
        match self {
            Self::Superseded => SUPERSEDED,
            Self::Recalled => RECALLED,
        }
    }
}

/// The rule behind a delivery whose record was superseded before it was opened.
pub const SUPERSEDED: &str = "superseded";
/// The rule behind a delivery that its sender took back.
pub const RECALLED: &str = "recalled";

impl TakingBack {
    /// Whose guard is needed.
    pub(super) fn guard(&self) -> SubjectKey {
        guarded(&self.earlier)
    }

    /// Everybody it was sent to, within what is taken back.
    pub(super) fn recipients(&self) -> BTreeSet<OrganisationCode> {
        let within = self.seen.iter().filter(|taken| self.concerns(taken));
        within.map(|taken| taken.recipient.clone()).collect()
    }

    /// Whether a delivery is within what is taken back.
    pub(super) fn concerns(&self, taken: &Taken) -> bool {
        self.only.as_ref().is_none_or(|only| taken.recipient == *only)
    }
}

/// What is guarded while a record is sent or taken back: the person; for a record about nobody,
/// the record itself.
pub(crate) fn guarded(stored: &StoredRecord) -> SubjectKey {
    let id = stored.sealed.record().0;
    stored.subject.unwrap_or_else(|| SubjectKey(crate::entropy::sha256(id.as_bytes())))
}

/// The keyed pseudonym of an authority's own case reference.
pub(super) fn case_pseudonym(app: &App, authority: &OrganisationCode, reference: &str) -> [u8; 32] {
    let case = [authority.as_str().as_bytes(), b"\0", reference.as_bytes()].concat();
    app.vault.pseudonyms().recognition("case", &case)
}

/// The case of an authority's own reference.
pub(crate) fn case_id(app: &App, authority: &OrganisationCode, reference: &str) -> CaseId {
    let key = case_pseudonym(app, authority, reference);
    let first = key.first_chunk::<16>().copied().unwrap_or_default();
    CaseId(uuid::Builder::from_custom_bytes(first).into_uuid())
}

impl Batch<'_> {
    /// How a record stands to earlier ones; an issue when what it names cannot be meant.
    pub(super) async fn standing(
        &self,
        record: &Record,
        facts: &Facts,
        attachment: Option<&Attachment>,
        place: &Place,
    ) -> Result<Result<Standing, Issue>, ReceiveError> {
        let superseded = match self.superseded(record, facts, place).await? {
            Ok(superseded) => superseded,
            Err(issue) => return Ok(Err(issue)),
        };
        let recalled = match self.recalled(record, facts, place).await? {
            Ok(recalled) => recalled,
            Err(issue) => return Ok(Err(issue)),
        };
        let mut standing = Standing::default();
        if let Some(taking) = &superseded {
            standing.relations.supersedes = Some(taking.earlier.sealed.record());
        }
        if let (Some(taking), Body::Particulars(said)) = (&recalled, &record.message().body) {
            let reason = said.text(RECALL_REASON).unwrap_or_default().to_owned();
            standing.relations.recalls = Some((taking.earlier.sealed.record(), reason));
        }
        standing.taking = superseded.or(recalled);
        let earlier = standing.taking.as_ref().map(|taking| &taking.earlier);
        let named = self.named_case(record.message(), facts).await?;
        standing.relations.case = match (self.leg_case(record, attachment).await?, named) {
            (Some(case), _) | (None, Some(case)) => Some(case),
            (None, None) => earlier.and_then(|earlier| earlier.relations.case),
        };
        if record.message().case.is_some() && standing.relations.case.is_none() {
            standing.warning = Some(case_unknown(place));
        }
        Ok(Ok(standing))
    }

    /// The case of the leg that a message answers, is about, or whose delivery it acknowledges.
    async fn leg_case(
        &self,
        record: &Record,
        attachment: Option<&Attachment>,
    ) -> Result<Option<CaseId>, StoreError> {
        let (store, own) = (&self.app.store, &self.sender.organisation);
        if let Some(attachment) = attachment {
            return Ok(attachment.case);
        }
        if let Some(leg) = record.message().leg {
            let leg = store.find_leg(leg).await?;
            let leg = leg.filter(|leg| leg.sender == *own || leg.recipient == *own);
            return match leg {
                Some(leg) => self.case_of(leg.record).await,
                None => Ok(None),
            };
        }
        let Body::Notice(notice) = &record.message().body else { return Ok(None) };
        let Ok(id) = Uuid::try_parse(notice.about.expose()) else { return Ok(None) };
        let delivery = store.find_delivery(DeliveryId(id)).await?.filter(|d| d.recipient == *own);
        match delivery {
            Some(delivery) => self.case_of(delivery.record).await,
            None => Ok(None),
        }
    }

    async fn case_of(&self, record: RecordId) -> Result<Option<CaseId>, StoreError> {
        let record = self.app.store.find_record(record).await?;
        Ok(record.and_then(|record| record.relations.case))
    }

    /// The case whose reference a message names: an authority's own; for a health body that of the
    /// authority it writes to, when that has a record about the same person in it.
    async fn named_case(
        &self,
        message: &Message,
        facts: &Facts,
    ) -> Result<Option<CaseId>, StoreError> {
        let Some(case) = &message.case else { return Ok(None) };
        let own = &self.sender.organisation;
        if self.sender.roles.contains(&Role::LaCaseSystem) {
            return Ok(Some(case_id(self.app, own, case.expose())));
        }
        let (Some(authority), Some(subject)) = (&message.recipient, facts.subject) else {
            return Ok(None);
        };
        let id = case_id(self.app, authority, case.expose());
        for subject in self.app.store.pseudonyms_of(subject).await? {
            if self.app.store.case_is_about(id, authority, subject).await? {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// Whether two pseudonyms mean one person, or neither message is about anybody.
    pub(super) async fn same_person(
        &self,
        one: Option<SubjectKey>,
        other: Option<SubjectKey>,
    ) -> Result<bool, StoreError> {
        let (Some(one), Some(other)) = (one, other) else { return Ok(one == other) };
        Ok(self.app.store.pseudonyms_of(one).await?.contains(&other))
    }

    /// The earlier record that a sender means by its own reference, or by our id for it; none when
    /// there is no such record of that sender.
    pub(super) async fn own_record(
        &self,
        reference: &str,
    ) -> Result<Option<StoredRecord>, ReceiveError> {
        let own = &self.sender.organisation;
        let known = self.app.store.find_duplicate(self.identity_of(reference)).await?;
        let id = known.map(|(record, _)| record);
        let id = id.or_else(|| Uuid::try_parse(reference).ok().map(RecordId));
        let Some(id) = id else { return Ok(None) };
        let found = self.app.store.find_record(id).await?;
        Ok(found.filter(|record| record.sealed.sender() == own))
    }

    /// What will be known of an earlier record that is superseded or recalled.
    pub(super) async fn taking(
        &self,
        earlier: StoredRecord,
        how: How,
        only: Option<OrganisationCode>,
        facts: &Facts,
    ) -> Result<TakingBack, ReceiveError> {
        let record = earlier.sealed.record();
        let mut receipts = BTreeMap::new();
        if earlier.sealed.kind() == MessageType::AdviceRequest {
            let legs = self.app.store.legs_of(record).await?;
            let open = legs.into_iter().filter(|leg| leg.state.is_open());
            receipts.extend(open.map(|leg| (leg.service, leg.received_on)));
        }
        let seen = self.app.store.taken(record).await?;
        let (by, row) = (facts.clone(), self.rows.len());
        Ok(TakingBack { earlier, how, only, seen, receipts, told: Vec::new(), by, row })
    }

    /// The leg of a delivery, when its record asks for advice.
    pub(super) fn leg_of(taking: &TakingBack, delivery: DeliveryId) -> Option<LegId> {
        (taking.earlier.sealed.kind() == MessageType::AdviceRequest).then(|| delivery.leg())
    }
}

fn case_unknown(place: &Place) -> Issue {
    Issue::warning(
        "case-not-found",
        Some(Field::CASE),
        place.clone(),
        "leads to no case of that authority about this person; the message stands alone",
        "nothing is needed; check the reference if it should belong to a case",
    )
}

/// The name under which a recall says why.
const RECALL_REASON: &str = "recall_reason";
