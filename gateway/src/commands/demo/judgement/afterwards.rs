//! What becomes of things after they were admitted: withdrawn, late, recalled, reconciled, and on
//! the day the young person begins to decide.

use anyhow::{Context, ensure};
use jiff::civil::{Date, date};
use jiff::{SignedDuration, ToSpan};
use schemas::deadlines::end_of_compulsory_school_age;
use serde_json::json;

use super::{Judged, admitted, transition_plan, young_person};
use crate::clock::{Clock, ShiftedClock};
use crate::practice::people::{self, Child};
use crate::practice::{Cast, Trust};
use crate::receipt::{Signed, verify_as};
use crate::reconciliation::{self, Statement};

/// Agreement is withdrawn: shown first, then done; what has gone is listed, its recipient told.
pub(in super::super) async fn withdrawn(
    cast: &Cast,
    tell: impl Fn(&str),
) -> anyhow::Result<Judged> {
    let today = cast.app().clock.today();
    let (trust, board) = (cast.trust(Trust::Acute), cast.commissioner());
    let child = young_person(26, today);
    let first = transition_plan(&trust.code, &board.code, "J-7", &child, today);
    let gone = admitted(trust, "judged-7", &first).await?;
    let delivery = gone["leg"].as_str().context("no delivery")?.to_owned();
    let fetched = board.get(&format!("/v1/inbox/{delivery}"), Some("application/json")).await?;
    ensure!(fetched.status == 200, "the board was answered {}", fetched.text());
    let second = transition_plan(&trust.code, &board.code, "J-8", &child, today);
    let waits = admitted(trust, "judged-8", &second).await?;
    let mut withdrawal = people::withdrawal(&trust.code, "J-9", &child, today);
    withdrawal["consent"]["given_by"] = json!("young-person");
    let body = withdrawal.to_string();
    let shown =
        trust.post("/v1/consents/preview", "application/json", "none", body.clone()).await?;
    let effect = shown.json();
    ensure!(effect["open"][0]["then"] == "withdrawn", "the preview says {}", shown.text());
    let done = trust.post("/v1/consents", "application/json", "withdraw-26", body).await?;
    ensure!(done.status == 201, "the withdrawal was answered {}", done.text());
    ensure!(effect["told"] == json!([board.code]), "the preview says {}", shown.text());
    cast.wait_until_idle(super::PATIENCE).await;
    let inbox = board.get("/v1/inbox", None).await?.json();
    let notices = inbox["deliveries"].as_array().context("no inbox")?;
    let told = notices.iter().any(|one| one["type"] == "consent.withdraw");
    ensure!(told, "the board was not told: {inbox}");
    let path = format!("/v1/inbox/{}", waits["leg"].as_str().unwrap_or_default());
    let refused = board.get(&path, None).await?;
    ensure!(refused.status == 410, "after the withdrawal the board got {}", refused.status);
    tell(&format!(
        "A young person withdraws: what it will do is shown first; {} is told, having received something before.",
        board.code
    ));
    let open = &effect["open"][0];
    Judged::new(
        "A transition plan on its way when agreement is withdrawn",
        &open["then"],
        &open["reason"],
    )
}

/// How legs stand whose day has passed: late, excused, and a nil return.
pub(in super::super) async fn overdue_excused_and_nil(cast: &Cast) -> anyhow::Result<Vec<Judged>> {
    let board = cast.authority().get("/v1/board", None).await?.json();
    let legs = board["legs"].as_array().context("no board")?;
    let find = |standing: &str, what: &'static str| {
        let leg = legs.iter().find(|leg| leg["standing"] == standing);
        let leg = leg.with_context(|| format!("no leg is {standing}"))?;
        Judged::new(what, &leg["standing"], &leg["why"])
    };
    Ok(vec![
        find("overdue", "A request nobody answered, seven weeks later")?,
        find("excused", "A request whose appointment was missed")?,
        find("nil", "A request about a child the service does not know")?,
    ])
}

