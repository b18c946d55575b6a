//! Rules about how old the person is: which duties are a young child's, and which a young adult's.

use jiff::civil::Date;

use super::{Check, Said};
use crate::deadlines;
use crate::draft::Field;
use crate::record::MessageType;

impl Check<'_> {
    pub(super) fn ages(&mut self, said: &Said<'_>) {
        let Some(born) = said.subject.map(|subject| subject.date_of_birth) else { return };
        let years = age_on(born, self.today);
        let school = deadlines::start_of_compulsory_school_age(born);
        if said.kind == MessageType::S23Notification
            && school.is_ok_and(|starts| self.today >= starts)
        {
            let place = self.place(Field::DATE_OF_BIRTH);
            self.fault(
                Field::DATE_OF_BIRTH,
                &place,
                "age-not-for-type",
                "is that of a child of compulsory school age; section 23 is about younger children",
                "ask the authority for an assessment instead (section 36)",
            );
        }
        if said.kind == MessageType::CareAct58Request && years >= ADULT {
            let place = self.place(Field::DATE_OF_BIRTH);
            self.fault(
                Field::DATE_OF_BIRTH,
                &place,
                "age-not-for-type",
                "is that of an adult; section 58 of the Care Act 2014 is about children",
                "ask for an adult's assessment (section 9)",
            );
        }
        for (kinds, ages, words) in USUAL {
            if said.is_one_of(kinds) && !ages.contains(&years) {
                let place = self.place(Field::DATE_OF_BIRTH);
                let next = "check the date of birth, and that this is the message meant";
                self.warn(Field::DATE_OF_BIRTH, &place, "age-not-for-type", words, next);
            }
        }
        self.adult_healthcare(said, born);
    }

    /// Eligibility for adult continuing healthcare is decided in principle before the 18th
    /// birthday, and in fact from then on.
    fn adult_healthcare(&mut self, said: &Said<'_>, born: Date) {
        let decided = said.date("decided_on").zip(said.particulars.flag("in_principle"));
        let Some((decided_on, in_principle)) = decided else { return };
        if in_principle != (age_on(born, decided_on) < ADULT) {
            self.doubt(
                "in_principle",
                "age-not-for-type",
                "does not agree with the age on the date of the decision",
                "say true before the 18th birthday and false from then on",
            );
        }
    }
}

/// Completed years of age. Birthdays are never built as dates, so 29 February needs no rule.
fn age_on(born: Date, on: Date) -> i16 {
    let had = (on.month(), on.day()) >= (born.month(), born.day());
    on.year() - born.year() - i16::from(!had)
}

/// Years of age from which a person is an adult.
const ADULT: i16 = 18;

/// The ages at which guidance expects a type; the law does not forbid others.
const USUAL: [(&[MessageType], std::ops::Range<i16>, &str); 3] = [
    (
        &[MessageType::TransitionNotify14],
        13..ADULT,
        "is not that of somebody of 13 to 17, for whom the notice at 14 is meant",
    ),
    (
        &[MessageType::ChcChecklist, MessageType::ChcReferral],
        16..27,
        "is that of somebody under 16; screening for adult healthcare begins at 16",
    ),
    (
        &[MessageType::CypCcReferral, MessageType::CypCcDecision],
        0..ADULT,
        "is that of an adult; children's continuing care ends at 18",
    ),
];
