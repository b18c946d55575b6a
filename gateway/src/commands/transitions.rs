//! `transitions`: the cases on the way to adulthood, and what is missing.

use clap::Args;
use uuid::Uuid;

use super::{Configured, Outcome, eprintln_line, print_line, table};
use crate::telemetry::name_of;
use crate::transition::{self, CaseView};

/// Arguments of `transitions`.
#[derive(Debug, Args)]
pub(super) struct TransitionsArgs {
    #[command(flatten)]
    configured: Configured,
    /// The checklist and the history of one case, by its id.
    case: Option<Uuid>,
    /// Only cases with something missing.
    #[arg(long)]
    gaps: bool,
    /// Also cases that are over.
    #[arg(long)]
    all: bool,
}

pub(super) async fn transitions(args: &TransitionsArgs, json: bool) -> anyhow::Result<Outcome> {
    let app = super::serve::open_existing(&args.configured).await?;
    let outcome = if let Some(case) = args.case {
        let view = transition::show(&app, case, None, &app.operator()).await?;
        show(view.as_ref(), json)?
    } else {
        let mut cases = transition::list(&app, None, &app.operator()).await?;
        let totals = transition::sum(transition::rules_on(app.clock.today())?, cases.iter());
        cases.retain(|case| (args.all || case.over.is_none()) && (!args.gaps || case.gaps > 0));
        if json {
            let body = serde_json::json!({
                "today": app.clock.today(), "totals": totals, "transitions": cases,
            });
            print_line(&serde_json::to_string_pretty(&body)?);
        } else {
            print_line(&cases_table(&cases));
            eprintln_line(&said(&totals));
        }
        if totals.overdue > 0 { Outcome::Found } else { Outcome::Done }
    };
    app.store.close().await;
    Ok(outcome)
}

fn show(view: Option<&CaseView>, json: bool) -> anyhow::Result<Outcome> {
    let Some(view) = view else {
        eprintln_line("error: there is no case with this id; `ehc-gateway transitions` lists them");
        return Ok(Outcome::NotFound);
    };
    if json {
        print_line(&serde_json::to_string_pretty(view)?);
    } else {
        print_line(&cases_table(std::slice::from_ref(view)));
        print_line("");
        print_line(&checklist_table(view));
    }
    Ok(if view.overdue > 0 { Outcome::Found } else { Outcome::Done })
}

/// The list for reading: most urgent first.
pub(super) fn cases_table(cases: &[CaseView]) -> String {
    let rows = cases.iter().map(|case| {
        let next = case.next.as_ref();
        vec![
            case.case.clone(),
            format!("{} (Year {})", case.age, case.year_group),
            nearness(case),
            case.gaps.to_string(),
            case.overdue.to_string(),
            next.map(|next| next.item.clone()).unwrap_or_default(),
            next.map(|next| next.due.to_string()).unwrap_or_default(),
            next.map(|next| name_of(next.owed_by)).unwrap_or_default(),
            case.named_worker.clone().unwrap_or_else(|| "-".to_owned()),
            case.receiving_service.clone().unwrap_or_else(|| "-".to_owned()),
            case.transition.to_string(),
        ]
    });
    let header = [
        "case",
        "age",
        "18",
        "gaps",
        "overdue",
        "next",
        "by",
        "owed by",
        "named worker",
        "received by",
        "id",
    ];
    table(&header, rows)
}

/// A checklist for reading.
pub(super) fn checklist_table(case: &CaseView) -> String {
    let rows = case.items.iter().map(|line| {
        let shown = line.evidence.as_ref();
        let reasons = shown.map(|shown| {
            let reasons = shown.receivers.iter().filter_map(|to| to.reason.clone());
            reasons.collect::<Vec<_>>().join(", ")
        });
        vec![
            line.item.clone(),
            line.words.clone(),
            name_of(line.owed_by),
            line.from.to_string(),
            line.due.to_string(),
            match (name_of(line.state), line.overdue) {
                (state, true) if state != "overdue" => format!("{state}, overdue"),
                (state, _) => state,
            },
            reasons.unwrap_or_default(),
            shown.map(|shown| shown.record.0.to_string()).unwrap_or_default(),
        ]
    });
    table(&["item", "what", "owed by", "from", "by", "state", "reason", "record"], rows)
}

fn nearness(case: &CaseView) -> String {
    match (case.over, case.within_months) {
        (Some(over), _) => format!("over: {}", name_of(over)),
        (None, Some(0)) => "reached".to_owned(),
        (None, Some(1)) => "within 1 month".to_owned(),
        (None, Some(months)) => format!("within {months} months"),
        (None, None) => "-".to_owned(),
    }
}

fn said(totals: &transition::Totals) -> String {
    let near = totals.within.iter().filter(|within| within.months > 0);
    let near: Vec<String> =
        near.map(|within| format!("{} within {}", within.cases, within.months)).collect();
    let past = totals.within.iter().filter(|within| within.months == 0);
    format!(
        "{} cases, {} with gaps ({} items, {} overdue). Months before 18: {}; {} past it.",
        totals.tracked,
        totals.with_gaps,
        totals.gaps,
        totals.overdue,
        near.join(", "),
        past.map(|within| within.cases).sum::<usize>(),
    )
}
