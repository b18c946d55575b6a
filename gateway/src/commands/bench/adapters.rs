//! Readers and writers on made-up input, next to the bare parser library on the same bytes.
//!
//! What is measured is the adapter alone: bytes to drafts with their places and limits, a record to
//! bytes. No check, no sealing, no store. The bare column says what the parser library itself takes
//! for the same bytes, without looking at a single field; HL7 v2 has no library under it.

mod bare;

use std::hint::black_box;
use std::rc::Rc;
use std::time::{Duration, Instant};

use adapters::feed::Feed;
use adapters::mapping::Mapping;
use adapters::{Format, Outbound, Source};
use anyhow::{Context, ensure};
use schemas::{LegId, OrganisationCode, Record, ServiceCode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::{Outcome, eprintln_line, print_line, progress, table};
use crate::clock::{Clock, SystemClock};
use crate::practice::people::{self, Row};
use crate::telemetry::name_of;

/// One reader or writer with its input.
struct Subject {
    name: &'static str,
    direction: &'static str,
    /// What one pass reads or writes.
    items: usize,
    what: &'static str,
    bytes: usize,
    pass: Pass,
    /// The library's name and one pass of it, where there is one.
    bare: Option<(&'static str, Pass)>,
}

/// One time through the input.
type Pass = Box<dyn Fn() -> anyhow::Result<()>>;

/// What was measured.
struct Figure {
    subject: Subject,
    passes: f64,
    bare: Option<f64>,
}

pub(super) fn measure(length: Duration, rows: u32, json: bool) -> anyhow::Result<Outcome> {
    if cfg!(debug_assertions) {
        eprintln_line("This is a debug build: its figures mean nothing. Run it with --release.");
    }
    let subjects = subjects(rows)?;
    let bar = progress(u64::try_from(subjects.len()).unwrap_or(0), "measuring");
    let mut figures = Vec::new();
    for subject in subjects {
        let passes = per_second(length, &subject.pass)?;
        let bare = subject.bare.as_ref().map(|(_, pass)| per_second(length, pass)).transpose()?;
        figures.push(Figure { subject, passes, bare });
        bar.inc(1);
    }
    bar.finish_and_clear();
    if json {
        let build = if cfg!(debug_assertions) { "debug" } else { "release" };
        let figures: Vec<Value> = figures.iter().map(Figure::document).collect();
        print_line(&format!("{:#}", json!({ "build": build, "adapters": figures })));
    } else {
        print_line(&table(&HEADER, figures.iter().map(Figure::cells)));
        print_line(WHAT_IS_COMPARED);
    }
    Ok(Outcome::Done)
}

/// How often something is done in a second, after once to warm up.
fn per_second(length: Duration, pass: &dyn Fn() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    pass()?;
    let began = Instant::now();
    let mut passes = 0u32;
    while began.elapsed() < length {
        pass()?;
        passes += 1;
    }
    Ok(f64::from(passes) / began.elapsed().as_secs_f64())
}

impl Figure {
    fn items_per_second(&self) -> f64 {
        self.passes * count(self.subject.items)
    }

    fn megabytes_per_second(&self, passes: f64) -> f64 {
        passes * count(self.subject.bytes) / 1e6
    }

    fn cells(&self) -> Vec<String> {
        let bare = self.bare.map(|passes| format!("{:.1}", self.megabytes_per_second(passes)));
        let library = self.subject.bare.as_ref().map_or("none", |(name, _)| name);
        let share = self.bare.map(|bare| format!("{:.2}", self.passes / bare));
        vec![
            self.subject.name.to_owned(),
            self.subject.direction.to_owned(),
            format!("{:.0}", self.items_per_second()),
            self.subject.what.to_owned(),
            self.subject.bytes.to_string(),
            format!("{:.1}", self.megabytes_per_second(self.passes)),
            library.to_owned(),
            bare.unwrap_or_else(|| "-".to_owned()),
            share.unwrap_or_else(|| "-".to_owned()),
        ]
    }

    fn document(&self) -> Value {
        let rounded = |value: f64| (value * 100.0).round() / 100.0;
        json!({
            "format": self.subject.name,
            "direction": self.subject.direction,
            "per_second": rounded(self.items_per_second()),
            "what": self.subject.what,
            "bytes": self.subject.bytes,
            "megabytes_per_second": rounded(self.megabytes_per_second(self.passes)),
            "library": self.subject.bare.as_ref().map(|(name, _)| *name),
            "bare_megabytes_per_second":
                self.bare.map(|bare| rounded(self.megabytes_per_second(bare))),
        })
    }
}

fn subjects(rows: u32) -> anyhow::Result<Vec<Subject>> {
    let today = SystemClock.today();
    let children: Vec<Row> = (1..=rows).map(|number| Row::new(number, "SALT")).collect();
    let extract = people::extract(&children, today).into_bytes();
    let workbook = bare::workbook_of(&extract)?;
    let leg = Uuid::from_u128(9).to_string();
    let advice = people::advice("RRK", "A-1", &leg, &people::child(1), today);
    let advice_json = serde_json::to_vec(&advice)?;
    let record = Rc::new(record(&advice_json)?);
    let fhir = people::advice_fhir("RRK", "A-1", &leg, &people::child(1), today);
    let many = children.len();
    let mut subjects = vec![
        reader(Format::Csv, extract, many)?,
        reader(Format::Xlsx, workbook, many)?,
        reader(Format::Json, advice_json, 1)?,
        reader(Format::Fhir, serde_json::to_vec(&fhir)?, 1)?,
    ];
    for format in [Format::FhirXml, Format::Xml, Format::Hl7] {
        subjects.push(reader(format, adapters::write(format, &record, &outbound()?)?, 1)?);
    }
    let child = people::child(1);
    for (name, letter) in [
        ("kettering", people::advice_kettering("RRK", "A-1", &child, today)),
        ("cda", people::advice_cda("A-1", &child, today)),
    ] {
        let subject = reader(Format::Xml, letter.into_bytes(), 1)?;
        subjects.push(Subject { name, ..subject });
    }
    for format in FORMATS {
        subjects.push(writer(format, &record)?);
    }
    Ok(subjects)
}

fn reader(format: Format, bytes: Vec<u8>, items: usize) -> anyhow::Result<Subject> {
    let mapping = Mapping::built_in("liquidlogic-ehc-advice-request").context("it is shipped")?;
    let read = move |bytes: &[u8]| {
        let feed = Feed::default();
        // Tables come from the authority, messages from the trust that sent them.
        let organisation = if format.is_tabular() { "334" } else { "RRK" };
        let source = Source { organisation, mapping: Some(&mapping), feed: &feed };
        adapters::read(format, bytes, source).map(|reading| black_box(reading).items.len())
    };
    let name = name_of(format);
    let found = read(&bytes).with_context(|| format!("the made-up {name} cannot be read"))?;
    ensure!(found == items, "the made-up {name} has {found} items instead of {items}");
    let size = bytes.len();
    let bare = bare::reader(format, bytes.clone());
    let pass = move || read(&bytes).map(|_| ()).map_err(anyhow::Error::from);
    Ok(Subject {
        name: title(format),
        direction: "read",
        items,
        what: if format.is_tabular() { "rows" } else { "messages" },
        bytes: size,
        pass: Box::new(pass),
        bare,
    })
}

fn writer(format: Format, record: &Rc<Record>) -> anyhow::Result<Subject> {
    let outbound = outbound()?;
    let written = adapters::write(format, record, &outbound)?;
    let record = Rc::clone(record);
    let size = written.len();
    let bare = bare::writer(format, &written)?;
    let pass = move || {
        black_box(adapters::write(format, &record, &outbound)?);
        Ok(())
    };
    Ok(Subject {
        name: title(format),
        direction: "write",
        items: 1,
        what: "messages",
        bytes: size,
        pass: Box::new(pass),
        bare,
    })
}

/// The record that the writers write: advice with a small document.
fn record(bytes: &[u8]) -> anyhow::Result<Record> {
    let feed = Feed::default();
    let source = Source { organisation: "RRK", mapping: None, feed: &feed };
    let mut reading = adapters::read(Format::Json, bytes, source)?;
    let item = reading.items.pop().context("one message is read")?;
    let checked = item.draft.check(SystemClock.today());
    let checked = checked.map_err(|issues| anyhow::anyhow!("the advice has {issues:?}"))?;
    Ok(checked.record)
}

fn outbound() -> anyhow::Result<Outbound> {
    let now = SystemClock.now();
    Ok(Outbound {
        delivery: Uuid::from_u128(7),
        leg: Some(LegId(Uuid::from_u128(9))),
        service: Some(ServiceCode::parse("SALT").ok().context("a service")?),
        sender_name: "Practice Acute NHS Trust".to_owned(),
        recipient: OrganisationCode::parse("334").ok().context("a code")?,
        recipient_name: "Practice Borough Council".to_owned(),
        received_at: now,
        due_on: None,
        sent_at: now,
    })
}

fn title(format: Format) -> &'static str {
    match format {
        Format::Csv => "csv",
        Format::Json => "json",
        Format::Fhir => "fhir",
        Format::FhirXml => "fhir-xml",
        Format::Xlsx => "xlsx",
        Format::Xml => "xml",
        Format::Hl7 => "hl7",
    }
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

const FORMATS: [Format; 7] = [
    Format::Csv,
    Format::Xlsx,
    Format::Json,
    Format::Fhir,
    Format::FhirXml,
    Format::Xml,
    Format::Hl7,
];
const HEADER: [&str; 9] =
    ["format", "direction", "per second", "what", "bytes", "MB/s", "library", "bare MB/s", "share"];
const WHAT_IS_COMPARED: &str = "\nMB is a million bytes of one pass. Bare: the parser library reads the same bytes, or writes the \
     same\ncontent again, and looks at nothing. Share: the adapter's speed as a part of that.";

#[cfg(test)]
mod tests;
