use std::num::NonZeroU32;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use super::tray::{Content, Found, Seen, Tray};
use super::*;

/// A watched folder, the time in it, and what was seen so far.
struct Desk {
    folder: tempfile::TempDir,
    tray: Tray,
    seen: BTreeMap<OsString, Seen>,
    now: Timestamp,
}

impl Desk {
    fn new(marker: Option<&str>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let watch = Watch {
            folder: folder.path().to_owned(),
            mapping: None,
            settle_seconds: NonZeroU32::MIN.saturating_add(4),
            marker: marker.map(str::to_owned),
        };
        let tray = Tray::open(&watch).expect("a tray");
        Self { folder, tray, seen: BTreeMap::new(), now: Timestamp::UNIX_EPOCH }
    }

    fn put(&self, name: &str, content: &str) {
        std::fs::write(self.path(name), content).expect("written");
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// Looks again after some seconds: names, and the rule where one is refused.
    fn after(&mut self, seconds: i64) -> Vec<(String, String)> {
        self.now += SignedDuration::from_secs(seconds);
        let look = self.tray.waiting(&mut self.seen, self.now).expect("a look");
        let due = look.due.into_iter().map(|found| match found {
            Found::Complete(name) => (name.to_string_lossy().into_owned(), String::new()),
            Found::Unfit(name, issue) => (name.to_string_lossy().into_owned(), issue.rule),
        });
        due.collect()
    }

    async fn read(&self, name: &str) -> Content {
        self.tray.read(&OsString::from(name)).await.expect("read")
    }

    async fn finish(&self, name: &str, content: &str, outcome: FileOutcome) {
        let issue = Issue::error("a-rule", None, Place::Whole, "is wrong", "put it right");
        let size = u64::try_from(content.len()).expect("a size");
        let mut report = Report::refused(issue, size);
        report.outcome = outcome;
        report.sha256 = Some(sha256_hex(content.as_bytes()));
        self.tray.finish(&OsString::from(name), &report, "unique").await.expect("finished");
    }

    fn names_in(&self, part: &str) -> Vec<String> {
        names_in(&self.path(part))
    }
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.expect("an entry").file_name().to_string_lossy().into_owned()
    };
    let mut names: Vec<String> = entries.map(name).collect();
    names.sort();
    names
}

fn complete(name: &str) -> Vec<(String, String)> {
    vec![(name.to_owned(), String::new())]
}

#[test]
fn a_file_is_complete_once_nothing_about_it_has_changed_for_a_while() {
    let mut desk = Desk::new(None);
    desk.put("a.csv", "half");
    desk.put("notes.txt", "x");
    desk.put(".hidden.csv", "x");
    assert!(desk.after(0).is_empty(), "seen for the first time");
    assert!(desk.after(4).is_empty());
    desk.put("a.csv", "half and half");
    assert!(desk.after(4).is_empty(), "it has grown: the wait begins again");
    assert!(desk.after(4).is_empty());
    assert_eq!(desk.after(1), complete("a.csv"));
}

#[test]
fn with_a_marker_a_file_waits_for_it_however_long_it_lies_there() {
    let mut desk = Desk::new(Some("ready"));
    desk.put("a.csv", "x");
    desk.after(0);
    assert!(desk.after(1000).is_empty());
    desk.put("a.csv.ready", "");
    assert_eq!(desk.after(0), complete("a.csv"));
    assert!(desk.tray.begin("a.csv".as_ref()).expect("begun"));
    assert_eq!(desk.names_in("processing"), ["a.csv", "a.csv.ready"]);
    assert_eq!(desk.tray.in_hand().expect("in hand"), ["a.csv"]);
    // A crash between the two moves: the marker has gone ahead of its file, and still counts.
    std::fs::rename(desk.path("processing/a.csv"), desk.path("a.csv")).expect("moved back");
    desk.after(0);
    assert_eq!(desk.after(0), complete("a.csv"));
}

