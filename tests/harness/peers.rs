//! Independent peers: programs we did not write, asked whether they can read what we wrote.
//!
//! They come from ordinary packages that `.ci/run` installs. On a machine without them a test
//! says plainly that it did not run; in CI their absence is a failure.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a peer said of some text: its answer, its complaint, or that there is no such peer here.
#[derive(Debug)]
pub enum Verdict {
    /// It could read it, and says this of it.
    Taken(String),
    /// It refused it.
    Refused(String),
    /// There is no such peer on this machine.
    Absent,
}

/// Asks the Python peers about some text; see `tests/peers/check.py`.
pub fn ask(what: &[&str], text: &str) -> Verdict {
    let Some(python) = python_for(what[0]) else { return Verdict::Absent };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/check.py");
    let mut child = Command::new(python)
        .arg(script)
        .args(what)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the peer starts");
    child.stdin.take().expect("its input").write_all(text.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    if output.status.success() {
        Verdict::Taken(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Verdict::Refused(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

/// Asserts that the peer, where there is one, takes the text.
pub fn must_take(what: &[&str], text: &str) {
    match ask(what, text) {
        Verdict::Taken(_) | Verdict::Absent => {}
        Verdict::Refused(reason) => panic!("the peer refused {}: {reason}", what[0]),
    }
}

/// Asserts that xmllint, where there is one, finds that a document follows an XML Schema of ours.
pub fn must_follow_schema(schema: &str, document: &str) {
    let Some(xmllint) = program("xmllint") else {
        eprintln!("xmllint was not found: nothing was compared with {schema}");
        return;
    };
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(schema);
    let mut child = Command::new(xmllint)
        .args(["--noout", "--nonet", "--schema"])
        .arg(schema)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the peer starts");
    child.stdin.take().expect("its input").write_all(document.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the document does not follow the schema: {said}");
}

/// A script of `tests/peers` to be run by the Python with the peers, unless there is none here.
pub fn script(name: &str) -> Option<Command> {
    let Some(python) = python() else {
        assert!(!required("EHC_REQUIRE_PEERS"), "the Python peers must be installed in CI");
        eprintln!("the Python peers were not found: {name} did not run");
        return None;
    };
    let mut command = Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(name));
    Some(command)
}

/// Asserts that readers which are not ours take the lines of an export in a form, and gives what they say
/// of them; see `tests/peers/audit_forms.py`.
pub fn must_take_form(form: &str, lines: &[u8]) -> Option<serde_json::Value> {
    let mut command = script("audit_forms.py")?;
    let child =
        command.arg(form).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = child.spawn().expect("the peer starts");
    child.stdin.take().expect("its input").write_all(lines).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let reason = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the peer refused {form}: {reason}");
    Some(serde_json::from_slice(&output.stdout).expect("JSON"))
}

/// A program on the search path, unless CI requires it and it is missing.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file());
    assert!(found.is_some() || !required("EHC_REQUIRE_PEERS"), "{name} must be installed in CI");
    found
}

/// The Python that has the peers; `None`, plainly said, when this machine has none.
pub fn python_for(what: &str) -> Option<PathBuf> {
    let python = python();
    if python.is_none() {
        assert!(!required("EHC_REQUIRE_PEERS"), "the Python peers must be installed in CI");
        eprintln!("the Python peers were not found: {what} was not checked by a peer");
    }
    python
}

fn python() -> Option<PathBuf> {
    std::env::var_os("EHC_PEER_PYTHON").map(PathBuf::from).filter(|python| python.is_file())
}

fn required(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| value == "1")
}
