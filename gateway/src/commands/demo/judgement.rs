//! The second half of the demo: what the gateway decides, and why.
//!
//! One act for each kind of decision. What each came to, and the sentence that explains it, are
//! read from the gateway's own answers and its log, never written here.

#![expect(clippy::indexing_slicing, reason = "serde_json answers null where there is nothing")]

use anyhow::{Context, ensure};
use jiff::civil::Date;
use serde_json::{Value, json};

use crate::commands::table;
use crate::practice::client::{Partner, Reply};
use crate::practice::people::{self, Child};
use crate::practice::{Cast, Trust};

/// What was decided, and why: a line of the table at the end.
#[derive(Debug)]
pub(super) struct Judged {
    /// What happened, for people.
    pub(super) what: &'static str,
    /// What it came to.
    pub(super) outcome: String,
    /// The gateway's own sentence.
    pub(super) why: String,
}

impl Judged {
    fn new(what: &'static str, outcome: &Value, why: &Value) -> anyhow::Result<Self> {
        let outcome = outcome.as_str().context("no outcome")?.to_owned();
        let why = why.as_str().context("no explanation")?.to_owned();
        Ok(Self { what, outcome, why })
    }

    /// For the summary.
    pub(super) fn json(&self) -> Value {
        json!({ "what": self.what, "outcome": self.outcome, "why": self.why })
    }
}

/// The decisions as a table for people.
pub(super) fn table_of(judged: &[Judged]) -> String {
    let rows =
        judged.iter().map(|one| vec![one.what.to_owned(), one.outcome.clone(), one.why.clone()]);
    table(&["what", "outcome", "why"], rows)
}

/// A release by statute, by agreement, a reduced one, and a refusal.
pub(super) async fn at_admission(cast: &Cast, tell: impl Fn(&str)) -> anyhow::Result<Vec<Judged>> {
    let today = cast.app().clock.today();
    let judged = vec![
        by_statute(cast, today).await?,
        by_agreement(cast, today).await?,
        reduced(cast, today).await?,
        refused(cast, today).await?,
    ];
    for one in &judged {
        tell(&format!("{}: {}.", one.what, one.outcome));
    }
    Ok(judged)
}

/// A request for advice needs nobody's agreement.
async fn by_statute(cast: &Cast, today: Date) -> anyhow::Result<Judged> {
    let la = cast.authority();
    let message = people::request(&la.code, "J-1", &people::child(21), &["PAEDIATRICS"], today);
    let leg = admitted(la, "judged-1", &message).await?;
    Judged::new("A request for advice", &leg["outcome"], &leg["reason"])
}

/// A transition record goes because the young person agreed.
async fn by_agreement(cast: &Cast, today: Date) -> anyhow::Result<Judged> {
    let trust = cast.trust(Trust::Acute);
    let child = young_person(22, today);
    let message = json!({
        "type": "transition.health_plan", "id": "J-2", "sender": trust.code,
        "recipient": cast.authority().code,
        "acting": { "user": "clinician-4", "role": "Transition nurse" },
        "subject": people::subject(&child),
        "consent": {
            "status": "given", "given_by": "young-person", "date": today.to_string(),
            "purposes": ["transition-to-adulthood"],
        },
        "transition": {
            "named_worker": "Transition nurse on duty", "plan_date": today.to_string(),
            "actions": ["Meet the adult team"],
        },
    });
    let leg = admitted(trust, "judged-2", &message).await?;
    Judged::new(
        "A transition plan, with the young person's agreement",
        &leg["outcome"],
        &leg["reason"],
    )
}

/// The commissioning board is told of a request for an assessment, without what it does not need.
async fn reduced(cast: &Cast, today: Date) -> anyhow::Result<Judged> {
    let (la, board) = (cast.authority(), cast.commissioner());
    let mut subject = people::subject(&people::child(23));
    subject["postcode"] = json!("ZE10 1ZZ");
    let message = json!({
        "type": "ehcna.considering", "id": "J-3", "sender": la.code, "recipient": board.code,
        "subject": subject,
        "particulars": {
            "assessment_requested_on": today.to_string(), "request_source": "parent",
            "known_services": ["a made-up service"], "year_group": "4",
        },
    });
    let leg = admitted(la, "judged-3", &message).await?;
    let delivery = leg["leg"].as_str().context("no delivery")?;
    let path = format!("/v1/inbox/{delivery}");
    let fetched = board.get(&path, Some("application/json")).await?;
    ensure!(fetched.status == 200, "the board was answered {}", fetched.text());
    let text = fetched.text();
    ensure!(text.contains("parent"), "the board was not given what the message is for");
    ensure!(!text.contains("ZE10") && !text.contains("known_services"), "nothing was cut out");
    Judged::new(
        "Notice to the commissioning board, cut to what it needs",
        &leg["outcome"],
        &leg["reason"],
    )
}

/// The plan document may not go to a trust without agreement about the plan itself.
async fn refused(cast: &Cast, today: Date) -> anyhow::Result<Judged> {
    let la = cast.authority();
    let message = json!({
        "type": "plan.final", "id": "J-4", "sender": la.code, "recipient": Trust::Acute.code(),
        "subject": people::subject(&people::child(24)),
        "particulars": {
            "plan_version": "1", "issued_on": today.to_string(),
            "section_g": ["Made-up provision"],
        },
    });
    let reply = la.send("judged-4", &message).await?;
    ensure!(reply.status == 422, "the plan was answered {} {}", reply.status, reply.text());
    let issue = first_issue(&reply);
    Judged::new(
        "A final plan to a trust, nobody having agreed",
        &json!("refused"),
        &issue["message"],
    )
}

/// Sends a message that must be admitted; gives its one leg.
async fn admitted(sender: &Partner, key: &str, message: &Value) -> anyhow::Result<Value> {
    let reply = sender.send(key, message).await?;
    ensure!(reply.status == 201, "a message was answered {} {}", reply.status, reply.text());
    Ok(reply.json()["rows"][0]["legs"][0].clone())
}

fn first_issue(reply: &Reply) -> Value {
    let body = reply.json();
    let row = &body["rows"][0]["issues"][0];
    if row.is_null() { body["issues"][0].clone() } else { row.clone() }
}

/// A made-up young person of seventeen.
fn young_person(number: u32, today: Date) -> Child {
    let birthday = today.saturating_sub(jiff::Span::new().years(17).months(1));
    Child { date_of_birth: birthday, ..people::child(number) }
}
