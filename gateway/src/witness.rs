//! A witness: what another organisation runs so that one log cannot have two histories.
//!
//! It remembers, for each log it knows, the largest head that it cosigned. It cosigns another one
//! only when that is signed by the log, is no smaller, and is proved to begin with the one it
//! remembers. So of two histories that one key signed it cosigns one; a fork, a cut tail and a
//! restored backup are refused, and it says why. It believes nobody: the log's signature and the
//! proof are all that counts (C2SP tlog-witness).
//!
//! Owns: the state file, whole and durable before a cosignature is given. It must never know HTTP;
//! `api::witness` speaks for it.
//!
//! ```no_run
//! # use gateway::witness::{Submission, Witness};
//! # fn ask(witness: &Witness, body: &str) -> Option<String> {
//! let line = witness.add(&Submission::parse(body)?).ok()?;
//! # Some(line)
//! # }
//! ```
//!
//! Limits: the first head of a log is believed on its signature alone. A witness whose state was
//! lost must not cosign under its name again: it does not start without the file. One process at a
//! time has the state. Not supported: forgetting a log, for the same reason; after a restore that
//! was confirmed, make a new key, name and state.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::audit::bundle::Base64Hash;
use crate::audit::checkpoint::{Checkpoint, CheckpointError};
use crate::audit::cosignature::{self, CosignatureError, Cosigner};
use crate::audit::tree::{self, TreeHash};
use crate::clock::Clock;
use crate::config::{WitnessConfig, WitnessedLog};
use crate::entropy::{Entropy, EntropyError};

/// One who cosigns.
#[derive(Debug)]
pub struct Witness {
    cosigner: Cosigner,
    logs: BTreeMap<String, WitnessedLog>,
    state: PathBuf,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    /// What was cosigned last, as the file has it. Looked at and written under one lock.
    remembered: Mutex<BTreeMap<String, Head>>,
    /// Keeps other processes off the state while this one lives.
    _lock: File,
}

/// The head of a log that was cosigned last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// How many entries it covers.
    pub size: u64,
    /// The hash of its tree.
    pub root: Base64Hash,
    /// When it was cosigned.
    pub cosigned_at: Timestamp,
    /// The checkpoint with the cosignature under it.
    pub note: String,
}

/// What is handed to a witness (C2SP tlog-witness, `add-checkpoint`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The size that the witness is believed to have cosigned last.
    pub old: u64,
    /// The consistency proof from there.
    pub proof: Vec<TreeHash>,
    /// The checkpoint, a signed note.
    pub note: String,
}

