//! Every change of what the gateway works by is an entry that says which file, and what it was; and no
//! change is none.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use adapters::mapping::Mapping;
use gateway::audit::{Entry, Event, EventKind};
use gateway::clock::{Clock, SystemClock};
use gateway::entropy::{SystemEntropy, sha256_hex};
use gateway::practice::{Plan, Stage, StorePlan};
use gateway::vault::keyring::KeyFile;
use schemas::deadlines;
use tempfile::TempDir;
use tests::TestGateway;
use tests::binary::Binary;
use tests::gateway::each_engine_prepared;

/// A file of policy of the operator's own for each that there may be: the setting, the file, and
/// what the log calls it.
const OWN: [(&str, &str, &str); 6] = [
    ("rules", "rules.toml", "rules"),
    ("odd_access", "odd.toml", "odd-access"),
    ("clocks", "clocks.toml", "clocks"),
    ("bank_holidays", "days.toml", "bank-holidays"),
    ("agreements", "agreements.toml", "agreements"),
    ("routing", "routing.toml", "routing"),
];
const MAPPING: &str = "emis-advice";

/// Every file that may stand in place of what is shipped does, with the same words in it.
fn own_files(stage: &Stage) {
    let folder = stage.config_path().parent().expect("a folder");
    let (clocks, days) = deadlines::Rules::built_in_texts();
    let write = |file: &str, text: &str| fs::write(folder.join(file), text).expect("a file");
    write("rules.toml", gateway::authority::rules::Rules::built_in_text());
    write("odd.toml", gateway::odd_access::Rules::built_in_text());
    write("clocks.toml", clocks);
    write("days.toml", days);
    write("retention.toml", gateway::retention::schedule::Schedule::shipped_text());
    fs::create_dir(folder.join("mappings")).expect("a folder");
    write("mappings/emis.toml", Mapping::built_in_text(MAPPING).expect("a mapping"));
    let mut config = fs::read_to_string(stage.config_path()).expect("a file");
    for (setting, file, _) in &OWN[..4] {
        config.extend([setting, " = \"", file, "\"\n"]);
    }
    config.push_str("mappings = \"mappings\"\n\n[retention]\nschedule = \"retention.toml\"\n");
    fs::write(stage.config_path(), config).expect("a file");
}

fn each_engine<T: Future<Output = ()>>(name: &str, test: impl Fn(TestGateway) -> T) {
    let prepare = async |stage: &Stage, _: Arc<dyn Clock>| own_files(stage);
    each_engine_prepared(name, &prepare, |gateway, ()| test(gateway));
}

/// What the log says of changes, from a place on.
async fn news(gateway: &TestGateway, from: u64) -> Vec<Event> {
    let rows = gateway.cast.app().store.audit_rows(from, 5_000).await.expect("the log");
    let entries = rows.iter().map(|row| Entry::parse(&row.leaf).expect("an entry").event);
    let wanted = [EventKind::TrustChanged, EventKind::SettingsChanged];
    entries.filter(|event| wanted.contains(&event.kind)).collect()
}

async fn size(gateway: &TestGateway) -> u64 {
    gateway.cast.app().log_size().await.expect("a size")
}

fn words(text: &str) -> BTreeSet<String> {
    text.split(' ').map(str::to_owned).collect()
}

fn set(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Another text that means the same and has the same version.
fn touch(file: &Path) {
    let text = fs::read_to_string(file).expect("a file");
    fs::write(file, text + "\n# Read again and found right.\n").expect("a file");
}

fn replace(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).expect("a file");
    assert!(text.contains(from), "{from} is not in {}", file.display());
    fs::write(file, text.replacen(from, to, 1)).expect("a file");
}

fn hash(file: &Path) -> String {
    sha256_hex(&fs::read(file).expect("a file"))
}

