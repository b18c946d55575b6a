//! The checklist of one person: pure, from messages seen, rules and the day.
//!
//! Owns the judgement of each item: whether it applies, when it is due, whether a message shows
//! that it was done, and whether the receiver accepted that message. Collected is not accepted. It
//! must never know the store, the vault, or who looks.

use jiff::ToSpan;
use jiff::civil::Date;
use schemas::deadlines::{DeadlineError, year_group};
use schemas::transition::{Applies, Checklist, Duty, Item, birthday};
use schemas::{MessageType, PersonalText};
use serde::Serialize;

use super::evidence::{Evidence, continuing_care, moves_on};
use crate::queue::DeliveryState;

/// Where an item stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is not owed yet.
    NotYet,
    /// It is owed, and there is time.
    Due,
    /// It was sent, and the receiver has not said that it accepts.
    AwaitingAcceptance,
    /// The receiver rejected it: it is owed again.
    NotAccepted,
    /// It is owed, and the day has passed.
    Overdue,
    /// A message shows that it was done.
    Done,
    /// A message shows that it was done, and the receiver accepted it.
    Accepted,
}

/// One item of a person's checklist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<'a> {
    /// The rule.
    pub item: &'a Item,
    /// From when it is owed.
    pub from: Date,
    /// By when.
    pub due: Date,
    /// Where it stands.
    pub state: State,
    /// Whether it is open and the day has passed, whatever was sent meanwhile.
    pub overdue: bool,
    /// The day it was done, when it was.
    pub done_on: Option<Date>,
    /// The message that decides the state: an index into the evidence.
    pub by: Option<usize>,
}

/// Why a case is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Over {
    /// The person has died.
    Died,
    /// The person has left the area: another authority, or abroad.
    Left,
    /// The academic year of the 25th birthday has ended.
    TooOld,
}

/// One person's way to adulthood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case<'a> {
    /// The items that apply, in the order of the rules.
    pub lines: Vec<Line<'a>>,
    /// Why it is over, if it is.
    pub over: Option<Over>,
    /// The 18th birthday.
    pub adult_on: Date,
    /// Age in whole years.
    pub age: i16,
    /// Year group by age.
    pub year_group: i16,
    /// The newest named worker: an index into the evidence.
    pub named_worker: Option<usize>,
    /// The newest receiving service: an index into the evidence.
    pub receiving_service: Option<usize>,
    /// The planned transfer.
    pub transfer_on: Option<Date>,
}

impl Line<'_> {
    /// Whether something is missing now.
    pub fn is_gap(&self, today: Date) -> bool {
        match self.state {
            State::Due | State::Overdue | State::NotAccepted => true,
            State::AwaitingAcceptance => self.from <= today,
            State::NotYet | State::Done | State::Accepted => false,
        }
    }

    /// Whether it is still to be done, now or later.
    pub fn is_open(&self) -> bool {
        !matches!(self.state, State::Done | State::Accepted)
    }
}

impl Case<'_> {
    /// Which warning the 18th birthday has reached: months before it, 0 from the day itself.
    pub fn within_months(&self, rules: &Checklist, today: Date) -> Option<i32> {
        if today >= self.adult_on {
            return Some(0);
        }
        let reached = |months: &&i32| {
            self.adult_on.checked_sub(months.months()).is_ok_and(|from| today >= from)
        };
        rules.warnings.iter().filter(reached).min().copied()
    }

    /// The newest checkpoint that was reached in the last days: its name and its day.
    pub fn checkpoint(&self, rules: &Checklist, born: Date, today: Date) -> Option<(String, Date)> {
        let birthdays = CHECKPOINTS.iter().filter_map(|age| {
            birthday(born, *age).ok().map(|day| (format!("birthday-{age}"), day))
        });
        let warnings = rules.warnings.iter().filter_map(|months| {
            let day = self.adult_on.checked_sub(months.months()).ok()?;
            Some((format!("{months}-months-before-18"), day))
        });
        let fresh = |day: Date| day <= today && (today - day).get_days() < CHECKPOINT_DAYS;
        birthdays.chain(warnings).filter(|(_, day)| fresh(*day)).max_by_key(|(_, day)| *day)
    }
}

/// Works out one person's checklist. `evidence` is in the order of acceptance and not empty; `None`
/// when nothing of the checklist concerns the person today.
pub fn work_out<'a>(
    rules: &'a Checklist,
    evidence: &[Evidence],
    today: Date,
) -> Result<Option<Case<'a>>, DeadlineError> {
    let Some(born) = date_of_birth(evidence) else { return Ok(None) };
    let newest = |what: fn(&Evidence) -> bool| evidence.iter().rposition(what);
    let adult_on = birthday(born, ADULT)?;
    let transfer = evidence.iter().rev().find_map(|evidence| evidence.said.transfer_on);
    let person = Person { born, transfer, adult_on, evidence, rules, today };
    let mut lines = Vec::new();
    let over = person.over();
    if over.is_none() {
        for item in &rules.items {
            lines.extend(person.line(item)?);
        }
    }
    // A case that is over is shown if it had been on the way to adulthood.
    if lines.is_empty() && (over.is_none() || !person.is_tracked()) {
        return Ok(None);
    }
    Ok(Some(Case {
        lines,
        over,
        adult_on,
        age: age(born, today)?,
        year_group: year_group(born, today),
        named_worker: newest(|evidence| evidence.said.named_worker.is_some()),
        receiving_service: newest(|evidence| evidence.said.receiving_service.is_some()),
        transfer_on: transfer,
    }))
}

