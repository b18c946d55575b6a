//! Report 6: what was agreed, what ran out or was withdrawn, and what left after a withdrawal.
//!
//! That nothing leaves on agreement that was withdrawn is what the gateway promises; here it is
//! worked out again, from the log and the ledger alone and by simpler rules than those that decide.
//! What each withdrawal did is in a room of its own.

mod effects;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use schemas::RecordId;
use schemas::record::{ConsentKind, ConsentStatus, DecisionMaker};

use super::disclosures::{CONSENT, LEAVES};
use super::gathering::{Gathered, Senders, begin, gather, of_kinds};
use super::rows::{Marks, Names, detail, month, time, when};
use super::{Ask, Cell, Kind, Made, ReportError, Sheet};
use crate::app::App;
use crate::audit::{Entry, EventKind, SubjectKey, bundle};
use crate::authority::ConsentEntry;
use crate::clock::london_date;
use crate::store::LogFilter;
use crate::telemetry::name_of;

pub(super) async fn made(app: &App, ask: &Ask, asked: u64) -> Result<Made, ReportError> {
    let recorded = [EventKind::ConsentRecorded];
    // A withdrawal from before these days stops what would leave in them.
    let ever = LogFilter { from: None, ..of_kinds(ask, &recorded) };
    let ever = gather(app, &ever, asked).await?;
    let from = begin(ask);
    let mut within: Vec<&Entry> = ever.entries.iter().collect();
    within.retain(|entry| from.is_none_or(|from| entry.at() >= from));
    let names: Names<'_> = &|code| app.name_of_code(code);
    let marks = Marks::of(asked);
    // Whoever recorded a withdrawal: it stops messages of others, too.
    let stops: Vec<&Entry> =
        within.iter().copied().filter(|entry| is_recorded_stop(entry)).collect();
    let (effects, of_effects) = effects::made(app, ask, asked, &stops, (names, marks)).await?;
    if let Some(own) = &ask.organisation {
        within.retain(|entry| bundle::names(entry, own));
    }
    let said = said(app, &within).await?;
    let decided = decisions(&within, &said, names, marks);
    let monthly = by_month(&within);
    let mut notes: Vec<String> = ever.note("agreement to share").into_iter().collect();
    let stopped = stopped_ever(&ever.entries);
    let (released, left_out) = released(app, ask, asked, &stopped).await?;
    notes.extend(left_out);
    notes.extend(of_effects);
    let after = released.iter().filter(|one| one.finding == Finding::Violation).count();
    notes.push(format!(
        "{after} releases rested on agreement that had been withdrawn or refused; there must be none. Worked out for {} people about whom that was ever recorded, from the log and the ledger.",
        stopped.len()
    ));
    let (lapsed, more) = lapsed_now(app, ask, marks).await?;
    notes.extend(more);
    let after = after_withdrawal(&released, names, marks);
    let sheets = vec![decided, monthly, after, lapsed, effects];
    Ok(Made { sheets, limits: Vec::new(), notes }.note(effects::WHAT))
}

/// What the ledger says of decisions that the log names: what each is about, and who decided.
type Said = BTreeMap<(RecordId, String), (ConsentKind, Option<DecisionMaker>)>;

async fn said(app: &App, recorded: &[&Entry]) -> Result<Said, ReportError> {
    let people: BTreeSet<SubjectKey> =
        recorded.iter().filter_map(|entry| entry.event.subject).collect();
    let mut said = Said::new();
    for subject in people {
        for one in app.store.consents_for(subject).await? {
            said.insert((one.record, name_of(one.status)), (one.kind, one.given_by));
        }
    }
    Ok(said)
}

