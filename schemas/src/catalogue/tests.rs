use std::collections::BTreeSet;

use super::*;
use crate::MessageType;

const BUILT_IN: &str = include_str!("../../catalogue/messages-1.toml");

#[test]
fn the_catalogue_has_m01_to_m33_once_each_in_order() {
    let numbers: Vec<&str> =
        Catalogue::built_in().entries().iter().map(|entry| entry.number.as_str()).collect();
    let expected: Vec<String> = (1..=33).map(|n| format!("M{n:02}")).collect();
    assert_eq!(numbers, expected);
}

#[test]
fn every_type_of_the_catalogue_belongs_to_one_entry() {
    let mut seen = BTreeSet::new();
    for entry in Catalogue::built_in().entries() {
        assert!(!entry.types.is_empty(), "{} has no type", entry.number);
        for name in &entry.types {
            assert!(seen.insert(name.as_str()), "{name} stands twice");
            assert_eq!(Catalogue::built_in().find(name), Some(entry));
        }
    }
    assert_eq!(seen.len(), 56);
}

#[test]
fn the_types_of_the_catalogue_are_exactly_those_the_record_knows() {
    let catalogue: BTreeSet<&str> = Catalogue::built_in()
        .entries()
        .iter()
        .flat_map(|entry| entry.types.iter().map(String::as_str))
        .collect();
    let known: BTreeSet<&str> = MessageType::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(catalogue, known);
}

#[test]
fn every_type_says_what_it_says_in_one_way() {
    for kind in MessageType::ALL {
        let content = Catalogue::built_in().content(kind);
        assert_eq!(content.is_some(), kind.form() == Form::Particulars, "{kind}");
        assert!(content.is_none_or(|content| !content.needs.is_empty()), "{kind} says nothing");
    }
}

#[test]
fn every_name_of_the_catalogue_is_used_and_explained() {
    let catalogue = Catalogue::built_in();
    let contents = catalogue.entries().iter().flat_map(|entry| &entry.content);
    let used: BTreeSet<&String> = contents.flat_map(Content::names).collect();
    for field in catalogue.fields() {
        assert!(used.contains(&field.name), "{} is used by no type", field.name);
        assert!(!field.words.is_empty(), "{} is not explained", field.name);
    }
}

#[test]
fn every_entry_says_who_why_and_by_which_authority() {
    const AUTHORITIES: [&str; 8] = [
        "statute",
        "consent",
        "consent-record",
        "direct-care-implied",
        "best-interests",
        "safeguarding-override",
        "court-or-tribunal",
        "operation",
    ];
    for entry in Catalogue::built_in().entries() {
        let words = [&entry.title, &entry.parties, &entry.trigger, &entry.minimum_fields];
        assert!(words.iter().all(|text| !text.is_empty()), "{}", entry.number);
        assert!(!entry.purpose.is_empty() && !entry.authority.is_empty(), "{}", entry.number);
        assert!(entry.data_classes.contains(&DataClass::Identity), "{}", entry.number);
        let known = entry.authority.iter().all(|name| AUTHORITIES.contains(&name.as_str()));
        assert!(known, "{} names an unknown authority", entry.number);
        let first = entry.authority.first().map(String::as_str);
        assert!(first != Some("statute") || entry.statute.is_some(), "{}", entry.number);
    }
}

#[test]
fn documents_are_a_class_of_an_entry_exactly_when_it_has_attachments() {
    for entry in Catalogue::built_in().entries() {
        let documents = entry.data_classes.contains(&DataClass::Documents);
        assert_eq!(documents, entry.attachments != "none", "{}", entry.number);
    }
}

#[test]
fn requests_for_advice_rest_on_statute_and_transition_plans_on_consent() {
    let authority = |name| Catalogue::built_in().find(name).map(|e| e.authority.clone());
    assert_eq!(authority("advice.request"), Some(vec!["statute".to_owned()]));
    assert_eq!(authority("advice.response"), Some(vec!["statute".to_owned()]));
    assert_eq!(authority("transition.health_plan"), Some(vec!["consent".to_owned()]));
}

#[test]
fn a_name_that_is_no_type_is_not_found() {
    assert_eq!(Catalogue::built_in().find("advice"), None);
    assert_eq!(Catalogue::built_in().find(""), None);
}