/// What was sent by mistake and not opened yet is taken back.
pub(in super::super) async fn recalled(cast: &Cast, tell: impl Fn(&str)) -> anyhow::Result<Judged> {
    let (la, board) = (cast.authority(), cast.commissioner());
    let today = cast.app().clock.today();
    let message = json!({
        "type": "ehcna.decision", "id": "J-10", "sender": la.code, "recipient": board.code,
        "subject": people::subject(&people::child(27)),
        "particulars": { "will_assess": true, "decided_on": today.to_string() },
    });
    let sent = admitted(la, "judged-10", &message).await?;
    let record = sent["record"].as_str().context("no record")?;
    let path = format!("/v1/records/{record}/recall");
    let body = json!({ "reason": "wrong-person" }).to_string();
    let reply = la.post(&path, "application/json", "recall-1", body).await?;
    ensure!(reply.status == 201, "the recall was answered {}", reply.text());
    let delivery = sent["leg"].as_str().context("no delivery")?;
    let gone = board.get(&format!("/v1/inbox/{delivery}"), None).await?;
    ensure!(gone.status == 410, "after the recall the board got {}", gone.status);
    let stands = la.get(&path, None).await?.json();
    let contained = &stands["deliveries"][0];
    ensure!(contained["opened"] == false, "the board had opened it");
    tell("A decision is recalled before anybody opened it: the board can fetch it no more.");
    let why = format!(
        "It was recalled ({}), and nobody had opened it.",
        stands["recalls"][0]["reason"].as_str().unwrap_or_default()
    );
    Judged::new("A decision sent about the wrong child", &contained["state"], &json!(why))
}

/// The day is closed: a statement for the authority, signed, that adds up, and that it agrees to.
pub(in super::super) async fn reconciled(
    cast: &Cast,
    clock: &ShiftedClock,
    tell: impl Fn(&str),
) -> anyhow::Result<Judged> {
    let (app, la) = (cast.app(), cast.authority());
    let before = reconciliation::last_closed(app);
    while reconciliation::last_closed(app) == before {
        clock.advance(SignedDuration::from_mins(30));
    }
    crate::duties::run_due(app).await?;
    let day = reconciliation::last_closed(app).context("no day has closed")?;
    let reply = la.get(&format!("/v1/reconciliations/{day}"), None).await?;
    ensure!(reply.status == 200, "the statement was answered {}", reply.text());
    let keys = la.get("/v1/audit/keys", None).await?.json();
    let signed = reply.json()["signed"].as_str().context("no signature")?.to_owned();
    let statement: Statement = verify_as(Signed::Statement, &signed, &keys["receipts"]["keys"][0])?;
    ensure!(statement.balances(), "the statement does not add up");
    let path = format!("/v1/reconciliations/{day}/answer");
    let body = json!({ "version": statement.version, "outcome": "agreed" }).to_string();
    let agreed = la.post(&path, "application/json", "agreed-1", body).await?;
    ensure!(agreed.status == 200, "the answer was answered {}", agreed.text());
    tell(&format!(
        "The day is closed: a signed statement of {} lines, which adds up; the authority agrees.",
        statement.lines.len()
    ));
    let why = format!(
        "Every one of {} items stands on one line, and the gateway's signature verifies.",
        statement.lines.len()
    );
    let listed = la.get("/v1/reconciliations", None).await?.json();
    let answer = &listed["reconciliations"][0]["answer"];
    Judged::new("The day's reconciliation with the authority", answer, &json!(why))
}

/// On the last Friday of June of the school year of the sixteenth birthday a parent's agreement is
/// stale: what rests on it waits until the young person was asked.
pub(in super::super) async fn decisions_pass_on(
    cast: &Cast,
    clock: &ShiftedClock,
    tell: impl Fn(&str),
) -> anyhow::Result<Judged> {
    let today = clock.today();
    let (trust, board) = (cast.trust(Trust::Acute), cast.commissioner());
    let (child, day) = about_to_decide(today)?;
    let mut message = transition_plan(&trust.code, &board.code, "J-11", &child, today);
    message["consent"]["given_by"] = json!("parent");
    let shared = admitted(trust, "judged-11", &message).await?;
    while clock.today() < day {
        let days = i64::from(clock.today().until(day)?.get_days()).max(1);
        clock.advance(SignedDuration::from_hours(24 * days - 1));
    }
    crate::duties::run_due(cast.app()).await?;
    let delivery = shared["leg"].as_str().context("no delivery")?;
    let held = board.get(&format!("/v1/inbox/{delivery}"), None).await?;
    ensure!(held.status == 410, "on the day the board got {}", held.status);
    tell(&format!(
        "The clock moves to {day}: a young person decides from now on, and a parent's agreement is stale."
    ));
    let decision = super::decided_last(cast, trust, &shared).await?;
    Judged::new(
        "A parent's agreement on the day the young person begins to decide",
        &decision["outcome"],
        &decision["reason"],
    )
}

/// A made-up young person for whom decisions pass on next, and the day on which they do.
fn about_to_decide(today: Date) -> anyhow::Result<(Child, Date)> {
    let years = [today.year() - 17, today.year() - 16];
    for year in years {
        let born = date(year, 9, 1);
        let day = end_of_compulsory_school_age(born).context("a date")?;
        if day > today.saturating_add(1.day()) {
            return Ok((Child { date_of_birth: born, ..people::child(28) }, day));
        }
    }
    anyhow::bail!("no last Friday of June lies ahead")
}
