//! The rules as a page for somebody who knows the law: each clock, where it stands, how it is
//! counted, what excuses being late, and what nobody has checked yet.
//!
//! The page is made from the data alone, so that it cannot say anything else than the gateway does.

use std::fmt::Write as _;

use jiff::civil::date;

use super::{
    Counting, Exception, ExceptionTest, Nature, Period, PeriodUnit, Receipt, RuleVersion, Rules,
};

impl Rules {
    /// The rules as a Markdown page.
    pub fn page(&self) -> String {
        let mut page = String::from(INTRODUCTION);
        for version in &self.versions {
            // Writing to a string does not fail.
            let _ = self.write_version(&mut page, version);
        }
        page
    }

    fn write_version(&self, page: &mut String, version: &RuleVersion) -> std::fmt::Result {
        writeln!(page, "\n## {}\n", version.id)?;
        let until = match version.effective_until {
            Some(until) => format!(" to {until}"),
            None => String::new(),
        };
        writeln!(
            page,
            "Holds from {}{until}. Source: {}.",
            version.effective_from, version.source
        )?;
        writeln!(page, "Weeks are counted so: {}.", counting(version.counting))?;
        let days: Vec<String> = version.reminder_days.iter().map(ToString::to_string).collect();
        writeln!(page, "Warnings fall on these days from the due date: {}.", days.join(", "))?;
        writeln!(page, "\n### Clocks\n")?;
        writeln!(
            page,
            "| clock | from | who | what | how long | provision | excused by | checked |\n\
             |---|---|---|---|---|---|---|---|"
        )?;
        for period in &version.periods {
            writeln!(page, "{}", period_row(period))?;
        }
        Self::write_exceptions(page, version)?;
        writeln!(page, "\n### When a request counts as received, for display\n")?;
        writeln!(page, "| manner | day that counts | checked |\n|---|---|---|")?;
        for Receipt { manner, words, verified, .. } in &version.receipts {
            writeln!(page, "| {manner} | {words} | {} |", checked(*verified))?;
        }
        self.write_examples(page, version)?;
        writeln!(page, "\n### Not checked yet\n")?;
        for period in version.periods.iter().filter(|period| !period.verified) {
            writeln!(page, "- `{}`: {}", period.id, period.note)?;
        }
        for exception in version.exceptions.iter().filter(|exception| !exception.verified) {
            writeln!(page, "- `{}`: {}", exception.id, exception.note)?;
        }
        Ok(())
    }

    fn write_exceptions(page: &mut String, version: &RuleVersion) -> std::fmt::Result {
        writeln!(page, "\n### What excuses being late\n")?;
        writeln!(
            page,
            "| exception | what | what the dates must show | evidence | provision | checked |\n\
             |---|---|---|---|---|---|"
        )?;
        for exception in &version.exceptions {
            let Exception { id, words, evidence, provision, .. } = exception;
            let said = checked_with(exception.verified, &exception.note);
            let test = test(exception);
            writeln!(page, "| `{id}` | {words} | {test} | {evidence} | {provision} | {said} |")?;
        }
        let never: Vec<String> =
            version.never_excuse.iter().map(|reason| format!("`{reason}`")).collect();
        writeln!(page, "\nThese reasons excuse nothing: {}.", never.join(", "))
    }

    fn write_examples(&self, page: &mut String, version: &RuleVersion) -> std::fmt::Result {
        writeln!(page, "\n### Worked examples\n")?;
        writeln!(
            page,
            "| clock | from | by law | the other way | day to work to |\n|---|---|---|---|---|"
        )?;
        for (id, from) in EXAMPLES {
            let Ok(period) = version.period(id) else { continue };
            let Ok((ends, _)) = self.ends(id, from) else { continue };
            let other = ends.alternative.map_or_else(|| "the same".to_owned(), |on| on.to_string());
            let work = self.due(id, from).ok().filter(|_| period.nature == Nature::Duty);
            let work = work.map_or_else(|| "-".to_owned(), |due| due.operational.to_string());
            writeln!(page, "| `{id}` | {from} | {} | {other} | {work} |", ends.statutory)?;
        }
        Ok(())
    }
}

