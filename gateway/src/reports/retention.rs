//! Report 10: what falls due for deletion, what a legal hold keeps, what was deleted; and the review
//! of who may still come in.

use jiff::Timestamp;

use super::gathering::{begin, end};
use super::rows::{Marks, time};
use super::{Ask, Cell, Kind, Made, ReportError, Sheet, access_review};
use crate::app::App;
use crate::retention::legal::LegalHoldLine;
use crate::retention::schedule::Schedule;
use crate::retention::{self, Plan};
use crate::store::StoredRemoval;
use crate::telemetry::name_of;

pub(super) async fn made(app: &App, ask: &Ask, asked: u64) -> Result<Made, ReportError> {
    let now = app.clock.now();
    let until = end(ask).unwrap_or(now);
    let plan = retention::plan(app, until).await?;
    let holds = app.store.legal_holds().await?;
    let holds: Vec<LegalHoldLine> = holds.into_iter().map(LegalHoldLine::from).collect();
    let from = begin(ask).unwrap_or(Timestamp::UNIX_EPOCH);
    let removals = app.store.removals((from, until.min(now)), None, LISTED_MAX).await?;
    let access = access_review::made(app, ask, asked).await?;
    let mut sheets = vec![
        due(&plan),
        legal_holds(&holds, Marks::of(asked)),
        removed(&removals),
        schedule(&app.schedule),
    ];
    sheets.extend(access.sheets);
    let mut made = Made { sheets, limits: access.limits, notes: access.notes };
    made.notes.push(format!(
        "What is due by {until}; `retention run` or the daily duty removes what is."
    ));
    if plan.more {
        made.notes.push("More is due than is listed; ask for an earlier day.".to_owned());
    }
    if u32::try_from(removals.len()).is_ok_and(|many| many >= LISTED_MAX) {
        made.notes.push(format!("Of what was removed, the oldest {LISTED_MAX} are listed."));
    }
    Ok(made.note("What is due, held and removed is of all organisations, whichever was asked for."))
}

fn due(plan: &Plan) -> Sheet {
    let columns = [
        ("what", Kind::Text),
        ("item", Kind::Text),
        ("class", Kind::Text),
        ("of", Kind::Text),
        ("message type", Kind::Text),
        ("due (London)", Kind::Time),
        ("kept by", Kind::Text),
        ("why it is kept", Kind::Text),
    ];
    let mut sheet = Sheet::new("Due", &columns);
    for item in &plan.items {
        sheet.rows.push(vec![
            item.what.as_str().into(),
            item.item.to_string().into(),
            item.class.as_str().into(),
            item.of.to_string().into(),
            item.kind.map(|kind| kind.as_str().to_owned()).into(),
            time(item.due_at),
            item.kept_by.map(str::to_owned).into(),
            item.kept_by.map(|code| retention::words_of(code).to_owned()).into(),
        ]);
    }
    sheet
}

/// Legal holds, without the reference of whoever ordered them: that is somebody else's text.
fn legal_holds(holds: &[LegalHoldLine], marks: Marks) -> Sheet {
    let columns = [
        ("hold", Kind::Text),
        ("on", Kind::Text),
        ("child", Kind::Text),
        ("case", Kind::Text),
        ("reason", Kind::Text),
        ("in force", Kind::Text),
        ("placed for", Kind::Text),
        ("placed by", Kind::Text),
        ("placed (London)", Kind::Time),
        ("lifted by", Kind::Text),
        ("lifted because", Kind::Text),
        ("lifted (London)", Kind::Time),
    ];
    let mut sheet = Sheet::new("Legal holds", &columns);
    for hold in holds {
        sheet.rows.push(vec![
            hold.id.to_string().into(),
            name_of(hold.scope).into(),
            hold.person.map(|person| marks.child(person)).into(),
            hold.case.map(|case| case.to_string()).into(),
            hold.reason.clone().into(),
            if hold.in_force { "yes".into() } else { "no".into() },
            hold.placed_for.to_string().into(),
            hold.placed_by.clone().into(),
            time(hold.placed_at),
            hold.lifted_by.clone().into(),
            hold.lifted_because.clone().into(),
            hold.lifted_at.map_or(Cell::Nothing, time),
        ]);
    }
    sheet
}

fn removed(removals: &[StoredRemoval]) -> Sheet {
    let columns = [
        ("entry", Kind::Number),
        ("when (London)", Kind::Time),
        ("what", Kind::Text),
        ("item", Kind::Text),
        ("class", Kind::Text),
        ("schedule", Kind::Text),
        ("SHA-256 of the sealed bytes", Kind::Text),
        ("certificate", Kind::Text),
    ];
    let mut sheet = Sheet::new("Removed", &columns);
    for gone in removals {
        sheet.rows.push(vec![
            gone.entry.into(),
            time(gone.at),
            gone.what.as_str().into(),
            gone.item.to_string().into(),
            gone.class.clone().into(),
            gone.rule_version.clone().into(),
            crate::entropy::hex(&gone.sha256).into(),
            gone.certificate.map(|id| id.to_string()).into(),
        ]);
    }
    sheet
}

fn schedule(schedule: &Schedule) -> Sheet {
    let columns = [
        ("class", Kind::Text),
        ("what it is", Kind::Text),
        ("kept for", Kind::Text),
        ("why so long", Kind::Text),
        ("schedule", Kind::Text),
    ];
    let mut sheet = Sheet::new("Schedule", &columns);
    let row = |(class, rule): (retention::schedule::Class, &retention::schedule::Rule)| {
        vec![
            class.as_str().into(),
            rule.holds.clone().into(),
            rule.period.to_string().into(),
            rule.source.clone().into(),
            schedule.version().into(),
        ]
    };
    sheet.rows = schedule.iter().map(row).collect();
    sheet
}

/// The most removals of one report.
const LISTED_MAX: u32 = 50_000;