#[test]
fn what_leads_elsewhere_or_has_an_unsafe_name_is_refused_and_never_read() {
    let mut desk = Desk::new(None);
    let elsewhere = tempfile::tempdir().expect("a folder");
    let secret = elsewhere.path().join("secret.csv");
    std::fs::write(&secret, "x").expect("written");
    std::os::unix::fs::symlink(&secret, desk.path("link.csv")).expect("linked");
    std::fs::hard_link(&secret, desk.path("twin.csv")).expect("linked");
    desk.put("two\nlines.csv", "x");
    std::fs::File::create(desk.path("large.csv"))
        .and_then(|file| file.set_len(33 * 1024 * 1024))
        .expect("made");
    desk.after(0);
    let mut found = desk.after(5);
    found.sort();
    let expected = [
        ("large.csv", "file-too-large"),
        ("link.csv", "file-not-plain"),
        ("twin.csv", "file-linked"),
        ("two\nlines.csv", "file-name-unsafe"),
    ];
    assert_eq!(found, expected.map(|(name, rule)| (name.to_owned(), rule.to_owned())));
}

#[tokio::test]
async fn a_refused_name_is_made_safe_and_nothing_refused_before_is_replaced() {
    let desk = Desk::new(None);
    let issue = Issue::error("a-rule", None, Place::Whole, "is wrong", "put it right");
    let report = Report::refused(issue, 1);
    for (name, unique) in [("two\nlines.csv", "1"), ("b.csv", "2"), ("b.csv", "3")] {
        desk.put(name, "x");
        desk.tray.refuse(&OsString::from(name), &report, unique).await.expect("refused");
    }
    let names = desk.names_in("refused");
    let kept: Vec<&String> = names.iter().filter(|name| !name.contains(".report.")).collect();
    assert_eq!(kept.len(), 3, "{names:?}");
    assert!(names.contains(&"3-b.csv.report.txt".to_owned()), "{names:?}");
    assert!(names.iter().all(|name| !name.contains('\n')), "{names:?}");
}

#[tokio::test]
async fn a_file_moves_on_with_its_report_and_a_namesake_keeps_its_place() {
    let mut desk = Desk::new(None);
    for content in ["first", "other", "first"] {
        desk.put("a.csv", content);
        desk.after(0);
        desk.after(5);
        assert!(desk.tray.begin("a.csv".as_ref()).expect("begun"));
        let Content::Whole(bytes) = desk.read("a.csv").await else { panic!("not read") };
        assert_eq!(bytes, content.as_bytes());
        desk.finish("a.csv", content, FileOutcome::Taken).await;
    }
    assert!(desk.names_in("processing").is_empty());
    let done = desk.names_in("done");
    assert_eq!(done.len(), 6, "two files and their reports: {done:?}");
    assert_eq!(std::fs::read(desk.path("done/a.csv")).expect("there"), b"first");
    assert!(done.contains(&"a.csv.report.json".to_owned()), "{done:?}");
    assert!(desk.names_in("refused").is_empty());
}

#[tokio::test]
async fn one_that_waits_for_another_try_is_not_overtaken_by_its_namesake() {
    let mut desk = Desk::new(None);
    desk.put("a.csv", "first");
    assert!(desk.tray.begin("a.csv".as_ref()).expect("begun"));
    desk.put("a.csv", "second");
    assert!(!desk.tray.begin("a.csv".as_ref()).expect("it waits"));
    assert_eq!(std::fs::read(desk.path("processing/a.csv")).expect("there"), b"first");
    desk.after(0);
    assert_eq!(desk.after(5), complete("a.csv"));
}

#[test]
fn a_folder_that_is_missing_or_has_a_link_for_a_part_is_not_used() {
    let folder = tempfile::tempdir().expect("a folder");
    let watch = |folder: &Path| Watch {
        folder: folder.to_owned(),
        mapping: None,
        settle_seconds: NonZeroU32::MIN,
        marker: None,
    };
    let missing = folder.path().join("missing");
    assert!(Tray::open(&watch(&missing)).is_err());
    assert!(!missing.exists());
    let elsewhere = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("done")).expect("linked");
    assert!(Tray::open(&watch(folder.path())).is_err());
}