#[test]
fn a_mistake_in_a_catalogue_file_is_named_with_its_line() {
    let unknown_key = BUILT_IN.replacen("title = ", "tittle = ", 1);
    let error = Catalogue::parse(&unknown_key).expect_err("refused");
    let line = BUILT_IN.lines().position(|line| line.starts_with("title = ")).expect("a title");
    assert!(matches!(&error, CatalogueError::Shape { line: at, .. } if *at == line + 1), "{error}");
}

#[test]
fn a_number_or_type_that_stands_twice_is_refused() {
    let number = BUILT_IN.replacen("\"M02\"", "\"M01\"", 1);
    let error = Catalogue::parse(&number).expect_err("refused");
    assert!(matches!(&error, CatalogueError::Repeated { name, .. } if name == "M01"), "{error}");
    let kind = BUILT_IN.replacen("\"recall\"", "\"error\"", 1);
    assert!(matches!(Catalogue::parse(&kind), Err(CatalogueError::Repeated { .. })));
}

#[test]
fn content_that_does_not_fit_is_refused_with_its_line() {
    let wrong = [
        ("types = [\"s23.notification\"]", "types = [\"s23.notice\"]"),
        ("type = \"s23.notification\"", "type = \"ehcna.decision\""),
        ("needs = [\"opinion\"", "needs = [\"opinyon\""),
        ("needs = [\"opinion\"", "needs = [\"opinion\", \"opinion\""),
        ("needs = [\"opinion\"", "needs = [\"year_group\", \"opinion\""),
        ("name = \"opinion\"\nkind = \"code\"", "name = \"opinion\"\nkind = \"line\""),
    ];
    for (right, changed) in wrong {
        let text = BUILT_IN.replacen(right, changed, 1);
        assert_ne!(text, BUILT_IN, "{right}");
        let error = Catalogue::parse(&text).expect_err("refused");
        assert!(matches!(error, CatalogueError::Content { line, .. } if line > 1), "{error}");
    }
}

#[test]
fn the_version_and_its_date_are_given() {
    assert_eq!(Catalogue::built_in().version(), "catalogue-1");
    assert_eq!(Catalogue::built_in().effective_from(), jiff::civil::date(2014, 9, 1));
}

#[test]
fn data_classes_have_the_same_name_in_words_and_in_data() {
    for class in DataClass::ALL {
        let json = serde_json::to_value(class).expect("a string");
        assert_eq!(json, serde_json::Value::String(class.to_string()));
    }
}

#[test]
fn the_page_explains_every_type_every_name_and_every_rule_of_one_type() {
    let page = Catalogue::built_in().page();
    for kind in crate::MessageType::ALL {
        assert!(page.contains(&format!("`{kind}`")), "{kind}");
    }
    for field in Catalogue::built_in().fields() {
        assert!(page.contains(&format!("| `{}` |", field.name)), "{} is in no type", field.name);
        assert!(page.contains(&field.words), "{}", field.name);
    }
    let sources = [
        include_str!("../check/kinds.rs"),
        include_str!("../check/kinds/ages.rs"),
        include_str!("../check/kinds/identity.rs"),
        include_str!("../check/kinds/plans.rs"),
    ];
    let (_, table) = page.split_once("## What one type is checked for").expect("the table");
    let listed = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let listed: BTreeSet<&str> = listed.collect();
    // A rule's name has a hyphen; no name of the catalogue and no code there has one.
    let quoted = sources.iter().flat_map(|text| text.split('"').skip(1).step_by(2));
    let is_rule = |word: &&str| {
        word.contains('-') && word.chars().all(|c| c.is_ascii_lowercase() || c == '-')
    };
    let codes: BTreeSet<&str> = Catalogue::built_in()
        .fields()
        .iter()
        .flat_map(|field| field.codes.iter().map(String::as_str))
        .collect();
    let emitted: BTreeSet<&str> =
        quoted.filter(is_rule).filter(|word| !codes.contains(word)).collect();
    let periods = |word: &&str| !word.starts_with("reg-");
    assert_eq!(listed, emitted.into_iter().filter(periods).collect());
}
