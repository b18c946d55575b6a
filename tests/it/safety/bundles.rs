//! Bundles of the log, good ones and bad ones of every sort: our verifier and one that shares nothing
//! with it, written from `gateway/docs/audit-format.md`, must say the same of each.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use gateway::audit::bundle::{self, BundleError, Judged};
use gateway::audit::checkpoint::{Checkpoint, LogSigner};
use gateway::audit::tree::Frontier;
use gateway::audit::verify::Row;
use gateway::entropy::SeededEntropy;
use gateway::practice::client::Partner;
use gateway::verification::{self, Wanted};
use schemas::OrganisationCode;
use serde_json::{Value, json};
use tests::{Engine, TestGateway, peers};

/// A bundle under a name that says what was done to it.
type Corpus = BTreeMap<String, Vec<u8>>;

/// What a verifier says: the verdict, the first bad entry, and the faults.
type Said = (String, Option<u64>, BTreeSet<String>);

/// One honest bundle of each sort, of a log of three days.
async fn honest(gateway: &TestGateway) -> Corpus {
    let app = gateway.cast.app();
    let first = gateway.today();
    gateway.request(1, "CAMHS").await;
    let second = first.tomorrow().expect("a day");
    gateway.move_to(second);
    gateway.request(2, "PAEDIATRICS").await;
    for delivery in gateway.inbox(gateway.acute()).await {
        let reply = gateway.acute().get(&format!("/v1/inbox/{delivery}"), None).await;
        assert_eq!(reply.expect("an answer").status, 200);
    }
    let third = second.tomorrow().expect("a day");
    gateway.move_to(third);
    gateway.request(3, "CAMHS").await;
    let code = |partner: &Partner| OrganisationCode::parse(&partner.code).expect("a code");
    let wanted = [
        ("whole", Wanted::Whole),
        ("day", Wanted::Period(Some(second), Some(second))),
        ("from", Wanted::Period(Some(third), None)),
        ("until", Wanted::Period(None, Some(first))),
        ("case", Wanted::Case(a_case(gateway).await)),
        ("partner", Wanted::Partner(code(gateway.acute()))),
        ("sender", Wanted::Partner(code(gateway.la()))),
    ];
    let mut corpus = Corpus::new();
    for (name, wanted) in wanted {
        let mut file = Vec::new();
        let exported = verification::export(app, &wanted, "check", &mut file, |_| {}).await;
        let exported = exported.expect("a store").expect("something of it");
        assert!(exported.entries > 0, "{name} holds nothing");
        corpus.insert(name.to_owned(), file);
    }
    let mut old = Vec::new();
    let newest = app.store.latest_checkpoint().await.expect("a store").expect("a checkpoint");
    for row in app.store.audit_rows(0, 5_000).await.expect("rows") {
        if row.seq < newest.size {
            let row = Row { seq: row.seq, leaf: row.leaf, nodes: row.nodes };
            bundle::write_row(&mut old, &row).expect("written");
        }
    }
    old.extend(format!("{}\n", json!({ "checkpoint": newest.note })).into_bytes());
    corpus.insert("version 1".to_owned(), old);
    corpus
}

async fn a_case(gateway: &TestGateway) -> gateway::queue::CaseId {
    let app = gateway.cast.app();
    let records = app.store.sealed_envelopes(None, 1).await.expect("records");
    let record = app.store.find_record(records[0].0).await.expect("a store").expect("a record");
    record.relations.case.expect("a case")
}

