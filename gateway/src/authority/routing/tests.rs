use jiff::civil::date;

use super::*;
use crate::authority::fixtures::service;

const EXAMPLE: &str = include_str!("../../../config/routing.example.toml");

const MOVED: &str = r#"
version = "1"
[[service]]
code = "SALT"
name = "Speech"
organisation = "RRK"
from = 2025-01-01
until = 2025-12-31
[[service]]
code = "SALT"
name = "Speech"
organisation = "RYW"
from = 2026-01-01
until = 2026-06-30
"#;

#[test]
fn the_example_routes_every_service_to_one_organisation() {
    let routing = Routing::parse(EXAMPLE).unwrap();
    for (code, organisation) in [
        ("PAEDIATRICS", "RRK"),
        ("PHYSIO", "RRK"),
        ("SALT", "RYW"),
        ("OT", "RYW"),
        ("CAMHS", "RXT"),
        ("DCO", "QHL"),
    ] {
        let route = routing.route(&service(code), date(2026, 3, 2)).unwrap();
        assert_eq!(route.organisation.as_str(), organisation, "{code}");
    }
    assert_eq!(routing.version(), "routing-example-1");
}

#[test]
fn a_service_moves_on_its_day() {
    let routing = Routing::parse(MOVED).unwrap();
    let to = |on| routing.route(&service("SALT"), on).map(|route| route.organisation.as_str());
    assert_eq!(to(date(2024, 12, 31)), Err(RouteError::NotInForce));
    assert_eq!(to(date(2025, 12, 31)), Ok("RRK"));
    assert_eq!(to(date(2026, 1, 1)), Ok("RYW"));
    assert_eq!(to(date(2026, 7, 1)), Err(RouteError::NotInForce));
}

#[test]
fn a_route_for_one_day_is_one_and_all_are_shown_in_the_order_of_the_file() {
    let routing = Routing::parse(&MOVED.replace("2026-06-30", "2026-01-01")).unwrap();
    let answers = |on| routing.route(&service("SALT"), on).map(|route| route.organisation.as_str());
    assert_eq!(answers(date(2026, 1, 1)), Ok("RYW"));
    assert_eq!(answers(date(2026, 1, 2)), Err(RouteError::NotInForce));
    let all: Vec<_> = routing.all().iter().map(|route| route.organisation.as_str()).collect();
    assert_eq!(all, ["RRK", "RYW"]);
}

#[test]
fn a_service_that_is_not_in_the_table_is_not_guessed() {
    let routing = Routing::parse(MOVED).unwrap();
    let unknown = routing.route(&service("SALTS"), date(2026, 1, 1));
    assert_eq!(unknown, Err(RouteError::UnknownService));
}

#[test]
fn two_organisations_for_one_service_are_refused_not_chosen_between() {
    let routing = Routing::parse(&MOVED.replace("2025-12-31", "2026-01-01")).unwrap();
    let both = routing.route(&service("SALT"), date(2026, 1, 1));
    assert_eq!(both, Err(RouteError::TwoInForce));
}

#[test]
fn a_mistake_names_its_line() {
    for (from, to, line) in [
        ("until = 2026-06-30", "until = 2025-06-30", 10),
        ("organisation = \"RYW\"", "organisation = \"\"", 12),
        ("organisation = \"RYW\"", "org = \"RYW\"", 12),
        ("from = 2026-01-01", "from = 2026-02-30", 13),
    ] {
        assert_eq!(Routing::parse(&MOVED.replace(from, to)).unwrap_err().line, line, "{to}");
    }
}
