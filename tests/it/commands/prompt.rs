//! Who types at the machine: named in the log by a pseudonym, found by it, and named on what they take
//! out.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use gateway::audit::{Entry, Event, EventKind};
use tests::TestGateway;

use super::{Ran, beside_a_gateway};

/// Who this test runs as, by the tools of the system: the name, and how it is known.
fn login() -> (String, &'static str) {
    let session = fs::read_to_string("/proc/self/loginuid").unwrap_or_default();
    let known = match session.trim() {
        "" | "4294967295" => None,
        uid => Some(uid.to_owned()),
    };
    let id = Command::new("id").arg("-u").output().expect("it runs").stdout;
    let method = if known.is_some() { "local-login" } else { "local-user" };
    let uid = known.unwrap_or_else(|| String::from_utf8(id).expect("a number").trim().to_owned());
    let entry = Command::new("getent").args(["passwd", &uid]).output().expect("it runs").stdout;
    let entry = String::from_utf8(entry).expect("text");
    let name = entry.split(':').next().filter(|name| !name.is_empty());
    (name.map_or_else(|| format!("uid:{uid}"), str::to_owned), method)
}

fn given(gateway: &TestGateway, arguments: &[&str], said: Option<&str>, input: &str) -> Ran {
    let mut command = tests::binary::command();
    command.args(arguments).arg("-c").arg(gateway.cast.config_path());
    command.env_remove("SUDO_USER").stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(said) = said {
        command.env("SUDO_USER", said);
    }
    let mut child = command.spawn().expect("it runs");
    // A command that does not read it may be gone already.
    drop(child.stdin.take().expect("a pipe").write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    let code = output.status.code().expect("it ended by itself");
    Ran { code, data: text(output.stdout), talk: text(output.stderr) }
}

/// The newest entry of a kind.
async fn newest(gateway: &TestGateway, kind: EventKind) -> Event {
    let rows = gateway.cast.app().store.audit_rows(0, 5_000).await.expect("the log");
    let entries = rows.iter().rev().map(|row| Entry::parse(&row.leaf).expect("an entry").event);
    let mut entries = entries.filter(|event| event.kind == kind);
    entries.next().expect("an entry of the kind")
}

#[test]
fn whoever_types_is_in_the_log_by_a_pseudonym_and_found_by_their_name() {
    beside_a_gateway(async |gateway| {
        let (name, method) = login();
        let names = gateway.cast.app().vault.pseudonyms();
        let pseudonym = names.login(&name);
        Ran::on(gateway, &["board"]).ends(0);
        let actor = newest(gateway, EventKind::BoardViewed).await.actor;
        assert_eq!((actor.organisation.as_str(), actor.method.as_str()), ("gateway", method));
        assert_eq!(actor.person.as_deref(), Some(pseudonym.as_str()));

        let search = ["audit", "search", "--reason", "routine-check", "--user-of", "gateway"];
        let search = [&search[..], &["--kind", "board.viewed", "--json"]].concat();
        let found = given(gateway, &search, None, &name).ends(0).json();
        assert_eq!(found["entries"].as_array().map(Vec::len), Some(1), "{found}");
        assert_eq!(found["entries"][0]["person"], pseudonym.as_str());
        let nobody = given(gateway, &search, None, "somebody-else").ends(0).json();
        assert_eq!(nobody["entries"].as_array().map(Vec::len), Some(0), "{nobody}");

        let report = ["report", "person-actions", "--organisation", "gateway"];
        let report = [&report[..], &["--reason", "staff-investigation", "--json"]].concat();
        let made = given(gateway, &report, None, &name).ends(0).json();
        assert!(made.to_string().contains("board.viewed"), "{made}");
        let others = ["report", "exceptions", "--organisation", "gateway", "--reason", "incident"];
        given(gateway, &others, None, "").ends(5).talks("for no other");
    });
}

#[test]
fn what_the_environment_says_is_kept_beside_the_login_and_never_in_its_place() {
    beside_a_gateway(async |gateway| {
        let (name, method) = login();
        let names = gateway.cast.app().vault.pseudonyms();
        given(gateway, &["board"], Some("zebedee-the-liar"), "").ends(0);
        let actor = newest(gateway, EventKind::BoardViewed).await.actor;
        assert_eq!((actor.method.as_str(), actor.person), (method, Some(names.login(&name))));
        assert_eq!(actor.claimed, Some(names.login("zebedee-the-liar")));
        let search = ["audit", "search", "--reason", "incident", "--user-of", "gateway"];
        let claim = format!("says to be {}", names.login("zebedee-the-liar"));
        given(gateway, &[&search[..], &["--kind", "board.viewed"]].concat(), None, &name)
            .ends(0)
            .says(&claim);
        given(gateway, &["board"], Some(&name), "").ends(0);
        assert_eq!(newest(gateway, EventKind::BoardViewed).await.actor.claimed, None);
        for row in gateway.cast.app().store.audit_rows(0, 5_000).await.expect("the log") {
            let leaf = String::from_utf8(row.leaf).expect("text");
            assert!(!leaf.contains("zebedee"), "{leaf}");
        }
    });
}

#[test]
fn the_cover_of_what_is_taken_out_names_the_login_and_the_log_does_not() {
    beside_a_gateway(async |gateway| {
        let (name, _) = login();
        let names = gateway.cast.app().vault.pseudonyms();
        let file = gateway.folder().join("integrity.csv");
        let report = ["report", "log-integrity", "--reason", "regulator", "--csv"];
        let report = [&report[..], &[file.to_str().expect("a path"), "--json"]].concat();
        let made = given(gateway, &report, None, "").ends(0).json();
        let cover = made["cover"]["asked_by"].as_str().expect("who asked").to_owned();
        assert_eq!(cover, format!("gateway (login {name}, {} in the log)", names.login(&name)));
        let written = fs::read_to_string(gateway.folder().join("integrity.cover.csv"));
        assert!(written.expect("a cover").contains(&cover));
        let entry = newest(gateway, EventKind::AuditViewed).await;
        let leaf = serde_json::to_string(&entry).expect("JSON");
        assert!(!leaf.contains(&format!("login {name}")), "{leaf}");
        assert_eq!(entry.actor.person, Some(names.login(&name)));
    });
}

/// Which of the council's users it is.
fn asked<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let asked = ["audit", "who-is", "--organisation", "334", "--reason", "staff-investigation"];
    [&asked[..], more].concat()
}

