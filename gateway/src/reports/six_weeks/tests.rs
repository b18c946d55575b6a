use super::super::tests::code;
use super::*;

fn one(figures: Figures) -> PerformanceRow {
    PerformanceRow {
        authority: code("334"),
        organisation: code("RXT"),
        organisation_name: "A trust".to_owned(),
        service: "CAMHS".to_owned(),
        figures,
    }
}

fn words(figures: Figures, outside: bool) -> Vec<String> {
    let cells = row("2026-01", &one(figures), outside);
    assert_eq!(cells.len(), COLUMNS.len());
    cells.iter().skip(ASKED).map(Cell::words).collect()
}

#[test]
fn counts_come_with_their_rates() {
    let figures = Figures { asked: 8, on_time: 5, nil: 1, late: 2, ..Figures::default() };
    let expected = ["8", "5", "0", "2", "1", "0", "0", "0", "0", "0", "62", "12"];
    assert_eq!(words(figures, false), expected);
    assert_eq!(words(Figures::default(), false)[10..], ["", ""]);
}

#[test]
fn outside_no_small_count_can_be_worked_out() {
    let figures = Figures { asked: 12, on_time: 10, nil: 2, ..Figures::default() };
    let told = words(figures, true);
    let expected = ["not told", "10", "0", "0", "under 5", "0", "0", "0", "0", "0", "", ""];
    assert_eq!(told, expected);
    let figures = Figures { asked: 10, on_time: 10, ..Figures::default() };
    let told = words(figures, true);
    assert_eq!(told, ["10", "10", "0", "0", "0", "0", "0", "0", "0", "0", "100", "0"]);
    let figures = Figures { asked: 3, on_time: 3, ..Figures::default() };
    assert_eq!(words(figures, true)[..2], ["under 5", "under 5"]);
}