/// Why a checkpoint was not cosigned. Its `Display` says it in plain words.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It is not of the form.
    #[error("this is not a checkpoint with a proof in the form that a witness takes")]
    Form,
    /// No such log is known here.
    #[error("this witness does not know the log {0}")]
    UnknownLog(String),
    /// The log's key did not sign it.
    #[error("the checkpoint is not signed by the key of the log, or was changed since")]
    NotSigned,
    /// The proof begins elsewhere than with what was cosigned last.
    #[error(
        "this witness last cosigned {cosigned} entries, and was asked from another size for {shown}"
    )]
    Stale {
        /// What was cosigned last.
        cosigned: u64,
        /// What is shown.
        shown: u64,
    },
    /// The log has fewer entries than before.
    #[error(
        "SHORTER: the log shows {shown} entries, and this witness cosigned {cosigned} of it. The log was cut, or its database was restored from a backup"
    )]
    Shorter {
        /// What was cosigned last.
        cosigned: u64,
        /// What is shown.
        shown: u64,
    },
    /// Two heads of one size.
    #[error(
        "FORK: the log shows {0} entries with another root than this witness cosigned. Two histories were signed by one key"
    )]
    Fork(u64),
    /// The proof does not hold.
    #[error(
        "REWRITTEN: the log of {shown} entries is not proved to begin with the {cosigned} that this witness cosigned. It was forked, rewritten, or restored from a backup; or the proof is a wrong one"
    )]
    NotProved {
        /// What was cosigned last.
        cosigned: u64,
        /// What is shown.
        shown: u64,
    },
    /// Remembering it failed, so it was not cosigned.
    #[error("what is cosigned could not be written to the state file, so nothing was cosigned")]
    State(#[source] io::Error),
    /// The signature could not be made.
    #[error(transparent)]
    Cosignature(#[from] CosignatureError),
    /// There was no randomness.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

/// Why a witness does not start.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// Its key.
    #[error(transparent)]
    Key(#[from] CosignatureError),
    /// Its state.
    #[error("the state {} cannot be used: {why}", .file.display())]
    State {
        /// The file.
        file: PathBuf,
        /// What is wrong, and what to do.
        why: String,
    },
    /// A log's key.
    #[error("a [[log]] has a vkey that is not the key of a log")]
    Log,
}

/// The state file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    format: String,
    /// The key that cosigned: a state belongs to one.
    witness: String,
    logs: BTreeMap<String, Head>,
}

impl Witness {
    /// Makes the key and the empty state of a new witness. Refuses when either is there.
    pub fn make(config: &WitnessConfig, entropy: &dyn Entropy) -> Result<String, WitnessError> {
        if config.state.exists() {
            return Err(fault(&config.state, &"it is there already: this witness was made before"));
        }
        let vkey = Cosigner::generate(&config.key, &config.name, entropy)?.vkey();
        let state =
            State { format: FORMAT.to_owned(), witness: vkey.clone(), logs: BTreeMap::new() };
        let id = entropy.make_id(Timestamp::UNIX_EPOCH);
        let unique = id.map_err(|error| fault(&config.state, &error))?.to_string();
        state.write(&config.state, &unique).map_err(|error| fault(&config.state, &error))?;
        Ok(vkey)
    }

    /// Reads key and state, and keeps other processes off the state.
    pub fn open(
        config: &WitnessConfig,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, WitnessError> {
        let cosigner = Cosigner::load(&config.key, &config.name)?;
        let file = &config.state;
        let lock = lock(file).map_err(|error| fault(file, &error))?;
        let text = std::fs::read(file).map_err(|error| {
            if error.kind() == io::ErrorKind::NotFound {
                return fault(file, &LOST);
            }
            fault(file, &error)
        })?;
        let state: State = serde_json::from_slice(&text)
            .map_err(|_syntax| fault(file, &"it is not the state of a witness, whole"))?;
        if state.format != FORMAT || state.witness != cosigner.vkey() {
            return Err(fault(file, &"it is of another witness, or of another version"));
        }
        let mut logs = BTreeMap::new();
        for log in &config.logs {
            let origin = Checkpoint::origin_of_key(&log.vkey).ok_or(WitnessError::Log)?;
            logs.insert(origin, log.clone());
        }
        let remembered = Mutex::new(state.logs);
        let state = file.clone();
        Ok(Self { cosigner, logs, state, clock, entropy, remembered, _lock: lock })
    }

    /// The key that logs and their partners are given.
    pub fn vkey(&self) -> String {
        self.cosigner.vkey()
    }

    /// The logs it knows, by origin.
    pub fn logs(&self) -> impl Iterator<Item = (&str, &WitnessedLog)> {
        self.logs.iter().map(|(origin, log)| (origin.as_str(), log))
    }

    /// What it cosigned last of a log.
    pub fn head(&self, origin: &str) -> Option<Head> {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.get(origin).cloned()
    }

    /// Cosigns a checkpoint, or says why not. The line of the cosignature is given only once the
    /// state that remembers it is durable.
    pub fn add(&self, submission: &Submission) -> Result<String, Refusal> {
        let Submission { old, proof, note } = submission;
        let origin = note.lines().next().unwrap_or_default();
        let log = self.logs.get(origin).ok_or_else(|| Refusal::UnknownLog(origin.to_owned()))?;
        let shown = Checkpoint::parse_and_verify(note, &log.vkey).map_err(|error| match error {
            CheckpointError::Signature => Refusal::NotSigned,
            CheckpointError::Form
            | CheckpointError::OtherLog
            | CheckpointError::Origin
            | CheckpointError::VerifierKey
            | CheckpointError::Key(_) => Refusal::Form,
        })?;
        if *old > shown.size {
            return Err(Refusal::Form);
        }
        // Held until the state is written: looking and remembering are one step.
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let last = remembered.get(origin).map(|head| (head.size, head.root.0));
        follows(last, (*old, proof), &shown)?;
        let at = self.clock.now();
        let line = self.cosigner.cosign(note, at)?;
        let head = Head {
            size: shown.size,
            root: Base64Hash(shown.root),
            cosigned_at: at,
            note: cosignature::with_lines(note, [line.as_str()]),
        };
        let mut logs = remembered.clone();
        logs.insert(origin.to_owned(), head);
        let state = State { format: FORMAT.to_owned(), witness: self.vkey(), logs };
        let unique = self.entropy.make_id(at)?.to_string();
        state.write(&self.state, &unique).map_err(Refusal::State)?;
        *remembered = state.logs;
        Ok(line)
    }
}

/// Whether a head follows what was cosigned last.
fn follows(
    last: Option<(u64, TreeHash)>,
    (old, proof): (u64, &[TreeHash]),
    shown: &Checkpoint,
) -> Result<(), Refusal> {
    let (cosigned, root) = last.unwrap_or((0, TreeHash::default()));
    if shown.size < cosigned {
        return Err(Refusal::Shorter { cosigned, shown: shown.size });
    }
    if old != cosigned {
        return Err(Refusal::Stale { cosigned, shown: shown.size });
    }
    if cosigned == shown.size && cosigned > 0 && root != shown.root {
        return Err(Refusal::Fork(cosigned));
    }
    let proved = if cosigned == 0 {
        // Nothing was cosigned: there is nothing to prove.
        proof.is_empty()
    } else {
        tree::verify_consistency(proof, shown.size, shown.root, cosigned, root).is_ok()
    };
    proved.then_some(()).ok_or(Refusal::NotProved { cosigned, shown: shown.size })
}

impl Refusal {
    /// Whether it is evidence against the log, and not a mistake of who asked.
    pub fn is_against_the_log(&self) -> bool {
        matches!(self, Self::Shorter { .. } | Self::Fork(_) | Self::NotProved { .. })
    }
}

impl Submission {
    /// From the body of a request; `None` when it is not of the form.
    pub fn parse(body: &str) -> Option<Self> {
        let (head, note) = body.split_once("\n\n")?;
        let mut lines = head.lines();
        let old = lines.next()?.strip_prefix("old ")?;
        let size: u64 = old.parse().ok()?;
        if size.to_string() != old {
            return None;
        }
        let hash = |line: &str| Base64Hash::try_from(line.to_owned()).ok().map(|hash| hash.0);
        let proof: Vec<TreeHash> = lines.map(hash).collect::<Option<_>>()?;
        (proof.len() <= PROOF_LINES_MAX).then(|| Self { old: size, proof, note: note.to_owned() })
    }

    /// The body of a request.
    pub fn to_body(&self) -> String {
        let mut body = format!("old {}\n", self.old);
        for hash in &self.proof {
            body.push_str(&String::from(Base64Hash(*hash)));
            body.push('\n');
        }
        body.push('\n');
        body.push_str(&self.note);
        body
    }
}

impl State {
    fn write(&self, file: &Path, unique: &str) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(self).map_err(io::Error::other)?;
        // A bare name has no folder that could be flushed.
        crate::whole_file::replace(&std::path::absolute(file)?, &text, unique)
    }
}

/// A lock beside the state, since the state itself is replaced.
fn lock(state: &Path) -> io::Result<File> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(state.with_extension("lock"))?;
    file.try_lock().map_err(|_held| io::Error::other("another process has it"))?;
    Ok(file)
}

fn fault(file: &Path, why: &dyn std::fmt::Display) -> WitnessError {
    WitnessError::State { file: file.to_owned(), why: why.to_string() }
}

/// What is said when the state is gone.
const LOST: &str = "it is not there. If it was lost, this witness must not cosign again: make a new one, with `witness init`";
/// The name of the state's form.
const FORMAT: &str = "ehc-witness-1";
/// As many as C2SP tlog-witness allows.
const PROOF_LINES_MAX: usize = 63;

#[cfg(test)]
mod tests;
