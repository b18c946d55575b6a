//! Whether a pack is as it was made: offline, with the log's public key.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use super::{FORMAT, MANIFEST, Manifest, PROOF};
use crate::access_report::{self, AccessProof};
use crate::audit::checkpoint::Checkpoint;
use crate::entropy::sha256_hex;
use crate::whole_file;

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// How many files were compared.
    pub files: usize,
    /// How many entries of the log are proved.
    pub entries: usize,
    /// What is wrong; nothing when the pack is as it was made.
    pub faults: Vec<PackFault>,
}

/// What is wrong with a pack.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackFault {
    /// There is no manifest of the form this program knows.
    #[error("{MANIFEST} is missing, or not of the form {FORMAT}")]
    Manifest,
    /// A file that the manifest lists is not there, or is no plain file.
    #[error("a file that the manifest lists is missing: {0}")]
    Missing(String),
    /// A file is not as the manifest has it.
    #[error("a file was changed: {0}")]
    Changed(String),
    /// There are files that the manifest does not list.
    #[error("there are {0} files that the manifest does not list")]
    Added(usize),
    /// The checkpoint is not signed by the key that was given.
    #[error("the checkpoint is not signed by the key that was given")]
    Checkpoint,
    /// Something in the proof is not proved.
    #[error("{PROOF}: {0}")]
    Proof(String),
}

/// Compares a folder with its manifest, and its proof with the log's public key.
pub fn check(folder: &Path, vkey: &str) -> io::Result<Checked> {
    let mut checked = Checked { files: 0, entries: 0, faults: Vec::new() };
    let manifest = read(&folder.join(MANIFEST)).ok();
    let manifest = manifest.and_then(|bytes| serde_json::from_slice::<Manifest>(&bytes).ok());
    let Some(manifest) = manifest.filter(|manifest| manifest.format == FORMAT) else {
        checked.faults.push(PackFault::Manifest);
        return Ok(checked);
    };
    let mut listed = BTreeSet::from([MANIFEST.to_owned()]);
    for item in &manifest.items {
        listed.insert(item.file.clone());
        // A name is one of this folder, and leads nowhere else.
        let plain =
            Path::new(&item.file).file_name().is_some_and(|name| name == item.file.as_str());
        match read(&folder.join(&item.file)).ok().filter(|_| plain) {
            None => checked.faults.push(PackFault::Missing(item.file.clone())),
            Some(bytes) if sha256_hex(&bytes) != item.sha256 => {
                checked.faults.push(PackFault::Changed(item.file.clone()));
            }
            Some(_) => checked.files += 1,
        }
    }
    let mut added = 0;
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        added += usize::from(name.to_str().is_none_or(|name| !listed.contains(name)));
    }
    if added > 0 {
        checked.faults.push(PackFault::Added(added));
    }
    let head = Checkpoint::parse_and_verify(&manifest.log.checkpoint, vkey);
    if head.map_or(true, |head| head.size != manifest.log.size) {
        checked.faults.push(PackFault::Checkpoint);
    }
    let proof = read(&folder.join(PROOF)).ok();
    match proof.and_then(|bytes| serde_json::from_slice::<AccessProof>(&bytes).ok()) {
        None => checked.faults.push(PackFault::Missing(PROOF.to_owned())),
        Some(proof) => {
            let found = access_report::verify(&proof, vkey);
            checked.entries = proof.log.entries.len();
            let faults = found.faults.iter().map(|fault| PackFault::Proof(fault.to_string()));
            checked.faults.extend(faults);
        }
    }
    Ok(checked)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let (mut file, _) = whole_file::open_plain(path)?;
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut file, &mut bytes)?;
    Ok(bytes)
}
