use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::catalogue::DataClass;
use crate::{Draft, Field, Place, samples};

fn record(kind: MessageType) -> Record {
    samples::draft(kind).check(samples::TODAY).expect("the example is accepted").record
}

fn validator() -> jsonschema::Validator {
    jsonschema::draft202012::new(&message_schema()).expect("the schema is a schema")
}

#[test]
fn the_schema_file_is_the_one_generated_from_the_types() {
    let file: Value =
        serde_json::from_str(include_str!("../../record/message-v1.schema.json")).expect("JSON");
    assert_eq!(
        file,
        message_schema(),
        "regenerate: cargo run -p schemas --example write-schema > \
         schemas/record/message-v1.schema.json"
    );
}

#[test]
fn the_schema_says_what_it_is() {
    let schema = message_schema();
    assert_eq!(schema["$id"], "urn:ehc-gateway:schema:message:1");
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert!(jsonschema::draft202012::meta::is_valid(&schema));
}

#[test]
fn every_example_agrees_with_the_schema() {
    let validator = validator();
    for kind in MessageType::ALL {
        let example = samples::json(kind);
        let faults: Vec<String> =
            validator.iter_errors(&example).map(|error| error.to_string()).collect();
        assert!(faults.is_empty(), "{kind}: {faults:?}");
        assert_eq!(example["type"], kind.as_str());
    }
}

#[test]
fn every_example_is_accepted_without_a_warning_and_comes_out_as_it_went_in() {
    for kind in MessageType::ALL {
        let checked = samples::draft(kind).check(samples::TODAY);
        let checked = checked.unwrap_or_else(|issues| panic!("{kind}: {issues:?}"));
        assert_eq!(checked.warnings, [], "{kind}");
        let out: Value = serde_json::from_slice(&checked.record.expose_json()).expect("JSON");
        assert_eq!(out, samples::json(kind), "{kind}");
    }
}

#[test]
fn every_example_is_the_same_after_it_was_reopened() {
    for kind in MessageType::ALL {
        let record = record(kind);
        let reopened = Record::reopen(&record.expose_json(), Vec::new()).expect("reopens");
        assert_eq!(reopened.message(), record.message());
        assert_eq!(*reopened.expose_json(), *record.expose_json());
    }
}

#[test]
fn the_schema_refuses_what_is_no_message() {
    let validator = validator();
    let good = samples::json(MessageType::AdviceNil);
    let changed = |change: fn(&mut Value)| {
        let mut value = good.clone();
        change(&mut value);
        value
    };
    let bad = [
        changed(|v| v["surprise"] = json!(1)),
        changed(|v| v["nil"]["surprise"] = json!(1)),
        changed(|v| v["version"] = json!(2)),
        changed(|v| v["triage"] = json!({})),
        changed(|v| v["subject"]["nhs_number"] = json!("999 000")),
        changed(|v| v["sender"] = json!("not a code")),
        changed(|v| v["type"] = json!("advice.unheard_of")),
        changed(|v| v["attachments"] = json!([{"name": "a.pdf"}])),
    ];
    assert!(validator.is_valid(&good));
    for value in bad {
        assert!(!validator.is_valid(&value), "{value}");
    }
}

#[test]
fn the_schema_knows_documents_and_consent_messages_without_a_decision() {
    let validator = validator();
    let mut value = samples::json(MessageType::AdviceResponse);
    value["attachments"] = json!([
        {"name": "report.pdf", "media_type": "application/pdf", "content_base64": "JVBERi0="},
    ]);
    assert!(validator.is_valid(&value));
    value["attachments"] = json!([
        {"name": "report.pdf", "document": "0192f1c0-0000-7000-8000-000000000001"},
    ]);
    assert!(validator.is_valid(&value));
    value["attachments"] = json!([{"name": "report.pdf"}]);
    assert!(!validator.is_valid(&value));
    let mut value = samples::json(MessageType::ConsentGrant);
    value.as_object_mut().expect("an object").remove("decision");
    assert!(validator.is_valid(&value));
}

