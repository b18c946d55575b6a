//! Reports as files, and what the log says of each that was handed over.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Ask, Report, SheetError, to_csv, to_workbook};
use crate::app::App;
use crate::audit::log_look::LogLook;
use crate::audit::{Actor, Entry, EventKind};
use crate::entropy::sha256_hex;
use crate::store::{Change, LogFilter, StoreError};
use crate::telemetry::name_of;

/// A report as files, by name: one for a workbook; for CSV the first table under an empty name, then
/// the cover and the other tables.
pub fn files(report: &Report, form: Form) -> Result<Vec<(String, Vec<u8>)>, SheetError> {
    let cover = report.cover.sheet();
    match form {
        Form::Xlsx => {
            let mut sheets = vec![cover];
            sheets.extend(report.sheets.iter().cloned());
            Ok(vec![(String::new(), to_workbook(&sheets)?)])
        }
        Form::Csv => {
            let mut files = Vec::new();
            for (place, sheet) in report.sheets.iter().enumerate() {
                let name = if place == 0 { String::new() } else { file_name(&sheet.title) };
                files.push((name, to_csv(sheet)?));
            }
            files.push((file_name(&cover.title), to_csv(&cover)?));
            Ok(files)
        }
    }
}

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// One file for each table and one for the cover.
    Csv,
    /// One workbook.
    Xlsx,
}

/// A title as part of a file name.
pub(crate) fn file_name(title: &str) -> String {
    title.to_lowercase().replace(' ', "-")
}

/// Writes into the log that a report is handed over as files, with the hash of each. `Ok` only once
/// that is durable; the entry that says so.
pub async fn note_export(
    app: &App,
    (ask, report): (&Ask, &Report),
    form: Form,
    files: &[(String, Vec<u8>)],
    actor: &Actor,
) -> Result<u64, StoreError> {
    let mut event = LogLook::ReportExport
        .event(actor.clone())
        .with("report", ask.report.code())
        .with("reason", name_of(ask.reason))
        .with("asked", report.cover.entry)
        .with("form", name_of(form));
    event.subject = ask.subject;
    event.hashes = hashes(files);
    Ok(app.store.commit(Change::because(event)).await?.first_seq)
}

/// The SHA-256 of each file, by name; `file` where it has none.
pub(crate) fn hashes(files: &[(String, Vec<u8>)]) -> BTreeMap<String, String> {
    let name = |name: &str| if name.is_empty() { "file".to_owned() } else { name.to_owned() };
    files.iter().map(|(file, bytes)| (name(file), sha256_hex(bytes))).collect()
}

/// What the log says of a file that was handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The entry that has its hash.
    pub entry: Entry,
    /// Its name there: `file` for a workbook or a first table.
    pub name: String,
}

/// Finds the entry that vouches for a file, among the newest that tell of looks at the log. `Ok`
/// only once the looking is in the log.
pub async fn exported_as(
    app: &App,
    sha256: &str,
    actor: &Actor,
) -> Result<Option<Exported>, StoreError> {
    let event = LogLook::ReportCheck.event(actor.clone());
    let mut before = app.store.commit(Change::because(event)).await?.first_seq;
    let filter = LogFilter { kinds: vec![EventKind::AuditViewed], ..LogFilter::default() };
    let mut read = 0;
    while read < super::ENTRIES_MAX {
        let page = app.store.entries_matching(&filter, before, PAGE).await?;
        let Some(last) = page.last() else { break };
        before = last.seq;
        read += page.len();
        for entry in page {
            let name = entry.event.hashes.iter().find(|(_, hash)| *hash == sha256);
            if let Some(name) = name.map(|(name, _)| name.clone()) {
                return Ok(Some(Exported { entry, name }));
            }
        }
    }
    Ok(None)
}

/// Entries asked for at once.
const PAGE: u32 = 1_000;