/// The date of birth: as the authority last said it, or else as anybody last did.
pub(super) fn date_of_birth(evidence: &[Evidence]) -> Option<Date> {
    let by_authority = |evidence: &&Evidence| evidence.sender_is.contains(&Duty::Authority);
    let newest = evidence.iter().rev();
    newest.clone().find(by_authority).or(newest.clone().next()).map(|known| known.said.born)
}

struct Person<'e, 'a> {
    born: Date,
    transfer: Option<Date>,
    adult_on: Date,
    evidence: &'e [Evidence],
    rules: &'a Checklist,
    today: Date,
}

/// How a message stands with those who must receive it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Done,
    Accepted,
    Awaiting,
    Rejected,
}

impl Person<'_, '_> {
    fn is_tracked(&self) -> bool {
        schemas::deadlines::is_year_9_or_above(self.born, self.today)
            || self.evidence.iter().any(|evidence| evidence.said.tracks)
    }

    fn over(&self) -> Option<Over> {
        let last = |what: fn(&Evidence) -> bool| self.evidence.iter().rposition(what);
        let stays = last(|e| moves_on(e.kind) || is_plan(e.kind));
        if last(|e| e.kind == MessageType::PersonDeath).is_some() {
            return Some(Over::Died);
        }
        // Whoever is planned for again after that is here again.
        if let Some(left) = last(|e| e.said.leaves)
            && stays.is_none_or(|stays| stays < left)
        {
            return Some(Over::Left);
        }
        let turns_25 = birthday(self.born, LAST_AGE).ok()?;
        let ends = if turns_25.month() >= 9 { turns_25.year() + 1 } else { turns_25.year() };
        let ended = Date::new(ends, 8, 31).is_ok_and(|last| self.today > last);
        ended.then_some(Over::TooOld)
    }

    /// Whether the plan ceased, or none will be issued, and no plan was seen after that.
    fn has_no_plan_any_more(&self) -> bool {
        let last = |what: fn(&Evidence) -> bool| self.evidence.iter().rposition(what);
        let ended =
            last(|e| matches!(e.kind, MessageType::PlanCeased | MessageType::PlanNotIssued));
        let held = last(|e| is_plan(e.kind) || e.kind == MessageType::AdviceRequest);
        ended.is_some_and(|ended| held.is_none_or(|held| held < ended))
    }

    /// The day from which somebody could know that an item applies; `None` when it does not.
    fn applies_since(&self, applies: Applies) -> Option<Date> {
        let first = |what: &dyn Fn(&Evidence) -> bool| {
            self.evidence.iter().find(|evidence| what(evidence)).map(|known| known.accepted_on)
        };
        let last_decision = |kind| {
            let decisions = self.evidence.iter().rev();
            decisions.filter(|e| e.kind == kind).find_map(|evidence| evidence.said.eligible)
        };
        let adult_chc = |e: &Evidence| {
            matches!(
                e.kind,
                MessageType::TransitionNotify14
                    | MessageType::ChcChecklist
                    | MessageType::ChcReferral
                    | MessageType::ChcDecision
            )
        };
        match applies {
            Applies::Plan if self.has_no_plan_any_more() => None,
            Applies::Plan => first(&|e| is_plan(e.kind)),
            Applies::Everyone
            | Applies::AdultCare
            | Applies::ContinuingCare
            | Applies::Section58
            | Applies::Eligible
                if !self.is_tracked() =>
            {
                None
            }
            Applies::Everyone if self.has_no_plan_any_more() => None,
            Applies::Everyone => first(&|_| true),
            Applies::AdultCare => first(&|e| e.said.adult_care),
            Applies::ContinuingCare => {
                let refused = last_decision(MessageType::CypCcDecision) == Some(false);
                first(&|e| adult_chc(e) || (continuing_care(e.kind) && !refused))
            }
            Applies::Section58 => first(&|e| e.kind == MessageType::CareAct58Request),
            Applies::Eligible => {
                let eligible = last_decision(MessageType::ChcDecision) == Some(true);
                first(&|e| e.kind == MessageType::ChcDecision).filter(|_| eligible)
            }
        }
    }