/// A row for each decision that was recorded.
fn decisions(entries: &[&Entry], said: &Said, names: Names<'_>, marks: Marks) -> Sheet {
    let columns = [
        ("entry", Kind::Number),
        ("when (London)", Kind::Time),
        ("decision", Kind::Text),
        ("about", Kind::Text),
        ("given by", Kind::Text),
        ("recorded by", Kind::Text),
        ("recorded by (name)", Kind::Text),
        ("message type", Kind::Text),
        ("child", Kind::Text),
        ("record", Kind::Text),
    ];
    let mut sheet = Sheet::new("Decisions", &columns);
    for entry in entries {
        let event = &entry.event;
        let status = detail(entry, &["status"]);
        let key = event.record.zip(status.clone());
        let ledger = key.and_then(|key| said.get(&key));
        sheet.rows.push(vec![
            entry.seq.into(),
            when(entry),
            status.into(),
            ledger.map(|(kind, _)| name_of(*kind)).into(),
            ledger.and_then(|(_, by)| by.map(name_of)).into(),
            event.actor.organisation.clone().into(),
            names(&event.actor.organisation).into(),
            event.message_type.map(|kind| kind.as_str().to_owned()).into(),
            event.subject.map(|subject| marks.child(subject)).into(),
            event.record.map(|record| record.to_string()).into(),
        ]);
    }
    sheet
}

fn by_month(entries: &[&Entry]) -> Sheet {
    let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
    for entry in entries {
        let status = detail(entry, &["status"]).unwrap_or_default();
        let count = counts.entry((month(entry.at()), status)).or_default();
        *count = count.saturating_add(1);
    }
    let columns = [("month", Kind::Text), ("decision", Kind::Text), ("how many", Kind::Number)];
    let mut sheet = Sheet::new("By month", &columns);
    let row = |((month, status), many): ((String, String), u64)| -> Vec<Cell> {
        vec![month.into(), status.into(), many.into()]
    };
    sheet.rows = counts.into_iter().map(row).collect();
    sheet
}

/// The people about whom a withdrawal or refusal was ever recorded.
fn stopped_ever(entries: &[Entry]) -> BTreeSet<SubjectKey> {
    let stops = entries.iter().filter(|entry| is_recorded_stop(entry));
    stops.filter_map(|entry| entry.event.subject).collect()
}

/// Whether an entry records that somebody withdrew or refused.
fn is_recorded_stop(entry: &Entry) -> bool {
    let stops = [ConsentStatus::Withdrawn, ConsentStatus::Refused].map(name_of);
    entry.event.detail.get("status").is_some_and(|status| stops.contains(status))
}

/// What left about these people after they had said no, within the days of the question.
async fn released(
    app: &App,
    ask: &Ask,
    asked: u64,
    people: &BTreeSet<SubjectKey>,
) -> Result<(Vec<Released>, Option<String>), ReportError> {
    let mut found = BTreeMap::new();
    let mut kinds = LEAVES.to_vec();
    kinds.push(EventKind::ConsentRecorded);
    for subject in people.iter().take(PEOPLE_MAX) {
        let filter = of_kinds(ask, &kinds);
        let filter = LogFilter { from: None, subject: Some(*subject), ..filter };
        let Gathered { entries, .. } = gather(app, &filter, asked).await?;
        let ledger = app.store.consents_for(*subject).await?;
        for one in after_stops(&entries, &ledger) {
            // Somebody known under two pseudonyms is looked at twice.
            found.insert(one.release.seq, one);
        }
    }
    let from = begin(ask);
    let within = |one: &Released| from.is_none_or(|from| one.release.at() >= from);
    let senders = Senders::of(app, found.values().map(|one| &one.release)).await?;
    let of_it = |one: &Released| {
        ask.organisation.as_ref().is_none_or(|own| senders.concerns(&one.release, own))
    };
    let found = found.into_values().rev().filter(|one| within(one) && of_it(one)).collect();
    let left_out = (people.len() > PEOPLE_MAX).then(|| {
        format!("Releases after a withdrawal were worked out for {PEOPLE_MAX} people only; ask for a shorter time until.")
    });
    Ok((found, left_out))
}

/// A release about somebody who had said no before it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Released {
    release: Entry,
    /// The entry that recorded the withdrawal or refusal.
    stop: u64,
    finding: Finding,
}

/// What such a release is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Finding {
    /// It rested on agreement, and nothing had been agreed again: there must be none.
    Violation,
    /// The person's own agreement stood, which goes before what a parent says.
    OwnAgreement,
    /// It rested on something else than agreement.
    Otherwise(String),
}

