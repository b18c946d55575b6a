//! Past decisions, made again: read from the log in order, each with the evidence as it stood.
//!
//! Owns what was known at each decision. The consent ledger numbers a person's entries in the
//! order in which the log recorded them, so the log says how many there were; a record that
//! brought an entry of its own was decided with it. Votes are read from the log too, because a
//! new hold takes them out of the store.
//!
//! Limits: a decision is replayed at the instant of its entry, which is moments after it was
//! made. What goes to nobody, and what was refused before it became a record, is in the log
//! without a question and is only counted; so is what stands in a period of the log whose look-up
//! was destroyed, and what was recorded there is not known to later decisions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use schemas::{OrganisationCode, RecordId};

use crate::app::App;
use crate::audit::{DecisionNote, Entry, Event, EventKind, SubjectKey};
use crate::authority::rehearsal::Case;
use crate::authority::{Basis, BreakGlass, ConsentEntry, Evidence, Override, Question};
use crate::clock::london_date;
use crate::holds;
use crate::queue::DeliveryId;
use crate::store::{StoreError, StoredRecord};

/// A decision of the past.
#[derive(Debug, Clone)]
pub struct Past {
    /// Its entry in the log.
    pub entry: u64,
    /// What was decided then.
    pub note: DecisionNote,
    /// The question with its evidence, to be asked again.
    pub case: Case,
}

/// Reads the log from its beginning, page by page.
#[derive(Debug)]
pub struct Replay<'a> {
    app: &'a App,
    next: u64,
    /// How many entries of a person's ledger the log has recorded so far.
    recorded: BTreeMap<SubjectKey, u32>,
    votes: BTreeMap<DeliveryId, Vec<Override>>,
    emergencies: BTreeMap<DeliveryId, BreakGlass>,
    /// Pseudonyms that the log has said mean one person so far.
    ties: Vec<BTreeSet<SubjectKey>>,
    /// Decisions that were not about a question.
    unasked: u64,
}

impl<'a> Replay<'a> {
    /// From the beginning of the log.
    pub fn new(app: &'a App) -> Self {
        let (recorded, votes) = (BTreeMap::new(), BTreeMap::new());
        let (emergencies, ties) = (BTreeMap::new(), Vec::new());
        Self { app, next: 0, recorded, votes, emergencies, ties, unasked: 0 }
    }

    /// The place in the log that is read next.
    pub fn place(&self) -> u64 {
        self.next
    }

    /// Decisions met so far that were about no question: what is kept and goes to nobody.
    pub fn unasked(&self) -> u64 {
        self.unasked
    }

    /// The decisions of the next page; `None` at the end of the log.
    pub async fn page(&mut self) -> Result<Option<Vec<Past>>, StoreError> {
        let rows = self.app.store.audit_rows_found_by(self.next, PAGE).await?;
        let Some((last, _)) = rows.last() else { return Ok(None) };
        self.next = last.seq.saturating_add(1);
        let mut page = Page::default();
        let mut found = Vec::new();
        for (row, found_by) in &rows {
            let broken = |error| StoreError::Log(Arc::new(error));
            let mut entry = Entry::parse(&row.leaf).map_err(broken)?;
            // The leaf has an alias, of which nobody knows any more whose it is without the look-up.
            let forgotten = entry.event.subject.is_some() && found_by.subject.is_none();
            entry.event.subject = found_by.subject;
            if forgotten {
                let decided = u64::from(entry.event.decision.is_some());
                self.unasked = self.unasked.saturating_add(decided);
                continue;
            }
            self.note(&entry).await?;
            found.extend(self.past(entry, &mut page).await?);
        }
        Ok(Some(found))
    }

    /// Keeps what later decisions knew.
    async fn note(&mut self, entry: &Entry) -> Result<(), StoreError> {
        let event = &entry.event;
        if event.kind == EventKind::ConsentRecorded
            && let Some(subject) = event.subject
        {
            let count = self.recorded.entry(subject).or_default();
            *count = count.saturating_add(1);
        }
        if event.kind == EventKind::IdentityRecorded
            && let (Some(record), Some(old)) = (event.record, event.subject)
            && let Some(now) = self.app.store.said_to_be(record, old).await?
        {
            self.tie(old, now);
        }
        let Some(delivery) = event.delivery else { return Ok(()) };
        let said = |name: &str| event.detail.get(name).map(String::as_str);
        if event.kind == EventKind::DeliveryHeld {
            self.votes.remove(&delivery);
            self.emergencies.remove(&delivery);
        } else if event.kind == EventKind::HoldDecided {
            self.votes.entry(delivery).or_default().extend(vote(entry));
        } else if event.kind == EventKind::HoldBroken {
            let basis = said("basis").and_then(holds::ground_of);
            let at = Timestamp::from_microsecond(entry.at_us).ok();
            if let (Some(basis), Some(at)) = (basis, at) {
                self.emergencies.insert(delivery, BreakGlass { basis, at });
            }
        } else if event.kind == EventKind::ReviewClosed
            && said("outcome").is_some_and(|outcome| outcome != "upheld")
        {
            self.emergencies.remove(&delivery);
        }
        Ok(())
    }

