//! The page about the way to adulthood has the checklist as the rules have it.

use std::fmt::Write;

use schemas::transition::{Anchor, Applies, Duty, Item, Moment, TransitionRules};

use crate::tree;

const PAGE: &str = "gateway/docs/transition.md";

fn moment(moment: Moment) -> String {
    let day = match moment.at {
        Anchor::YearStart => format!("1 September of Year {}", moment.year.unwrap_or_default()),
        Anchor::YearEnd => format!("31 August of Year {}", moment.year.unwrap_or_default()),
        Anchor::InYear => {
            let names = ["", "January", "February", "March", "April", "May", "June", "July"];
            let month = usize::try_from(moment.month.unwrap_or_default()).unwrap_or_default();
            let month = names.get(month).copied().unwrap_or_default();
            let (day, year) = (moment.day.unwrap_or_default(), moment.year.unwrap_or_default());
            format!("{day} {month} of Year {year}")
        }
        Anchor::Birthday => format!("the {}th birthday", moment.age.unwrap_or_default()),
        Anchor::Transfer => "the transfer".to_owned(),
    };
    match moment.months {
        0 => day,
        before @ ..0 => format!("{} months before {day}", -before),
        after => format!("{after} months after {day}"),
    }
}

fn row(item: &Item) -> String {
    let whom = match item.applies {
        Applies::Everyone => "everybody",
        Applies::Plan => "whoever has a plan",
        Applies::AdultCare => "whoever will need adult services",
        Applies::ContinuingCare => "whoever may need continuing healthcare",
        Applies::Section58 => "whoever it was requested for",
        Applies::Eligible => "whoever is eligible",
    };
    let owes = match item.owes {
        Duty::Authority => "local authority",
        Duty::Health => "children's health service",
        Duty::CommissioningBody => "integrated care board",
    };
    let shown: Vec<String> =
        item.evidence.iter().map(|kind| format!("`{}`", kind.as_str())).collect();
    let checked = if item.verified { "yes" } else { "**no**" };
    let note = item.note.as_ref().map(|note| format!(". {note}")).unwrap_or_default();
    format!(
        "| `{}` | {whom} | {owes} | {} | {} | {} | {} | {} | {checked}{note} |",
        item.id,
        item.words,
        moment(item.from),
        moment(item.by),
        shown.join(", "),
        item.provision,
    )
}

#[test]
fn the_page_about_transition_has_every_item_as_the_rules_have_it() {
    let page = tree::file(PAGE).expect("the page");
    let version = TransitionRules::built_in().versions().last().expect("a version");
    let mut table = String::new();
    for item in &version.items {
        writeln!(table, "{}", row(item)).expect("room");
    }
    assert!(page.text.contains(&table), "{PAGE} should have this table:\n{table}");
    for kind in &version.accepted_types {
        assert!(page.text.contains(&format!("`{}`", kind.as_str())), "{}", kind.as_str());
    }
}
