//! The disclosure pack of a subject access request: what was shared about one person, with whom, on
//! which basis, and what a person must go through before anything is given away.
//!
//! Owns which files a pack has, its manifest with their hashes, and the list of what to redact. It
//! must never know content: the vault opens a record only against a release, and a request for
//! access is not one. So a pack holds no message; it names each by id and hash, and its sender
//! has it. The list in `to-redact.csv` is work for people and decides nothing.
//!
//! [`make`] writes the asking into the log before anything is read, and the hash of the manifest
//! before anything is given; [`Pack::write`] puts the folder into place whole; [`check`] needs the
//! folder and the log's public key, and no gateway.
//!
//! Limits: the newest [`ENTRIES_MAX`](crate::access_report::ENTRIES_MAX) entries about a person. Where a
//! restriction is or was ever recorded, or an address reported as not safe, no pack is made unless
//! who asks says that they know. Not supported: redaction by machine, because what is about somebody
//! else, or would do harm, is in the words; packs over the API, because they belong in the
//! hands of whoever answers the request, at the machine.

mod checking;
mod redaction;

use std::path::Path;

use schemas::MessageType;
use serde::{Deserialize, Serialize};

use crate::access_report::{self, Question, Report, Unsafe};
use crate::app::App;
use crate::audit::log_look::LogLook;
use crate::audit::{Actor, Entry, EventKind, SubjectKey};
use crate::authority::ConsentEntry;
use crate::entropy::sha256_hex;
use crate::look_up::Standing;
use crate::reports::{
    Cell, Kind, LogHead, ReportError, Sheet, disclosed_in, entry_time, file_name, lines_of,
    looks_at_lists, summaries_of, to_csv, to_workbook,
};
use crate::store::Change;
use crate::telemetry::name_of;
use crate::whole_file;

pub use checking::{Checked, PackFault, check};

/// A pack, before it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pack {
    /// The files by name, the manifest last.
    pub files: Vec<(String, Vec<u8>)>,
    /// The manifest.
    pub manifest: Manifest,
    /// The entry of the log that has the manifest's hash.
    pub entry: u64,
}

/// What is in a pack. Its JSON form is `manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Always `ehc-disclosure-pack-1`.
    pub format: String,
    /// When it was made, in UTC.
    pub made_at: String,
    /// Who asked: the organisation, and the person's pseudonym if one was named; the login's name
    /// too, of whoever asked at the machine.
    pub asked_by: String,
    /// Why.
    pub reason: String,
    /// The entry of the log that says that it was asked.
    pub entry: u64,
    /// The head of the log it was made from.
    pub log: LogHead,
    /// Whether any restriction is or was recorded: then nothing is given away without the Caldicott
    /// guardian.
    pub restricted: bool,
    /// What the reader has to know.
    pub warnings: Vec<String>,
    /// How many disclosures are listed.
    pub disclosures: usize,
    /// How many lines there are to go through before anything is given away.
    pub to_redact: usize,
    /// The files.
    pub items: Vec<Item>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its name.
    pub file: String,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
    /// Its size.
    pub bytes: usize,
}

/// Why there is no pack.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// A restriction is or was recorded, and who asked did not say that they know.
    #[error(
        "a restriction on sharing is or was recorded about this person. A named person must work on this, with the Caldicott guardian; ask again and say that you know. Do not tell the family of this message"
    )]
    Restricted,
    /// The log says nothing about this person, as far as it can be told; nor does the ledger.
    #[error("the log says nothing of this person; that you asked is entry {entry}")]
    Nothing {
        /// The entry of the asking.
        entry: u64,
        /// The years of which nobody can tell any more whom entries are about.
        not_known: Vec<Standing>,
    },
    /// The reports behind it.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The manifest or the proof has no JSON form.
    #[error("the pack could not be written")]
    Form(#[from] serde_json::Error),
}

impl From<crate::store::StoreError> for PackError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Report(error.into())
    }
}

impl From<crate::reports::SheetError> for PackError {
    fn from(error: crate::reports::SheetError) -> Self {
        Self::Report(error.into())
    }
}

