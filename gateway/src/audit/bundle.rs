//! The log as a file: JSON lines that anybody can keep and verify offline.
//!
//! Owns the form: one line for each entry (`{"seq":0,"leaf":"…","nodes":"…"}`, base64), then one for
//! each checkpoint (`{"checkpoint":"…"}`). It must never judge: reading a bundle proves nothing,
//! [`verify`](super::verify) does. Limits: a line of at most 1 MiB; errors name the line only.

use std::io::{self, BufRead, Read, Write};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use super::verify::Row;

/// What a bundle holds, nothing of it verified.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bundle {
    /// The entries, in the order of the file.
    pub rows: Vec<Row>,
    /// The checkpoints, as signed notes.
    pub checkpoints: Vec<String>,
}

/// Why a bundle was not read.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A line is not one of a bundle.
    #[error("line {0} is not a line of an audit bundle")]
    Line(u64),
    /// The file could not be read.
    #[error("the bundle could not be read")]
    Io(#[from] io::Error),
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Entry(EntryLine),
    Checkpoint(CheckpointLine),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryLine {
    seq: u64,
    leaf: String,
    nodes: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckpointLine {
    checkpoint: String,
}

/// Writes one entry.
pub fn write_row(to: &mut impl Write, row: &Row) -> io::Result<()> {
    let (leaf, nodes) = (BASE64_STANDARD.encode(&row.leaf), BASE64_STANDARD.encode(&row.nodes));
    write_line(to, &Line::Entry(EntryLine { seq: row.seq, leaf, nodes }))
}

/// Writes one checkpoint, after the entries.
pub fn write_checkpoint(to: &mut impl Write, note: &str) -> io::Result<()> {
    write_line(to, &Line::Checkpoint(CheckpointLine { checkpoint: note.to_owned() }))
}

/// Reads a bundle.
pub fn read(from: &mut impl BufRead) -> Result<Bundle, BundleError> {
    let mut bundle = Bundle::default();
    let mut text = Vec::new();
    for number in 1.. {
        text.clear();
        from.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut text)?;
        if text.is_empty() {
            break;
        }
        let bad = || BundleError::Line(number);
        let line = text.strip_suffix(b"\n").ok_or_else(bad)?;
        let decode = |text: &str| BASE64_STANDARD.decode(text).or(Err(bad()));
        match serde_json::from_slice(line).or(Err(bad()))? {
            Line::Checkpoint(line) => bundle.checkpoints.push(line.checkpoint),
            Line::Entry(line) => {
                let (leaf, nodes) = (decode(&line.leaf)?, decode(&line.nodes)?);
                bundle.rows.push(Row { seq: line.seq, leaf, nodes });
            }
        }
    }
    Ok(bundle)
}

fn write_line(to: &mut impl Write, line: &Line) -> io::Result<()> {
    serde_json::to_writer(&mut *to, line)?;
    to.write_all(b"\n")
}

const LINE_BYTES_MAX: u64 = 1024 * 1024;

#[cfg(test)]
mod tests;
