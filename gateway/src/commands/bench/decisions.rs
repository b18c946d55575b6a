//! Decisions per second, and what share of an accept they are.
//!
//! The questions are made up and about nobody. The accept is a real one: over mutual TLS, durable
//! in SQLite, with one decision for its one recipient.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use jiff::civil::Date;
use schemas::record::{ConsentStatus, DecisionMaker, Restriction};
use schemas::{MessageType, OrganisationCode, RecordId};
use serde_json::json;
use uuid::Uuid;

use super::super::{Outcome, eprintln_line, print_line, progress, table};
use super::accept::{self, Place};
use super::figures::{Rate, rounded, thousands, two_places};
use crate::authority::{
    Agreements, ConsentEntry, Evidence, Question, RuleBook, Rules, decide, explain,
};
use crate::clock::{Clock, SystemClock};
use crate::practice::StorePlan;

/// One kind of question, with how many a second and how long each takes.
struct Figure {
    name: &'static str,
    per_second: f64,
}

pub(super) async fn measure(
    folder: &Path,
    length: Duration,
    json: bool,
) -> anyhow::Result<Outcome> {
    if cfg!(debug_assertions) {
        eprintln_line("This is a debug build: its figures mean nothing. Run it with --release.");
    }
    let book = RuleBook {
        agreements: Agreements::parse(AGREEMENTS).context("the example agreements")?,
        rules: Rules::built_in().context("the rules shipped")?,
    };
    let (asked, now) = (asked()?, SystemClock.now());
    let bar = progress(u64::try_from(asked.len() + 2).unwrap_or(0), "deciding");
    let mut figures = Vec::new();
    for (name, question, evidence) in &asked {
        let per_second = per_second(length, || {
            std::hint::black_box(decide(question, evidence, &book, now, today()));
        });
        figures.push(Figure { name, per_second });
        bar.inc(1);
    }
    if let Some((_, question, evidence)) = asked.last() {
        let per_second = per_second(length, || {
            std::hint::black_box(explain(question, evidence, &book, now, today()));
        });
        figures.push(Figure { name: "the last one, with every step in words", per_second });
    }
    bar.inc(1);
    bar.set_message("accepting");
    let place = Place { folder: folder.join("sqlite"), store: StorePlan::Sqlite };
    let accepts = accept::alone(&place, length).await?;
    bar.finish_and_clear();
    say(&figures, &accepts, json);
    Ok(Outcome::Done)
}

fn say(figures: &[Figure], accepts: &Rate, json: bool) {
    let accept_ms = accepts.percentile_ms(50);
    let share = |figure: &Figure| {
        accept_ms.filter(|ms| *ms > 0.0).map(|ms| 100.0 * (1000.0 / figure.per_second) / ms)
    };
    if json {
        let build = if cfg!(debug_assertions) { "debug" } else { "release" };
        let rows: Vec<_> = figures
            .iter()
            .map(|figure| {
                json!({
                    "decision": figure.name,
                    "per_second": rounded(Some(figure.per_second)),
                    "microseconds": rounded(Some(1_000_000.0 / figure.per_second)),
                    "percent_of_an_accept": rounded(share(figure)),
                })
            })
            .collect();
        let accept = json!({
            "per_second": rounded(Some(accepts.per_second())),
            "p50_ms": rounded(accept_ms),
        });
        print_line(&format!(
            "{:#}",
            json!({ "build": build, "decisions": rows, "accept": accept })
        ));
        return;
    }
    let rows = figures.iter().map(|figure| {
        vec![
            figure.name.to_owned(),
            thousands(&format!("{:.0}", figure.per_second)),
            two_places(Some(1_000_000.0 / figure.per_second)),
            two_places(share(figure)),
        ]
    });
    print_line(&table(&["decision", "per second", "microseconds", "% of an accept"], rows));
    print_line(&format!(
        "\nAn accept by one caller, durable in SQLite, takes {} ms (p50), {} a second. It decides \
         once for each recipient, and once more when each delivery goes.",
        two_places(accept_ms),
        thousands(&format!("{:.0}", accepts.per_second())),
    ));
}

/// How often something is done in a second, after once to warm up.
fn per_second(length: Duration, mut pass: impl FnMut()) -> f64 {
    pass();
    let began = Instant::now();
    let mut passes = 0_u32;
    while began.elapsed() < length {
        // The clock is read once for many: a decision takes about as long as reading it.
        for _ in 0..BETWEEN_LOOKS {
            pass();
        }
        passes = passes.saturating_add(BETWEEN_LOOKS);
    }
    f64::from(passes) / began.elapsed().as_secs_f64()
}

type Asked = (&'static str, Question, Evidence);

fn asked() -> anyhow::Result<Vec<Asked>> {
    let statute = question(MessageType::AdviceRequest, "334", "RYW")?;
    let consent = question(MessageType::TransitionHealthPlan, "RYW", "334")?;
    let one = |status| -> anyhow::Result<ConsentEntry> { entry(1, status) };
    let ledger: Vec<_> = (1..=LEDGER)
        .map(|version| {
            let status =
                [ConsentStatus::Given, ConsentStatus::NotRecorded, ConsentStatus::Withdrawn];
            let status = status.into_iter().cycle().nth(version.try_into().unwrap_or(0));
            entry(version, status.unwrap_or(ConsentStatus::Given))
        })
        .collect::<anyhow::Result<_>>()?;
    let address = ConsentEntry {
        restriction: Some(Restriction::ProtectedAddress),
        ..one(ConsentStatus::Restricted)?
    };
    let with = |consents: Vec<ConsentEntry>| Evidence { consents, ..Evidence::default() };
    Ok(vec![
        ("a duty, with an empty ledger", statute.clone(), Evidence::default()),
        ("agreement that holds", consent.clone(), with(vec![one(ConsentStatus::Given)?])),
        ("a duty, with a protected address cut", statute.clone(), with(vec![address])),
        (
            "a duty that a withdrawal meets",
            statute.clone(),
            with(vec![one(ConsentStatus::Withdrawn)?]),
        ),
        ("a ledger of 100 entries", statute, with(ledger)),
    ])
}

fn question(kind: MessageType, from: &str, to: &str) -> anyhow::Result<Question> {
    Ok(Question {
        record: RecordId(Uuid::nil()),
        kind,
        sender: OrganisationCode::parse(from)?,
        recipient: OrganisationCode::parse(to)?,
        service: None,
        subject: None,
        decisions_pass_on: None,
    })
}

fn entry(version: u32, status: ConsentStatus) -> anyhow::Result<ConsentEntry> {
    let (record, by) = (RecordId(Uuid::nil()), OrganisationCode::parse("334")?);
    Ok(ConsentEntry {
        version,
        given_by: Some(DecisionMaker::Parent),
        decided_on: Some(Date::constant(2026, 1, 5)),
        ..ConsentEntry::bare(status, record, by, jiff::Timestamp::UNIX_EPOCH)
    })
}

/// The made-up ledger is of 2026; the day only has to be later.
fn today() -> Date {
    Date::constant(2026, 6, 1)
}

const AGREEMENTS: &str = include_str!("../../../config/agreements.example.toml");
/// Entries in the long ledger.
const LEDGER: u32 = 100;
/// Decisions between two looks at the clock.
const BETWEEN_LOOKS: u32 = 256;