fn period_row(period: &Period) -> String {
    let Period { id, starts, owes, words, provision, .. } = period;
    let nature = match period.nature {
        Nature::Duty => "",
        Nature::Window => " (a time that is given)",
        Nature::Target => " (a target, not law)",
    };
    let excused: Vec<String> = period.excused_by.iter().map(|id| format!("`{id}`")).collect();
    let excused = if excused.is_empty() { "nothing".to_owned() } else { excused.join(", ") };
    let said = checked_with(period.verified, &period.note);
    let length = length(period);
    format!(
        "| `{id}` | {starts} | {owes} | {words}{nature} | {length} | {provision} | {excused} | {said} |"
    )
}

/// How long a period is, in words.
fn length(period: &Period) -> String {
    let n = period.length.unsigned_abs();
    let side = if period.length < 0 { "before" } else { "after" };
    match period.unit {
        PeriodUnit::Weeks => {
            let own = period.counting.map_or("", |_| ", counted in one way only");
            format!("{n} weeks {side}{own}")
        }
        PeriodUnit::Months => format!("{n} months {side}"),
        PeriodUnit::Days => format!("{n} days after, the day itself not counted"),
        PeriodUnit::DaysBeginningWith => format!("{n} days beginning with the day"),
        PeriodUnit::WorkingDaysBeginningWith => {
            format!("{n} working days beginning with the day")
        }
        PeriodUnit::CalendarDay => {
            let (day, month) = (period.day.unwrap_or_default(), period.month.unwrap_or_default());
            let name = date(2025, 1, 1).with().month(month).day(day).build();
            let name = name.map(|on| on.strftime("%-d %B").to_string()).unwrap_or_default();
            format!("{name} of that calendar year")
        }
        PeriodUnit::ThatDay => "that day".to_owned(),
        PeriodUnit::Birthday => format!("the {n}th birthday"),
        PeriodUnit::SchoolYear => format!("1 September on which Year {n} begins, by age"),
        PeriodUnit::SchoolYearEnd => format!("31 August of the school year of the {n}th birthday"),
        PeriodUnit::BeforeCompulsorySchoolAge => {
            "the day before 31 March, 31 August or 31 December on or next after the 5th birthday"
                .to_owned()
        }
        PeriodUnit::EndOfCompulsorySchoolAge => {
            "the last Friday of June of the school year of the 16th birthday".to_owned()
        }
        PeriodUnit::NoFixedDate => "no number".to_owned(),
    }
}

fn counting(counting: Counting) -> &'static str {
    match counting {
        Counting::ExcludeReceiptDay => {
            "the day of the event is left out (due = event + 7n days); the other way, the day of \
             the event being day 1, is shown beside it"
        }
        Counting::ReceiptDayIsDay1 => {
            "the day of the event is day 1 (due = event + 7n - 1 days); the other way, the day of \
             the event left out, is shown beside it"
        }
    }
}

fn test(exception: &Exception) -> String {
    let (days, margin) = (exception.days_min, exception.margin_days);
    match exception.test {
        ExceptionTest::Circumstances => "they touch the period; a person weighs them".to_owned(),
        ExceptionTest::Absence => format!("at least {days} days on end within the period"),
        ExceptionTest::MissedAppointment => "the appointment was within the period".to_owned(),
        ExceptionTest::Closure => format!(
            "closed for at least {days} days; asked from {margin} days before closing to {margin} \
             days before opening again"
        ),
    }
}

fn checked(verified: bool) -> &'static str {
    if verified { "yes" } else { "**no**" }
}

fn checked_with(verified: bool, note: &str) -> String {
    let said = checked(verified);
    if note.is_empty() { said.to_owned() } else { format!("{said}. {note}") }
}

const INTRODUCTION: &str = "\
# Statutory clocks