fn lines(file: &[u8]) -> Vec<Vec<u8>> {
    file.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// Every alteration of the order and number of lines, and of their bytes.
fn altered(name: &str, file: &[u8], corpus: &mut Corpus) {
    let all = lines(file);
    let mut put = |what: String, lines: Vec<Vec<u8>>| {
        let changed = lines.concat();
        assert_ne!(changed, file, "{name}, {what}: nothing was altered");
        corpus.insert(format!("{name}, {what}"), changed);
    };
    for (at, line) in all.iter().enumerate() {
        let (without, mut twice, mut swapped) = (all.clone(), all.clone(), all.clone());
        let without = without.into_iter().enumerate().filter(|(place, _)| *place != at);
        put(format!("line {at} deleted"), without.map(|(_, line)| line).collect());
        twice.insert(at, line.clone());
        put(format!("line {at} twice"), twice);
        if at + 1 < all.len() {
            swapped.swap(at, at + 1);
            put(format!("line {at} after the next"), swapped);
            put(format!("cut after line {at}"), all[..=at].to_vec());
        }
        let mut moved = all.clone();
        let last = moved.remove(at);
        moved.push(last);
        if at + 1 < all.len() {
            put(format!("line {at} last"), moved);
        }
        let mut cut = all[..=at].to_vec();
        cut[at].truncate(line.len() * 2 / 3);
        put(format!("cut within line {at}"), cut);
        // Every byte of a header, some of each other line.
        let places: Vec<usize> = match at {
            0 => (0..line.len()).collect(),
            _ => (0..12).map(|part| (line.len() - 1) * part / 11).collect(),
        };
        for place in places {
            let mut flipped = all.clone();
            flipped[at][place] ^= 1 << (place % 7);
            put(format!("line {at} byte {place} flipped"), flipped);
        }
    }
    let mut unended = all.clone();
    unended.last_mut().expect("a line").pop();
    put("without its last line feed".to_owned(), unended);
    let mut more = all.clone();
    more.push(b"\n".to_vec());
    put("with an empty line".to_owned(), more);
    let mut backwards = all[2.min(all.len())..].to_vec();
    backwards.reverse();
    put("backwards".to_owned(), [all[..2].to_vec(), backwards].concat());
}

fn value(line: &[u8]) -> Value {
    serde_json::from_slice(line).expect("JSON")
}

/// Alterations of a header as somebody makes them who knows the form.
fn wrong_headers(name: &str, file: &[u8], corpus: &mut Corpus) {
    let all = lines(file);
    let text = String::from_utf8(all[0].clone()).expect("text");
    let header = value(&all[0]);
    let number = |member: &str| format!("\"{member}\":{}", header[member]);
    let more = |member: &str| {
        let one = header[member].as_u64().map_or(1, |one| one + 1);
        format!("\"{member}\":{one}")
    };
    let holds = format!("\"holds\":{}", header["holds"]);
    let filter = format!("\"filter\":{}", header["filter"]);
    let changes = [
        ("one more entry", number("entries"), more("entries")),
        ("a longer log", number("size"), more("size")),
        ("another start", number("first"), more("first")),
        ("another log", "ehc-gateway/".to_owned(), "ehc-gateways/".to_owned()),
        ("another version", "\"version\":2".to_owned(), "\"version\":3".to_owned()),
        ("another format", "ehc-audit".to_owned(), "ehc-adult".to_owned()),
        ("whole", holds.clone(), "\"holds\":\"whole\"".to_owned()),
        ("a case", holds.clone(), "\"holds\":\"case\"".to_owned()),
        ("a period", holds, "\"holds\":\"period\"".to_owned()),
        ("all time", filter.clone(), "\"filter\":{}".to_owned()),
        ("another partner", filter.clone(), "\"filter\":{\"partner\":\"ZZZ\"}".to_owned()),
        ("half a partner", filter.clone(), "\"filter\":{\"partner\":\"z\"}".to_owned()),
        ("since ever", filter.clone(), "\"filter\":{\"from_us\":1}".to_owned()),
        ("until ever", filter.clone(), format!("\"filter\":{{\"until_us\":{}}}", i64::MAX)),
        ("until never", filter, "\"filter\":{\"until_us\":18446744073709551615}".to_owned()),
        ("with a space", "{".to_owned(), "{ ".to_owned()),
    ];
    for (what, from, to) in changes {
        let changed = text.replacen(&from, &to, 1);
        if changed != text {
            let all = [changed.into_bytes(), all[1..].concat()].concat();
            corpus.insert(format!("{name}, header: {what}"), all);
        }
    }
}

/// A line of the file rewritten by somebody who knows the form.
fn rewritten(file: &[u8], at: usize, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut all = lines(file);
    let mut line = value(&all[at]);
    change(&mut line);
    all[at] = format!("{line}\n").into_bytes();
    all.concat()
}

fn decoded(value: &Value) -> Vec<u8> {
    BASE64_STANDARD.decode(value.as_str().expect("text")).expect("base64")
}

/// Proofs and anchors that are not those that belong.
fn wrong_proofs(honest: &Corpus, corpus: &mut Corpus) {
    let (day, whole, partner) = (&honest["day"], &honest["whole"], &honest["partner"]);
    for name in ["case", "partner"] {
        let file = &honest[name];
        let other = value(&lines(file)[3])["proof"].clone();
        let mut put = |what: &str, file| corpus.insert(format!("{name}, {what}"), file);
        put("proof of another", rewritten(file, 2, |line| line["proof"] = other));
        put("no proof", rewritten(file, 2, |line| line["proof"] = json!([])));
        put(
            "short proof",
            rewritten(file, 2, |line| {
                line["proof"].as_array_mut().expect("hashes").pop();
            }),
        );
        put(
            "long proof",
            rewritten(file, 2, |line| {
                let hashes = line["proof"].as_array_mut().expect("hashes");
                hashes.push(hashes[0].clone());
            }),
        );
        put("a hash too short", rewritten(file, 2, |line| line["proof"][0] = json!("AAAA")));
        put(
            "another number",
            rewritten(file, 3, |line| {
                line["seq"] = json!(line["seq"].as_u64().expect("a number") + 1);
            }),
        );
        put("beyond the log", rewritten(file, 3, |line| line["seq"] = json!(1_u64 << 50)));
        put("a row of the whole", [lines(file)[..2].concat(), lines(whole)[2].clone()].concat());
    }
    // Who collected a message of the sender's stands in its bundle because the message does.
    let sender = lines(&honest["sender"]);
    let kind = |line: &Vec<u8>| {
        let leaf = value(line).get("leaf").map(decoded)?;
        Some(value(&leaf)["event"]["kind"].clone())
    };
    let collected = sender.iter().filter(|line| kind(line) == Some(json!("delivery.collected")));
    assert!(collected.count() > 0, "the sender's bundle tells who collected");
    let accepted = |line: &&Vec<u8>| kind(line) == Some(json!("record.accepted"));
    let without: Vec<Vec<u8>> = sender.iter().filter(|line| !accepted(line)).cloned().collect();
    let text = String::from_utf8(without[0].clone()).expect("text");
    let entries = value(&sender[0])["entries"].to_string();
    let fewer = text.replacen(
        &format!("\"entries\":{entries}"),
        &format!("\"entries\":{}", without.len() - 2),
        1,
    );
    let without = [fewer.into_bytes(), without[1..].concat()].concat();
    corpus.insert("sender, without what was accepted from it".to_owned(), without);
    // What is not about the partner, with an honest proof.
    let of_case = lines(&honest["case"]);
    let mut foreign = lines(partner)[..2].concat();
    foreign.extend(of_case[2..].concat());
    corpus.insert("partner, with the entries of a case".to_owned(), foreign);
    wrong_anchors(day, whole, corpus);
}

/// Second lines that are not the one that belongs.
fn wrong_anchors(day: &[u8], whole: &[u8], corpus: &mut Corpus) {
    let mut put = |what: &str, file| corpus.insert(format!("day, {what}"), file);
    let newest = value(&lines(whole)[1])["checkpoint"].clone();
    let anchors = value(&lines(day)[1]);
    for member in ["before", "end", "frontier", "consistency"] {
        put(
            &format!("without {member}"),
            rewritten(day, 1, |line| {
                line.as_object_mut().expect("members").remove(member);
            }),
        );
    }
    put("a newer checkpoint", rewritten(day, 1, |line| line["checkpoint"] = newest.clone()));
    put(
        "the newest as end",
        rewritten(day, 1, |line| {
            line["end"] = anchors["checkpoint"].clone();
        }),
    );
    put("the end as newest", rewritten(day, 1, |line| line["checkpoint"] = line["end"].clone()));
    put("the end as before", rewritten(day, 1, |line| line["before"] = line["end"].clone()));
    put(
        "a frontier of another",
        rewritten(day, 1, |line| {
            line["frontier"].as_array_mut().expect("hashes").reverse();
        }),
    );
    put(
        "a long consistency",
        rewritten(day, 1, |line| {
            let hashes = line["consistency"].as_array_mut().expect("hashes");
            hashes.push(hashes[0].clone());
        }),
    );
    put("a member too many", rewritten(day, 1, |line| line["more"] = json!(1)));
    let day_rows = lines(day);
    put("spliced into the whole", [lines(whole)[..2].concat(), day_rows[2..].concat()].concat());
    put(
        "with the entries of the whole",
        [day_rows[..2].concat(), lines(whole)[2..].concat()].concat(),
    );
}

/// Entries changed by somebody who computes every hash again.
fn resealed(name: &str, file: &[u8], corpus: &mut Corpus) {
    let all = lines(file);
    let head = usize::from(name != "version 1") * 2;
    let rows: Vec<usize> =
        (head..all.len()).filter(|at| value(&all[*at]).get("leaf").is_some()).collect();
    for (from, to, what) in [
        ("\"method\":\"", "\"method\":\"x", "another actor"),
        ("\"seq\":", "\"seq\":1", "another number within"),
        ("{\"seq\"", "{ \"seq\"", "a space within"),
        ("\"kind\"", "\"king\"", "another member"),
    ] {
        let place = rows[rows.len() / 2];
        let mut tree = Frontier::default();
        let mut changed = all.clone();
        for at in &rows {
            let mut line = value(&all[*at]);
            let mut leaf = decoded(&line["leaf"]);
            if *at == place {
                let text = String::from_utf8(leaf).expect("text");
                leaf = text.replacen(from, to, 1).into_bytes();
            }
            let nodes = tree.append(&leaf).expect("a tree");
            line["leaf"] = json!(BASE64_STANDARD.encode(&leaf));
            line["nodes"] = json!(BASE64_STANDARD.encode(&nodes));
            changed[*at] = format!("{line}\n").into_bytes();
        }
        corpus.insert(format!("{name}, resealed with {what}"), changed.concat());
    }
}

fn ours(file: &[u8], vkey: &str, kept: &[Checkpoint]) -> Said {
    let judged = bundle::judge(&mut Cursor::new(file), vkey, kept);
    if matches!(judged, Err(BundleError::Form | BundleError::Version(_))) {
        return ("refused".to_owned(), None, BTreeSet::new());
    }
    said(&judged.expect("a verdict"))
}

fn said(judged: &Judged) -> Said {
    let body = serde_json::to_value(judged).expect("JSON");
    let faults = body["faults"].as_array().expect("faults");
    let names = faults.iter().map(|fault| {
        let name = fault.get("anchor").unwrap_or(&fault["fault"]);
        in_short(name.as_str().expect("a name"))
    });
    let verdict = if judged.verification.is_whole() { "whole" } else { "found" };
    let first = faults.iter().filter_map(shown_by).min();
    (verdict.to_owned(), first, in_total(names.collect()))
}

/// The row that shows a fault: ours says from which entry on others were replaced, the other verifier
/// names the row that does not fit.
fn shown_by(fault: &Value) -> Option<u64> {
    let last = (fault["fault"] == "replaced").then(|| fault["last"].as_u64()).flatten();
    last.or(fault["first_bad"].as_u64())
}

/// How a fault of the order is called depends on what was seen before it.
fn in_short(fault: &str) -> String {
    match fault {
        "missing" | "out-of-order" | "repeated" => "order".to_owned(),
        "replaced" => "changed".to_owned(),
        other => other.to_owned(),
    }
}

/// Which values a changed entry may still have, for example which kinds, is for each to know.
fn in_total(mut faults: BTreeSet<String>) -> BTreeSet<String> {
    if faults.contains("changed") {
        faults.remove("unreadable");
    }
    faults
}

/// What the other verifier says of each; `None` where there is no Python.
fn theirs(vkey: &str, kept: &[&Path], files: &[String], folder: &Path) -> Option<Vec<Said>> {
    let mut verifier = peers::script("log_verifier.py")?;
    verifier.args(["bundle", vkey]).current_dir(folder);
    for kept in kept {
        verifier.arg("--checkpoint").arg(kept);
    }
    let output = verifier.args(files).output().expect("it runs");
    let talk = String::from_utf8_lossy(&output.stderr);
    let text = String::from_utf8(output.stdout).expect("text");
    let said: Vec<Said> = text
        .lines()
        .map(|line| {
            let line = value(line.as_bytes());
            let faults = line["faults"].as_array().expect("faults").iter();
            let faults = faults.map(|name| in_short(name.as_str().expect("a name")));
            let verdict = line["verdict"].as_str().expect("a verdict").to_owned();
            (verdict, line["first_bad"].as_u64(), in_total(faults.collect()))
        })
        .collect();
    assert_eq!(said.len(), files.len(), "{talk}");
    Some(said)
}

/// Both verifiers judge a corpus and agree; what they say, by name.
fn both(corpus: &Corpus, vkey: &str, kept: &[(&Path, Checkpoint)]) -> BTreeMap<String, Said> {
    let folder = tempfile::tempdir().expect("a folder");
    let names: Vec<&String> = corpus.keys().collect();
    let files: Vec<String> = (0..names.len()).map(|number| number.to_string()).collect();
    for (file, bytes) in files.iter().zip(corpus.values()) {
        std::fs::write(folder.path().join(file), bytes).expect("written");
    }
    let (paths, kept): (Vec<&Path>, Vec<Checkpoint>) = kept.iter().cloned().unzip();
    let mut all = BTreeMap::new();
    for (name, file) in corpus {
        all.insert(name.clone(), ours(file, vkey, &kept));
    }
    if let Some(theirs) = theirs(vkey, &paths, &files, folder.path()) {
        let differ = names.iter().zip(theirs).filter(|(name, theirs)| all[**name] != *theirs);
        let differ: Vec<String> =
            differ.map(|(name, theirs)| format!("{name}: {:?} {theirs:?}", all[*name])).collect();
        assert!(differ.is_empty(), "{} differ, ours first:\n{}", differ.len(), differ.join("\n"));
    }
    all
}

fn is_whole(said: &Said) -> bool {
    said.0 == "whole"
}

#[test]
fn two_verifiers_agree_on_every_bundle_and_find_every_bad_one() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let gateway = TestGateway::start(Engine::Sqlite).await;
        let honest = honest(&gateway).await;
        let vkey = gateway.cast.app().log_vkey.clone();
        for (name, said) in both(&honest, &vkey, &[]) {
            assert!(is_whole(&said), "{name}: {said:?}");
        }
        let mut corpus = Corpus::new();
        for (name, file) in &honest {
            altered(name, file, &mut corpus);
            if name != "version 1" {
                wrong_headers(name, file, &mut corpus);
            }
        }
        for name in ["whole", "version 1"] {
            resealed(name, &honest[name], &mut corpus);
        }
        wrong_proofs(&honest, &mut corpus);
        let all = both(&corpus, &vkey, &[]);
        assert!(all.len() > 1_500, "only {} alterations", all.len());
        let mut as_true = 0;
        for (name, _) in all.iter().filter(|(_, said)| is_whole(said)) {
            let (_, honest) = honest.iter().find(|(sort, _)| is_of(name, sort)).expect("its own");
            assert!(is_as_true(honest, &corpus[name]), "unseen: {name}");
            as_true += 1;
        }
        assert!(as_true < 100, "{as_true} alterations made no difference");
        // Of the whole log and of a period the first bad entry is always named by its number.
        for name in ["whole", "day", "version 1"] {
            named_as_it_was_altered(name, &honest[name], &all);
        }

        let folder = tempfile::tempdir().expect("a folder");
        let other = LogSigner::generate(
            &folder.path().join("key"),
            gateway.cast.app().origin(),
            &SeededEntropy::new(4),
        );
        let other = other.expect("a key").vkey();
        for (name, said) in both(&honest, &other, &[]) {
            assert!(!is_whole(&said), "{name} with another key");
        }
        what_is_not_proved(&gateway, &honest, &vkey, folder.path());
        gateway.end().await;
    });
}