/// Makes a pack. `knows` says that who asks knows of restrictions.
pub async fn make(
    app: &App,
    question: &Question,
    knows: bool,
    actor: &Actor,
) -> Result<Pack, PackError> {
    let event = access_report::asking(LogLook::DisclosurePack, question, actor);
    let asked = app.store.commit(Change::because(event)).await?.first_seq;
    let log = LogHead::newest(app).await?;
    let report = access_report::read(app, question, asked).await?;
    let ledger = app.store.consents_for(question.subject).await?;
    if ledger.is_empty() && report.entries.iter().all(|entry| entry.seq >= asked) {
        let not_known = report.look_ups_destroyed;
        return Err(PackError::Nothing { entry: asked, not_known });
    }
    let unsafe_to_tell = access_report::for_family(app, &report, question).await?.err();
    let restricted = unsafe_to_tell == Some(Unsafe::Restricted);
    if restricted && !knows {
        return Err(PackError::Restricted);
    }
    let within = |entry: &&Entry| question.takes(entry.at());
    let entries: Vec<&Entry> = report.entries.iter().filter(within).collect();
    let warnings = warnings(&entries, question.subject, &report, restricted);
    let names = |code: &str| app.name_of_code(code);
    let redaction = redaction::list(&entries, &ledger, question.subject, restricted);
    let disclosures = disclosures(&entries, &names);
    let sheets = vec![
        lines_of("Who has seen", &report.account.seen),
        lines_of("Not given", &report.account.not_given),
        looks_at_lists(&report.account.lists),
        summaries_of(&report.account.organisations),
        disclosures,
        records(&entries),
        consents(&ledger),
        redaction,
    ];
    let mut manifest = Manifest {
        format: FORMAT.to_owned(),
        made_at: app.clock.now().to_string(),
        asked_by: app.asked_by(actor),
        reason: name_of(question.reason),
        entry: asked,
        log,
        restricted,
        warnings,
        disclosures: rows_of(&sheets, DISCLOSURES),
        to_redact: rows_of(&sheets, redaction::TITLE),
        items: Vec::new(),
    };
    let proof = access_report::prove(app, &report, question).await?;
    let proof = serde_json::to_string_pretty(&proof)? + "\n";
    let mut files = contents(&manifest, &sheets, proof)?;
    manifest.items = files.iter().map(|(file, bytes)| item(file, bytes)).collect();
    let bytes = (serde_json::to_string_pretty(&manifest)? + "\n").into_bytes();
    let entry = noted(app, question, (asked, &bytes), actor).await?;
    files.push((MANIFEST.to_owned(), bytes));
    Ok(Pack { files, manifest, entry })
}

/// The files but the manifest.
fn contents(
    manifest: &Manifest,
    sheets: &[Sheet],
    proof: String,
) -> Result<Vec<(String, Vec<u8>)>, PackError> {
    let mut files = vec![("README.txt".to_owned(), readme(manifest).into_bytes())];
    for sheet in sheets {
        files.push((format!("{}.csv", file_name(&sheet.title)), to_csv(sheet)?));
    }
    let mut pages = vec![cover(manifest)];
    pages.extend(sheets.iter().cloned());
    files.push(("all.xlsx".to_owned(), to_workbook(&pages)?));
    files.push((PROOF.to_owned(), proof.into_bytes()));
    files.push(("checkpoint.txt".to_owned(), manifest.log.checkpoint.clone().into_bytes()));
    Ok(files)
}

/// Makes it durable in the log that the pack is given, with the hash of its manifest.
async fn noted(
    app: &App,
    question: &Question,
    (asked, manifest): (u64, &[u8]),
    actor: &Actor,
) -> Result<u64, PackError> {
    let mut event = LogLook::DisclosurePackMade
        .event(actor.clone())
        .with("reason", name_of(question.reason))
        .with("asked", asked);
    event.subject = Some(question.subject);
    event.hashes.insert("manifest".to_owned(), sha256_hex(manifest));
    Ok(app.store.commit(Change::because(event)).await?.first_seq)
}

impl Pack {
    /// Writes the pack as a new folder that only its owner may look into: all of it or nothing.
    /// `unique` keeps two writers apart. Fails when something of that name is there.
    pub fn write(&self, folder: &Path, unique: &str) -> std::io::Result<()> {
        use std::io::{Error, ErrorKind};
        let named = folder.file_name().ok_or(ErrorKind::InvalidInput)?;
        let parent = match folder.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            Some(_) | None => Path::new("."),
        };
        if std::fs::symlink_metadata(folder).is_ok() {
            return Err(Error::from(ErrorKind::AlreadyExists));
        }
        let staged = parent.join(format!(".{unique}.partial"));
        let written = self.stage(&staged).and_then(|()| {
            std::fs::rename(&staged, parent.join(named))?;
            whole_file::flush_folder(parent)
        });
        if written.is_err() {
            drop(std::fs::remove_dir_all(&staged));
        }
        written
    }

    fn stage(&self, folder: &Path) -> std::io::Result<()> {
        whole_file::ensure_folder(folder, 0o700)?;
        for (name, bytes) in &self.files {
            whole_file::create(&folder.join(name), bytes, 0o600)?;
        }
        whole_file::flush_folder(folder)
    }
}

fn item(file: &str, bytes: &[u8]) -> Item {
    Item { file: file.to_owned(), sha256: sha256_hex(bytes), bytes: bytes.len() }
}

