//! The watch: each entry of the log is looked at once, by whichever gateway comes first.
//!
//! How far it has looked moves on in the commit that writes the alerts, so that a gateway that dies
//! loses none and doubles none. Must never write a pseudonym into an alert's entry in the log.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use schemas::{MessageType, OrganisationCode};
use uuid::Uuid;

use super::judging::{Around, Look, Observation, Odd, Way, judge, observe};
use super::rules::{Rule, Severity};
use crate::app::App;
use crate::audit::{Actor, Entry, Event, EventKind, SubjectKey};
use crate::clock::london_date;
use crate::entropy::sha256;
use crate::store::{
    AlertDecision, AlertEntry, AlertWrite, Change, InCommon, LOOKED_AT, NewAlert, StoreError,
    WatchWrite, Watched, WatchedLook, WatchedWay, Write,
};

/// Looks at what the log has gained. Gives how many alerts were raised; they are committed.
pub async fn watch(app: &App) -> Result<usize, StoreError> {
    let (mut raised, mut tries) = (0, 0);
    loop {
        let to = app.store.watched_to().await?;
        let rows = app.store.audit_rows_found_by(to.seq, ENTRIES_AT_ONCE).await?;
        let Some((last, _)) = rows.last() else { return Ok(raised) };
        let mut page = Page::new(to.seq, last.seq.saturating_add(1));
        page.known_since = to.began_at;
        for (row, found_by) in &rows {
            // An entry that was tampered with is for the verifier to name, and no end of the watch.
            if let Ok(entry) = serde_json::from_slice::<Entry>(&row.leaf) {
                page.take(app, &entry, found_by.subject).await?;
            }
        }
        match page.close(app).await {
            Ok(count) => (raised, tries) = (raised + count, 0),
            Err(StoreError::Conflict { rule: LOOKED_AT }) => return Ok(raised),
            // An alert was closed while more was about to be added to it: that begins a new one.
            Err(StoreError::Conflict { .. }) if tries < TRIES => tries += 1,
            Err(error) => return Err(error),
        }
    }
}

/// A stretch of the log, while it is looked at.
struct Page {
    watched: Watched,
    known_since: Option<Timestamp>,
    alerts: Vec<(NewAlert, Vec<AlertEntry>, Severity)>,
    grown: BTreeMap<Uuid, (Timestamp, Vec<AlertEntry>)>,
    reviewed: Vec<(Uuid, AlertDecision)>,
    /// What was looked at lately, by whom it was asked for: read once for a stretch.
    looks: BTreeMap<Who, Vec<Look>>,
}

/// An organisation, and one of its people or all that act for it.
type Who = (String, Option<String>);

impl Page {
    fn new(from: u64, until: u64) -> Self {
        Self {
            watched: Watched { from, until, ..Watched::default() },
            known_since: None,
            alerts: Vec::new(),
            grown: BTreeMap::new(),
            reviewed: Vec::new(),
            looks: BTreeMap::new(),
        }
    }

    /// `whose` is what the look-up has of whom the entry is about.
    async fn take(
        &mut self,
        app: &App,
        entry: &Entry,
        whose: Option<SubjectKey>,
    ) -> Result<(), StoreError> {
        let at = Timestamp::from_microsecond(entry.at_us).unwrap_or(Timestamp::MIN);
        if self.known_since.is_none() {
            self.known_since = Some(at);
            self.watched.began_at = Some(at);
        }
        if entry.event.kind == EventKind::ReviewClosed {
            self.review_closed(app, &entry.event, at).await?;
        }
        let Some(seen) = observe(entry, whose) else { return Ok(()) };
        let organisation = (seen.by.organisation.clone(), None);
        let person = (seen.by.organisation.clone(), seen.by.counted_as().map(str::to_owned));
        if seen.access.is_some() {
            self.read(app, &organisation, seen.at).await?;
            self.read(app, &person, seen.at).await?;
        }
        let known = |who: &Who| self.looks.get(who).map(Vec::as_slice).unwrap_or_default();
        let in_common = in_common(app, &seen).await?;
        let around = Around {
            holidays: app.rules.bank_holidays(),
            of_person: if person.1.is_some() { known(&person) } else { &[] },
            of_organisation: known(&organisation),
            restrictions: restrictions(app, &seen).await?,
            surname_shared_by: in_common.surname_shared_by,
            same_postcode: in_common.same_postcode,
            way: self.way(app, &seen).await?,
        };
        let found = judge(app.odd_access(), &around, &seen);
        for odd in found {
            self.found(app, &seen, &odd).await?;
        }
        self.remember(app, &seen);
        Ok(())
    }