#[test]
fn a_start_on_the_same_files_leaves_no_entry_and_the_first_names_all() {
    each_engine("policy_same", |gateway| async move {
        let first = news(&gateway, 0).await;
        assert_eq!(first.len(), 2, "{first:?}");
        let what = words(&first[0].detail["what"]);
        for (_, _, name) in OWN {
            assert!(what.contains(name), "{name} is not in {what:?}");
        }
        assert!(what.contains("mapping.emis-advice") && what.contains("partners"), "{what:?}");
        assert!(!first[0].detail.keys().any(|name| name.ends_with(".before")), "{first:?}");
        assert_eq!(
            words(&first[1].detail["what"]),
            set(&[
                "configuration",
                "certificate",
                "log-signing-key",
                "wrapping-keys",
                "pseudonym-key",
                "backup-keys",
            ])
        );
        let before = size(&gateway).await;
        let gateway = gateway.restart().await;
        let gateway = gateway.restart().await;
        assert_eq!(news(&gateway, before).await, []);
        let rows = gateway.cast.app().store.audit_rows(before, 50).await.expect("the log");
        let started = rows.iter().map(|row| Entry::parse(&row.leaf).expect("an entry").event);
        let started: Vec<Event> =
            started.filter(|event| event.kind == EventKind::GatewayStarted).collect();
        assert_eq!(started.len(), 2);
        assert_eq!(started[0].detail["clock"], "practice", "the test's clock is not the machine's");
        gateway.end().await;
    });
}

#[test]
fn every_file_of_policy_that_is_edited_while_the_gateway_is_down_is_named_with_both_hashes() {
    each_engine("policy_edited", |gateway| async move {
        let (from, folder) = (size(&gateway).await, gateway.folder().to_owned());
        let mut files: Vec<(&str, &str)> =
            OWN.iter().map(|(_, file, name)| (*file, *name)).collect();
        files.extend([
            ("retention.toml", "retention-schedule"),
            ("mappings/emis.toml", "mapping.emis-advice"),
        ]);
        let hashes = |files: &[(&str, &str)]| -> BTreeMap<String, String> {
            let one = |(file, name): &(&str, &str)| ((*name).to_owned(), hash(&folder.join(file)));
            files.iter().map(one).collect()
        };
        let old = hashes(&files);
        let gateway = gateway
            .restart_after(|folder| {
                for (file, _) in &files {
                    touch(&folder.join(file));
                }
                let mapping = Mapping::built_in_text(MAPPING).expect("a mapping");
                let mapping = mapping.replacen(MAPPING, "our-advice", 1);
                fs::write(folder.join("mappings/ours.toml"), mapping).expect("a file");
            })
            .await;
        let new = hashes(&files);
        let found = news(&gateway, from).await;
        assert_eq!(found.len(), 1, "{found:?}");
        let (kind, said) = (found[0].kind, &found[0].detail);
        assert_eq!((kind, said["when"].as_str()), (EventKind::TrustChanged, "at-start"));
        let mut names: BTreeSet<String> = new.keys().cloned().collect();
        names.insert("mapping.our-advice".to_owned());
        assert_eq!(words(&said["what"]), names);
        for (name, now) in &new {
            assert_eq!(
                (&said[name], &said[&format!("{name}.before")]),
                (now, &old[name]),
                "{name}"
            );
        }
        assert!(!said.contains_key("mapping.our-advice.before"), "it was not there");
        // A schedule's version holds its hash, and bank holidays have none.
        let same =
            ["rules", "odd-access", "clocks", "agreements", "routing", "mapping.emis-advice"];
        assert_eq!(words(&said["same_version"]), set(&same));

        // Another version is no old one; what goes away goes by name.
        let from = size(&gateway).await;
        let gateway = gateway
            .restart_after(|folder| {
                replace(&folder.join("agreements.toml"), "version = \"", "version = \"newer-");
                fs::remove_file(folder.join("mappings/ours.toml")).expect("it was there");
            })
            .await;
        let found = news(&gateway, from).await;
        assert_eq!(found.len(), 1, "{found:?}");
        let said = &found[0].detail;
        assert_eq!(words(&said["what"]), set(&["agreements", "mapping.our-advice"]));
        assert_eq!(
            (said["mapping.our-advice"].as_str(), said.get("same_version")),
            ("absent", None)
        );
        assert_eq!(said["agreements.before"], new["agreements"]);
        let from = size(&gateway).await;
        let gateway = gateway.restart().await;
        assert_eq!(news(&gateway, from).await, []);
        gateway.end().await;
    });
}