#[test]
fn from_a_pseudonym_to_a_person_by_a_list_that_is_not_kept() {
    beside_a_gateway(async |gateway| {
        let (name, _) = login();
        let names = gateway.cast.app().vault.pseudonyms();
        let council = schemas::OrganisationCode::parse("334").expect("a code");
        let wanted = names.person(&council, "officer-7");
        let list = "officer-6\n\n  Officer-7 \nofficer-8\n";

        let all = given(gateway, &asked(&["--json"]), None, list).ends(0).json();
        let people = all["people"].as_array().expect("people").clone();
        assert_eq!(people.len(), 3, "{all}");
        assert_eq!(people[1], serde_json::json!({ "user": "Officer-7", "pseudonym": wanted }));
        given(gateway, &asked(&["--pseudonym", &wanted]), None, list)
            .ends(0)
            .lines_up(&["PSEUDONYM", "USER"])
            .says("Officer-7");
        let entry = newest(gateway, EventKind::AuditViewed).await;
        let said: Vec<(&str, &str)> =
            entry.detail.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let told = [
            ("found", "1"),
            ("pseudonyms", "1"),
            ("reason", "staff-investigation"),
            ("users", "3"),
            ("what", "who-is"),
        ];
        assert_eq!(said, told);
        assert!(entry.counterparty.is_none() && entry.subject.is_none() && entry.hashes.is_empty());

        // From a file, and a login of the machine.
        let file = gateway.folder().join("users.txt");
        fs::write(&file, format!("nobody-here\n{name}\n")).expect("a file");
        let login = names.login(&name);
        let here = ["audit", "who-is", "--organisation", "gateway", "--reason", "incident"];
        let here = [&here[..], &["--pseudonym", &login, "--file", file.to_str().expect("a path")]];
        let ran = given(gateway, &here.concat(), None, "").ends(0).says(&name);
        assert!(!ran.data.contains("nobody-here"), "{}", ran.data);

        given(gateway, &asked(&["--pseudonym", &wanted]), None, "officer-1\n")
            .ends(3)
            .talks("leavers too")
            .talks("That you asked is entry");
        given(gateway, &asked(&["--pseudonym", "Officer-7"]), None, list)
            .ends(5)
            .talks("16 digits");
        given(gateway, &asked(&[]), None, " \n\n").ends(5).talks("one a line");
        let long = format!("a\n{}\n", "x".repeat(400));
        let refused = given(gateway, &asked(&[]), None, &long).ends(5).talks("line 2");
        assert!(!refused.talk.contains("xxx"), "{}", refused.talk);
        let nowhere = ["audit", "who-is", "--organisation", "!", "--reason", "incident"];
        given(gateway, &nowhere, None, list).ends(5).talks("gateway for logins of this machine");
    });
}