#[test]
fn every_field_is_a_path_of_the_schema_and_every_leaf_of_the_schema_is_a_field() {
    let schema = message_schema();
    let mut leaves = BTreeSet::new();
    walk(&schema, &schema, "", false, &mut leaves);
    leaves.retain(|(path, _)| !path.starts_with("attachments"));
    let fields: BTreeSet<(String, bool)> =
        Field::every().map(|field| (field.path().to_owned(), field.repeats())).collect();
    assert_eq!(fields, leaves);
}

/// Collects the paths of the values of a schema and whether they repeat.
fn walk(
    root: &Value,
    schema: &Value,
    path: &str,
    repeats: bool,
    leaves: &mut BTreeSet<(String, bool)>,
) {
    if let Some(target) = schema["$ref"].as_str() {
        let target = root.pointer(target.trim_start_matches('#')).expect("a definition");
        return walk(root, target, path, repeats, leaves);
    }
    let not_null = |variant: &&Value| variant["type"] != "null";
    if let Some(variant) = schema["anyOf"].as_array().and_then(|v| v.iter().find(not_null)) {
        return walk(root, variant, path, repeats, leaves);
    }
    if schema["type"] == "array" {
        return walk(root, &schema["items"], path, true, leaves);
    }
    if schema["type"] != "object" {
        leaves.insert((path.to_owned(), repeats));
        return;
    }
    let variants = schema["oneOf"].as_array().into_iter().flatten();
    for object in std::iter::once(schema).chain(variants) {
        for (name, member) in object["properties"].as_object().into_iter().flatten() {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            walk(root, member, &path, repeats, leaves);
        }
    }
}

#[test]
fn all_fields_have_a_path_of_their_own() {
    let paths: BTreeSet<&str> = Field::ALL.iter().map(|field| field.path()).collect();
    assert_eq!(paths.len(), Field::ALL.len());
    assert!(Field::ALL.iter().all(|field| Field::from_path(field.path()) == Some(*field)));
}

#[test]
fn debug_shows_nothing_a_person_supplied() {
    for kind in MessageType::ALL {
        let mut draft = samples::draft(kind);
        if may_have_a_document(kind) {
            draft.attachments.push(report());
        }
        let supplied: Vec<String> = draft
            .fields
            .iter()
            .filter(|(field, _)| *field != Field::TYPE && *field != Field::VERSION)
            .map(|(_, located)| located.text.expose().to_owned())
            .filter(|text| text.len() > 3 && text != "true" && text != "false")
            .collect();
        let drafted = format!("{draft:?}");
        let record = draft.check(samples::TODAY).expect("accepted").record;
        let message = record.message();
        let mut shown = [
            drafted,
            format!("{record:?} {message:?} {:?} {:?}", message.subject, message.consent),
            format!("{:?} {:?} {:?}", message.body, message.acting, message.case),
            format!("{:?} {:?} {}", message.id, record.attachments(), debug_of_body(message)),
        ]
        .concat();
        for field in Field::every() {
            shown = shown.replace(&format!("{field:?}"), "");
        }
        // The type is shown, and one of its words is a status too.
        let shown = shown.replace(kind.as_str(), "");
        for text in supplied {
            assert!(!shown.contains(&text), "{kind}: {text} is shown");
        }
        assert!(!shown.contains("for-alder"), "the name of a document is shown");
    }
}

/// What is inside a body, shown on its own.
fn debug_of_body(message: &Message) -> String {
    match &message.body {
        Body::Request(inside) => format!("{inside:?}"),
        Body::Triage(inside) => format!("{inside:?}"),
        Body::Advice(inside) => format!("{inside:?}"),
        Body::Nil(inside) => format!("{inside:?}"),
        Body::Exception(inside) => format!("{inside:?}"),
        Body::Transition(inside) => format!("{inside:?}"),
        Body::Notice(inside) => format!("{inside:?}"),
        Body::Decision(inside) => format!("{inside:?}"),
        Body::Particulars(inside) => {
            let values: Vec<_> = inside.iter().map(|(_, value)| value).collect();
            format!("{inside:?}{values:?}")
        }
    }
}

fn report() -> crate::DraftAttachment {
    crate::DraftAttachment {
        name: PersonalText::new("for-alder.pdf"),
        media_type: "application/pdf; name=for-alder.pdf".to_owned(),
        content: crate::PersonalBytes::new(b"%PDF-1.7 synthetic".to_vec()),
        place: Place::Whole,
    }
}