/// What left after a withdrawal or refusal that nothing had lifted. Entries are of one person,
/// newest first, with those that recorded the ledger.
fn after_stops(entries: &[Entry], ledger: &[ConsentEntry]) -> Vec<Released> {
    let places: BTreeMap<_, u64> = entries
        .iter()
        .filter(|entry| entry.event.kind == EventKind::ConsentRecorded)
        .filter_map(|entry| {
            let status = entry.event.detail.get("status")?.clone();
            Some(((entry.event.record?, status), entry.seq))
        })
        .collect();
    let place = |one: &ConsentEntry| places.get(&(one.record, name_of(one.status))).copied();
    let placed: Vec<(u64, &ConsentEntry)> =
        ledger.iter().filter_map(|one| Some((place(one)?, one))).collect();
    let releases = entries.iter().filter(|entry| LEAVES.contains(&entry.event.kind));
    let judged = releases.filter_map(|release| {
        let before: Vec<_> = placed.iter().copied().filter(|(seq, _)| *seq < release.seq).collect();
        let (stop, entry) = open_stop(release, &before)?;
        let finding = finding(release, entry, &before);
        Some(Released { release: release.clone(), stop, finding })
    });
    judged.collect()
}

/// The newest withdrawal or refusal that concerns a release and that nothing had lifted.
fn open_stop<'a>(
    release: &Entry,
    before: &[(u64, &'a ConsentEntry)],
) -> Option<(u64, &'a ConsentEntry)> {
    let relied = release.event.decision.as_ref().and_then(|note| note.consent);
    let about_plan = before
        .iter()
        .any(|(_, entry)| Some(entry.record) == relied && entry.kind == ConsentKind::Plan);
    let concerns = |entry: &ConsentEntry| entry.kind == ConsentKind::Sharing || about_plan;
    let open = |seq: u64, stop: &ConsentEntry| {
        let later = before.iter().filter(|(given, _)| *given > seq);
        !later.into_iter().any(|(_, given)| lifts(given, stop))
    };
    let stops = before.iter().filter(|(_, entry)| is_stop(entry) && concerns(entry));
    stops.filter(|(seq, stop)| open(*seq, stop)).max_by_key(|(seq, _)| *seq).copied()
}

fn is_stop(entry: &ConsentEntry) -> bool {
    matches!(entry.status, ConsentStatus::Withdrawn | ConsentStatus::Refused)
}

/// Whether agreement undoes a withdrawal before it: by the same voice and of the same kind, dated
/// later, or dated the same day by who recorded the withdrawal.
fn lifts(given: &ConsentEntry, stop: &ConsentEntry) -> bool {
    let (said, stopped) = (day_of(given), day_of(stop));
    let own = given.recorded_by == stop.recorded_by;
    let voices = [given, stop].map(|entry| entry.given_by.map(is_own_voice));
    let same_voice = voices.first() == voices.last() || voices.contains(&None);
    given.status == ConsentStatus::Given
        && given.kind == stop.kind
        && same_voice
        && (said > stopped || (said == stopped && own))
}

fn finding(release: &Entry, stop: &ConsentEntry, before: &[(u64, &ConsentEntry)]) -> Finding {
    let basis = release.event.decision.as_ref().and_then(|note| note.authority.clone());
    match basis {
        Some(basis) if basis != CONSENT => Finding::Otherwise(basis),
        Some(_) | None => {
            let own = |entry: &ConsentEntry| entry.given_by.is_some_and(is_own_voice);
            let by_parent = stop.given_by.is_some() && !own(stop);
            let newest = before.iter().filter(|(_, entry)| own(entry) && entry.kind == stop.kind);
            let newest = newest.max_by_key(|(seq, _)| *seq);
            let agreed = newest.is_some_and(|(_, entry)| entry.status == ConsentStatus::Given);
            if by_parent && agreed { Finding::OwnAgreement } else { Finding::Violation }
        }
    }
}

/// Whether it is the person's own voice, which goes before that of parents (`domain.md` 5.2).
fn is_own_voice(who: DecisionMaker) -> bool {
    match who {
        DecisionMaker::CompetentChild
        | DecisionMaker::YoungPerson
        | DecisionMaker::AlternativePerson => true,
        DecisionMaker::Parent | DecisionMaker::LocalAuthority => false,
    }
}

fn day_of(entry: &ConsentEntry) -> Date {
    entry.decided_on.unwrap_or_else(|| london_date(entry.recorded_at))
}

fn after_withdrawal(released: &[Released], names: Names<'_>, marks: Marks) -> Sheet {
    let columns = [
        ("finding", Kind::Text),
        ("entry", Kind::Number),
        ("when (London)", Kind::Time),
        ("entry of the withdrawal", Kind::Number),
        ("basis", Kind::Text),
        ("rule", Kind::Text),
        ("recipient", Kind::Text),
        ("recipient name", Kind::Text),
        ("message type", Kind::Text),
        ("child", Kind::Text),
        ("record", Kind::Text),
        ("delivery", Kind::Text),
    ];
    let mut sheet = Sheet::new("After a withdrawal", &columns);
    for one in released {
        let event = &one.release.event;
        let (finding, basis) = match &one.finding {
            Finding::Violation => (VIOLATION, CONSENT),
            Finding::OwnAgreement => ("the person's own agreement stood", CONSENT),
            Finding::Otherwise(basis) => ("rested on something else", basis.as_str()),
        };
        let recipient = event.counterparty.as_ref().map(ToString::to_string).unwrap_or_default();
        sheet.rows.push(vec![
            finding.into(),
            one.release.seq.into(),
            when(&one.release),
            one.stop.into(),
            basis.into(),
            event.decision.as_ref().map(|note| note.rule.clone()).into(),
            recipient.clone().into(),
            names(&recipient).into(),
            event.message_type.map(|kind| kind.as_str().to_owned()).into(),
            event.subject.map(|subject| marks.child(subject)).into(),
            event.record.map(|record| record.to_string()).into(),
            event.delivery.map(|delivery| delivery.to_string()).into(),
        ]);
    }
    sheet
}

/// Agreements that ran out, or were given by somebody who no longer decides, with nothing recorded
/// since.
async fn lapsed_now(
    app: &App,
    ask: &Ask,
    marks: Marks,
) -> Result<(Sheet, Option<String>), ReportError> {
    let today = app.clock.today();
    let from = ask.from.unwrap_or(FIRST);
    let until = ask.until.unwrap_or(today).min(today);
    let columns = [
        ("what", Kind::Text),
        ("child", Kind::Text),
        ("about", Kind::Text),
        ("given by", Kind::Text),
        ("decided", Kind::Date),
        ("until", Kind::Date),
        ("recorded by", Kind::Text),
        ("recorded (London)", Kind::Time),
    ];
    let mut sheet = Sheet::new("Ran out or stale", &columns);
    let ran_out = app.store.lapsed(from, until, LISTED_MAX).await?;
    let stale = app.store.passed_on(from, until, LISTED_MAX).await?;
    let listed = ran_out.len().max(stale.len());
    for (what, found) in [("ran out", ran_out), ("decision-maker has changed", stale)] {
        for (subject, entry) in found {
            if ask.organisation.as_ref().is_some_and(|own| *own != entry.recorded_by) {
                continue;
            }
            sheet.rows.push(vec![
                what.into(),
                marks.child(subject).into(),
                name_of(entry.kind).into(),
                entry.given_by.map(name_of).into(),
                entry.decided_on.into(),
                entry.expires_on.into(),
                entry.recorded_by.to_string().into(),
                time(entry.recorded_at),
            ]);
        }
    }
    let full = u32::try_from(listed).is_ok_and(|listed| listed >= LISTED_MAX);
    let more =
        full.then(|| format!("Of what ran out or is stale, {LISTED_MAX} of each are listed."));
    Ok((sheet, more))
}

/// The words for what must never be.
const VIOLATION: &str = "left on agreement that was withdrawn or refused";

/// The most people whose ledgers are read for one report.
const PEOPLE_MAX: usize = 5_000;
/// The most agreements listed that ran out, and that are stale.
const LISTED_MAX: u32 = 10_000;
/// Before the first day of the SEND Regulations 2014, and of any record here.
const FIRST: Date = Date::constant(2014, 9, 1);

#[cfg(test)]
mod tests;
