use jiff::civil::date;
use proptest::prelude::*;

use super::Figures;
use crate::board::Standing;
use crate::clock::london_day_ends;

const ALL: [Standing; 12] = [
    Standing::InTime,
    Standing::LateForecast,
    Standing::Excused,
    Standing::Overdue,
    Standing::OnTime,
    Standing::AnsweredExcused,
    Standing::AnsweredLate,
    Standing::Nil,
    Standing::Rejected,
    Standing::Redirected,
    Standing::Objection,
    Standing::Withheld,
];

#[test]
fn a_day_is_over_at_midnight_in_london() {
    assert_eq!(london_day_ends(date(2026, 1, 31)).to_string(), "2026-02-01T00:00:00Z");
    assert_eq!(
        london_day_ends(date(2026, 6, 30)).to_string(),
        "2026-06-30T23:00:00Z",
        "summer time"
    );
}

#[test]
fn what_was_not_put_to_the_service_is_not_counted() {
    let mut figures = Figures::default();
    figures.count(Standing::Withheld);
    assert_eq!(figures, Figures::default());
}

proptest! {
    #[test]
    fn every_leg_stands_in_exactly_one_column(
        standings in proptest::collection::vec(proptest::sample::select(ALL.to_vec()), 0..60),
    ) {
        let mut figures = Figures::default();
        for standing in &standings {
            figures.count(*standing);
        }
        let counted = standings.iter().filter(|s| **s != Standing::Withheld).count();
        prop_assert_eq!(usize::try_from(figures.asked).expect("a count"), counted);
        let [asked, columns @ ..] = figures.cells();
        // `overdue` is a part of `outstanding`.
        prop_assert_eq!(columns.iter().sum::<u32>() - figures.overdue, asked);
        prop_assert!(figures.overdue <= figures.outstanding);
    }
}
