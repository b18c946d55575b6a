//! The second half of the demo: what the gateway decides, and why.
//!
//! One act for each kind of decision. What each came to, and the sentence that explains a decision,
//! are read from the gateway's own answers and its log. A recall and a statement are no decisions
//! about sharing: their sentences say what was checked here.

#![expect(clippy::indexing_slicing, reason = "serde_json answers null where there is nothing")]

pub(super) mod afterwards;

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

/// What each act must come to if all is as intended.
pub(super) fn intended(judged: &[Judged]) -> bool {
    let outcomes: Vec<&str> = judged.iter().map(|one| one.outcome.as_str()).collect();
    outcomes == INTENDED
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
    let message = transition_plan(&trust.code, &cast.authority().code, "J-2", &child, today);
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

/// A transition plan about which nobody was asked does not go.
async fn refused(cast: &Cast, today: Date) -> anyhow::Result<Judged> {
    let trust = cast.trust(Trust::Acute);
    let child = young_person(24, today);
    let mut message = transition_plan(&trust.code, &cast.authority().code, "J-4", &child, today);
    message["consent"] = Value::Null;
    let reply = trust.send("judged-4", &message).await?;
    ensure!(reply.status == 422, "the plan was answered {} {}", reply.status, reply.text());
    let issue = first_issue(&reply);
    ensure!(issue["rule"] == "consent-missing", "it was refused for another reason: {issue}");
    Judged::new(
        "A transition plan about which nobody was asked",
        &json!("refuse"),
        &issue["message"],
    )
}

/// The plan document is stricter: without agreement about the plan itself it waits, until two
/// people of the authority decide on one lawful ground that it goes to the trust all the same.
pub(super) async fn by_two_people(cast: &Cast, tell: impl Fn(&str)) -> anyhow::Result<Vec<Judged>> {
    let (la, today) = (cast.authority(), cast.app().clock.today());
    let message = json!({
        "type": "plan.final", "id": "J-5", "sender": la.code, "recipient": cast.commissioner().code,
        "subject": people::subject(&people::child(25)),
        "particulars": {
            "plan_version": "1", "issued_on": today.to_string(),
            "section_g": ["Made-up provision"],
        },
    });
    let trust = cast.trust(Trust::Acute);
    let mut to_trust = message.clone();
    to_trust["id"] = json!("J-6");
    to_trust["recipient"] = json!(trust.code);
    let to_board = admitted(la, "judged-5", &message).await?;
    let waits = admitted(la, "judged-6", &to_trust).await?;
    let delivery = waits["leg"].as_str().context("no delivery")?;
    let path = format!("/v1/holds/{delivery}/decision");
    let body = json!({ "decision": "release", "reason": "best-interests" }).to_string();
    let vote = async |person: &str, key: &str| {
        la.post_as(person, &path, "application/json", key, body.clone()).await
    };
    let first = vote("officer-2", "vote-1").await?;
    ensure!(first.json()["state"] == "held", "one vote was enough: {}", first.text());
    let again = vote("officer-2", "vote-2").await?;
    ensure!(again.status == 409, "the same person voted twice: {}", again.text());
    let second = vote("officer-3", "vote-3").await?;
    ensure!(second.json()["state"] == "queued", "the second vote was answered {}", second.text());
    tell(
        "A final plan to a trust waits for people; the same person cannot vote twice; a second one lets it go.",
    );
    let goes = decided_last(cast, la, &waits).await?;
    Ok(vec![
        Judged::new(
            "A final plan to the commissioning board",
            &to_board["outcome"],
            &to_board["reason"],
        )?,
        Judged::new(
            "A final plan to a trust, nobody having agreed to that",
            &waits["outcome"],
            &waits["reason"],
        )?,
        Judged::new("The same, approved by two people", &goes["outcome"], &goes["reason"])?,
    ])
}

/// Sends a message that must be admitted; gives its one leg, and the record beside it.
async fn admitted(sender: &Partner, key: &str, message: &Value) -> anyhow::Result<Value> {
    let reply = sender.send(key, message).await?;
    ensure!(reply.status == 201, "a message was answered {} {}", reply.status, reply.text());
    let row = reply.json()["rows"][0].clone();
    let mut leg = row["legs"][0].clone();
    leg["record"] = row["record"].clone();
    Ok(leg)
}

/// What was decided last about a record that has gone, as its journey tells.
async fn decided_last(cast: &Cast, sender: &Partner, leg: &Value) -> anyhow::Result<Value> {
    cast.wait_until_idle(PATIENCE).await;
    let record = leg["record"].as_str().context("no record")?;
    let journey = sender.get(&format!("/v1/records/{record}/journey"), None).await?.json();
    let steps = journey["steps"].as_array().context("no journey")?;
    let decided = steps.iter().rev().find(|step| step["decision"].is_object());
    Ok(decided.context("nothing was decided")?["decision"].clone())
}

fn first_issue(reply: &Reply) -> Value {
    let body = reply.json();
    let row = &body["rows"][0]["issues"][0];
    if row.is_null() { body["issues"][0].clone() } else { row.clone() }
}

/// A transition plan with the young person's own agreement.
fn transition_plan(sender: &str, recipient: &str, id: &str, child: &Child, on: Date) -> Value {
    json!({
        "type": "transition.health_plan", "id": id, "sender": sender, "recipient": recipient,
        "acting": { "user": "clinician-4", "role": "Transition nurse" },
        "subject": people::subject(child),
        "consent": {
            "status": "given", "given_by": "young-person", "date": on.to_string(),
            "purposes": ["transition-to-adulthood"],
        },
        "transition": {
            "named_worker": "Transition nurse on duty", "plan_date": on.to_string(),
            "actions": ["Meet the adult team"],
        },
    })
}

/// The outcomes of the acts, in their order.
const INTENDED: [&str; 14] = [
    "release",
    "release",
    "release-reduced",
    "refuse",
    "release",
    "hold",
    "release-reduced",
    "withdrawn",
    "overdue",
    "excused",
    "nil",
    "withdrawn",
    "agreed",
    "hold",
];
/// How long the acts wait for a delivery to be made.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// A made-up young person of seventeen.
fn young_person(number: u32, today: Date) -> Child {
    let birthday = today.saturating_sub(jiff::Span::new().years(17).months(1));
    Child { date_of_birth: birthday, ..people::child(number) }
}
