use super::*;

const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn text(mode: &str, files: &str) -> String {
    format!(
        "{{ \"schema\": \"ehc-gateway/la-export/1\", \"authority\": \"334\", \
         \"extracted_at\": \"2026-11-20T02:00:00Z\", {mode}, \"files\": [{files}] }}"
    )
}

fn listed(entity: &str, name: &str) -> String {
    format!(
        "{{ \"entity\": \"{entity}\", \"name\": \"{name}\", \"rows\": 2, \"sha256\": \"{HASH}\" }}"
    )
}

fn full() -> Manifest {
    Manifest::parse(text("\"mode\": \"full\"", &listed("person", "person.csv")).as_bytes()).unwrap()
}

fn rule_of(text: &str) -> String {
    Manifest::parse(text.as_bytes()).unwrap_err().rule
}

#[test]
fn a_manifest_with_a_byte_order_mark_is_read() {
    let text = format!("\u{feff}{}", text("\"mode\": \"full\"", ""));
    assert!(Manifest::parse(text.as_bytes()).unwrap().files.is_empty());
}

#[test]
fn a_manifest_that_contradicts_itself_is_refused() {
    let person = listed("person", "person.csv");
    let cases = [
        ("{".to_owned(), "manifest-unreadable"),
        (text("\"mode\": \"full\", \"colour\": 1", ""), "manifest-unreadable"),
        (text("\"mode\": \"full\", \"mode\": \"full\"", ""), "manifest-unreadable"),
        (text("\"mode\": \"full\"", "").replace("export/1", "export/2"), "manifest-schema"),
        (text("\"mode\": \"delta\"", ""), "manifest-since"),
        (text("\"mode\": \"full\", \"since\": \"2026-11-19T02:00:00Z\"", ""), "manifest-since"),
        (text("\"mode\": \"delta\", \"since\": \"2026-11-21T02:00:00Z\"", ""), "manifest-since"),
        (text("\"mode\": \"full\"", &listed("people", "a.csv")), "manifest-file"),
        (text("\"mode\": \"full\"", &listed("person", "../a.csv")), "manifest-file"),
        (text("\"mode\": \"full\"", &format!("{person}, {person}")), "manifest-file"),
        (text("\"mode\": \"full\"", &person.replace("e3b0", "e3")), "manifest-file"),
    ];
    for (text, rule) in cases {
        assert_eq!(rule_of(&text), rule, "{text}");
    }
}

#[test]
fn a_set_is_proved_byte_for_byte_and_row_for_row() {
    let manifest = full();
    manifest.proves(&[("person.csv", HASH.to_ascii_uppercase())]).unwrap();
    let rule = |present: &[(&str, String)]| manifest.proves(present).unwrap_err().rule;
    assert_eq!(rule(&[]), "manifest-file-missing");
    assert_eq!(rule(&[("person.csv", HASH.replace('e', "f"))]), "manifest-hash");
    let more = [("person.csv", HASH.to_owned()), ("more.csv", HASH.to_owned())];
    assert_eq!(rule(&more), "manifest-file-unlisted");
    manifest.counts(Entity::Person, 2).unwrap();
    assert_eq!(manifest.counts(Entity::Person, 1).unwrap_err().rule, "manifest-rows");
}

#[test]
fn a_set_must_follow_the_one_before_it() {
    let at = |time: &str, since: &str| {
        let mode = if since.is_empty() {
            "\"mode\": \"full\"".to_owned()
        } else {
            format!("\"mode\": \"delta\", \"since\": \"{since}\"")
        };
        let text = text(&mode, "").replace("2026-11-20T02:00:00Z", time);
        Manifest::parse(text.as_bytes()).unwrap()
    };
    let monday = at("2026-11-16T02:00:00Z", "");
    let tuesday = at("2026-11-17T02:00:00Z", "2026-11-16T02:00:00Z");
    let wednesday = at("2026-11-18T02:00:00Z", "2026-11-17T02:00:00Z");
    tuesday.follows(&monday).unwrap();
    wednesday.follows(&tuesday).unwrap();
    assert_eq!(wednesday.follows(&monday).unwrap_err().rule, "manifest-gap");
    assert_eq!(monday.follows(&tuesday).unwrap_err().rule, "manifest-older");
    let other = Manifest { authority: "330".to_owned(), ..wednesday };
    assert_eq!(other.follows(&tuesday).unwrap_err().rule, "manifest-authority");
}