fn is_of(name: &str, sort: &str) -> bool {
    name.strip_prefix(sort).is_some_and(|rest| rest.starts_with(", "))
}

/// Whether an altered bundle says nothing that is not so: another time that its checkpoints enclose too,
/// another id of a case (which is not proved), or version 1 with the same entries and checkpoints.
fn is_as_true(honest: &[u8], altered: &[u8]) -> bool {
    let sorted = |file: &[u8]| {
        let (entries, checkpoints): (Vec<Value>, Vec<Value>) = lines(file)
            .iter()
            .map(|line| value(line))
            .filter(|line| line.get("format").is_none())
            .partition(|line| line.get("seq").is_some());
        (entries, checkpoints.into_iter().map(|line| line.to_string()).collect::<BTreeSet<_>>())
    };
    let claims = |file: &[u8]| {
        let mut header = value(&lines(file)[0]);
        let filter = header.as_object_mut().and_then(|header| header.remove("filter"));
        let case_or_time = filter.is_some_and(|filter| filter.get("partner").is_none());
        header.get("format").is_some().then_some((header, case_or_time))
    };
    let same_claims = match (claims(honest), claims(altered)) {
        (Some((honest, _)), Some((altered, of_case_or_time))) => {
            of_case_or_time && honest == altered
        }
        (Some((honest, _)), None) => honest["holds"] == "whole",
        (None, altered) => altered.is_none(),
    };
    same_claims && sorted(honest) == sorted(altered)
}

