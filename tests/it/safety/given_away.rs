//! Everything that is given away, in one list: who gets it, and what it may hold of a child by design.
//!
//! Each is made as it is made for them, by the real binary where a command makes it, and hunted through
//! unwrapped. What is in the list and was not made fails, and so does what was made and is not in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use gateway::audit::Actor;
use gateway::practice::people;
use gateway::reports::ReportKind;
use jiff::SignedDuration;
use tests::TestGateway;

use super::hunt::{CASE, Hunt};
use super::leaks::files;
use super::outsiders::{Outside, Told, ask_everything};

/// What is given away; to whom; what it has of a child by design, as far as it has anything.
///
/// By design nothing of a child's own words or names is in any of them but what the last column allows:
/// a case is told by the reference its authority gave it, to whoever keeps the gateway. Not here,
/// because they are the child's data, for whom they are meant: deliveries, documents and import files.
const GIVEN: [(&str, &str, Option<&str>); 27] = [
    ("bundle", "a tribunal, a regulator, a partner: hashes and aliases", None),
    ("jsonl", "a security team's store: entries", None),
    ("atna", "a security team's store: entries", None),
    ("balp", "a security team's store: entries", None),
    ("published log", "everybody", None),
    ("keys and standing", "everybody who checks", None),
    ("who has seen", "the officer who asks for a reason", None),
    ("proof of who has seen", "whoever the officer shows it to", None),
    ("family version", "the family: organisations, days and sorts of messages", None),
    ("search", "the officer who asks for a reason", None),
    ("report", "the officer, and whoever it is handed to: pseudonyms", None),
    ("disclosure pack", "the officer who answers the request: one child's disclosures", None),
    ("evidence pack", "a party to the leg: hashes and receipts", None),
    ("performance", "a local authority's managers: counts", None),
    ("statement", "the partner of the day: ids", None),
    ("alerts", "a line manager: entries of the log", None),
    ("decisions", "whoever keeps the gateway: rules", None),
    ("waiting", "whoever keeps the gateway: ids and rules", None),
    ("board", "whoever keeps the gateway", Some(CASE)),
    ("retention", "the officer: ids and classes", None),
    ("certificate of deletion", "a regulator: ids and hashes", None),
    ("backup", "whoever stores it: sealed", None),
    ("import report", "the job that left the file", None),
    ("sink in a folder", "a security team's volume", None),
    ("sink over syslog", "a security team's receiver", None),
    ("state of a witness", "another organisation: sizes and hashes", None),
    ("receipt", "whoever sent something", None),
];

/// What was made, by its name in the list.
struct Heap<'a> {
    gateway: &'a TestGateway,
    folder: PathBuf,
    made: BTreeMap<&'static str, Vec<(String, Vec<u8>)>>,
}

/// Makes all of it, and hunts through it.
pub(super) async fn hunt_through(gateway: &TestGateway, told: &Told, outside: &Outside) {
    let folder = gateway.folder().join("given-away");
    std::fs::create_dir(&folder).expect("a folder");
    let mut heap = Heap { gateway, folder, made: BTreeMap::new() };
    heap.log(told);
    heap.about_the_child(told);
    heap.reports(told);
    heap.of_the_day(told);
    heap.imported();
    heap.outside(outside).await;
    for receipt in &told.receipts {
        heap.keep("receipt", "an answer", receipt.clone());
    }
    heap.removed(told).await;
    heap.hunted();
}

