use super::*;

fn drafts(rules: Option<PathBuf>, agreements: Option<PathBuf>) -> Drafts {
    Drafts { config: None, rules, agreements }
}

#[test]
fn what_is_shipped_holds_together() {
    let named = drafts(None, None).read().unwrap().unwrap();
    assert_eq!(named.findings(), Vec::<String>::new());
}

#[test]
fn a_mistake_in_a_draft_names_its_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("draft.toml");
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    write(&RULES.replacen("basis = \"statute\"", "basis = \"habit\"", 1));
    let problem = drafts(Some(file.clone()), None).read().unwrap().err().unwrap();
    assert!(problem.contains("draft.toml: line "), "{problem}");
    write(&RULES.replacen("early-identification", "ehc-plan", 1));
    let findings = drafts(Some(file.clone()), None).read().unwrap().unwrap().findings();
    assert!(findings.iter().any(|one| one.contains("draft.toml: line ")), "{findings:?}");
    write(&AGREEMENTS.replace("until", "untl").replacen("from = ", "form = ", 1));
    let problem = drafts(None, Some(file)).read().unwrap().err().unwrap();
    assert!(problem.contains("draft.toml: line "), "{problem}");
}