    /// Reads what somebody looked at before this stretch of the log, unless it was read.
    async fn read(&mut self, app: &App, who: &Who, at: Timestamp) -> Result<(), StoreError> {
        if self.looks.contains_key(who) {
            return Ok(());
        }
        let since = at.checked_sub(app.odd_access().looks_back()).unwrap_or(Timestamp::MIN);
        let asked = (who.0.as_str(), who.1.as_deref());
        let before = app.store.looks_since(asked, since, self.watched.from, LOOKS_MAX).await?;
        self.looks.insert(who.clone(), before.iter().map(look_of).collect());
        Ok(())
    }

    async fn way(&self, app: &App, seen: &Observation) -> Result<Way, StoreError> {
        let known_since = self.known_since.unwrap_or(seen.at);
        let nothing = Way { known_since, last_sent: None, last_back: None, routed: false };
        let Some(sharing) = &seen.sharing else { return Ok(nothing) };
        let (from, to) = (seen.by.organisation.as_str(), &sharing.to);
        let here = |sender: &str, recipient: &str, kind: Option<MessageType>| {
            let ways = self.watched.ways.iter().rev();
            ways.filter(|way| way.sender == sender && way.recipient.as_str() == recipient)
                .find(|way| kind.is_none_or(|kind| way.kind == kind))
                .map(|way| way.at)
        };
        let sent = app.store.last_way(from, to.as_str(), Some(sharing.kind)).await?;
        let back = app.store.last_way(to.as_str(), from, None).await?;
        Ok(Way {
            known_since,
            last_sent: sent.max(here(from, to.as_str(), Some(sharing.kind))),
            last_back: back.max(here(to.as_str(), from, None)),
            routed: routed(app, to, london_date(seen.at)),
        })
    }

    /// Raises an alert, or adds the entry to one that is open about the same.
    async fn found(
        &mut self,
        app: &App,
        seen: &Observation,
        odd: &Odd<'_>,
    ) -> Result<(), StoreError> {
        let rule = odd.rule;
        let likeness = sha256(format!("{}\n{}", rule.name, odd.likeness).as_bytes());
        let entry = AlertEntry {
            seq: seen.seq,
            organisation: seen.by.organisation.clone(),
            person: seen.by.person.clone(),
        };
        let since = seen.at.checked_sub(once_within(rule)).unwrap_or(Timestamp::MIN);
        let same =
            |new: &NewAlert| new.rule == rule.name && new.likeness == likeness && new.at >= since;
        if let Some((_, entries, _)) = self.alerts.iter_mut().find(|(new, ..)| same(new)) {
            entries.push(entry);
            return Ok(());
        }
        if let Some(open) = app.store.open_alert_like(&rule.name, likeness, since).await? {
            let (last, entries) = self.grown.entry(open).or_insert((seen.at, Vec::new()));
            *last = seen.at;
            entries.push(entry);
            return Ok(());
        }
        let review = seen.setting_aside.as_ref().and_then(|decision| decision.review);
        let id = app.make_id()?;
        let days = SignedDuration::from_hours(i64::from(rule.review_within_days) * 24);
        let new = NewAlert {
            id,
            sample: None,
            rule: rule.name.clone(),
            rules_version: app.odd_access().version.clone(),
            severity: rule.severity.as_str(),
            reviewers: rule.reviewers.as_str(),
            review_by: seen.at.checked_add(days).unwrap_or(Timestamp::MAX),
            organisation: seen.by.organisation.clone(),
            counterparty: seen.sharing.as_ref().map(|sharing| sharing.to.clone()),
            likeness,
            // Whatever else is odd about an emergency (the hour of it) is not its review's to decide.
            review: rule.is_of_emergencies().then_some(review).flatten(),
            at: seen.at,
        };
        self.alerts.push((new, vec![entry], rule.severity));
        Ok(())
    }

    /// An emergency's own review decides the alert about it: nobody does it twice.
    async fn review_closed(
        &mut self,
        app: &App,
        event: &Event,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let said = |name: &str| event.detail.get(name).map(String::as_str);
        let Some(review) = said("review").and_then(|id| Uuid::try_parse(id).ok()) else {
            return Ok(());
        };
        let here = self.alerts.iter().find(|(new, ..)| new.review == Some(review));
        let alert = match here {
            Some((new, ..)) => Some(new.id),
            None => app.store.open_alert_of_review(review).await?,
        };
        let Some(alert) = alert else { return Ok(()) };
        let upheld = said("outcome") == Some("upheld");
        let decision = AlertDecision {
            outcome: if upheld { "justified" } else { "not-justified" }.to_owned(),
            reason: "its-review-was-closed".to_owned(),
            organisation: event.actor.organisation.clone(),
            person: event.actor.person.clone().unwrap_or_default(),
            who: String::new(),
            entries: 1,
            at,
        };
        self.reviewed.push((alert, decision));
        Ok(())
    }