/// A pointer to the safeguarding route is refused with a document; others are at most doubted.
fn may_have_a_document(kind: MessageType) -> bool {
    kind != MessageType::SafeguardingAlertLink
}

fn with_report(kind: MessageType) -> Record {
    let mut draft: Draft = samples::draft(kind);
    if may_have_a_document(kind) {
        draft.attachments.push(report());
    }
    draft.check(samples::TODAY).expect("accepted").record
}

#[test]
fn a_record_kept_in_every_class_is_not_changed() {
    for kind in MessageType::ALL {
        let before = record(kind).expose_json().clone();
        let (reduced, dropped) = record(kind).reduced_to(&DataClass::ALL.into());
        assert_eq!(*reduced.expose_json(), *before);
        assert!(dropped.is_empty());
    }
}

#[test]
fn what_a_type_cannot_do_without_is_what_no_reduction_drops() {
    for kind in MessageType::ALL {
        let (reduced, _) = record(kind).reduced_to(&[DataClass::Identity].into());
        let mut left = reduced.data_classes();
        left.remove(&DataClass::Identity);
        assert_eq!(left, kind.indispensable_classes(), "{kind}");
    }
}

#[test]
fn a_request_reduced_to_identity_keeps_the_person_and_the_process() {
    let request = with_report(MessageType::AdviceRequest);
    let (reduced, dropped) = request.reduced_to(&BTreeSet::from([DataClass::Identity]));
    let out: Value = serde_json::from_slice(&reduced.expose_json()).expect("JSON");
    let mut expected = samples::json(MessageType::AdviceRequest);
    expected.as_object_mut().expect("an object").remove("consent");
    let subject = expected["subject"].as_object_mut().expect("an object");
    for name in ["postcode", "address", "school"] {
        subject.remove(name);
    }
    let body = expected["request"].as_object_mut().expect("an object");
    body.remove("questions");
    body.remove("existing_reports");
    assert_eq!(out, expected);
    assert!(reduced.attachments().is_empty());
    let all_held =
        [DataClass::Contact, DataClass::Education, DataClass::Consent, DataClass::Documents];
    assert_eq!(dropped, BTreeSet::from(all_held));
    assert_eq!(reduced.data_classes(), BTreeSet::from([DataClass::Identity]));
}

#[test]
fn each_class_is_dropped_on_its_own_and_named_only_if_something_went() {
    for kind in MessageType::ALL {
        for class in DataClass::ALL {
            let mut keep = BTreeSet::from(DataClass::ALL);
            keep.remove(&class);
            let record = with_report(kind);
            let held = record.data_classes();
            let (before, documents) = (record.expose_json().clone(), record.attachments().len());
            let (reduced, dropped) = record.reduced_to(&keep);
            let changed =
                *reduced.expose_json() != *before || reduced.attachments().len() != documents;
            assert_eq!(dropped.contains(&class), changed, "{kind}, {class}");
            assert!(dropped.is_empty() || held.contains(&class), "{kind}, {class}");
            assert!(dropped.is_subset(&BTreeSet::from([class])));
        }
    }
}

#[test]
fn what_a_type_cannot_do_without_stays_and_is_still_reported_as_held() {
    let nothing = BTreeSet::new();
    let required = [
        (MessageType::AdviceException, DataClass::Health),
        (MessageType::TransitionHealthPlan, DataClass::Health),
        (MessageType::ConsentWithdraw, DataClass::Consent),
    ];
    for (kind, class) in required {
        let (reduced, _) = record(kind).reduced_to(&nothing);
        assert!(reduced.data_classes().contains(&class), "{kind}");
    }
    let (reduced, _) = record(MessageType::AdviceResponse).reduced_to(&nothing);
    assert_eq!(reduced.data_classes(), BTreeSet::from([DataClass::Identity]));
}

#[test]
fn a_reduced_record_still_agrees_with_the_schema() {
    let validator = validator();
    for kind in MessageType::ALL {
        let (reduced, _) = with_report(kind).reduced_to(&BTreeSet::new());
        let out: Value = serde_json::from_slice(&reduced.expose_json()).expect("JSON");
        assert!(validator.is_valid(&out), "{kind}");
    }
}