fn rows_of(sheets: &[Sheet], title: &str) -> usize {
    sheets.iter().find(|sheet| sheet.title == title).map_or(0, |sheet| sheet.rows.len())
}

fn warnings(
    entries: &[&Entry],
    subject: SubjectKey,
    report: &Report,
    restricted: bool,
) -> Vec<String> {
    let other = |entry: &&&Entry| entry.event.subject.is_some_and(|one| one != subject);
    let mut warnings = Vec::new();
    if restricted {
        warnings.push(RESTRICTED.to_owned());
    }
    if entries.iter().any(|entry| other(&entry)) {
        warnings.push(MERGED.to_owned());
    }
    if report.older_left_out {
        warnings.push("There are older entries about this person that were not read; ask for an export of the log.".to_owned());
    }
    if report.older_lists_left_out {
        warnings.push(
            "There are older looks at lists that were not read; ask for an export of the log."
                .to_owned(),
        );
    }
    warnings.extend(report.look_ups_destroyed.iter().map(|standing| {
        format!(
            "The look-up of {} was lawfully destroyed: what there was about this person in that year is not in this pack.",
            standing.period
        )
    }));
    warnings
}

/// Everything that left, or may have, newest first: what, to whom, when, on which basis, and the
/// hash of what left.
fn disclosures(entries: &[&Entry], names: &dyn Fn(&str) -> String) -> Sheet {
    let columns = [
        ("entry", Kind::Number),
        ("when (London)", Kind::Time),
        ("item", Kind::Text),
        ("document", Kind::Text),
        ("recipient", Kind::Text),
        ("recipient name", Kind::Text),
        ("basis", Kind::Text),
        ("provision", Kind::Text),
        ("rule", Kind::Text),
        ("why", Kind::Text),
        ("cut", Kind::Text),
        ("record", Kind::Text),
        ("delivery", Kind::Text),
        ("SHA-256 of what left", Kind::Text),
    ];
    let mut sheet = Sheet::new(DISCLOSURES, &columns);
    for entry in entries.iter().filter(|entry| disclosed_in(entry)) {
        let event = &entry.event;
        let note = event.decision.as_ref();
        let cut: Vec<String> = note
            .map(|note| note.cut.iter().map(|(class, by)| format!("{class} ({by})")).collect())
            .unwrap_or_default();
        let recipient = event.counterparty.as_ref().map(ToString::to_string).unwrap_or_default();
        let hash = event.hashes.get("parcel").or_else(|| event.hashes.get("document"));
        sheet.rows.push(vec![
            entry.seq.into(),
            entry_time(entry),
            event.message_type.map(|kind| kind.as_str().to_owned()).into(),
            event.detail.get("number").cloned().into(),
            recipient.clone().into(),
            names(&recipient).into(),
            note.and_then(|note| note.authority.clone()).into(),
            note.and_then(|note| note.reference.clone()).into(),
            note.map(|note| note.rule.clone()).into(),
            note.map(|note| note.reason.clone()).into(),
            cut.join(", ").into(),
            event.record.map(|record| record.to_string()).into(),
            event.delivery.map(|delivery| delivery.to_string()).into(),
            hash.cloned().into(),
        ]);
    }
    sheet
}

/// The records that were accepted about the person, newest first.
fn records(entries: &[&Entry]) -> Sheet {
    let columns = [
        ("entry", Kind::Number),
        ("accepted (London)", Kind::Time),
        ("record", Kind::Text),
        ("message type", Kind::Text),
        ("sender", Kind::Text),
        ("SHA-256 of the sealed record", Kind::Text),
    ];
    let mut sheet = Sheet::new("Records", &columns);
    for entry in entries.iter().filter(|entry| is_accepted(entry)) {
        let event = &entry.event;
        sheet.rows.push(vec![
            entry.seq.into(),
            entry_time(entry),
            event.record.map(|record| record.to_string()).into(),
            event.message_type.map(|kind| kind.as_str().to_owned()).into(),
            event.actor.organisation.clone().into(),
            event.hashes.get("sealed").cloned().into(),
        ]);
    }
    sheet
}

fn is_accepted(entry: &Entry) -> bool {
    entry.event.kind == EventKind::RecordAccepted
}

