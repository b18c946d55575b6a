//! The story the demo plays: requests out, answers back, one consent withdrawn, one clock run out.
//!
//! Everything goes over real mutual TLS, as the partners' own systems would do it: the three trusts
//! are in `trusts`, each with a feed of its own. What is counted here is counted from the gateway's answers, never assumed.

#![expect(clippy::indexing_slicing, reason = "serde_json answers null where there is nothing")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use jiff::SignedDuration;
use jiff::civil::Date;
use serde_json::{Value, json};

use crate::clock::{Clock, ShiftedClock};
use crate::delivery::folder;
use crate::practice::client::Partner;
use crate::practice::people::{self, Row};
use crate::practice::{Cast, Trust};

use super::evidence;
use super::trusts::{self, Feeds};

/// What the story has seen so far.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) requests_in: u64,
    pub(super) legs: u64,
    pub(super) quarantined: u64,
    pub(super) delivered: u64,
    pub(super) answered: u64,
    pub(super) withheld: u64,
    pub(super) collected_by_la: u64,
    pub(super) documents: u64,
    pub(super) checkpoint: String,
    pub(super) backup: PathBuf,
    pub(super) receipt: String,
    pub(super) records: Vec<String>,
    legs_by_child: BTreeMap<(u32, String), String>,
}

/// Plays one act after the other, telling each in a line.
pub(super) async fn play(
    cast: &Cast,
    feeds: &Feeds,
    clock: &ShiftedClock,
    mut tell: impl FnMut(&str),
) -> anyhow::Result<Seen> {
    let mut seen = Seen::default();
    push_extract(cast, clock.today(), &mut seen, &mut tell).await?;
    seen.backup = evidence::back_up(cast).await?;
    withdraw(cast, clock.today(), &mut seen, &mut tell).await?;
    feeds.speak_up(cast).await?;
    trusts::by_mailbox(cast, feeds, clock.today(), &mut seen, &mut tell).await?;
    trusts::by_hl7(cast, feeds, clock.today(), &mut seen, &mut tell).await?;
    trusts::by_fhir(cast, clock.today(), &mut seen, &mut tell).await?;
    seen.checkpoint = cast.trust(Trust::Acute).get("/v1/audit/checkpoint", None).await?.text();
    // Seven weeks and a day later: what nobody answered is overdue.
    clock.advance(SignedDuration::from_hours(24 * DAYS));
    la_imports(cast, feeds, IMPORTS, &mut seen, &mut tell).await?;
    Ok(seen)
}

/// The rows of the practice extract: eleven good ones and a wrong check digit.
fn rows() -> Vec<Row> {
    let mut rows = vec![
        Row::new(1, "PAEDIATRICS;SALT"),
        Row::new(2, "PAEDIATRICS"),
        Row::new(3, "CAMHS"),
        Row::new(4, "SALT"),
        Row::new(5, "PAEDIATRICS;CAMHS;SALT"),
        Row::new(6, "CAMHS"),
        Row::new(7, "SALT"),
        Row::new(8, "PAEDIATRICS"),
        Row::new(9, "CAMHS"),
        Row::new(10, "PAEDIATRICS"),
        Row::new(11, "CAMHS"),
        Row::new(12, "SALT"),
    ];
    if let Some(last) = rows.last_mut() {
        // 999 123 4560 is well known and wrong: its check digit would have to be ten.
        "9991234560".clone_into(&mut last.child.nhs_number);
    }
    rows
}

async fn push_extract(
    cast: &Cast,
    today: Date,
    seen: &mut Seen,
    tell: &mut impl FnMut(&str),
) -> anyhow::Result<()> {
    let rows = rows();
    let extract = people::extract(&rows, today);
    let la = cast.authority();
    let rehearsal =
        la.post("/v1/messages?dry-run=true", "text/csv", "extract-0", extract.clone()).await?;
    let rehearsed = rehearsal.json();
    ensure!(rehearsal.status == 200, "the dry run answered {}", rehearsal.text());
    tell(&format!(
        "The authority tries its extract: {} rows would be accepted, {} quarantined. Nothing is stored.",
        rehearsed["accepted"], rehearsed["quarantined"]
    ));
    let reply = la.post("/v1/messages", "text/csv", "extract-1", extract.clone()).await?;
    ensure!(reply.status == 201, "the extract answered {} {}", reply.status, reply.text());
    let again = la.post("/v1/messages", "text/csv", "extract-1", extract).await?;
    ensure!(again.replayed && again.body == reply.body, "a retry was not answered the same");
    let answer = reply.json();
    answer["receipt"].as_str().context("no receipt")?.clone_into(&mut seen.receipt);
    for (row, sent) in answer["rows"].as_array().context("no rows")?.iter().zip(1u32..) {
        seen.requests_in += 1;
        if row["outcome"] == "quarantined" {
            seen.quarantined += 1;
            tell(&format!("A row is quarantined: {}", issue_line(&row["issues"][0])));
        }
        seen.records.extend(row["record"].as_str().map(str::to_owned));
        for leg in row["legs"].as_array().into_iter().flatten() {
            seen.legs += 1;
            let service = leg["service"].as_str().unwrap_or_default().to_owned();
            let id = leg["leg"].as_str().unwrap_or_default().to_owned();
            seen.legs_by_child.insert((sent, service), id);
        }
    }
    tell(&format!(
        "The authority pushes it: {} requests in, {} legs, one signed receipt with a line per row.",
        seen.requests_in, seen.legs
    ));
    Ok(())
}

