//! What is due by an instant, and what keeps some of it: the question before anything is removed.
//!
//! Limits: at most [`ITEMS_MAX`] things that go, oldest first within each kind, and as many that are
//! kept; those beyond are counted. So what is kept for long never stands in the way of what goes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use schemas::{MessageType, OrganisationCode, RecordId};
use serde::Serialize;
use uuid::Uuid;

use super::legal::InForce;
use super::schedule::{Class, Schedule};
use crate::app::App;
use crate::audit::SubjectKey;
use crate::documents::DocumentState;
use crate::store::{
    Content, Contents, KeptDocument, KeptPart, KeptQuarantine, KeptRecord, Removable, Store,
    StoreError,
};

/// Something that is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// What.
    pub what: Removable,
    /// The record, submission, quarantined item or document.
    pub item: Uuid,
    /// Its class in the schedule.
    pub class: Class,
    /// Who sent it.
    pub of: OrganisationCode,
    /// The type of message.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<MessageType>,
    /// When its time is over.
    pub due_at: Timestamp,
    /// What keeps it, as a code; nothing when it goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_by: Option<&'static str>,
    /// The record it is or belongs to.
    #[serde(skip)]
    pub record: Option<RecordId>,
    /// About whom.
    #[serde(skip)]
    pub subject: Option<SubjectKey>,
}

/// Everything that is due by an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What is due, whether it goes or is kept.
    pub items: Vec<Item>,
    /// Whether more goes than was looked at.
    pub more: bool,
    /// How many are kept beyond those listed, by class and by what keeps them.
    pub unlisted: BTreeMap<(&'static str, &'static str), u64>,
    /// How many legal holds were placed ever, and lifted of these, when this was made.
    pub holds: (u64, u64),
}

impl Plan {
    /// How many are kept, by what keeps them.
    pub fn kept(&self) -> BTreeMap<&'static str, u64> {
        let mut kept = BTreeMap::new();
        for code in self.items.iter().filter_map(|item| item.kept_by) {
            *kept.entry(code).or_default() += 1;
        }
        for ((_, code), count) in &self.unlisted {
            *kept.entry(*code).or_default() += count;
        }
        kept
    }

    /// How many go and how many are kept, by class.
    pub fn by_class(&self) -> BTreeMap<&'static str, (u64, u64)> {
        let mut counts: BTreeMap<&'static str, (u64, u64)> = BTreeMap::new();
        for item in &self.items {
            let (goes, kept) = counts.entry(item.class.as_str()).or_default();
            *if item.kept_by.is_none() { goes } else { kept } += 1;
        }
        for ((class, _), count) in &self.unlisted {
            counts.entry(*class).or_default().1 += count;
        }
        counts
    }
}

/// What is due by an instant: now for what goes at once, later for what will.
pub async fn plan(app: &App, until: Timestamp) -> Result<Plan, StoreError> {
    let held = InForce::read(&app.store).await?;
    let mut planning = Planning {
        store: &app.store,
        schedule: &app.schedule,
        held,
        until,
        items: Vec::new(),
        goes: BTreeMap::new(),
        listed: (0, 0),
        unlisted: BTreeMap::new(),
        more: false,
    };
    planning.records().await?;
    planning.quarantine().await?;
    planning.originals().await?;
    planning.documents().await?;
    planning.labels().await?;
    planning.facts().await?;
    let Planning { items, more, unlisted, held, .. } = planning;
    Ok(Plan { items, more, unlisted, holds: held.counted() })
}

struct Planning<'a> {
    store: &'a Store,
    schedule: &'a Schedule,
    held: InForce,
    until: Timestamp,
    items: Vec<Item>,
    /// Records and quarantined items that go, and when they are due.
    goes: BTreeMap<Uuid, Timestamp>,
    /// How many are listed that go, and that are kept.
    listed: (usize, usize),
    unlisted: BTreeMap<(&'static str, &'static str), u64>,
    more: bool,
}