/// The ledger of agreement to share, oldest first.
fn consents(ledger: &[ConsentEntry]) -> Sheet {
    let columns = [
        ("version", Kind::Number),
        ("about", Kind::Text),
        ("decision", Kind::Text),
        ("by", Kind::Text),
        ("decided", Kind::Date),
        ("until", Kind::Date),
        ("restriction", Kind::Text),
        ("purposes", Kind::Text),
        ("recipients", Kind::Text),
        ("not to", Kind::Text),
        ("data", Kind::Text),
        ("recorded by", Kind::Text),
        ("recorded (UTC)", Kind::Text),
        ("record", Kind::Text),
    ];
    let mut sheet = Sheet::new("Consents", &columns);
    let codes = |codes: &[schemas::OrganisationCode]| {
        codes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    for entry in ledger {
        let classes: Vec<&str> = entry.classes.iter().map(|class| class.as_str()).collect();
        sheet.rows.push(vec![
            Cell::Number(i64::from(entry.version)),
            name_of(entry.kind).into(),
            name_of(entry.status).into(),
            entry.given_by.map(name_of).into(),
            entry.decided_on.into(),
            entry.expires_on.into(),
            entry.restriction.map(name_of).into(),
            entry.purposes.join(", ").into(),
            codes(&entry.recipients).into(),
            codes(&entry.exclusions).into(),
            classes.join(", ").into(),
            entry.recorded_by.to_string().into(),
            entry.recorded_at.to_string().into(),
            entry.record.to_string().into(),
        ]);
    }
    sheet
}

fn cover(manifest: &Manifest) -> Sheet {
    let mut sheet = Sheet::new("Cover", &[("what", Kind::Text), ("value", Kind::Text)]);
    let mut row = |what: &str, value: String| sheet.rows.push(vec![what.into(), value.into()]);
    row("pack", "Disclosure pack of a subject access request".to_owned());
    for warning in &manifest.warnings {
        row("WARNING", warning.clone());
    }
    row("asked by", manifest.asked_by.clone());
    row("reason", manifest.reason.clone());
    row("made (UTC)", manifest.made_at.clone());
    row("entry of the asking", manifest.entry.to_string());
    row("entries in the log", manifest.log.size.to_string());
    row("root of the log", manifest.log.root.clone());
    row("checkpoint", manifest.log.checkpoint.clone());
    row("to check it", CHECK.to_owned());
    sheet
}

fn readme(manifest: &Manifest) -> String {
    let mut text = String::from(
        "DISCLOSURE PACK OF A SUBJECT ACCESS REQUEST\n\nThis is for the person who answers the request. It is NOT ready to be given away.\n\n",
    );
    for warning in &manifest.warnings {
        text.extend(["WARNING: ", warning, "\n\n"]);
    }
    text.push_str(README);
    text.push_str(CHECK);
    text.push('\n');
    text
}

const README: &str = "What is in it
  who-has-seen.csv     who fetched or was sent something, and who looked, with the reason
  not-given.csv        what was held, refused or stopped (often not to be told: see to-redact.csv)
  by-organisation.csv  the same, counted
  disclosures.csv      each item that left: to whom, when, on which basis, and the SHA-256 of what left
  records.csv          each message that is kept about the person, with the SHA-256 of its sealed form
  consents.csv         what was decided about sharing, by whom and when
  to-redact.csv        what a person must go through before anything is given away
  all.xlsx             all of these as one workbook
  proof.json           the entries of the log behind it, each with its proof
  checkpoint.txt       the signed head of the log that the proofs lead to
  manifest.json        the SHA-256 of each file

What is not in it
  The messages themselves. The gateway opens a record only to release it to its recipient, and a
  request for access is no release. Ask the sender in records.csv for its copy: it holds the message and
  answers for it. Where the hash of what left is given, a recipient can show that its copy is that one.

What to do
  1. Go through to-redact.csv line by line. It lists what may have to be left out of each message,
     with the provision; nothing has been left out for you. Fill in who decided, when and what.
  2. Pseudonyms (of people who acted, and of the child) mean nothing to the family: take them out or
     have the organisation put the names that may be told.
  3. A version of who has seen the record that leaves out what must not be told is made by
     ehc-gateway audit who-has-seen --for-family, unless a restriction is recorded.

To check it
  ";

const CHECK: &str = "ehc-gateway disclosure-pack check FOLDER --key KEY compares every file with the manifest and proves the entries against the log's public key. The SHA-256 of the manifest is in the log too.";

const RESTRICTED: &str = "A restriction on sharing is or was recorded about this person, or an address was reported as not safe. A named person must write the answer, with the Caldicott guardian: even the name of a hospital may tell where a child lives. Do not tell the family that this stands here.";
const MERGED: &str = "Some entries stand under another number or id that was recorded to mean the same person. Such a match may join records from before an adoption: look at each before it is told.";

/// The names of the form and of files.
const FORMAT: &str = "ehc-disclosure-pack-1";
const MANIFEST: &str = "manifest.json";
const PROOF: &str = "proof.json";
const DISCLOSURES: &str = "Disclosures";

/// Whether a type of message tells of an address that is not safe.
fn is_unsafe_address(kind: MessageType) -> bool {
    kind == MessageType::PersonAddressSafe
}

#[cfg(test)]
mod tests;
