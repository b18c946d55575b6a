//! Commands as the people run them who need them: the real binary, what it prints, and how it ends.
//!
//! An information governance officer reads tables, so their columns must line up; whoever makes a
//! mistake must be told which, and what to do next.

mod authority;
mod backups;
mod entries;
mod exports;
mod figures;
mod forms;
mod interrupted;
mod prompt;
mod reports;
mod waiting;

use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};

use tests::{Engine, TestGateway};

/// What a command printed, and how it ended.
struct Ran {
    code: i32,
    /// Standard output: the data.
    data: String,
    /// Standard error: the talk.
    talk: String,
}

impl Ran {
    /// Runs the real binary.
    fn run(arguments: &[&str]) -> Self {
        let mut command = tests::binary::command();
        command.args(arguments).stdin(Stdio::null());
        let Output { status, stdout, stderr } = command.output().expect("it runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        let code = status.code().expect("it ended by itself");
        Self { code, data: text(stdout), talk: text(stderr) }
    }

    /// The same on a gateway's configuration.
    fn on(gateway: &TestGateway, arguments: &[&str]) -> Self {
        let config = gateway.cast.config_path().to_str().expect("a path");
        Self::run(&[arguments, &["-c", config]].concat())
    }

    /// The same on a configuration file, with something on standard input, which not every command
    /// reads.
    fn given(config: &Path, arguments: &[&str], input: &str) -> Self {
        let mut command = tests::binary::command();
        command.args(arguments).arg("-c").arg(config);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it runs");
        let _read = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
        let output = child.wait_with_output().expect("it ends");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        let code = output.status.code().expect("it ended by itself");
        Self { code, data: text(output.stdout), talk: text(output.stderr) }
    }

    /// It ended with this code.
    fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "data: {}\ntalk: {}", self.data, self.talk);
        self
    }

    /// The data says this.
    fn says(self, text: &str) -> Self {
        assert!(self.data.contains(text), "{text:?} is not in: {}", self.data);
        self
    }

    /// The talk says this.
    fn talks(self, text: &str) -> Self {
        assert!(self.talk.contains(text), "{text:?} is not in: {}", self.talk);
        self
    }

    /// The data as one JSON document.
    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.data).expect("one JSON document")
    }

    /// The data has a table under this header, and every cell of it begins under its title.
    fn lines_up(self, header: &[&str]) -> Self {
        let mut lines = self.data.lines().skip_while(|line| {
            let words = line.split("  ").map(str::trim).filter(|word| !word.is_empty());
            !words.eq(header.iter().copied())
        });
        let first = lines.next();
        assert!(first.is_some(), "no {header:?} in: {}", self.data);
        let first = first.unwrap_or_default();
        let mut from = 0;
        let starts: Vec<usize> = header
            .iter()
            .map(|title| {
                let found = first.get(from..).and_then(|rest| rest.find(title));
                let start = from + found.expect("a title");
                from = start + title.len();
                start
            })
            .collect();
        let rows: Vec<&str> = lines.take_while(|line| !line.trim().is_empty()).collect();
        assert!(!rows.is_empty(), "nothing under {header:?}: {}", self.data);
        for row in rows {
            let letters: Vec<char> = row.chars().collect();
            for start in starts.iter().skip(1).filter(|start| **start < letters.len()) {
                assert_eq!(letters[start - 1], ' ', "not under its title: {row:?} of\n{first}");
            }
        }
        self
    }
}

/// A test of commands on a gateway that runs.
fn beside_a_gateway(test: impl AsyncFnOnce(&TestGateway)) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let gateway = TestGateway::start(Engine::Sqlite).await;
        test(&gateway).await;
        gateway.end().await;
    });
}