    fn line<'a>(&self, item: &'a Item) -> Result<Option<Line<'a>>, DeadlineError> {
        let Some(since) = self.applies_since(item.applies) else { return Ok(None) };
        let from = item.from.on(self.born, self.transfer)?;
        let until = item.until.map(|until| until.on(self.born, self.transfer)).transpose()?;
        if until.is_some_and(|until| self.today < from || self.today > until) {
            return Ok(None);
        }
        let mut due = item.by.on(self.born, self.transfer)?;
        if item.late_entry && due < since {
            due = later_by_days(since, self.rules.late_entry_days)?;
        }
        let shown: Vec<(usize, Standing)> =
            self.evidence.iter().enumerate().filter_map(|e| self.shows(item, from, e)).collect();
        let when = |(index, _): &(usize, Standing)| self.evidence.get(*index).map(Evidence::on);
        let done = shown
            .iter()
            .filter(|(_, standing)| matches!(standing, Standing::Done | Standing::Accepted));
        let done = done.max_by_key(|shown| when(shown)).copied();
        let done_on = done.and_then(|done| when(&done));
        let mut current = done;
        if let (Some(months), Some(on)) = (item.renew_months, done_on) {
            let again = on.checked_add(months.months()).or(Err(DeadlineError::BeyondCalendar))?;
            // After the transfer nothing is renewed.
            if again <= self.transfer.unwrap_or(self.adult_on) {
                due = again;
                current = current.filter(|_| self.today <= again);
            }
        }
        let newer = shown.iter().filter(|shown| when(shown) >= done_on);
        let newest = newer.max_by_key(|shown| when(shown)).copied();
        let (state, by) = match (current, newest) {
            (Some((index, Standing::Accepted)), _) => (State::Accepted, Some(index)),
            (Some((index, _)), _) => (State::Done, Some(index)),
            (None, Some((index, Standing::Rejected))) => (State::NotAccepted, Some(index)),
            (None, Some((index, Standing::Awaiting))) => (State::AwaitingAcceptance, Some(index)),
            (None, _) if self.today < from => (State::NotYet, None),
            (None, last) if self.today <= due => (State::Due, last.map(|(index, _)| index)),
            (None, last) => (State::Overdue, last.map(|(index, _)| index)),
        };
        let overdue = current.is_none() && self.today > due;
        Ok(Some(Line { item, from, due, state, overdue, done_on, by }))
    }

    /// How a message stands as evidence for an item; `None` when it shows nothing of it.
    fn shows(
        &self,
        item: &Item,
        from: Date,
        (index, evidence): (usize, &Evidence),
    ) -> Option<(usize, Standing)> {
        let says = item.says.is_none_or(|what| evidence.said.says(what));
        let fresh = !item.fresh || evidence.on() >= from;
        if !item.evidence.contains(&evidence.kind) || !says || !fresh {
            return None;
        }
        if item.receiver.is_some_and(|duty| evidence.sender_is.contains(&duty)) {
            // Whoever should have received it has written it itself.
            return Some((index, Standing::Done));
        }
        let must_accept = self.rules.accepted_types.contains(&evidence.kind);
        let right = |to_is: &std::collections::BTreeSet<Duty>| {
            item.receiver.is_none_or(|duty| to_is.contains(&duty))
        };
        let handed = evidence.handed.iter().filter(|handed| right(&handed.to_is));
        let standings = handed.filter_map(|handed| match handed.state {
            DeliveryState::Accepted if must_accept => Some(Standing::Accepted),
            DeliveryState::Rejected => Some(Standing::Rejected),
            DeliveryState::Queued | DeliveryState::Delivered | DeliveryState::Unknown
                if must_accept =>
            {
                Some(Standing::Awaiting)
            }
            DeliveryState::Accepted
            | DeliveryState::Queued
            | DeliveryState::Delivered
            | DeliveryState::Unknown => Some(Standing::Done),
            DeliveryState::Held | DeliveryState::Withdrawn | DeliveryState::Failed => None,
        });
        let rank = |standing: &Standing| match standing {
            Standing::Accepted => 3,
            Standing::Done => 2,
            Standing::Awaiting => 1,
            Standing::Rejected => 0,
        };
        standings.max_by_key(rank).map(|standing| (index, standing))
    }
}

/// The text of the newest message that has one.
pub(super) fn text_of(
    evidence: &[Evidence],
    index: Option<usize>,
    text: fn(&Evidence) -> Option<&PersonalText>,
) -> Option<&str> {
    index.and_then(|index| evidence.get(index)).and_then(text).map(PersonalText::expose)
}

fn is_plan(kind: MessageType) -> bool {
    matches!(
        kind,
        MessageType::PlanFinal
            | MessageType::PlanAmended
            | MessageType::ReviewTermList
            | MessageType::ReviewInvite
            | MessageType::ReviewAdvice
            | MessageType::ReviewReport
            | MessageType::ReviewDecision
    )
}

fn age(born: Date, today: Date) -> Result<i16, DeadlineError> {
    let years = today.year() - born.year();
    Ok(if birthday(born, years)? <= today { years } else { years - 1 })
}

fn later_by_days(from: Date, days: i32) -> Result<Date, DeadlineError> {
    from.checked_add(days.days()).or(Err(DeadlineError::BeyondCalendar))
}

/// The birthdays that are looked at (`domain.md` 1.5).
const CHECKPOINTS: [i16; 4] = [14, 16, 17, 18];
/// How many days a checkpoint is shown as reached.
const CHECKPOINT_DAYS: i32 = 7;
/// When adult services begin.
const ADULT: i16 = 18;
/// A plan may run to the end of the academic year of this birthday.
const LAST_AGE: i16 = 25;

#[cfg(test)]
mod tests;
