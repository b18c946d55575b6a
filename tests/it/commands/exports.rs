//! Bundles of the log as an auditor gets them: made by one command, checked by another that has only
//! the file and the key.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use super::{Ran, beside_a_gateway};

fn text(path: &Path) -> &str {
    path.to_str().expect("a path")
}

#[test]
fn a_bundle_says_what_it_proves_and_what_it_does_not() {
    beside_a_gateway(async |gateway| {
        let first = gateway.today();
        gateway.request(1, "CAMHS").await;
        gateway.move_to(first.tomorrow().expect("a day"));
        gateway.request(2, "PAEDIATRICS").await;
        let (day, vkey) = (first.to_string(), gateway.cast.app().log_vkey.clone());
        let out = gateway.folder().join("out");
        std::fs::create_dir(&out).expect("a folder");
        let export = |name: &str, filter: &[&str]| {
            let file = out.join(name);
            let base = ["audit", "export", "--reason", "tribunal", "--out", text(&file)];
            (Ran::on(gateway, &[&base, filter].concat()), file.clone())
        };
        let check =
            |file: &Path| Ran::run(&["audit", "verify", "--bundle", text(file), "--key", &vkey]);

        let (made, whole) = export("whole", &[]);
        made.ends(0).talks("entries are in");
        check(&whole)
            .ends(0)
            .says("entries are all that the log had when it was signed")
            .says("none is missing")
            .says("Not proved:")
            .says("no second history")
            .talks("The bundle is whole.");
        let (again, _) = export("whole", &[]);
        again.ends(1).talks("is it there already?");

        let (made, period) = export("period", &["--from", &day, "--until", &day]);
        made.ends(0);
        check(&period)
            .ends(0)
            .says("entries are all that the log has between the beginning of the log and")
            .says("All that the log says of the time from")
            .says("Anything of the time before or after these entries.");

        let (made, partner) = export("partner", &["--partner", "RRK"]);
        made.ends(0);
        check(&partner)
            .ends(0)
            .says("Each names RRK")
            .says("That none was left out: the log may have more entries that name this partner.");

        // The reason and what was taken out are in the log.
        let newest = std::fs::read(&whole).expect("a file");
        let leaf = newest.split(|byte| *byte == b'\n').rev().nth(1).expect("a line");
        let leaf: serde_json::Value = serde_json::from_slice(leaf).expect("JSON");
        let entry = gateway::audit::Entry::parse(&decoded(&leaf["leaf"])).expect("an entry");
        let said = |name: &str| entry.event.detail.get(name).map(String::as_str);
        assert_eq!(entry.event.kind, gateway::audit::EventKind::AuditViewed);
        let codes = (said("what"), said("holds"), said("reason"));
        assert_eq!(codes, (Some("export"), Some("whole"), Some("tribunal")));

        // One letter of an entry, and the key of another log.
        let mut bytes = std::fs::read(&period).expect("a file");
        let third = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(3);
        let place = third.expect("a line").0 + 60;
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        let bad = out.join("bad");
        std::fs::write(&bad, &bytes).expect("written");
        check(&bad)
            .ends(6)
            .says("entry 2: ")
            .says("Nothing is proved by a bundle that is not whole.")
            .talks("it first goes wrong at entry 2");
        let json = ["audit", "verify", "--json", "--key", &vkey, "--bundle"];
        let found = Ran::run(&[&json[..], &[text(&bad)]].concat()).ends(6).json();
        assert_eq!((&found["first_bad"], &found["whole"]), (&2.into(), &false.into()));
        std::fs::write(&bad, "no bundle\n").expect("written");
        check(&bad).ends(5).talks("this is not an audit bundle");
        Ran::run(&["audit", "verify", "--bundle", text(&whole), "--key", "no key"])
            .ends(1)
            .talks("not an Ed25519 verifier key");
    });
}

fn decoded(text: &serde_json::Value) -> Vec<u8> {
    use base64::Engine as _;
    base64::prelude::BASE64_STANDARD.decode(text.as_str().expect("text")).expect("base64")
}

#[test]
fn a_case_is_named_on_standard_input_and_filters_that_contradict_are_refused() {
    beside_a_gateway(async |gateway| {
        gateway.request(1, "CAMHS").await;
        let case = |reference: &str, name: &str| {
            let out = gateway.folder().join(name);
            let mut command = tests::binary::command();
            command.args([
                "audit",
                "export",
                "--reason",
                "complaint",
                "--case",
                &gateway.la().code,
            ]);
            command.arg("-c").arg(gateway.cast.config_path()).arg("--out").arg(&out);
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.spawn().expect("it starts");
            let mut input = child.stdin.take().expect("its input");
            input.write_all(reference.as_bytes()).expect("it reads");
            drop(input);
            let ended = child.wait_with_output().expect("it ends");
            let talk = String::from_utf8(ended.stderr).expect("text");
            assert!(!talk.contains(reference.trim()), "the reference is repeated: {talk}");
            (ended.status.code(), out)
        };
        let (ended, out) = case("EHC-AR-1-CAMHS\n", "case.bundle");
        assert_eq!(ended, Some(0));
        let vkey = gateway.cast.app().log_vkey.clone();
        let bundle = std::fs::read_to_string(&out).expect("a bundle");
        assert!(!bundle.contains("AR-1-CAMHS"), "no reference is in a bundle");
        Ran::run(&["audit", "verify", "--bundle", text(&out), "--key", &vkey])
            .ends(0)
            .says("Each of the")
            .says("That none was left out: the log may have more entries about this case.");
        let (ended, out) = case("EHC-NOBODY\n", "none.bundle");
        assert_eq!((ended, out.exists()), (Some(3), false));

        let refused = |filter: &[&str], code: i32, why: &str| {
            let out = gateway.folder().join("refused.bundle");
            let base = ["audit", "export", "--reason", "check", "--out", text(&out)];
            Ran::on(gateway, &[&base, filter].concat()).ends(code).talks(why);
            assert!(!out.exists(), "{filter:?} wrote a file");
        };
        let day = gateway.today().to_string();
        let before = gateway.today().yesterday().expect("a day").to_string();
        refused(&["--from", &day, "--partner", "RRK"], 5, "make two bundles");
        refused(&["--until", &day, "--case", "334"], 5, "make two bundles");
        refused(&["--case", "334", "--partner", "RRK"], 5, "do not go together");
        refused(&["--from", &day, "--until", &before], 5, "--until is a day before --from");
        refused(&["--until", &before], 3, "the log began later");
        refused(&["--partner", "not a code"], 1, "--partner is not an organisation code");
        let out = gateway.folder().join("no-reason.bundle");
        Ran::on(gateway, &["audit", "export", "--out", text(&out)]).ends(2).talks("--reason");
    });
}
