//! The story the demo plays: requests out, answers back, one consent withdrawn, one clock run out.
//!
//! Everything goes over real mutual TLS through the partner API, as the partners' own systems
//! would do it. What is counted here is counted from the gateway's answers, never assumed.

#![expect(clippy::indexing_slicing, reason = "serde_json answers null where there is nothing")]

use std::collections::BTreeMap;

use anyhow::{Context, bail, ensure};
use jiff::SignedDuration;
use jiff::civil::Date;
use serde_json::{Value, json};

use crate::clock::{Clock, ShiftedClock};
use crate::practice::client::Partner;
use crate::practice::people::{self, Row};
use crate::practice::{Cast, Trust};

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
    pub(super) records: Vec<String>,
    legs_by_child: BTreeMap<(u32, String), String>,
}

/// Plays one act after the other, telling each in a line.
pub(super) async fn play(
    cast: &Cast,
    clock: &ShiftedClock,
    mut tell: impl FnMut(&str),
) -> anyhow::Result<Seen> {
    let mut seen = Seen::default();
    push_extract(cast, clock.today(), &mut seen, &mut tell).await?;
    withdraw(cast, clock.today(), &mut seen, &mut tell).await?;
    collect_fhir(cast, clock.today(), &mut seen, &mut tell).await?;
    collect_json(cast, clock.today(), &mut seen, &mut tell).await?;
    take_pushes(cast, clock.today(), &mut seen, &mut tell).await?;
    seen.checkpoint = cast.trust(Trust::Acute).get("/v1/audit/checkpoint", None).await?.text();
    // Seven weeks and a day later: what nobody answered is overdue.
    clock.advance(SignedDuration::from_hours(24 * DAYS));
    la_collects(cast, &mut seen, &mut tell).await?;
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
    ensure!(
        answer["receipt"].as_str().is_some_and(|jws| jws.split('.').count() == 3),
        "no receipt"
    );
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
        if service == "CAMHS" {
            let fetch = cast.trust(Trust::Mental).get(&format!("/v1/inbox/{leg}"), None).await?;
            ensure!(
                fetch.status == 410,
                "after the withdrawal the fetch answered {}",
                fetch.status
            );
        }
        seen.withheld += 1;
    }
    tell("Two families withdraw while their requests are queued: both are held, nothing goes out.");
    cast.endpoint.open();
    Ok(())
}

/// The acute trust collects FHIR, accepts, and answers with a DocumentReference and its PDF.
async fn collect_fhir(
    cast: &Cast,
    today: Date,
    seen: &mut Seen,
    tell: &mut impl FnMut(&str),
) -> anyhow::Result<()> {
    let trust = cast.trust(Trust::Acute);
    let mut answers = 0u64;
    for delivery in inbox(trust).await? {
        let fetched =
            trust.get(&format!("/v1/inbox/{delivery}"), Some("application/fhir+json")).await?;
        ensure!(fetched.status == 200, "collecting answered {}", fetched.text());
        let bundle = fetched.json();
        ensure!(bundle["resourceType"] == "Bundle", "no Bundle came");
        seen.delivered += 1;
        let number = child_of(&bundle.to_string()).context("a child we do not know")?;
        acknowledge(trust, &delivery, json!({ "outcome": "accepted" })).await?;
        let key = format!("rrk-{number}");
        let child = people::child(number);
        let reply = match number {
            // Child 10 is never answered: the clock runs out.
            10 => continue,
            8 => trust.send(&key, &people::nil(&trust.code, &key, &delivery, &child)).await?,
            _ => {
                let advice =
                    people::advice_fhir(&trust.code, &key, &delivery, &child, today).to_string();
                trust.post("/v1/messages", "application/fhir+json", &key, advice).await?
            }
        };
        ensure!(reply.status == 201, "the answer was answered {} {}", reply.status, reply.text());
        answers += 1;
    }
    seen.answered += answers;
    tell(&format!(
        "The acute trust collects FHIR and answers {answers}: documents and a nil return."
    ));
    Ok(())
}

