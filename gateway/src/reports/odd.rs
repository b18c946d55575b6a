//! Report 4: access that is out of the ordinary, as the watch over the log found it, and who has
//! looked into it.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::exceptions::days;
use super::gathering::{begin, end};
use super::rows::{tally, time};
use super::{Ask, Cell, Kind, Made, ReportError, Sheet};
use crate::app::App;
use crate::store::{AlertDecision, AlertFilter, AlertPlace, StoredAlert};

pub(super) async fn made(app: &App, ask: &Ask) -> Result<Made, ReportError> {
    let filter = AlertFilter {
        sampled: Some(false),
        from: begin(ask),
        before: end(ask),
        ..AlertFilter::default()
    };
    let (alerts, more) = found(app, ask, &filter).await?;
    let rules = app.odd_access();
    let words = |rule: &str| {
        let found = rules.rules.iter().find(|known| known.name == rule);
        found.map_or_else(String::new, |rule| rule.words.clone())
    };
    let names = |code: &str| app.name_of_code(code);
    let sheet = raised(&alerts, app.clock.now(), (&words, &names));
    let counts = by_rule(&alerts);
    let (decided, _) = signed_off("Decisions", app, ask, &filter).await?;
    let mut made = Made::from(vec![sheet, counts, decided]);
    made.notes.extend(more);
    Ok(made.note(format!("By the rules {}, which watch the log from {} on. An alert names nobody: `alerts show` has the entries it is about, for whoever may look into it.", rules.version, rules.from)))
}

/// Alerts, oldest first, up to a bound.
async fn found(
    app: &App,
    ask: &Ask,
    filter: &AlertFilter,
) -> Result<(Vec<StoredAlert>, Option<String>), ReportError> {
    let mut alerts: Vec<StoredAlert> = Vec::new();
    let mut after = None;
    loop {
        let page = app.store.alerts(filter, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok((alerts, None)) };
        after = Some(AlertPlace { raised_at: last.raised_at, id: last.id });
        let own = ask.organisation.as_ref().map(ToString::to_string);
        alerts.extend(
            page.into_iter().filter(|one| own.as_ref().is_none_or(|own| *own == one.organisation)),
        );
        if alerts.len() >= ALERTS_MAX {
            alerts.truncate(ALERTS_MAX);
            let note =
                format!("The oldest {ALERTS_MAX} alerts are listed; ask for a shorter time.");
            return Ok((alerts, Some(note)));
        }
    }
}

fn raised(
    alerts: &[StoredAlert],
    now: Timestamp,
    (words, names): (InWords<'_>, InWords<'_>),
) -> Sheet {
    let columns = [
        ("alert", Kind::Text),
        ("rule", Kind::Text),
        ("what it means", Kind::Text),
        ("severity", Kind::Text),
        ("raised (London)", Kind::Time),
        ("organisation", Kind::Text),
        ("organisation name", Kind::Text),
        ("to", Kind::Text),
        ("entries", Kind::Number),
        ("look into it by (London)", Kind::Time),
        ("passed on (London)", Kind::Time),
        ("outcome", Kind::Text),
        ("days open", Kind::Number),
    ];
    let mut sheet = Sheet::new("Alerts", &columns);
    for alert in alerts {
        let (outcome, until) = match &alert.closed {
            Some((outcome, at)) => (outcome.clone(), *at),
            None => ("not looked into yet".to_owned(), now),
        };
        sheet.rows.push(vec![
            alert.id.to_string().into(),
            alert.rule.clone().into(),
            words(&alert.rule).into(),
            alert.severity.clone().into(),
            time(alert.raised_at),
            alert.organisation.clone().into(),
            names(&alert.organisation).into(),
            alert.counterparty.clone().into(),
            alert.entries.into(),
            time(alert.review_by),
            alert.escalated_at.map_or(Cell::Nothing, time),
            outcome.into(),
            days(alert.raised_at, until),
        ]);
    }
    sheet
}

fn by_rule(alerts: &[StoredAlert]) -> Sheet {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for alert in alerts {
        let outcome = alert.closed.as_ref().map_or("open", |(outcome, _)| outcome.as_str());
        let count = counts.entry(format!("{}: {outcome}", alert.rule)).or_default();
        *count = count.saturating_add(1);
    }
    tally("By rule", "rule and outcome", counts)
}

/// What was decided about each, and by whom: the trail of sign-offs.
pub(super) async fn signed_off(
    title: &str,
    app: &App,
    ask: &Ask,
    filter: &AlertFilter,
) -> Result<(Sheet, Option<String>), ReportError> {
    let (alerts, more) = found(app, ask, filter).await?;
    let columns = [
        ("alert", Kind::Text),
        ("sample", Kind::Text),
        ("rule", Kind::Text),
        ("organisation", Kind::Text),
        ("raised (London)", Kind::Time),
        ("outcome", Kind::Text),
        ("reason", Kind::Text),
        ("decided by", Kind::Text),
        ("person", Kind::Text),
        ("decided (London)", Kind::Time),
    ];
    let mut sheet = Sheet::new(title, &columns);
    for alert in &alerts {
        let decisions = app.store.alert_decisions(alert.id).await?;
        if decisions.is_empty() {
            sheet.rows.push(sign_off(alert, None));
        }
        sheet.rows.extend(decisions.iter().map(|one| sign_off(alert, Some(one))));
    }
    Ok((sheet, more))
}

fn sign_off(alert: &StoredAlert, decision: Option<&AlertDecision>) -> Vec<Cell> {
    vec![
        alert.id.to_string().into(),
        alert.sample.map(|sample| sample.to_string()).into(),
        alert.rule.clone().into(),
        alert.organisation.clone().into(),
        time(alert.raised_at),
        decision.map_or_else(|| "not yet".to_owned(), |one| one.outcome.clone()).into(),
        decision.map(|one| one.reason.clone()).into(),
        decision.map(|one| one.organisation.clone()).into(),
        decision.map(|one| one.person.clone()).into(),
        decision.map_or(Cell::Nothing, |one| time(one.at)),
    ]
}

/// What a code stands for.
type InWords<'a> = &'a dyn Fn(&str) -> String;

/// Alerts asked for at once.
const PAGE: u32 = 500;
/// The most alerts of one report.
const ALERTS_MAX: usize = 5_000;
