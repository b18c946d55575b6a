//! Report 8: how each trust and service kept the six weeks of regulation 8, month by month.

use jiff::ToSpan;
use jiff::civil::Date;

use super::rows::count;
use super::{Ask, Cell, Kind, Made, ReportError, Sheet};
use crate::app::App;
use crate::audit::Actor;
use crate::performance::{self, Cohort, Figures, PerformanceQuestion, PerformanceRow};

pub(super) async fn made(app: &App, ask: &Ask, actor: &Actor) -> Result<Made, ReportError> {
    let today = app.clock.today();
    let as_of = ask.until.unwrap_or(today).min(today);
    let first = ask.from.unwrap_or_else(|| year_before(as_of)).first_of_month();
    let mut sheet = Sheet::new("By service", &COLUMNS);
    let (mut month, mut months) = (first, 0_u32);
    while month <= as_of && months < MONTHS_MAX {
        let question = PerformanceQuestion {
            month,
            as_of,
            by: Cohort::Asked,
            authority: None,
            organisation: ask.organisation.clone(),
        };
        let figures = performance::of_month(app, &question, actor).await?;
        sheet.rows.extend(figures.rows.iter().map(|one| row(&figures.month, one, ask.outside)));
        month = month.checked_add(1.month()).unwrap_or(Date::MAX);
        months += 1;
    }
    let mut made = Made::from(vec![sheet]).note(format!(
        "Whole months from {} on, each with what was asked in it, as it stood at the end of {as_of}.",
        first.strftime("%Y-%m"),
    ));
    if month <= as_of {
        made =
            made.note(format!("Only {MONTHS_MAX} months were worked out; there are later ones."));
    }
    if ask.outside {
        made = made.note(SUPPRESSED);
    }
    Ok(made)
}

fn year_before(day: Date) -> Date {
    day.checked_sub(11.months()).unwrap_or(day)
}

fn row(month: &str, one: &PerformanceRow, outside: bool) -> Vec<Cell> {
    let Figures {
        asked,
        on_time,
        excused,
        late,
        nil,
        outstanding,
        overdue,
        redirected,
        rejected,
        objection,
    } = one.figures;
    let mut cells: Vec<Cell> = vec![
        month.into(),
        one.authority.to_string().into(),
        one.organisation.to_string().into(),
        one.organisation_name.clone().into(),
        one.service.clone().into(),
    ];
    let counts =
        [asked, on_time, excused, late, nil, outstanding, overdue, redirected, rejected, objection];
    cells.extend(counts.map(|many| count(u64::from(many), outside)));
    // The whole would tell the one part that is not told.
    let told_by_rest = outside && asked >= SMALL && counts.into_iter().any(is_small);
    if let Some(whole) = cells.get_mut(ASKED).filter(|_| told_by_rest) {
        *whole = "not told".into();
    }
    cells.push(rate(on_time, asked, outside));
    cells.push(rate(nil, asked, outside));
    cells
}

fn is_small(many: u32) -> bool {
    (1..SMALL).contains(&many)
}

/// So many of a hundred, rounded down; none where it would tell a small count.
fn rate(part: u32, whole: u32, outside: bool) -> Cell {
    let small = [part, whole.saturating_sub(part)].into_iter().any(is_small);
    if outside && small {
        return Cell::Nothing;
    }
    let rate = (u64::from(part) * 100).checked_div(u64::from(whole));
    rate.into()
}

const COLUMNS: [(&str, Kind); 17] = [
    ("month", Kind::Text),
    ("authority", Kind::Text),
    ("organisation", Kind::Text),
    ("organisation name", Kind::Text),
    ("service", Kind::Text),
    ("asked", Kind::Number),
    ("on time", Kind::Number),
    ("excused", Kind::Number),
    ("late", Kind::Number),
    ("nil", Kind::Number),
    ("outstanding", Kind::Number),
    ("overdue", Kind::Number),
    ("redirected", Kind::Number),
    ("rejected", Kind::Number),
    ("objection", Kind::Number),
    ("on time, of a hundred", Kind::Number),
    ("nil, of a hundred", Kind::Number),
];

/// Counts under this are not told outside.
const SMALL: u32 = 5;
/// The place of the whole among the columns.
const ASKED: usize = 5;
/// The most months of one report.
const MONTHS_MAX: u32 = 36;

const SUPPRESSED: &str = "Counts of one to four are shown as under 5, and what would tell one (a rate, or the number asked) is left out.";

#[cfg(test)]
mod tests;