impl Heap<'_> {
    fn keep(&mut self, what: &'static str, name: &str, bytes: Vec<u8>) {
        self.made.entry(what).or_default().push((name.to_owned(), bytes));
    }

    /// What a command prints, both ways.
    fn said(&mut self, what: &'static str, arguments: &[&str], input: &str) -> String {
        let (data, talk) = ran(self.gateway, arguments, input);
        self.keep(what, &arguments.join(" "), (data.clone() + &talk).into_bytes());
        data
    }

    /// The files that a command writes where `OUT` stands among its arguments.
    fn written(&mut self, what: &'static str, arguments: &[&str], input: &str) {
        let count = self.made.values().map(Vec::len).sum::<usize>();
        let place = self.folder.join(count.to_string());
        std::fs::create_dir(&place).expect("a folder");
        let name = arguments.iter().find_map(|one| one.strip_prefix("OUT/")).unwrap_or("out");
        let out = place.join(name);
        let given =
            arguments.iter().map(|one| if one.starts_with("OUT") { text(&out) } else { one });
        self.said(what, &given.collect::<Vec<_>>(), input);
        self.under(what, &place);
    }

    fn under(&mut self, what: &'static str, folder: &Path) {
        let found = files(folder);
        assert!(!found.is_empty(), "{what}: nothing is in {}", folder.display());
        for file in found {
            let bytes = std::fs::read(&file).expect("a file");
            self.keep(what, text(&file), bytes);
        }
    }

    fn log(&mut self, told: &Told) {
        let export = ["audit", "export", "--reason", "tribunal", "--out", "OUT"];
        let la = self.gateway.la().code.clone();
        let case = format!("{CASE}-1");
        let filters: [(&[&str], &str); 4] = [
            (&[], ""),
            (&["--from", &told.day, "--until", &told.day], ""),
            (&["--partner", "RRK"], ""),
            (&["--case", &la], &case),
        ];
        for (filter, input) in filters {
            self.written("bundle", &[&export[..], filter].concat(), input);
        }
        for form in ["jsonl", "atna", "balp"] {
            self.written(form, &[&export[..], &["--as", form]].concat(), "");
        }
        self.written("published log", &["audit", "publish", "--to", "OUT"], "");
        for what in ["keys", "status", "look-ups"] {
            self.said("keys and standing", &["audit", what], "");
        }
        self.said("keys and standing", &["audit", "verify", "--json"], "");
        let search = ["audit", "search", "--reason", "complaint", "--limit", "500"];
        for more in [&["--child"][..], &["--child", "--json"]] {
            self.said("search", &[&search[..], more].concat(), &told.nhs_number);
        }
        self.said("search", &[&search[..], &["--user-of", "334"]].concat(), "officer-1");
    }

    fn about_the_child(&mut self, told: &Told) {
        let (nhs, leg) = (told.nhs_number.as_str(), told.leg.as_str());
        let seen = ["audit", "who-has-seen", "--reason", "family-question"];
        self.written("proof of who has seen", &[&seen[..], &["--proof", "OUT"]].concat(), nhs);
        self.said("who has seen", &[&seen[..], &["--json"]].concat(), nhs);
        self.said("family version", &[&seen[..], &["--for-family"]].concat(), nhs);
        self.said("family version", &[&seen[..], &["--for-family", "--json"]].concat(), nhs);
        self.written("disclosure pack", &["disclosure-pack", "make", "--out", "OUT/pack"], nhs);
        let make = ["evidence", "make", leg, "--out", "OUT"];
        for viewer in [&[][..], &["--for", "RXT"], &["--for", "334"]] {
            self.written("evidence pack", &[&make[..], viewer].concat(), "");
        }
        let record = told.ids["record"].as_str();
        self.said("decisions", &["record", "journey", record, "--json"], "");
        self.said("decisions", &["authority", "explain", record], "");
        self.said("decisions", &["consents", "history"], nhs);
        self.said("decisions", &["case", "show", &told.ids["case"]], "");
    }

    fn reports(&mut self, told: &Told) {
        for kind in ReportKind::ALL {
            let (more, input): (&[&str], &str) = match kind {
                ReportKind::ChildAccess => (&[], &told.nhs_number),
                ReportKind::PersonActions => (&["--organisation", "334"], "officer-1"),
                ReportKind::Exceptions
                | ReportKind::OddAccess
                | ReportKind::Disclosures
                | ReportKind::Consents
                | ReportKind::Misdirected
                | ReportKind::SixWeeks
                | ReportKind::Sample
                | ReportKind::Retention
                | ReportKind::LogIntegrity => (&[], ""),
            };
            let ask = ["report", kind.code(), "--reason", "routine-check"];
            for file in [["--csv", "OUT/report.csv"], ["--xlsx", "OUT/report.xlsx"]] {
                self.written("report", &[&ask[..], &file[..], more].concat(), input);
            }
            if kind == ReportKind::ChildAccess {
                self.said("report", &[&ask[..], more].concat(), input);
            }
        }
    }

    fn of_the_day(&mut self, told: &Told) {
        let month = self.gateway.today().strftime("%Y-%m").to_string();
        self.said("performance", &["performance", "--month", &month, "--csv"], "");
        let day = told.ids["day"].as_str();
        for partner in ["RXT", "RRK", "334"] {
            let of = ["reconcile", "--partner", partner, "--day", day, "--json"];
            self.said("statement", &of, "");
        }
        self.said("alerts", &["alerts", "list", "--state", "all"], "");
        self.said("alerts", &["alerts", "show", &told.ids["alert"], "--json"], "");
        for waits in [["holds", "list"], ["holds", "reviews"], ["quarantine", "list"]] {
            self.said("waiting", &[&waits[..], &["--json"]].concat(), "");
        }
        self.said("board", &["board", "--json"], "");
        self.said("board", &["clocks", "list", "--json"], "");
        self.written("backup", &["backup", "make", "--to", "OUT/night.ehcbackup"], "");
    }

    /// A file is loaded at the machine, with the report that lies beside it; one row is not taken.
    fn imported(&mut self) {
        let child = super::hunt::canary(5);
        let mut row = people::Row::new(5, "PAEDIATRICS");
        row.child = child;
        let mut other = row.clone();
        other.reference = format!("{CASE}-77");
        other.child.nhs_number.replace_range(9.., "x");
        let file = self.folder.join("extract.csv");
        let extract = people::extract(&[row, other], self.gateway.today());
        std::fs::write(&file, extract).expect("written");
        for name in ["OUT/report.txt", "OUT/report.json"] {
            let load = ["import", text(&file), "--as", "334", "--report", name];
            self.written("import report", &load, "");
        }
        std::fs::remove_file(&file).expect("it goes");
    }

    async fn outside(&mut self, outside: &Outside) {
        let once = ["witness", "once", "--out", "OUT"];
        let config = text(&outside.visiting.config);
        let (data, talk) =
            ran_with(&[&once[..3], &[text(&self.folder.join("notes"))]].concat(), config, "");
        self.keep("state of a witness", "what it says", (data + &talk).into_bytes());
        let folder = outside.visiting.config.parent().expect("a folder");
        let all = folder.parent().expect("a folder");
        for file in files(all).iter().filter(|file| !file.ends_with("witness.toml")) {
            self.keep("state of a witness", text(file), std::fs::read(file).expect("a file"));
        }
        self.under("state of a witness", &self.folder.join("notes"));

        let app = self.gateway.cast.app();
        for name in ["archive", "soc"] {
            for _ in 0..200 {
                let (next, size) = (app.store.sink_cursor(name).await, app.log_size().await);
                if next.expect("a place") == size.expect("a size") {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        self.under("sink in a folder", &self.gateway.folder().join("archive"));
        let messages = outside.soc.messages();
        assert!(messages.len() > 50, "{} messages", messages.len());
        self.keep("sink over syslog", "all messages", messages.join("\n").into_bytes());
        self.under("published log", &self.gateway.folder().join("published"));
        for page in ["/metrics", "/readyz", "/livez"] {
            let said = self.gateway.operator_page(page).await;
            self.keep("waiting", page, said.into_bytes());
        }
    }

    /// Two months later what is over goes; it is certified, and asked about again.
    async fn removed(&mut self, told: &Told) {
        self.gateway.clock.advance(SignedDuration::from_hours(24 * 62));
        self.said("retention", &["retention", "due", "--within", "90", "--json"], "");
        self.said("retention", &["retention", "schedule"], "");
        self.said("retention", &["retention", "holds"], "");
        let app = self.gateway.cast.app();
        let ran = gateway::retention::run(app, &Actor::local()).await.expect("a run");
        let id = ran.certificates.first().expect("a certificate").to_string();
        let what = "certificate of deletion";
        self.said(what, &["retention", "certificate", &id], "");
        self.said(what, &["retention", "certificate", &id, "--json"], "");
        self.said(what, &["retention", "certificate"], "");
        let mut later = told.clone();
        later.ids.insert("certificate", id);
        ask_everything(self.gateway, &later).await;
    }

    fn hunted(self) {
        let listed: BTreeSet<&str> = GIVEN.iter().map(|(what, _, _)| *what).collect();
        let made: BTreeSet<&str> = self.made.keys().copied().collect();
        assert_eq!(made, listed, "say in GIVEN who gets what is new, and what it may hold");
        let mut leaks = Vec::new();
        for (what, _, may) in GIVEN {
            let hunt = Hunt::of_canaries();
            let hunt = if let Some(word) = may {
                let has = |(_, bytes): &(String, Vec<u8>)| !hunt.find(bytes).is_empty();
                assert!(self.made[what].iter().any(has), "{what} may have {word}, and has not");
                hunt.but_not(word)
            } else {
                hunt
            };
            for (name, bytes) in &self.made[what] {
                let lock = Path::new(name).extension().is_some_and(|end| end == "lock")
                    || name.ends_with("/.lock");
                assert!(lock || !bytes.is_empty(), "{what}: {name} is empty");
                let found = hunt.find(bytes);
                if !found.is_empty() {
                    leaks.push((what, name.clone(), found));
                }
            }
        }
        assert!(leaks.is_empty(), "a child's details are in what is given away: {leaks:#?}");
    }
}

/// What the real binary prints: data and talk. What waits or was found is told by its code.
fn ran(gateway: &TestGateway, arguments: &[&str], input: &str) -> (String, String) {
    ran_with(arguments, text(gateway.cast.config_path()), input)
}

fn ran_with(arguments: &[&str], config: &str, input: &str) -> (String, String) {
    use std::io::Write as _;

    let mut command = tests::binary::command();
    command.args(arguments).args(["-c", config]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    // Some do not read it.
    let _given = child.stdin.take().expect("an input").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    let (data, talk) = (text(output.stdout), text(output.stderr));
    let quarantined = arguments.first() == Some(&"import") && output.status.code() == Some(5);
    let told = matches!(output.status.code(), Some(0 | 6)) || quarantined;
    assert!(told, "{arguments:?}: {talk}");
    (data, talk)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path")
}
