//! Samples: accesses of some days drawn at random, to be confirmed by a line manager.
//!
//! Nobody picks: the order of the draw is that of SHA-256 over a seed and the place of each entry,
//! and the seed is origin, size and root of the newest checkpoint before the last day's end, with the
//! days and the number wanted. Whoever has the log makes the same draw again (`docs/odd-access.md`).
//!
//! Limits: only accesses by a named person or at the machine's own prompt. Whoever commits the last
//! entry before midnight has some say in the checkpoint, which is why a day is drawn from only when it
//! is over, and once: other days, another number or another organisation would be another seed, and
//! somebody could draw until it suits.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use schemas::OrganisationCode;
use serde::Serialize;
use uuid::Uuid;

use super::judging::{Observation, is_by_a_person, observe};
use super::review::AlertError;
use super::watching::raised_event;
use super::{Reviewers, SAMPLE, Severity};
use crate::app::App;
use crate::audit::{Actor, Entry, Event, EventKind};
use crate::clock::london_day_ends;
use crate::entropy::{sha256, sha256_hex};
use crate::store::{AlertEntry, AlertWrite, Change, NewAlert, NewSample, StoreError, Write};

/// What to draw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draw {
    /// The first day.
    pub from: Date,
    /// The last day, which must be over.
    pub until: Date,
    /// How many accesses, 1 to 200.
    pub count: usize,
    /// Only those by this organisation's people; none means everybody's.
    pub organisation: Option<OrganisationCode>,
}

/// What was drawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drawn {
    /// The sample's id.
    pub sample: Uuid,
    /// How many accesses there were to draw from.
    pub population: usize,
    /// The size of the checkpoint whose text is in the seed.
    pub checkpoint_size: u64,
    /// SHA-256 of the seed's text, in hexadecimal.
    pub seed: String,
    /// The entries drawn, in the order of the draw.
    pub entries: Vec<u64>,
    /// The references under which they wait in the queue, in the same order.
    pub alerts: Vec<Uuid>,
}

/// The change that puts a sample into the queue, and what was drawn.
pub async fn sample(app: &App, actor: &Actor, draw: &Draw) -> Result<(Drawn, Change), AlertError> {
    if draw.from > draw.until || draw.until >= app.clock.today() {
        return Err(AlertError::Code("Name days that are over, the first not after the last."));
    }
    if !(1..=COUNT_MAX).contains(&draw.count) {
        return Err(AlertError::Code("Ask for 1 to 200 accesses."));
    }
    let days = (draw.from, draw.until);
    if let Some(before) = app.store.sample_over(days, draw.organisation.as_ref()).await? {
        return Err(AlertError::Drawn(in_words(&before)));
    }
    let end = london_day_ends(draw.until);
    let begin = draw.from.yesterday().map_or(Timestamp::MIN, london_day_ends);
    let checkpoint = app.store.checkpoint_before(end).await?;
    let checkpoint = checkpoint.ok_or(AlertError::NotFound)?;
    let first = app.store.checkpoint_before(begin).await?.map_or(0, |one| one.size);
    let seed = seed(&checkpoint.note, draw);
    let within = (first, checkpoint.size);
    let (population, chosen) = choose(app, draw, within, (begin, end), &seed).await?;
    let sample = app.make_id()?;
    let now = app.clock.now();
    let new = NewSample {
        id: sample,
        from: draw.from,
        until: draw.until,
        organisation: draw.organisation.clone(),
        wanted: u64::try_from(draw.count).unwrap_or(u64::MAX),
        population: u64::try_from(population).unwrap_or(u64::MAX),
        size: checkpoint.size,
        at: now,
    };
    let event = Event::new(EventKind::AccessSampled, actor.clone())
        .with("sample", sample)
        .with("from", draw.from)
        .with("until", draw.until)
        .with("wanted", draw.count)
        .with("population", population)
        .with("checkpoint_size", checkpoint.size)
        .with("seed", &seed);
    let mut change = Change::because(event).write(Write::Alert(AlertWrite::Sampled(new)));
    let mut drawn = Drawn {
        sample,
        population,
        checkpoint_size: checkpoint.size,
        seed,
        entries: Vec::new(),
        alerts: Vec::new(),
    };
    for seen in chosen {
        let alert = drawn_alert(app, sample, &seen, now)?;
        drawn.entries.push(seen.seq);
        drawn.alerts.push(alert.id);
        let entry = AlertEntry {
            seq: seen.seq,
            organisation: seen.by.organisation,
            person: seen.by.person,
        };
        let event = raised_event(&alert, 1);
        let raised =
            Change::because(event).write(Write::Alert(AlertWrite::Raised(alert, vec![entry])));
        change = change.join(raised);
    }
    Ok((drawn, change))
}