/// An altered line of an entry names just that entry.
fn named_as_it_was_altered(name: &str, file: &[u8], all: &BTreeMap<String, Said>) {
    let rows = lines(file);
    let mut compared = 0;
    for (at, line) in rows.iter().enumerate() {
        let Some(seq) = value(line)["seq"].as_u64() else { continue };
        for what in ["deleted", "after the next", "last"] {
            let said = all.get(&format!("{name}, line {at} {what}"));
            // The last entry of version 1 may change places with the checkpoint after it.
            if let Some(said) = said.filter(|said| !is_whole(said)) {
                assert_eq!(said.1, Some(seq), "{name}, line {at} {what}");
                compared += 1;
            }
        }
        let part = (line.len() - 1) * 5 / 11;
        let said = &all[&format!("{name}, line {at} byte {part} flipped")];
        assert_eq!(said.1, Some(seq), "{name}, line {at} flipped");
    }
    assert!(compared > 10, "{name}: only {compared}");
}

/// What the verifiers cannot find, and say so: an entry left out of chosen ones, and a second history
/// that was signed with the same key; that is found with a checkpoint that was kept.
fn what_is_not_proved(gateway: &TestGateway, honest: &Corpus, vkey: &str, folder: &Path) {
    let mut corpus = Corpus::new();
    let mut fewer = lines(&honest["partner"]);
    fewer.remove(3);
    let text = String::from_utf8(fewer[0].clone()).expect("text");
    let entries = value(&fewer[0])["entries"].as_u64().expect("a number");
    let (from, to) = (format!("\"entries\":{entries}"), format!("\"entries\":{}", entries - 1));
    fewer[0] = text.replacen(&from, &to, 1).into_bytes();
    corpus.insert("one left out".to_owned(), fewer.concat());

    let mut second = Corpus::new();
    resealed("whole", &honest["whole"], &mut second);
    let second = &second["whole, resealed with another actor"];
    let app = gateway.cast.app();
    let signer = LogSigner::load(&app.config.keys.log_signing, app.origin()).expect("its key");
    let mut tree = Frontier::default();
    for line in &lines(second)[2..] {
        tree.append(&decoded(&value(line)["leaf"])).expect("a tree");
    }
    let root = tree.root().expect("a root");
    let note = signer.sign_checkpoint(tree.size(), root, jiff::Timestamp::UNIX_EPOCH);
    let note = note.expect("signed");
    let second = rewritten(second, 1, |line| line["checkpoint"] = json!(note));
    corpus.insert("a second history".to_owned(), second);
    let all = both(&corpus, vkey, &[]);
    assert!(all.values().all(is_whole), "{all:?}");
    let judged = bundle::judge(&mut Cursor::new(&corpus["one left out"]), vkey, &[]);
    let judged = judged.expect("a bundle");
    assert!(judged.not_proved[0].starts_with("That none was left out"), "{judged:?}");

    // The same with a checkpoint that somebody kept.
    corpus.extend(honest.clone());
    let kept = value(&lines(&honest["day"])[1])["end"].as_str().expect("a note").to_owned();
    let file = folder.join("kept.txt");
    std::fs::write(&file, &kept).expect("written");
    let kept = Checkpoint::parse_and_verify(&kept, vkey).expect("a checkpoint");
    let all = both(&corpus, vkey, &[(&file, kept)]);
    for (name, said) in all {
        assert_eq!(is_whole(&said), name != "a second history", "{name}: {said:?}");
    }
}
