//! How each trust and service kept the six weeks in a month, as it stood on any day.
//!
//! Computed from the history of legs, so that the figures of a past month on a past day come out
//! the same whenever they are asked for. Every leg that was put to a service stands in exactly one
//! column. Must never know SQL, HTTP or a child.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::civil::Date;
use schemas::OrganisationCode;
use serde::Serialize;

use crate::app::App;
use crate::audit::{Actor, Event, EventKind};
use crate::board::{Facts, Standing};
use crate::clock::london_day_ends;
use crate::store::{Change, LegSnapshot, SnapshotFilter, StoreError};

/// What is asked: a month, on a day, of whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PerformanceQuestion {
    /// The first day of the month.
    pub month: Date,
    /// As things stood at the end of this day.
    pub as_of: Date,
    /// By what a leg belongs to the month.
    pub by: Cohort,
    /// Only what this authority asked.
    pub authority: Option<OrganisationCode>,
    /// Only what was asked of this organisation.
    pub organisation: Option<OrganisationCode>,
}

/// By what a leg belongs to a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cohort {
    /// It was received by the service in it.
    Asked,
    /// Its statutory date is in it.
    Due,
}

/// The figures of one service of one organisation, for one authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PerformanceRow {
    /// Who asked.
    pub authority: OrganisationCode,
    /// Who was asked.
    pub organisation: OrganisationCode,
    /// Its name.
    pub organisation_name: String,
    /// The service.
    pub service: String,
    /// The figures.
    #[serde(flatten)]
    pub figures: Figures,
}

/// Legs by how they stood.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// All that were put to the service; what was held or stopped is not among them.
    pub asked: u32,
    /// Advice given, or found sufficient, in time.
    pub on_time: u32,
    /// Late and excused (regulation 8(2)): given so, or still owed before the new date.
    pub excused: u32,
    /// Given late and not excused.
    pub late: u32,
    /// Nil returns: the leg is unmet.
    pub nil: u32,
    /// Still owed, and not excused; `overdue` of them past the date that counts.
    pub outstanding: u32,
    /// Of those outstanding.
    pub overdue: u32,
    /// Passed on to another organisation.
    pub redirected: u32,
    /// Refused by the service.
    pub rejected: u32,
    /// Stopped by an objection.
    pub objection: u32,
}

/// The figures with what they are of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Performance {
    /// The month, for example `2026-11`.
    pub month: String,
    /// As things stood at the end of this day.
    pub as_of: Date,
    /// By what legs belong to the month.
    pub by: Cohort,
    /// One row for each authority, organisation and service.
    pub rows: Vec<PerformanceRow>,
    /// All rows together.
    pub total: Figures,
}

/// The figures of a month. `Ok` only once the look is in the log.
pub async fn of_month(
    app: &App,
    question: &PerformanceQuestion,
    actor: &Actor,
) -> Result<Performance, StoreError> {
    let filter = SnapshotFilter {
        sender: question.authority.clone(),
        recipient: question.organisation.clone(),
        before: london_day_ends(question.as_of),
        by_due: question.by == Cohort::Due,
        from: question.month.first_of_month(),
        until: question.month.last_of_month(),
    };
    let legs = app.store.legs_as_of(&filter).await?;
    let event = Event::new(EventKind::BoardViewed, actor.clone())
        .with("month", question.month.strftime("%Y-%m"))
        .with("as_of", question.as_of)
        .with("rows", legs.len());
    app.store.commit(Change::because(event)).await?;
    Ok(reckon(app, question, &legs))
}

fn reckon(app: &App, question: &PerformanceQuestion, legs: &[LegSnapshot]) -> Performance {
    let mut by_service: BTreeMap<(String, String, String), (PerformanceRow, Figures)> =
        BTreeMap::new();
    let mut total = Figures::default();
    for leg in legs {
        let standing = Facts::from(leg).standing(question.as_of);
        let key = (leg.sender.to_string(), leg.recipient.to_string(), leg.service.to_string());
        let (_, figures) = by_service.entry(key).or_insert_with(|| {
            let row = PerformanceRow {
                authority: leg.sender.clone(),
                organisation: leg.recipient.clone(),
                organisation_name: app.name_of(&leg.recipient),
                service: leg.service.to_string(),
                figures: Figures::default(),
            };
            (row, Figures::default())
        });
        figures.count(standing);
        total.count(standing);
    }
    let rows = by_service.into_values().map(|(row, figures)| PerformanceRow { figures, ..row });
    Performance {
        month: question.month.strftime("%Y-%m").to_string(),
        as_of: question.as_of,
        by: question.by,
        rows: rows.filter(|row| row.figures.asked > 0).collect(),
        total,
    }
}

impl Figures {
    fn count(&mut self, standing: Standing) {
        let column = match standing {
            Standing::Withheld => return,
            Standing::OnTime => &mut self.on_time,
            Standing::Excused | Standing::AnsweredExcused => &mut self.excused,
            Standing::AnsweredLate => &mut self.late,
            Standing::Nil => &mut self.nil,
            Standing::InTime | Standing::LateForecast | Standing::Overdue => &mut self.outstanding,
            Standing::Redirected => &mut self.redirected,
            Standing::Rejected => &mut self.rejected,
            Standing::Objection => &mut self.objection,
        };
        *column = column.saturating_add(1);
        self.asked = self.asked.saturating_add(1);
        if standing == Standing::Overdue {
            self.overdue = self.overdue.saturating_add(1);
        }
    }

    fn cells(&self) -> [u32; 10] {
        [
            self.asked,
            self.on_time,
            self.excused,
            self.late,
            self.nil,
            self.outstanding,
            self.overdue,
            self.redirected,
            self.rejected,
            self.objection,
        ]
    }
}

impl Performance {
    /// The rows as CSV (RFC 4180), with a header and without a total.
    pub fn to_csv(&self) -> String {
        let mut text = String::from(
            "month,as_of,by,authority,organisation,organisation_name,service,asked,on_time,excused,\
             late,nil,outstanding,overdue,redirected,rejected,objection\r\n",
        );
        let by = crate::telemetry::name_of(self.by);
        for row in &self.rows {
            let name = row.organisation_name.replace('"', "\"\"");
            let cells: Vec<String> = row.figures.cells().iter().map(ToString::to_string).collect();
            // Writing to a string does not fail.
            let _ = write!(
                text,
                "{},{},{by},{},{},\"{name}\",{},{}\r\n",
                self.month,
                self.as_of,
                row.authority,
                row.organisation,
                row.service,
                cells.join(","),
            );
        }
        text
    }
}

#[cfg(test)]
mod tests;
