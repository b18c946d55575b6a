//! A bundle as `audit export` writes one, judged as `audit verify --bundle` judges it: from a file.

use std::fs::File;
use std::hint::black_box;
use std::io::{BufReader, BufWriter, Write as _};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, ensure};

use super::super::tamper::Deployment;
use super::Figure;
use crate::audit::bundle::{self, Anchors, Filter, Header, Holds};
use crate::entropy::sha256;

/// How long the whole log of a deployment takes as a bundle, beside bare SHA-256 of the file's own
/// bytes. `bytes` are those of the file, which holds the entries in base64 with their tree nodes.
pub(super) fn measure(file: &Path, made: &Deployment) -> anyhow::Result<Figure> {
    let newest = made.kept.last().context("no checkpoint")?;
    let (size, origin, vkey) = (newest.size, made.signer.origin(), made.signer.vkey());
    let mut header = Header::new(origin, (Holds::Whole, Filter::default()), size);
    header.first = Some(0);
    header.entries = size;
    let checkpoint = made.signer.sign_checkpoint(size, newest.root, newest.at)?;
    let mut to = BufWriter::new(File::create_new(file)?);
    bundle::write_head(&mut to, &header, &Anchors { checkpoint, ..Anchors::default() })?;
    for row in &made.rows {
        bundle::write_row(&mut to, row)?;
    }
    to.flush()?;
    let content = std::fs::read(file)?;
    let began = Instant::now();
    black_box(sha256(&content));
    let bare = Some(began.elapsed());
    let bytes = u64::try_from(content.len()).ok();
    drop(content);
    let began = Instant::now();
    let judged = bundle::judge(&mut BufReader::new(File::open(file)?), &vkey, &[])?;
    let took = began.elapsed();
    let found = &judged.verification;
    ensure!(found.is_whole() && found.entries == size, "the bundle that was made is not whole");
    Ok(Figure { entries: size, what: VERIFIED, times: size, took, bytes, bare })
}

pub(super) const VERIFIED: &str = "verify a bundle file";
