use super::*;

fn rate(millis: impl IntoIterator<Item = u64>) -> Rate {
    Rate::new(Duration::from_secs(2), millis.into_iter().map(Duration::from_millis).collect())
}

fn run(accepts: Rate, bare: Rate) -> Run {
    Run { connections: 32, row_bytes: 7000, accepts, bare, changes: 30, transactions: 4 }
}

#[test]
fn percentiles_are_of_the_nearest_rank_whatever_the_order() {
    let hundred = rate((1..=100).rev());
    assert_eq!(hundred.percentile(50), Some(Duration::from_millis(50)));
    assert_eq!(hundred.percentile(99), Some(Duration::from_millis(99)));
    assert_eq!(hundred.percentile(100), Some(Duration::from_millis(100)));
    let three = rate([30, 10, 20]);
    assert_eq!(three.percentile(50), Some(Duration::from_millis(20)));
    assert_eq!(three.percentile(99), Some(Duration::from_millis(30)));
    assert_eq!(rate([7]).percentile(0), Some(Duration::from_millis(7)));
}

#[test]
fn nothing_measured_has_no_percentile_and_no_ratio() {
    assert_eq!(rate([]).percentile(50), None);
    let run = run(rate([5]), rate([]));
    assert_eq!(run.cells("sqlite")[5..], ["0", "-", "-", "-"]);
    assert_eq!(run.document()["ratio"], Value::Null);
}

#[test]
fn a_ratio_is_accepts_for_each_bare_commit() {
    let run = run(rate((0..3000).map(|_| 2)), rate((0..2400).map(|_| 1)));
    let expected = ["sqlite", "32", "1,500", "2.00", "2.00", "1,200", "1.00", "1.00", "1.25"];
    assert_eq!(run.cells("sqlite"), expected);
    assert_eq!(run.document()["ratio"], 1.25);
    assert_eq!(run.document()["changes_per_transaction"], 7.5);
    assert_eq!(HEADER.len(), expected.len());
}

#[test]
fn large_figures_have_commas() {
    let cases = [("7", "7"), ("999", "999"), ("1000", "1,000"), ("1234567", "1,234,567")];
    for (digits, expected) in cases {
        assert_eq!(thousands(digits), expected);
    }
    assert_eq!(two_places(Some(12_345.678)), "12,345.68");
}