    async fn past(&mut self, entry: Entry, page: &mut Page) -> Result<Option<Past>, StoreError> {
        let Some(note) = entry.event.decision.clone() else { return Ok(None) };
        if note.rule == crate::pipeline::PERSON_DIED {
            // A death stops what authority allows; no rule of sharing would have said otherwise.
            self.unasked = self.unasked.saturating_add(1);
            return Ok(None);
        }
        let asked =
            (entry.event.record, entry.event.message_type, entry.event.counterparty.clone());
        let (Some(record), Some(kind), Some(recipient)) = asked else {
            self.unasked = self.unasked.saturating_add(1);
            return Ok(None);
        };
        let Some(stored) = page.record(self.app, record).await? else { return Ok(None) };
        let now = entry.at();
        let question = Question {
            record,
            kind,
            sender: stored.sealed.sender().clone(),
            recipient,
            service: None,
            subject: stored.subject,
            decisions_pass_on: stored.decisions_pass_on,
        };
        let evidence = Evidence {
            consents: self.ledger_at(&entry.event, question.subject, page).await?,
            overrides: self.votes_at(&entry.event),
            emergency: entry.event.delivery.and_then(|id| self.emergencies.get(&id).copied()),
        };
        let case = Case { question, evidence, now, today: london_date(now) };
        Ok(Some(Past { entry: entry.seq, note, case }))
    }

    /// A person's ledger as it stood at an event.
    async fn ledger_at(
        &self,
        event: &Event,
        subject: Option<SubjectKey>,
        page: &mut Page,
    ) -> Result<Vec<ConsentEntry>, StoreError> {
        let Some(subject) = subject else { return Ok(Vec::new()) };
        let alone = BTreeSet::from([subject]);
        let tied = self.ties.iter().find(|tied| tied.contains(&subject)).unwrap_or(&alone);
        let mut known_then = Vec::new();
        for one in tied {
            let recorded = self.recorded.get(one).copied().unwrap_or(0);
            let ledger = page.ledger(self.app, *one).await?;
            // At admission a record is decided with the entry it brings, which the log names after.
            let own = event.record.filter(|_| event.kind == EventKind::SharingDecided);
            let first_own = ledger.iter().find(|entry| Some(entry.record) == own);
            let first_own = first_own.map(|entry| entry.version);
            let known = |entry: &&ConsentEntry| {
                entry.version <= recorded || Some(entry.version) == first_own
            };
            known_then.extend(ledger.iter().filter(known).cloned());
        }
        if tied.len() > 1 {
            known_then.sort_by_key(|entry| (entry.recorded_at, entry.version));
            for (version, entry) in (1u32..).zip(&mut known_then) {
                entry.version = version;
            }
        }
        Ok(known_then)
    }

    /// Two pseudonyms are one person's from here on.
    fn tie(&mut self, one: SubjectKey, other: SubjectKey) {
        let mut tied = BTreeSet::from([one, other]);
        self.ties.retain(|group| {
            let apart = group.is_disjoint(&tied);
            if !apart {
                tied.extend(group.iter().copied());
            }
            apart
        });
        self.ties.push(tied);
    }

    /// At admission there is no delivery yet to vote on.
    fn votes_at(&self, event: &Event) -> Vec<Override> {
        let delivery = event.delivery.filter(|_| event.kind != EventKind::SharingDecided);
        delivery.and_then(|delivery| self.votes.get(&delivery).cloned()).unwrap_or_default()
    }
}

/// A vote to release, as the log says it.
fn vote(entry: &Entry) -> Option<Override> {
    let event = &entry.event;
    let said = |name: &str| event.detail.get(name).map(String::as_str);
    said("decision").filter(|decision| *decision == "release")?;
    Some(Override {
        person: event.actor.person.clone()?,
        organisation: OrganisationCode::parse(&event.actor.organisation).ok()?,
        basis: Basis::claimed_by(said("reason")?)?,
        at: Timestamp::from_microsecond(entry.at_us).ok()?,
    })
}

/// What one page of decisions has looked up.
#[derive(Default)]
struct Page {
    records: BTreeMap<RecordId, Option<StoredRecord>>,
    ledgers: BTreeMap<SubjectKey, Vec<ConsentEntry>>,
}

impl Page {
    async fn record(
        &mut self,
        app: &App,
        id: RecordId,
    ) -> Result<Option<&StoredRecord>, StoreError> {
        let found = match self.records.remove(&id) {
            Some(found) => found,
            None => app.store.find_record(id).await?,
        };
        Ok(self.records.entry(id).or_insert(found).as_ref())
    }

    async fn ledger(
        &mut self,
        app: &App,
        subject: SubjectKey,
    ) -> Result<&[ConsentEntry], StoreError> {
        let found = match self.ledgers.remove(&subject) {
            Some(found) => found,
            None => app.store.consents_under(subject).await?,
        };
        Ok(self.ledgers.entry(subject).or_insert(found))
    }
}

/// Entries read at once.
const PAGE: u32 = 500;
