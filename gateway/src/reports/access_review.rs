//! Who may still come in: organisations, their certificates, and people who may have left.
//!
//! What may come in is in the partners file in force; what did come in is in the log. The newest
//! certificate and person of each organisation are found by going back through its entries.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::exceptions::days;
use super::gathering::{begin, end, gather};
use super::rows::time;
use super::{Ask, Cell, Kind, Made, ReportError, Sheet};
use crate::app::App;
use crate::audit::Entry;
use crate::config::Partner;
use crate::store::LogFilter;

pub(super) async fn made(app: &App, ask: &Ask, asked: u64) -> Result<Made, ReportError> {
    let partners = app.peers.partners();
    let mut seen = Vec::new();
    let mut notes = Vec::new();
    for partner in partners.iter() {
        if ask.organisation.as_ref().is_some_and(|own| *own != partner.organisation) {
            continue;
        }
        let filter = LogFilter {
            organisation: Some(partner.organisation.to_string()),
            from: begin(ask),
            until: end(ask),
            ..LogFilter::default()
        };
        let gathered = gather(app, &filter, asked).await?;
        notes.extend(gathered.note(&format!("what {} did", partner.organisation)));
        seen.push((partner, Seen::of(&gathered.entries)));
    }
    let now = app.clock.now();
    let sheets = vec![organisations(&seen, now), certificates(&seen, now), people(&seen, now)];
    Ok(Made { sheets, limits: Vec::new(), notes }.note(PINS).note(LEAVERS))
}

/// What came in from one organisation.
#[derive(Debug, Default)]
struct Seen {
    last: Option<Timestamp>,
    certificates: BTreeMap<String, Timestamp>,
    people: BTreeMap<String, Person>,
}

/// One person of an organisation.
#[derive(Debug)]
struct Person {
    roles: BTreeMap<String, Timestamp>,
    first: Timestamp,
    last: Timestamp,
    actions: u64,
}

impl Seen {
    /// From its entries, newest first.
    fn of(entries: &[Entry]) -> Self {
        let mut seen = Self::default();
        for entry in entries {
            let (at, actor) = (entry.at(), &entry.event.actor);
            seen.last.get_or_insert(at);
            if let Some(certificate) = &actor.certificate {
                seen.certificates.entry(certificate.clone()).or_insert(at);
            }
            let Some(person) = &actor.person else { continue };
            let person = seen.people.entry(person.clone()).or_insert_with(|| Person {
                roles: BTreeMap::new(),
                first: at,
                last: at,
                actions: 0,
            });
            person.first = at;
            person.actions = person.actions.saturating_add(1);
            if let Some(role) = &actor.role {
                person.roles.entry(role.clone()).or_insert(at);
            }
        }
        seen
    }
}

fn organisations(seen: &[(&Partner, Seen)], now: Timestamp) -> Sheet {
    let columns = [
        ("organisation", Kind::Text),
        ("name", Kind::Text),
        ("may connect", Kind::Text),
        ("roles", Kind::Text),
        ("reached by", Kind::Text),
        ("keys pinned", Kind::Number),
        ("people seen", Kind::Number),
        ("last seen (London)", Kind::Time),
        ("days since", Kind::Number),
    ];
    let mut sheet = Sheet::new("Organisations", &columns);
    for (partner, seen) in seen {
        let roles: Vec<&str> = partner.roles.iter().map(|role| role.as_str()).collect();
        sheet.rows.push(vec![
            partner.organisation.to_string().into(),
            partner.name.clone().into(),
            if partner.enabled { "yes".into() } else { "no".into() },
            roles.join(", ").into(),
            crate::telemetry::name_of(partner.carrier).into(),
            number(partner.pins.len()),
            number(seen.people.len()),
            seen.last.map_or(Cell::Nothing, time),
            seen.last.map_or(Cell::Nothing, |last| days(last, now)),
        ]);
    }
    sheet
}

/// Every key that is pinned or was used, with what is odd about it.
fn certificates(seen: &[(&Partner, Seen)], now: Timestamp) -> Sheet {
    let columns = [
        ("organisation", Kind::Text),
        ("public key (SHA-256)", Kind::Text),
        ("finding", Kind::Text),
        ("last seen (London)", Kind::Time),
        ("days since", Kind::Number),
    ];
    let mut sheet = Sheet::new("Certificates", &columns);
    for (partner, seen) in seen {
        let mut keys: BTreeMap<String, Option<Timestamp>> =
            partner.pins.iter().map(|pin| (pin.to_hex(), None)).collect();
        let pinned: Vec<String> = keys.keys().cloned().collect();
        for (key, last) in &seen.certificates {
            keys.insert(key.clone(), Some(*last));
        }
        for (key, last) in keys {
            let finding = match (pinned.contains(&key), last) {
                (true, Some(_)) => "pinned and used",
                (true, None) => "pinned and not used: is it needed?",
                (false, _) => "used before, and no longer pinned",
            };
            sheet.rows.push(vec![
                partner.organisation.to_string().into(),
                key.into(),
                finding.into(),
                last.map_or(Cell::Nothing, time),
                last.map_or(Cell::Nothing, |last| days(last, now)),
            ]);
        }
    }
    sheet
}

/// Everybody who acted, those first who were not seen for longest.
fn people(seen: &[(&Partner, Seen)], now: Timestamp) -> Sheet {
    let columns = [
        ("organisation", Kind::Text),
        ("person", Kind::Text),
        ("roles", Kind::Text),
        ("finding", Kind::Text),
        ("actions", Kind::Number),
        ("first seen (London)", Kind::Time),
        ("last seen (London)", Kind::Time),
        ("days since", Kind::Number),
        ("still here (yes or no)", Kind::Text),
    ];
    let mut sheet = Sheet::new("People", &columns);
    let everybody = seen.iter().flat_map(|(partner, seen)| {
        seen.people.iter().map(move |(who, person)| (*partner, who, person))
    });
    let mut everybody: Vec<_> = everybody.collect();
    everybody.sort_by_key(|(_, _, person)| person.last);
    for (partner, who, person) in everybody {
        let quiet = now.duration_since(person.last).as_hours() / 24 > QUIET_DAYS;
        let finding = match (quiet, person.roles.len() > 1) {
            (true, _) => "not seen for long: a leaver?",
            (false, true) => "several roles: is each needed?",
            (false, false) => "",
        };
        let roles: Vec<&str> = person.roles.keys().map(String::as_str).collect();
        sheet.rows.push(vec![
            partner.organisation.to_string().into(),
            who.clone().into(),
            roles.join(", ").into(),
            finding.into(),
            person.actions.into(),
            time(person.first),
            time(person.last),
            days(person.last, now),
            Cell::Nothing,
        ]);
    }
    sheet
}

fn number(count: usize) -> Cell {
    u64::try_from(count).unwrap_or(u64::MAX).into()
}

/// After so many days without being seen, somebody has to say whether a person is still there: a
/// quarter, as access reviews are usually held.
const QUIET_DAYS: i64 = 90;

const PINS: &str = "Keys are pinned, not certificates: when a partner's certificate ends is looked at on each connection, and not kept here.";
const LEAVERS: &str = "People are pseudonyms: each organisation has to say whether somebody is still there, by asking person-actions for the name. The gateway keeps no list of people and cannot lock one out; their organisation does.";

#[cfg(test)]
mod tests;
