//! School years and compulsory school age in England.
//!
//! A school year runs from 1 September to 31 August and is named here by the year it ends in.
//! Whoever was born on 29 February is a year older on 1 March of other years.

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

use super::DeadlineError;

/// The last day of compulsory school age: the last Friday of June in the school year in which the
/// person turns 16 (Education Act 1996, section 8; School Leaving Date Order 1997).
///
/// It ends with that day. From the same day, not from the day after, authority and the ledger take
/// the young person to be the one who decides under the Children and Families Act 2014.
pub fn end_of_compulsory_school_age(date_of_birth: Date) -> Result<Date, DeadlineError> {
    let year = school_year_ending(date_of_birth) + 16;
    let end_of_june = Date::new(year, 6, 30).or(Err(DeadlineError::BeyondCalendar))?;
    let past_friday = end_of_june.weekday().since(Weekday::Friday);
    end_of_june.checked_sub(past_friday.days()).or(Err(DeadlineError::BeyondCalendar))
}

/// The first day of compulsory school age: 31 March, 31 August or 31 December, on or next after
/// the fifth birthday (Education Act 1996, section 8; Start of Compulsory School Age Order 1998).
/// Section 23 of the Children and Families Act 2014 applies before this date.
pub fn start_of_compulsory_school_age(date_of_birth: Date) -> Result<Date, DeadlineError> {
    let (month, day) = match date_of_birth.month() {
        1..=3 => (3, 31),
        4..=8 => (8, 31),
        _ => (12, 31),
    };
    Date::new(date_of_birth.year() + 5, month, day).or(Err(DeadlineError::BeyondCalendar))
}

/// Whether the person is, by age, in or beyond Year 9 on a date: the school year in which they
/// turn 14 (SEND Regulations 2014, regulation 6(1)(g)).
pub fn is_year_9_or_above(date_of_birth: Date, on: Date) -> bool {
    year_group(date_of_birth, on) >= 9
}

/// The year group by age on a date: 1 is the school year in which a child turns 6; 0 is
/// reception; negative before it.
pub fn year_group(date_of_birth: Date, on: Date) -> i16 {
    school_year_ending(on) - school_year_ending(date_of_birth) - 5
}

/// The birthday on which somebody is so many years old.
pub(super) fn birthday(date_of_birth: Date, age: i16) -> Result<Date, DeadlineError> {
    let beyond = DeadlineError::BeyondCalendar;
    let year = date_of_birth.year().checked_add(age).ok_or(beyond.clone())?;
    let (month, day) = (date_of_birth.month(), date_of_birth.day());
    // Only 29 February is a day that another year may not have.
    Date::new(year, month, day).or_else(|_| Date::new(year, 3, 1)).or(Err(beyond))
}

/// 1 September of the school year that somebody begins in a year group, by age.
pub(super) fn first_day_of_year_group(born: Date, group: i16) -> Result<Date, DeadlineError> {
    let year = school_year_ending(born).checked_add(group).and_then(|year| year.checked_add(4));
    let year = year.ok_or(DeadlineError::BeyondCalendar)?;
    Date::new(year, 9, 1).or(Err(DeadlineError::BeyondCalendar))
}

/// 31 August of the school year in which somebody is so many years old.
pub(super) fn last_day_of_school_year_aged(born: Date, age: i16) -> Result<Date, DeadlineError> {
    let year = school_year_ending(born).checked_add(age).ok_or(DeadlineError::BeyondCalendar)?;
    Date::new(year, 8, 31).or(Err(DeadlineError::BeyondCalendar))
}

fn school_year_ending(date: Date) -> i16 {
    if date.month() <= 8 { date.year() } else { date.year() + 1 }
}
