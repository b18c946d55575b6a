//! What became of one file, for whoever left it: row by row, for people and for programs.
//!
//! The same report lies beside a file that was picked up from a folder and is written by
//! `ehc-gateway import --report`. It says positions, rules and next steps, carries the signed
//! receipt, and never a value, a name or the file's own name. It must never know where files lie.

use adapters::Format;
use schemas::{Issue, Place};
use serde::{Deserialize, Serialize};

use crate::pipeline::Answer;
use crate::queue::SubmissionId;
use crate::receipt::{RowOutcome, RowResult};
use crate::telemetry::name_of;

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The version of this form: [`VERSION`].
    pub report: String,
    /// What became of the file as a whole.
    pub outcome: FileOutcome,
    /// The format it was read in.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub format: Option<Format>,
    /// Its size in bytes.
    pub bytes: u64,
    /// SHA-256 of its bytes, in lower-case hexadecimal; absent when it was not read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sha256: Option<String>,
    /// The submission it became.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub submission: Option<SubmissionId>,
    /// Whether the very same bytes came before: nothing was done again, this is the first answer.
    pub seen_before: bool,
    /// Rows or messages accepted.
    pub accepted: usize,
    /// Rows or messages that were known already.
    pub unchanged: usize,
    /// Rows or messages that are kept in quarantine until they are put right.
    pub quarantined: usize,
    /// Row by row.
    pub rows: Vec<RowOutcome>,
    /// What there is to say about the file as a whole.
    pub issues: Vec<Issue>,
    /// The signed receipt (compact JWS), where there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub receipt: Option<String>,
}

/// What became of a file as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileOutcome {
    /// Every row or message was accepted or known.
    Taken,
    /// Some were; others are in quarantine.
    TakenInPart,
    /// None was, or the file was not read at all.
    Refused,
}

/// The members of an answer that a report repeats.
#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    rows: Vec<RowOutcome>,
    #[serde(default)]
    notes: Vec<Issue>,
    #[serde(default)]
    issues: Vec<Issue>,
    #[serde(default)]
    receipt: Option<String>,
}

impl Report {
    /// The report on a file that the pipeline answered. The same for every retry.
    pub fn answered(answer: &Answer, format: Format, bytes: &[u8]) -> Self {
        let body = serde_json::from_slice(&answer.body);
        let body = body.unwrap_or(Body {
            rows: Vec::new(),
            notes: Vec::new(),
            issues: Vec::new(),
            receipt: None,
        });
        let count = |result| body.rows.iter().filter(|row| row.outcome == result).count();
        let (accepted, unchanged) = (count(RowResult::Accepted), count(RowResult::Unchanged));
        // A single message that was refused is answered by a problem, which has no rows.
        let refused_message = usize::from(answer.status == 422);
        let quarantined = count(RowResult::Quarantined).max(refused_message);
        let outcome = if answer.status >= 400 || (quarantined > 0 && accepted + unchanged == 0) {
            FileOutcome::Refused
        } else if quarantined > 0 {
            FileOutcome::TakenInPart
        } else {
            FileOutcome::Taken
        };
        Self {
            report: VERSION.to_owned(),
            outcome,
            format: Some(format),
            bytes: size(bytes),
            sha256: Some(crate::entropy::sha256_hex(bytes)),
            submission: Some(answer.submission),
            seen_before: answer.replayed,
            accepted,
            unchanged,
            quarantined,
            rows: body.rows,
            issues: body.issues.into_iter().chain(body.notes).collect(),
            receipt: body.receipt,
        }
    }

    /// The report on a file that did not get as far as the pipeline, or that it could not use.
    pub fn refused(issue: Issue, bytes: u64) -> Self {
        Self {
            report: VERSION.to_owned(),
            outcome: FileOutcome::Refused,
            format: None,
            bytes,
            sha256: None,
            submission: None,
            seen_before: false,
            accepted: 0,
            unchanged: 0,
            quarantined: 0,
            rows: Vec::new(),
            issues: vec![issue],
            receipt: None,
        }
    }

    /// As JSON, for programs.
    pub fn to_json(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec_pretty(self).unwrap_or_default();
        text.push(b'\n');
        text
    }

    /// As text in aligned columns, for people.
    pub fn to_text(&self) -> String {
        let mut lines = vec![
            vec!["outcome".to_owned(), name_of(self.outcome)],
            vec!["accepted".to_owned(), self.accepted.to_string()],
            vec!["known already".to_owned(), self.unchanged.to_string()],
            vec!["quarantined".to_owned(), self.quarantined.to_string()],
            vec!["bytes".to_owned(), self.bytes.to_string()],
        ];
        let mut line = |name: &str, value: Option<String>| {
            lines.extend(value.map(|value| vec![name.to_owned(), value]));
        };
        line("format", self.format.map(name_of));
        line("sha256", self.sha256.clone());
        line("submission", self.submission.map(|submission| submission.to_string()));
        line("seen before", self.seen_before.then(|| "yes: nothing was done again".to_owned()));
        let mut text = aligned(&lines);
        if !self.rows.is_empty() {
            let header = ["WHERE", "OUTCOME", "RECORD", "ASKED"].map(str::to_owned).to_vec();
            let rows = self.rows.iter().map(row_line);
            text += "\n";
            text += &aligned(&std::iter::once(header).chain(rows).collect::<Vec<_>>());
        }
        let of_rows = self.rows.iter().flat_map(|row| row.issues.iter().map(|i| (&row.place, i)));
        let of_file = self.issues.iter().map(|issue| (&Place::Whole, issue));
        let issues: Vec<Vec<String>> = of_file.chain(of_rows).map(issue_line).collect();
        if !issues.is_empty() {
            let header = ["WHERE", "FIELD", "RULE", "WHAT IS WRONG", "WHAT TO DO"];
            let header = header.map(str::to_owned).to_vec();
            text += "\n";
            text += &aligned(&std::iter::once(header).chain(issues).collect::<Vec<_>>());
        }
        if let Some(receipt) = &self.receipt {
            text += "\nThe signed receipt:\n";
            text += receipt;
            text += "\n";
        }
        text
    }
}

fn row_line(row: &RowOutcome) -> Vec<String> {
    let legs = row.legs.iter().map(|leg| {
        let service = leg.service.as_ref().map(ToString::to_string).unwrap_or_default();
        format!("{service} to {} ({})", leg.recipient, leg.outcome)
    });
    let record = row.record.map(|record| record.to_string()).unwrap_or_default();
    let legs: Vec<String> = legs.collect();
    vec![row.place.to_string(), name_of(row.outcome), record, legs.join(", ")]
}

fn issue_line((place, issue): (&Place, &Issue)) -> Vec<String> {
    // An issue about a row as a whole stands where the row does.
    let place = if issue.place == Place::Whole { place } else { &issue.place };
    let place = place.to_string();
    vec![place, issue.field.clone(), issue.rule.clone(), issue.message.clone(), issue.next.clone()]
}

/// Columns that align, two spaces apart, without spaces at the ends of lines.
fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for line in lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text += "\n";
    }
    text
}

fn size(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// The version of the report's form.
pub const VERSION: &str = "ehc-gateway-report/1";

#[cfg(test)]
mod tests;
