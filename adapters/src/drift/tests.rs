use super::*;

fn shape(text: &str) -> Shape {
    let mapping = Mapping::built_in("liquidlogic-ehc-advice-request").unwrap();
    Shape::of(Format::Csv, text.as_bytes(), &mapping).unwrap()
}

const HEADER: &str = "DIM_PERSON_ID,NHS_NUMBER,SURNAME,FORENAME,BIRTH_DTTM,GENDER_MAIN_CODE,\
EHCP_EPISODE_ID,ADVICE_REQUEST_DTTM,SERVICES_REQUESTED";

fn row(sex: &str) -> String {
    format!("1,9990000018,Zanzibarq,Robin,06/05/2014,{sex},E1,02/11/2026,SALT")
}

fn lines(issues: &[Issue]) -> Vec<String> {
    issues.iter().map(|issue| format!("{} {}", issue.rule, issue.field)).collect()
}

#[test]
fn the_same_layout_has_not_drifted() {
    let before = shape(&format!("{HEADER}\n{}\n", row("F")));
    let now = shape(&format!("{HEADER}\n{}\n{}\n", row("F"), row("F")));
    assert!(now.drift_from(&before).is_empty());
    assert_eq!(now.rows, 2);
}

#[test]
fn new_missing_and_moved_columns_and_unseen_codes_are_told() {
    let before = shape(&format!("{HEADER},UPN\n{},\n", row("F")));
    let header = HEADER.replace("SURNAME,FORENAME", "FORENAME,SURNAME");
    let now = shape(&format!("{header},Mystery\n{},x\n{},y\n", row("M"), row("Q")));
    assert_eq!(
        lines(&now.drift_from(&before)),
        [
            "column-moved subject.given_names",
            "column-moved subject.family_name",
            "column-new ",
            "column-gone subject.upn",
            "code-unseen subject.sex",
            "codes-unmapped-more subject.sex",
        ]
    );
}

#[test]
fn a_column_under_another_alias_is_the_same_column() {
    let before = shape(&format!("{HEADER}\n"));
    let now = shape(&format!("{}\n", HEADER.replace("BIRTH_DTTM", "DOB")));
    assert!(now.drift_from(&before).is_empty());
}

#[test]
fn a_shape_holds_no_header_and_no_cell() {
    let shape = shape(&format!("{HEADER},Mystery\n{},Zanzibarq\n", row("Zanzibarq")));
    let kept = serde_json::to_string(&shape).unwrap();
    for word in ["Zanzibarq", "Mystery", "SURNAME", "9990000018"] {
        assert!(!kept.contains(word), "{kept}");
    }
    assert_eq!(serde_json::from_str::<Shape>(&kept).unwrap(), shape);
}
