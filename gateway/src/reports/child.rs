//! Report 1: who has accessed or received one child's data, ever.

use super::rows::tally;
use super::{Ask, Cell, Kind, Made, ReportError, Sheet};
use crate::access_report::{self, ENTRIES_MAX, LOOKS_MAX, Line, ListLine, Summary};
use crate::app::App;

pub(super) async fn made(app: &App, ask: &Ask, asked: u64) -> Result<Made, ReportError> {
    let Some(subject) = ask.subject else { return Ok(Made::default()) };
    let report = access_report::read(app, &ask.question(subject), asked).await?;
    let account = &report.account;
    let mut made = Made::from(vec![
        lines("Seen", &account.seen),
        lines("Not given", &account.not_given),
        organisations(&account.organisations),
        lists(&account.lists),
        tally("Other entries", "event", account.other_entries.clone()),
    ]);
    if report.older_lists_left_out {
        made = made.note(format!(
            "Only the newest {LOOKS_MAX} looks at lists were read; there are older ones."
        ));
    }
    if report.older_left_out {
        made = made.note(format!(
            "Only the newest {ENTRIES_MAX} entries about this child were read; there are older ones."
        ));
    }
    Ok(made)
}

/// Lines of an account as a table.
pub(crate) fn lines(title: &str, lines: &[Line]) -> Sheet {
    let mut sheet = Sheet::new(title, &LINE);
    sheet.rows = lines.iter().map(row).collect();
    sheet
}

fn row(line: &Line) -> Vec<Cell> {
    let cut: Vec<String> = line.cut.iter().map(|(class, by)| format!("{class} ({by})")).collect();
    vec![
        line.entry.into(),
        line.when.clone().into(),
        line.what.clone().into(),
        line.organisation.clone().into(),
        line.organisation_name.clone().into(),
        line.person.clone().into(),
        line.role.clone().into(),
        line.method.clone().into(),
        line.classes.join(", ").into(),
        cut.join(", ").into(),
        line.authority.clone().into(),
        line.why.clone().into(),
        line.outcome.map(str::to_owned).into(),
        line.record.map(|record| record.to_string()).into(),
    ]
}

/// Looks at lists on which the child stood, as a table.
pub(crate) fn lists(lists: &[ListLine]) -> Sheet {
    let columns = [
        ("entry", Kind::Number),
        ("last (London)", Kind::Text),
        ("organisation", Kind::Text),
        ("organisation name", Kind::Text),
        ("list", Kind::Text),
        ("lines", Kind::Number),
        ("looks", Kind::Number),
        ("first (London)", Kind::Text),
        ("person", Kind::Text),
        ("role", Kind::Text),
        ("came in by", Kind::Text),
        ("why", Kind::Text),
    ];
    let mut sheet = Sheet::new("Looks at lists", &columns);
    let row = |one: &ListLine| {
        vec![
            one.entry.into(),
            one.last.clone().into(),
            one.organisation.clone().into(),
            one.organisation_name.clone().into(),
            one.what.clone().into(),
            one.lines.into(),
            one.looks.into(),
            one.first.clone().into(),
            one.person.clone().into(),
            one.role.clone().into(),
            one.method.clone().into(),
            one.why.clone().into(),
        ]
    };
    sheet.rows = lists.iter().map(row).collect();
    sheet
}

/// What an organisation was given and looked at, as a table.
pub(crate) fn organisations(summaries: &[Summary]) -> Sheet {
    let columns = [
        ("organisation", Kind::Text),
        ("organisation name", Kind::Text),
        ("sent or given", Kind::Number),
        ("looks", Kind::Number),
        ("not given", Kind::Number),
        ("last (London)", Kind::Text),
    ];
    let mut sheet = Sheet::new("By organisation", &columns);
    let row = |one: &Summary| {
        vec![
            one.organisation.clone().into(),
            one.organisation_name.clone().into(),
            one.given.into(),
            one.looks.into(),
            one.not_given.into(),
            one.last.clone().into(),
        ]
    };
    sheet.rows = summaries.iter().map(row).collect();
    sheet
}

const LINE: [(&str, Kind); 14] = [
    ("entry", Kind::Number),
    ("when (London)", Kind::Text),
    ("what", Kind::Text),
    ("organisation", Kind::Text),
    ("organisation name", Kind::Text),
    ("person", Kind::Text),
    ("role", Kind::Text),
    ("came in by", Kind::Text),
    ("data", Kind::Text),
    ("cut", Kind::Text),
    ("basis", Kind::Text),
    ("why", Kind::Text),
    ("outcome", Kind::Text),
    ("record", Kind::Text),
];