Which times the gateway counts, from what, how, and by which provision, for somebody who knows the
law. This page is made from the rules in force (`ehc-gateway clocks page`); a test holds it equal to
`schemas/rules/clocks-1.toml`, where each rule can be changed, and read with its comments. Another
file can be named in the configuration as `files.clocks`, another table of bank holidays as
`files.bank_holidays`.

- **Two ways of counting weeks** are in use. The statutory date leaves the day of receipt out; the
  other way is shown beside it where it gives another date. The day to work to keeps both, and is
  never a weekend or a bank holiday.
- **Nothing pauses a clock.** An exception excuses being late; it does not move the date.
- **Regulation 8 counts from the gateway's receipt** on the service's behalf, never from when somebody
  opened the message. A redirected request keeps its first date.
- **Only what is listed excuses.** A waiting list does not, nor a vacancy, nor that a child is not
  known to a service.
- **An exception excuses up to the new date that the service gave.** After it the leg is late again.
- **Checked** says whether the number was compared with public text of the law. What was not is a
  default, and the note says what to look at.

## What the gateway does with them

**Answers.** Advice stops the six weeks, and so does a nil return, which leaves the leg unmet for the
authority. Existing advice stops them once the adviser, the authority and the family have each agreed
(regulation 6(4)). A redirection hands the first date on, to one other service, once. An exception must
be shown by its dates, or the message is refused. A part of the advice, and a forecast of being late,
let the clock run. An objection stops the leg, for people.

**Shown.** `GET /v1/board` and `ehc-gateway board` show each leg, `GET /v1/clocks` and `ehc-gateway
clocks list` the clocks of cases; whoever asked and whoever owes see the same. `standing` tells apart:
`in-time`, `late-forecast`, `excused`, `overdue`; `on-time`, `answered-excused`, `answered-late`, `nil`,
`objection`, `rejected`, `redirected`, `withheld`. What its owner did without a message, or which
exception excuses it, the owner says with `POST /v1/clocks/{clock}`.

**Warnings.** For a leg whose clock runs, an `advice.chaser` goes to the service, and a copy to the
authority, on each day listed below; they name the leg, the service and the date, and no child. After a
pause only the newest is made up for.

**Figures.** `GET /v1/performance?month=2026-11` and `ehc-gateway performance --month 2026-11` count the
legs asked in a month, or with `by=due` those due in it, as they stood at the end of any day (`as_of`).
Each leg is in one column: on time, excused, late, nil, outstanding (with those overdue among them),
redirected, rejected, objection. What was held or stopped was not asked. They come from the history that
is written with each change of a leg, so that a past day comes out the same whenever it is asked for.

**Evidence.** `GET /v1/legs/{leg}/evidence` and `ehc-gateway evidence make LEG` write one file: the
clock and its history, the request and the answers by hash with the signed receipts that the reader was
given, agreements, exceptions, reminders, and the log entries with the proofs that lead to a signed
checkpoint. `ehc-gateway evidence verify FILE --key VKEY` checks it without a gateway. What was said in
words stays in the sealed records that it names.
";

/// From the domain reference: dates that can be checked with a calendar.
const EXAMPLES: [(&str, jiff::civil::Date); 16] = [
    ("reg-5", date(2025, 9, 1)),
    ("reg-10", date(2025, 9, 1)),
    ("reg-13-2", date(2025, 9, 1)),
    ("reg-8", date(2025, 9, 15)),
    ("reg-13-1", date(2025, 12, 1)),
    ("reg-15", date(2026, 5, 18)),
    ("review-notice", date(2025, 11, 10)),
    ("review-report", date(2025, 11, 10)),
    ("review-decision", date(2025, 11, 10)),
    ("review-final", date(2025, 11, 10)),
    ("reg-18-15-february", date(2026, 9, 1)),
    ("reg-18-31-march", date(2026, 9, 1)),
    ("reg-18-post-16", date(2026, 9, 1)),
    ("decision-maker", date(2010, 7, 3)),
    ("cfa-23", date(2021, 4, 1)),
    ("transition-year-9", date(2012, 8, 31)),
];

#[cfg(test)]
mod tests;