fn drawn_alert(
    app: &App,
    sample: Uuid,
    seen: &Observation,
    now: Timestamp,
) -> Result<NewAlert, AlertError> {
    let id = app.make_id()?;
    Ok(NewAlert {
        id,
        sample: Some(sample),
        rule: SAMPLE.to_owned(),
        rules_version: app.odd_access().version.clone(),
        severity: Severity::Low.as_str(),
        reviewers: Reviewers::OwnOrganisation.as_str(),
        review_by: now.checked_add(CONFIRMED_WITHIN).unwrap_or(Timestamp::MAX),
        organisation: seen.by.organisation.clone(),
        counterparty: None,
        likeness: sha256(id.as_bytes()),
        review: None,
        at: now,
    })
}

/// What was drawn before, for whoever wants to draw again.
fn in_words(before: &NewSample) -> String {
    let NewSample { id, from, until, organisation, wanted, population, size, at } = before;
    let of = organisation.as_ref().map_or("all organisations", OrganisationCode::as_str);
    format!(
        "The sample {id} has days of these already: {from} to {until}, of {of}, {wanted} of \
         {population} accesses, drawn at {at} from the checkpoint of {size} entries. Each day is \
         drawn from once, of all organisations or of each; look at that draw, or name other days."
    )
}

/// The text that the draw begins from: the first three lines of the checkpoint (origin, size and root;
/// not when it was signed, so that whoever holds the log can work them out), and what was asked for.
/// In hexadecimal, hashed.
fn seed(note: &str, draw: &Draw) -> String {
    let Draw { from, until, count, organisation } = draw;
    let of = organisation.as_ref().map_or("-", OrganisationCode::as_str);
    let signed = note.lines().take(3).map(str::to_owned);
    let asked = format!("{from} {until} {count} {of}");
    let lines = std::iter::once("ehc-gateway sample 1".to_owned()).chain(signed);
    let text: String = lines.chain([asked]).map(|line| line + "\n").collect();
    sha256_hex(text.as_bytes())
}

/// The rank of an entry in a draw; the lowest are drawn. In hexadecimal.
pub fn rank(seed: &str, seq: u64) -> String {
    sha256_hex(format!("{seed} {seq}").as_bytes())
}

/// How many accesses there were, and those that are drawn, lowest rank first.
async fn choose(
    app: &App,
    draw: &Draw,
    (mut next, size): (u64, u64),
    (begin, end): (Timestamp, Timestamp),
    seed: &str,
) -> Result<(usize, Vec<Observation>), StoreError> {
    let mut population = 0;
    let mut drawn: BTreeMap<String, Observation> = BTreeMap::new();
    while next < size {
        let rows = app.store.audit_rows(next, ENTRIES_AT_ONCE).await?;
        let Some(last) = rows.last() else { break };
        next = last.seq.saturating_add(1);
        for row in rows.iter().filter(|row| row.seq < size) {
            let entry = serde_json::from_slice::<Entry>(&row.leaf).ok();
            let Some(seen) = entry.and_then(|entry| observe(&entry, None)) else { continue };
            let wanted =
                draw.organisation.as_ref().is_none_or(|own| own.as_str() == seen.by.organisation);
            if !is_by_a_person(&seen) || !wanted || seen.at < begin || seen.at >= end {
                continue;
            }
            population += 1;
            drawn.insert(rank(seed, seen.seq), seen);
            if drawn.len() > draw.count {
                drawn.pop_last();
            }
        }
    }
    Ok((population, drawn.into_values().collect()))
}

/// More than anybody confirms by hand.
const COUNT_MAX: usize = 200;
/// Entries read at once.
const ENTRIES_AT_ONCE: u32 = 1_000;
/// By when a sample should have been confirmed.
const CONFIRMED_WITHIN: SignedDuration = SignedDuration::from_hours(24 * 28);