#[test]
fn trust_and_keys_that_change_while_the_gateway_is_down_are_named() {
    each_engine("policy_trust", |gateway| async move {
        let from = size(&gateway).await;
        let gateway = gateway
            .restart_after(|folder| {
                for file in ["pki/authority/certificate.pem", "pki/authority/revoked.pem"] {
                    let text = fs::read_to_string(folder.join(file)).expect("a file");
                    fs::write(folder.join(file), format!("{text}\n{text}")).expect("a file");
                }
                replace(&folder.join("partners.toml"), "name = \"", "name = \"Renamed ");
                let chain = folder.join("pki/gateway/certificate.pem");
                let authority = fs::read_to_string(folder.join("pki/authority/certificate.pem"));
                let text =
                    fs::read_to_string(&chain).expect("a file") + &authority.expect("a file");
                fs::write(chain, text).expect("a file");
                let keys = folder.join("keys/backup.keys");
                fs::remove_file(&keys).expect("it was there");
                KeyFile::generate_for_backups(&keys, &SystemEntropy::default()).expect("keys");
                touch(&folder.join("ehc-gateway.toml"));
            })
            .await;
        let found = news(&gateway, from).await;
        let told: Vec<_> =
            found.iter().map(|event| (event.kind, words(&event.detail["what"]))).collect();
        assert_eq!(
            told,
            [
                (EventKind::TrustChanged, set(&["partners", "authorities", "revocation-lists"])),
                (EventKind::SettingsChanged, set(&["certificate", "configuration", "backup-keys"])),
            ]
        );
        for event in &found {
            for name in words(&event.detail["what"]) {
                let (now, before) =
                    (&event.detail[&name], &event.detail[&format!("{name}.before")]);
                assert!(now != before && now.len() == 64 && before.len() == 64, "{name}");
            }
        }
        gateway.end().await;
    });
}

#[test]
fn a_change_while_the_gateway_runs_is_told_once_and_not_again_at_the_next_start() {
    each_engine("policy_reload", |gateway| async move {
        let from = size(&gateway).await;
        let changed = gateway.cast.change_partner("RXT", |partner| partner.name = "Renamed".into());
        changed.await.expect("the partner is changed");
        let gateway = gateway.restart().await;
        let found = news(&gateway, from).await;
        assert_eq!(found.len(), 1, "{found:?}");
        let said = &found[0].detail;
        assert_eq!((said["what"].as_str(), said["when"].as_str()), ("partners", "while-running"));
        assert_ne!(said["partners"], said["partners.before"]);
        gateway.end().await;
    });
}

#[test]
fn the_log_of_the_gateway_warns_of_another_text_under_an_old_version_and_says_what_to_do() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let folder = TempDir::new().expect("a folder");
        let dir = folder.path().to_owned();
        let stage =
            Stage::set(Plan { dir, store: StorePlan::Sqlite, clock: Arc::new(SystemClock) });
        let stage = stage.expect("a stage");
        let serve = async |file: &str| {
            let file = folder.path().join(file);
            let log = Stdio::from(fs::File::create(&file).expect("a file"));
            let mut gateway = Binary::start(stage.config_path(), log);
            gateway.wait_until_ready(&stage.authority()).await;
            assert!(gateway.stop());
            fs::read_to_string(file).expect("a log")
        };
        let warning = "raise its version, because decisions name versions";
        assert!(!serve("first.log").await.contains(warning));
        touch(&folder.path().join("agreements.toml"));
        let said = serve("second.log").await;
        let line = said.lines().find(|line| line.contains(warning)).expect("the warning");
        assert!(line.contains("WARN") && line.contains("agreements"), "{line}");
        assert!(!serve("third.log").await.contains(warning), "it is told once");
    });
}