/// The mental health trust collects JSON, answers, and notifies one regulation 8(2) exception.
async fn collect_json(
    cast: &Cast,
    today: Date,
    seen: &mut Seen,
    tell: &mut impl FnMut(&str),
) -> anyhow::Result<()> {
    let trust = cast.trust(Trust::Mental);
    let mut answers = 0u64;
    for delivery in inbox(trust).await? {
        let fetched = trust.get(&format!("/v1/inbox/{delivery}"), Some("application/json")).await?;
        ensure!(fetched.status == 200, "collecting answered {}", fetched.text());
        seen.delivered += 1;
        let number = child_of(&fetched.text()).context("a child we do not know")?;
        let child = people::child(number);
        let key = format!("rxt-{number}");
        if number == 11 {
            acknowledge(
                trust,
                &delivery,
                json!({ "outcome": "rejected", "reason": "OUT_OF_AREA" }),
            )
            .await?;
            continue;
        }
        acknowledge(trust, &delivery, json!({ "outcome": "accepted" })).await?;
        let message = if number == 6 {
            let later = today.saturating_add(jiff::Span::new().days(63));
            people::exception(&trust.code, &key, &delivery, &child, today, later)
        } else {
            answers += 1;
            people::advice(&trust.code, &key, &delivery, &child, today)
        };
        let reply = trust.send(&key, &message).await?;
        ensure!(reply.status == 201, "the answer was answered {} {}", reply.status, reply.text());
    }
    seen.answered += answers;
    tell(&format!(
        "The mental health trust collects JSON and answers {answers}; one is excused under regulation 8(2), one rejected."
    ));
    Ok(())
}

/// The community trust is pushed to at its own endpoint, and answers in JSON.
async fn take_pushes(
    cast: &Cast,
    today: Date,
    seen: &mut Seen,
    tell: &mut impl FnMut(&str),
) -> anyhow::Result<()> {
    let trust = cast.trust(Trust::Community);
    let expected = 3;
    let parcels = cast.endpoint.wait_for(expected, std::time::Duration::from_secs(20)).await;
    ensure!(parcels.len() == expected, "{} parcels were pushed", parcels.len());
    for (delivery, body) in parcels {
        let number = child_of(&body).context("a child we do not know")?;
        if number == 7 {
            bail!("a delivery went out after its withdrawal was acknowledged");
        }
        seen.delivered += 1;
        acknowledge(trust, &delivery, json!({ "outcome": "accepted" })).await?;
        let key = format!("ryw-{number}");
        let advice = people::advice(&trust.code, &key, &delivery, &people::child(number), today);
        let reply = trust.send(&key, &advice).await?;
        ensure!(reply.status == 201, "the answer was answered {} {}", reply.status, reply.text());
        seen.answered += 1;
    }
    tell(&format!(
        "The community trust is pushed {expected} requests at its own endpoint and answers them."
    ));
    Ok(())
}

/// The authority collects every answer as JSON, and advice also as CSV and as the PDF itself.
async fn la_collects(
    cast: &Cast,
    seen: &mut Seen,
    tell: &mut impl FnMut(&str),
) -> anyhow::Result<()> {
    let la = cast.authority();
    for delivery in inbox(la).await? {
        let path = format!("/v1/inbox/{delivery}");
        let fetched = la.get(&path, Some("application/json")).await?;
        ensure!(fetched.status == 200, "collecting answered {}", fetched.text());
        let table = la.get(&path, Some("text/csv")).await?;
        ensure!(table.status == 200 && table.media_type == "text/csv", "no CSV: {}", table.text());
        if fetched.json()["type"] == "advice.response" {
            let document = la.get(&format!("{path}/documents/1"), None).await?;
            ensure!(
                document.body.starts_with(b"%PDF-"),
                "the document is not the PDF that was sent"
            );
            seen.documents += 1;
        }
        acknowledge(la, &delivery, json!({ "outcome": "accepted" })).await?;
        seen.collected_by_la += 1;
    }
    tell(&format!(
        "The authority collects {} answers as JSON and CSV, {} of them with a PDF.",
        seen.collected_by_la, seen.documents
    ));
    Ok(())
}

async fn inbox(partner: &Partner) -> anyhow::Result<Vec<String>> {
    let reply = partner.get("/v1/inbox?limit=500", None).await?;
    ensure!(reply.status == 200, "the inbox answered {}", reply.text());
    let lines = reply.json();
    let lines = lines["deliveries"].as_array().context("no deliveries")?;
    Ok(lines.iter().filter_map(|line| line["delivery"].as_str().map(str::to_owned)).collect())
}

async fn acknowledge(partner: &Partner, delivery: &str, body: Value) -> anyhow::Result<()> {
    let path = format!("/v1/inbox/{delivery}/acknowledgement");
    let key = format!("ack-{delivery}");
    let reply = partner.post(&path, "application/json", &key, body.to_string()).await?;
    ensure!(reply.status == 200, "the acknowledgement answered {}", reply.text());
    Ok(())
}

/// Which practice child a message is about, by its NHS number.
fn child_of(text: &str) -> Option<u32> {
    (1..=12).find(|number| text.contains(&people::nhs_number(*number)))
}

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
        "collected_by_authority": 10,
        "documents": 8,
    })
}
