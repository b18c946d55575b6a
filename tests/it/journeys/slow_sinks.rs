//! A second place for the log that is slow or hangs: the other goes on, requests are quick, it resumes by itself.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway::clock::Clock;
use gateway::practice::Stage;
use jiff::SignedDuration;
use tests::collector::{Collector, Mood};
use tests::gateway::each_engine_prepared;
use tests::{TestGateway, peers};

use super::sinks::{ARCHIVE, add, caught_up, holds_all, received_all, syslog, try_request};

/// A folder that is not required, beside a receiver that is well.
async fn folder_and_receiver(stage: &Stage, _: Arc<dyn Clock>) -> Collector {
    let collector = Collector::start(stage, Mood::Take).await;
    let archive = ARCHIVE.replace("required = true\n", "").replace("6000", "20000");
    add(stage, &format!("{archive}{}", syslog(&collector, "")));
    collector
}

/// The names of files that the folder may begin next.
fn next_files(folder: &Path, size: u64) -> Vec<PathBuf> {
    (size..size + 90).map(|seq| folder.join(format!("audit-{seq:020}.jsonl"))).collect()
}

/// Requests while something is slow; the slowest of them.
async fn requests(gateway: &TestGateway, numbers: std::ops::Range<u32>) {
    let mut slowest = Duration::ZERO;
    for number in numbers {
        let (status, took) = try_request(gateway, number).await;
        assert_eq!(status, 201);
        slowest = slowest.max(took);
    }
    assert!(slowest < Duration::from_secs(2), "a request took {slowest:?}");
    eprintln!("{:?}: the slowest took {slowest:?}", gateway.engine);
}

async fn says(gateway: &TestGateway, what: &str) {
    let since = Instant::now();
    loop {
        let page = gateway.operator_page("/readyz").await;
        if page.contains(what) {
            return;
        }
        assert!(since.elapsed() < Duration::from_secs(15), "{what:?} is not in {page}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[test]
fn a_folder_that_hangs_slows_nobody_and_resumes_by_itself() {
    each_engine_prepared("hanging_folder", &folder_and_receiver, |gateway, collector| async move {
        assert_eq!(try_request(&gateway, 1).await.0, 201);
        caught_up(&gateway, "archive").await;
        // Whoever opens a pipe to write waits until somebody reads from it.
        let folder = gateway.folder().join("archive");
        let pipes = next_files(&folder, gateway.cast.app().log_size().await.expect("a size"));
        let made = Command::new("mkfifo").args(&pipes).status();
        assert!(made.expect("mkfifo runs").success());
        gateway.clock.advance(SignedDuration::from_hours(24));
        requests(&gateway, 2..22).await;
        caught_up(&gateway, "soc").await;
        says(
            &gateway,
            "\r\n\r\nready\nthe audit sink archive takes no entries: its volume does not answer",
        )
        .await;
        let metrics = gateway.metrics().await;
        assert!(metrics.contains("ehc_audit_sink_lost{sink=\"archive\"} 1"), "{metrics}");
        assert!(metrics.contains("ehc_audit_sink_lost{sink=\"soc\"} 0"), "{metrics}");
        // It hangs on, and everything else goes on.
        requests(&gateway, 22..32).await;
        caught_up(&gateway, "soc").await;
        received_all(&gateway, &collector).await;

        let next = gateway.cast.app().sinks.by_name("archive").expect("a sink").next();
        let hung = folder.join(format!("audit-{next:020}.jsonl"));
        let others = pipes.iter().filter(|pipe| **pipe != hung);
        others.for_each(|pipe| std::fs::remove_file(pipe).expect("removed"));
        let read = tokio::task::spawn_blocking(move || {
            let mut reader = std::fs::File::open(&hung).expect("a pipe");
            std::fs::remove_file(&hung).expect("removed");
            let mut text = String::new();
            reader.read_to_string(&mut text).expect("text");
            text
        });
        let read = read.await.expect("a thread");
        assert!(read.starts_with("{\"action\"") || read.starts_with("{\"log\""), "{read}");
        caught_up(&gateway, "archive").await;
        holds_all(&gateway, &folder).await;
        says(&gateway, "\r\n\r\nready\n").await;
        gateway.end().await;
    });
}

/// Files that answer whoever opens them seconds later.
struct SlowVolume(Child);

impl SlowVolume {
    /// `None` where there is no Python, or the file system cannot be slowed.
    fn over(files: &[PathBuf], seconds: &str) -> Option<Self> {
        let mut script = peers::script("slow_volume.py")?;
        let script = script.arg(seconds).args(files).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = script.spawn().expect("it starts");
        let mut said = String::new();
        let out = child.stdout.as_mut().expect("its output");
        BufReader::new(out).read_line(&mut said).expect("a line");
        if said != "slow\n" {
            eprintln!("no file here can be made slow to open: this did not run");
            drop(child.wait());
            return None;
        }
        Some(Self(child))
    }

    fn end(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().expect("it ends").success());
    }
}

#[test]
fn a_folder_that_is_slow_slows_nobody_and_misses_nothing() {
    each_engine_prepared("slow_folder", &folder_and_receiver, |gateway, collector| async move {
        assert_eq!(try_request(&gateway, 1).await.0, 201);
        caught_up(&gateway, "archive").await;
        let folder = gateway.folder().join("archive");
        let files = next_files(&folder, gateway.cast.app().log_size().await.expect("a size"));
        let Some(slow) = SlowVolume::over(&files, "1.5") else { return gateway.end().await };
        gateway.clock.advance(SignedDuration::from_hours(24));
        let since = Instant::now();
        requests(&gateway, 2..10).await;
        let state = gateway.cast.app().sinks.by_name("archive").expect("a sink");
        let size = gateway.cast.app().log_size().await.expect("a size");
        assert!(state.next() < size, "it is behind: {} of {size}", state.next());
        caught_up(&gateway, "soc").await;
        received_all(&gateway, &collector).await;
        // It is slow, and not lost: it catches up at its own pace.
        while state.next() < size {
            assert_eq!(state.fault(), None);
            assert!(since.elapsed() < Duration::from_mins(1), "{} of {size}", state.next());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(since.elapsed() > Duration::from_secs(1), "it was slow");
        eprintln!("{:?}: caught up after {:?}", gateway.engine, since.elapsed());
        holds_all(&gateway, &folder).await;
        slow.end();
        gateway.end().await;
    });
}

#[test]
fn a_receiver_that_is_slow_slows_nobody_and_misses_nothing() {
    let prepare = async |stage: &Stage, _: Arc<dyn Clock>| {
        let collector = Collector::start(stage, Mood::Slow).await;
        add(stage, &format!("{ARCHIVE}{}", syslog(&collector, "")));
        collector
    };
    each_engine_prepared("slow_receiver", &prepare, |gateway, collector| async move {
        requests(&gateway, 1..21).await;
        // The folder, which is required, has gone on meanwhile.
        caught_up(&gateway, "archive").await;
        holds_all(&gateway, &gateway.folder().join("archive")).await;
        let state = gateway.cast.app().sinks.by_name("soc").expect("a sink");
        let size = gateway.cast.app().log_size().await.expect("a size");
        assert!(state.next() < size, "it is behind: {} of {size}", state.next());
        let since = Instant::now();
        while state.next() < size {
            assert_eq!(state.fault(), None);
            assert!(since.elapsed() < Duration::from_secs(20), "{} of {size}", state.next());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        collector.feel(Mood::Take);
        caught_up(&gateway, "soc").await;
        received_all(&gateway, &collector).await;
        gateway.end().await;
    });
}