impl Planning<'_> {
    fn is_full(&mut self) -> bool {
        self.more |= self.listed.0 >= ITEMS_MAX;
        self.more
    }

    fn push(&mut self, item: Item) {
        match item.kept_by {
            None => self.listed.0 += 1,
            Some(code) if self.listed.1 >= ITEMS_MAX => {
                *self.unlisted.entry((item.class.as_str(), code)).or_default() += 1;
                return;
            }
            Some(_) => self.listed.1 += 1,
        }
        self.items.push(item);
    }

    /// When something is due, if that is by the instant asked about.
    fn due(&self, class: Class, start: Timestamp) -> Option<Timestamp> {
        self.schedule.due_at(class, start).filter(|due| *due <= self.until)
    }

    async fn records(&mut self) -> Result<(), StoreError> {
        let classes = [
            Class::TransitCopy,
            Class::Undelivered,
            Class::ConsentEvidence,
            Class::IdentityEvidence,
        ];
        let Some(began) = self.schedule.began_by(&classes, self.until) else { return Ok(()) };
        let mut after = None;
        loop {
            let page = self.store.kept_records(began, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some((last.accepted_at, last.record.0));
            for kept in page {
                if self.is_full() {
                    return Ok(());
                }
                self.record(kept);
            }
        }
    }

    fn record(&mut self, kept: KeptRecord) {
        let class = Class::of_record(kept.kind, kept.last_delivered.is_some());
        let delivered = kept.last_delivered.filter(|_| class == Class::TransitCopy);
        let Some(due_at) = self.due(class, delivered.unwrap_or(kept.accepted_at)) else { return };
        let reasons = [
            (kept.waiting, DELIVERY_WAITS),
            (kept.under_review, NOT_REVIEWED),
            (kept.being_recalled, RECALL_UNDER_WAY),
            (kept.open_in_case, CASE_OPEN),
        ];
        let reason = reasons.into_iter().find(|(keeps, _)| *keeps).map(|(_, code)| code);
        let kept_by = self.held.keeps(&kept.whose).or(reason);
        if kept_by.is_none() {
            self.goes.insert(kept.record.0, due_at);
        }
        self.push(Item {
            what: Removable::SealedCopy,
            item: kept.record.0,
            class,
            of: kept.sender,
            kind: Some(kept.kind),
            due_at,
            kept_by,
            record: Some(kept.record),
            subject: kept.whose.subject,
        });
    }

    async fn quarantine(&mut self) -> Result<(), StoreError> {
        let classes = [Class::Quarantine, Class::QuarantineUnresolved];
        let Some(began) = self.schedule.began_by(&classes, self.until) else { return Ok(()) };
        let mut after = None;
        loop {
            let page = self.store.kept_quarantine(began, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some((last.at, last.id));
            for kept in page {
                if self.is_full() {
                    return Ok(());
                }
                self.quarantined(kept);
            }
        }
    }

    fn quarantined(&mut self, kept: KeptQuarantine) {
        let (class, start) = match kept.resolved_at {
            Some(at) => (Class::Quarantine, at),
            None => (Class::QuarantineUnresolved, kept.at),
        };
        let Some(due_at) = self.due(class, start) else { return };
        let kept_by = self.held.may_keep().or(kept.waits_for_scanner.then_some(WAITS_FOR_SCANNER));
        if kept_by.is_none() {
            self.goes.insert(kept.id, due_at);
        }
        let what = Removable::Quarantine;
        self.push(plain((what, kept.id), class, kept.sender, (due_at, kept_by)));
    }

    async fn originals(&mut self) -> Result<(), StoreError> {
        let class = Class::Original;
        let Some(began) = self.schedule.began_by(&[class], self.until) else { return Ok(()) };
        let mut after = None;
        loop {
            let page = self.store.kept_originals(began, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some((last.received_at, last.submission.0));
            let ids: Vec<Uuid> = page.iter().map(|kept| kept.submission.0).collect();
            let made = self.store.contents_of(&ids).await?;
            for kept in page {
                if self.is_full() {
                    return Ok(());
                }
                let Some(due_at) = self.due(class, kept.received_at) else { continue };
                let contents = contents_of(&made, kept.submission.0);
                // Until all that was made of it goes, its own time is not over.
                let Some(last) = self.all_gone(contents) else { continue };
                let kept_by = self.any_held(contents);
                let due = (due_at.max(last), kept_by);
                let what = (Removable::Original, kept.submission.0);
                self.push(plain(what, class, kept.sender, due));
            }
        }
    }

    async fn documents(&mut self) -> Result<(), StoreError> {
        let classes = [Class::Document, Class::DocumentUnnamed];
        let Some(began) = self.schedule.began_by(&classes, self.until) else { return Ok(()) };
        let mut after = None;
        loop {
            let page = self.store.kept_documents(began.min(self.until), after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some((last.touched_at, last.id));
            let ids: Vec<Uuid> = page.iter().map(|kept| kept.id).collect();
            let naming = self.store.records_naming(&ids).await?;
            for kept in page {
                if self.is_full() {
                    return Ok(());
                }
                let of = contents_of(&naming, kept.id);
                self.document(kept, of);
            }
        }
    }

    fn document(&mut self, kept: KeptDocument, naming: &[Content]) {
        let (class, start, held) = if naming.is_empty() {
            (Class::DocumentUnnamed, kept.touched_at, self.held.may_keep())
        } else {
            let Some(last) = self.all_gone(naming) else { return };
            (Class::Document, last, self.any_held(naming))
        };
        let Some(due_at) = self.due(class, start) else { return };
        let unknown = (!kept.names_known).then_some(MESSAGES_NOT_KNOWN);
        let waits = (kept.state == DocumentState::NotScanned).then_some(WAITS_FOR_SCANNER);
        let kept_by = held.or(unknown).or(waits);
        let what = (Removable::Document, kept.id);
        self.push(plain(what, class, kept.owner, (due_at, kept_by)));
    }

    async fn labels(&mut self) -> Result<(), StoreError> {
        let class = Class::CaseReference;
        let Some(began) = self.schedule.began_by(&[class], self.until) else { return Ok(()) };
        let mut after = None;
        loop {
            let page = self.store.kept_labels(began, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some((last.accepted_at, last.record.0));
            for kept in page {
                if self.is_full() {
                    return Ok(());
                }
                let start = kept.accepted_at;
                self.part(Removable::Label, class, start, kept);
            }
        }
    }

    async fn facts(&mut self) -> Result<(), StoreError> {
        let class = Class::TransitionFacts;
        let Some(began) = self.schedule.began_by(&[class], self.until) else { return Ok(()) };
        let began = began.to_zoned_datetime(TimeZone::UTC).date();
        let mut after = None;
        loop {
            let page = self.store.kept_facts(began, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.record);
            for kept in page {
                if self.is_full() {
                    return Ok(());
                }
                let day =
                    kept.looked_at_from.and_then(|day| day.to_zoned_datetime(TimeZone::UTC).ok());
                let Some(start) = day.map(|day| day.timestamp()) else { continue };
                self.part(Removable::Transition, class, start, kept);
            }
        }
    }

    fn part(&mut self, what: Removable, class: Class, start: Timestamp, kept: KeptPart) {
        let Some(due_at) = self.due(class, start) else { return };
        let kept_by = self.held.keeps(&kept.whose).or(kept.open_in_case.then_some(CASE_OPEN));
        self.push(Item {
            kind: Some(kept.kind),
            record: Some(kept.record),
            subject: kept.whose.subject,
            ..plain((what, kept.record.0), class, kept.sender, (due_at, kept_by))
        });
    }

    /// When the last of these went, or goes by this plan; `None` while one stays.
    fn all_gone(&self, contents: &[Content]) -> Option<Timestamp> {
        let mut last = Timestamp::MIN;
        for one in contents {
            let gone = one.removed_at.or_else(|| self.goes.get(&one.item).copied())?;
            last = last.max(gone);
        }
        Some(last)
    }

    fn any_held(&self, contents: &[Content]) -> Option<&'static str> {
        // Of what nothing was made, or nothing is known, it cannot be told whose it is.
        if contents.is_empty() {
            return self.held.may_keep();
        }
        contents.iter().find_map(|one| {
            if one.is_record { self.held.keeps(&one.whose) } else { self.held.may_keep() }
        })
    }
}

fn contents_of(contents: &Contents, of: Uuid) -> &[Content] {
    contents.get(&of).map_or(&[], Vec::as_slice)
}

fn plain(
    (what, item): (Removable, Uuid),
    class: Class,
    of: OrganisationCode,
    (due_at, kept_by): (Timestamp, Option<&'static str>),
) -> Item {
    Item { what, item, class, of, kind: None, due_at, kept_by, record: None, subject: None }
}

/// What a code that keeps something means, in words.
pub(crate) fn words_of(code: &str) -> &'static str {
    let found = KEPT_BY.iter().find(|(known, _)| *known == code);
    found.map_or("", |(_, words)| words)
}

/// Every code that keeps something, in words.
pub(crate) const KEPT_BY: [(&str, &str); 8] = [
    (LEGAL_HOLD, "a legal hold is on the person, the case or everything"),
    (
        LEGAL_HOLD_MAY,
        "a legal hold is on somebody, and it cannot be told whether this is about them",
    ),
    (DELIVERY_WAITS, "a delivery of it waits, is held, failed, or is of unknown fate"),
    (NOT_REVIEWED, "its release in an emergency is not reviewed yet"),
    (RECALL_UNDER_WAY, "its recall has not reached everybody yet"),
    (CASE_OPEN, "an answer or a duty is still owed in its case"),
    (WAITS_FOR_SCANNER, "it waits for the scanner"),
    (MESSAGES_NOT_KNOWN, "it is older than the list of which messages name which document"),
];

pub(super) const LEGAL_HOLD: &str = "legal-hold";
pub(super) const LEGAL_HOLD_MAY: &str = "legal-hold-cannot-tell";
const DELIVERY_WAITS: &str = "delivery-waits";
const NOT_REVIEWED: &str = "emergency-not-reviewed";
const RECALL_UNDER_WAY: &str = "recall-under-way";
const CASE_OPEN: &str = "case-open";
const WAITS_FOR_SCANNER: &str = "waits-for-scanner";
const MESSAGES_NOT_KNOWN: &str = "messages-not-known";

/// The most things that go by one plan, and the most that are kept and listed.
pub const ITEMS_MAX: usize = 10_000;
/// How many rows are read at a time.
const PAGE: u32 = 500;