    fn remember(&mut self, app: &App, seen: &Observation) {
        if let Some(access) = &seen.access {
            let look = WatchedLook {
                seq: seen.seq,
                at: seen.at,
                organisation: seen.by.organisation.clone(),
                person: seen.by.counted_as().map(str::to_owned),
                subject: access.opened,
                listed: access.listed,
            };
            let person = (look.organisation.clone(), look.person.clone());
            let everybody = (look.organisation.clone(), None);
            for who in BTreeSet::from([person, everybody]) {
                if let Some(looks) = self.looks.get_mut(&who) {
                    looks.push(look_of(&look));
                }
            }
            self.watched.looks.push(look);
            let back = app.odd_access().looks_back();
            let before = seen.at.checked_sub(back).ok();
            self.watched.forget_before = self.watched.forget_before.max(before);
        }
        if let Some(sharing) = &seen.sharing {
            self.watched.ways.push(WatchedWay {
                sender: seen.by.organisation.clone(),
                recipient: sharing.to.clone(),
                kind: sharing.kind,
                at: seen.at,
            });
        }
    }

    /// Commits what was found, and moves the watch on with it; then says so aloud.
    async fn close(self, app: &App) -> Result<usize, StoreError> {
        let Self { watched, alerts, grown, reviewed, .. } = self;
        if alerts.is_empty() && grown.is_empty() && reviewed.is_empty() {
            app.store.watch_on(&watched).await?;
            return Ok(0);
        }
        let mut change: Option<Change> = None;
        let mut add = |step: Change| {
            change = Some(match change.take() {
                Some(before) => before.join(step),
                None => step,
            });
        };
        for (new, entries, _) in &alerts {
            let write = AlertWrite::Raised(new.clone(), entries.clone());
            add(Change::because(raised_event(new, entries.len())).write(Write::Alert(write)));
        }
        for (id, (last, entries)) in grown {
            let event = Event::new(EventKind::AlertGrown, Actor::gateway())
                .with("alert", id)
                .with("entries", entries.len());
            let write = AlertWrite::Grown(id, last, entries);
            add(Change::because(event).write(Write::Alert(write)));
        }
        for (id, decision) in reviewed {
            let event = Event::new(EventKind::AlertDecided, Actor::gateway())
                .with("alert", id)
                .with("outcome", &decision.outcome)
                .with("reason", &decision.reason);
            let write = AlertWrite::ReviewClosed(id, decision);
            add(Change::because(event).write(Write::Alert(write)));
        }
        let Some(change) = change else { return Ok(0) };
        let moved = Write::Watch(WatchWrite::Watched(watched));
        app.store.commit(change.write_first(moved)).await?;
        for (new, _, severity) in &alerts {
            app.metrics.alert_raised(&new.rule);
            tracing::warn!(
                reference = %new.id,
                rule = new.rule,
                severity = severity.as_str(),
                organisation = new.organisation,
                "an access is odd; somebody else must look into it"
            );
        }
        Ok(alerts.len())
    }
}

/// What the log says of an alert: never who, nor about whom, nor which entries.
pub(super) fn raised_event(new: &NewAlert, entries: usize) -> Event {
    let mut event = Event::new(EventKind::AlertRaised, Actor::gateway())
        .with("alert", new.id)
        .with("rule", &new.rule)
        .with("rules", &new.rules_version)
        .with("severity", new.severity)
        .with("organisation", &new.organisation)
        .with("entries", entries);
    event.counterparty.clone_from(&new.counterparty);
    event
}

fn once_within(rule: &Rule) -> SignedDuration {
    // Each override is an alert of its own, however long its votes are apart.
    if rule.once_within.is_zero() { SignedDuration::from_hours(24 * 366) } else { rule.once_within }
}

fn look_of(look: &WatchedLook) -> Look {
    Look { at: look.at, opened: look.subject, listed: look.listed }
}

/// The restrictions in force about whoever's record was opened.
async fn restrictions(app: &App, seen: &Observation) -> Result<BTreeSet<String>, StoreError> {
    let Some(subject) = seen.access.as_ref().and_then(|access| access.opened) else {
        return Ok(BTreeSet::new());
    };
    let ledger = app.store.consents_for(subject).await?;
    let standing = crate::authority::restrictions_in_force(&ledger, london_date(seen.at));
    Ok(standing.into_iter().map(crate::telemetry::name_of).collect())
}

async fn in_common(app: &App, seen: &Observation) -> Result<InCommon, StoreError> {
    let opened = seen.access.as_ref().and_then(|access| access.opened);
    let (Some(subject), Some(person)) = (opened, seen.by.person.as_deref()) else {
        return Ok(InCommon::default());
    };
    app.store.in_common((&seen.by.organisation, person), subject).await
}

/// Whether the routing table names an organisation for any service on a day.
fn routed(app: &App, organisation: &OrganisationCode, on: Date) -> bool {
    app.routes_in_force(on).any(|route| route.organisation == *organisation)
}

/// How often a stretch is looked at again when alerts change under it.
const TRIES: u32 = 3;
/// Entries looked at, and committed, together.
const ENTRIES_AT_ONCE: u32 = 500;
/// Looks read for one count: more than any sensible threshold.
const LOOKS_MAX: u32 = 20_000;