fn issue_line(issue: &Value) -> String {
    let text = |name: &str| issue[name].as_str().unwrap_or_default();
    format!("{} {} [{}]", text("field"), text("message"), text("rule"))
}

/// Two families withdraw while deliveries are queued: one to collect, one to push.
async fn withdraw(
    cast: &Cast,
    today: Date,
    seen: &mut Seen,
    tell: &mut impl FnMut(&str),
) -> anyhow::Result<()> {
    let la = cast.authority();
    for (number, service) in [(9, "CAMHS"), (7, "SALT")] {
        let message =
            people::withdrawal(&la.code, &format!("CW-{number}"), &people::child(number), today);
        let key = format!("withdraw-{number}");
        let reply = la.post("/v1/consents", "application/json", &key, message.to_string()).await?;
        ensure!(reply.status == 201, "the withdrawal answered {}", reply.text());
        let leg = seen.legs_by_child.get(&(number, service.to_owned())).context("no such leg")?;
        let lines = la.get("/v1/board", None).await?.json();
        let lines = lines["legs"].as_array().context("no board")?.iter();
        let held = lines.filter(|line| line["leg"] == leg.as_str() && line["delivery"] == "held");
        ensure!(held.count() == 1, "after the withdrawal the delivery is not held");
        seen.withheld += 1;
    }
    tell("Two families withdraw while their requests are queued: both are held, nothing goes out.");
    Ok(())
}

/// The authority's import job finds every answer in its folder, whole: a workbook, the documents
/// beside it, and a manifest whose hashes agree.
async fn la_imports(
    cast: &Cast,
    feeds: &Feeds,
    expected: usize,
    seen: &mut Seen,
    tell: &mut impl FnMut(&str),
) -> anyhow::Result<()> {
    let la = cast.authority();
    let mut arrived = Vec::new();
    for _ in 0..WAIT_STEPS {
        arrived = folder::arrived(&feeds.drop)?;
        if arrived.len() >= expected {
            break;
        }
        tokio::time::sleep(WAIT_STEP).await;
    }
    for (place, manifest) in arrived {
        ensure!(folder::is_whole(&place, &manifest), "a delivery in the folder is not whole");
        let workbook = std::fs::read(place.join("import.xlsx"))?;
        ensure!(workbook.starts_with(b"PK"), "the import file is no workbook");
        if manifest.documents > 0 {
            let document = std::fs::read(place.join("document-1.pdf"))?;
            ensure!(document == people::pdf(), "the document is not the PDF that was sent");
            seen.documents += 1;
        }
        acknowledge(la, &manifest.delivery.to_string(), json!({ "outcome": "accepted" })).await?;
        seen.collected_by_la += 1;
    }
    tell(&format!(
        "The authority's import folder holds {} answers as workbooks, {} of them with a PDF; every manifest's hashes agree.",
        seen.collected_by_la, seen.documents
    ));
    Ok(())
}

pub(super) async fn acknowledge(
    partner: &Partner,
    delivery: &str,
    body: Value,
) -> anyhow::Result<()> {
    let path = format!("/v1/inbox/{delivery}/acknowledgement");
    let key = format!("ack-{delivery}");
    let reply = partner.post(&path, "application/json", &key, body.to_string()).await?;
    ensure!(reply.status == 200, "the acknowledgement answered {}", reply.text());
    Ok(())
}

/// Which practice child a message is about, by its NHS number.
pub(super) fn child_of(text: &str) -> Option<u32> {
    (1..=12).find(|number| text.contains(&people::nhs_number(*number)))
}

/// What the authority is given: nine answers, an exception, and three acknowledgements in FHIR.
const IMPORTS: usize = 13;
/// How long the story waits for something, in steps.
const WAIT_STEPS: u32 = 400;
const WAIT_STEP: std::time::Duration = std::time::Duration::from_millis(50);
/// How long the story lasts, in days: past six weeks, short of the exception's new date.
pub(super) const DAYS: i64 = 50;

/// What the figures must be if all went as intended.
pub(super) fn intended() -> Value {
    json!({
        "requests_in": 12,
        "rows_quarantined": 1,
        "legs": 14,
        "delivered": 12,
        "answered": 9,
        "withheld": 2,
        "overdue": 1,
        "imported_by_authority": IMPORTS,
        "documents": 8,
        "failed": 0,
    })
}
