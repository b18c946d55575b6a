//! Report 11: whether anything in the log of these days was altered, and how an outsider checks it.
//!
//! A bundle of the days is made in memory and judged by the same verifier that anybody runs, with the
//! heads that witnesses have cosigned and that was published. The table of entries is redacted: it has
//! no pseudonyms, and the hash of each leaf ties its row to the full bundle.

mod outside;

use std::collections::BTreeMap;
use std::io::{self, Cursor, Write};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use super::rows::{Names, tally, when};
use super::{Ask, ENTRIES_MAX, Kind, Made, ReportError, Sheet};
use crate::app::App;
use crate::audit::Entry;
use crate::audit::bundle::{self, Judged};
use crate::audit::tree::leaf_hash;
use crate::entropy::{hex, sha256_hex};
use crate::telemetry::name_of;
use crate::verification::{self, VerificationError, Wanted};

pub(super) async fn made(app: &App, ask: &Ask, asked: u64) -> Result<Made, ReportError> {
    let outside = outside::Outside::of(app).await?;
    let verified = outside::last_verified(app, asked).await?;
    let alone = |outside: &outside::Outside| Made::from(vec![outside.sheet()]);
    let wanted = match (ask.from, ask.until) {
        (None, None) => Wanted::Whole,
        (from, until) => Wanted::Period(from, until),
    };
    let mut file = Bounded::default();
    let exported = verification::write(app, &wanted, &mut file, |_| {}).await;
    if file.full {
        return Ok(outside.noted(alone(&outside)).note(TOO_MANY));
    }
    if exported?.is_none() {
        let none = "The log says nothing of these days: it began later.";
        return Ok(outside.noted(alone(&outside)).note(none));
    }
    let file = file.bytes;
    let judged = bundle::judge(&mut Cursor::new(&file), &app.log_vkey, &outside.heads);
    let judged = judged.map_err(|error| VerificationError::Io(io::Error::other(error)))?;
    let names: Names<'_> = &|code| app.name_of_code(code);
    let entries = leaves(&file);
    let whole = judged.verification.is_whole() && outside.faults.is_empty();
    let mut proof = found(&judged, &file, whole);
    let mut more = outside.rows();
    more.extend(outside::verified_rows(verified.as_ref()));
    proof.rows.extend(more);
    let sheets = vec![proof, counts(&entries), redacted(&entries, names), outside.sheet()];
    let words = if whole { WHOLE } else { NOT_WHOLE };
    Ok(outside.noted(Made::from(sheets)).note(words).note(REDACTED).note(HOW))
}

/// A bundle in memory, up to a bound.
#[derive(Debug, Default)]
struct Bounded {
    bytes: Vec<u8>,
    full: bool,
}

impl Write for Bounded {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        if self.bytes.len().saturating_add(more.len()) > BUNDLE_BYTES_MAX {
            self.full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The leaves of a bundle with the hash of each; what cannot be read has no entry, and the judging
/// has named it.
fn leaves(file: &[u8]) -> Vec<(String, Option<Entry>)> {
    let lines = file.split(|byte| *byte == b'\n');
    let leaf = |line: &[u8]| {
        let line: Value = serde_json::from_slice(line).ok()?;
        let leaf = BASE64_STANDARD.decode(line.get("leaf")?.as_str()?).ok()?;
        Some((hex(&leaf_hash(&leaf)), Entry::parse(&leaf).ok()))
    };
    lines.filter_map(leaf).collect()
}

/// What the verifier found, in its own words.
fn found(judged: &Judged, file: &[u8], whole: bool) -> Sheet {
    let columns = [("what", Kind::Text), ("words", Kind::Text)];
    let mut sheet = Sheet::new("Proof", &columns);
    let verification = &judged.verification;
    let mut row = |what: &str, words: String| sheet.rows.push(vec![what.into(), words.into()]);
    row("verdict", if whole { "whole" } else { "NOT whole" }.to_owned());
    let first = verification.first_bad().map(|seq| seq.to_string());
    row("first entry that is wrong", first.unwrap_or_else(|| "none".to_owned()));
    row("entries checked", verification.entries.to_string());
    row("checkpoints checked", verification.checkpoints_checked.to_string());
    for line in &judged.proved {
        row("proved", line.clone());
    }
    for line in &judged.not_proved {
        row("not proved", line.clone());
    }
    for fault in verification.faults.iter().take(FAULTS_MAX) {
        row("fault", fault.to_string());
    }
    row("SHA-256 of the bundle", sha256_hex(file));
    sheet
}

/// How often each thing happened.
fn counts(entries: &[(String, Option<Entry>)]) -> Sheet {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for (_, entry) in entries {
        let kind = entry.as_ref().map(|entry| name_of(entry.event.kind));
        let count = counts.entry(kind.unwrap_or_else(|| "unreadable".to_owned())).or_default();
        *count = count.saturating_add(1);
    }
    tally("By event", "event", counts)
}

/// Every entry without pseudonyms and ids, with the hash that ties it to the full bundle.
fn redacted(entries: &[(String, Option<Entry>)], names: Names<'_>) -> Sheet {
    let columns = [
        ("entry", Kind::Number),
        ("when (London)", Kind::Time),
        ("event", Kind::Text),
        ("organisation", Kind::Text),
        ("organisation name", Kind::Text),
        ("role", Kind::Text),
        ("other organisation", Kind::Text),
        ("message type", Kind::Text),
        ("basis", Kind::Text),
        ("decision", Kind::Text),
        ("rule", Kind::Text),
        ("leaf hash", Kind::Text),
    ];
    let mut sheet = Sheet::new("Entries, redacted", &columns);
    for (hash, entry) in entries.iter().take(ENTRIES_MAX) {
        let Some(entry) = entry else { continue };
        let (event, note) = (&entry.event, entry.event.decision.as_ref());
        sheet.rows.push(vec![
            entry.seq.into(),
            when(entry),
            name_of(event.kind).into(),
            event.actor.organisation.clone().into(),
            names(&event.actor.organisation).into(),
            event.actor.role.clone().into(),
            event.counterparty.as_ref().map(ToString::to_string).into(),
            event.message_type.map(|kind| kind.as_str().to_owned()).into(),
            note.and_then(|note| note.authority.clone()).into(),
            note.map(|note| note.outcome.clone()).into(),
            note.map(|note| note.rule.clone()).into(),
            hash.clone().into(),
        ]);
    }
    sheet
}

/// The largest bundle that is judged in memory: about 40,000 entries.
const BUNDLE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Many faults often have one cause.
const FAULTS_MAX: usize = 100;

const WHOLE: &str = "Nothing in these days was altered, as far as the proof reaches.";
const NOT_WHOLE: &str =
    "Something was ALTERED: keep the files as they are and follow operations.md, incidents.";
const TOO_MANY: &str = "There are more entries in these days than are judged at once. Ask for a shorter time, or use `ehc-gateway audit export` and `audit verify --bundle`, which have no bound.";
const REDACTED: &str = "The table of entries is the redacted form: no pseudonyms and no ids. The full form, for a court or a regulator with the power to ask for it, is `ehc-gateway audit export --from DAY --until DAY --reason tribunal --out FILE`; the hash of each leaf is the same in both.";
const HOW: &str = "An outsider checks the bundle with `ehc-gateway audit verify --bundle FILE --key KEY`, or with a verifier of their own (audit-format.md).";

#[cfg(test)]
mod tests;
