//! `audit check-receipt`: what a partner proves from what it received, with nothing of a gateway.
//!
//! Needs the log's public key and files: receipts, or whatever they came in. No configuration.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use clap::Args;
use serde_json::{Value, json};

use super::{Outcome, eprintln_line, print_line};
use crate::audit::checkpoint::Checkpoint;
use crate::audit::cosignature::CosignerKey;
use crate::audit::history::{self, Judged, Kept, Link, Ties};
use crate::audit::tree::{NodeAt, TreeHash};
use crate::publication;
use crate::receipt::proof::{self, Checked, ProofFault};

/// Arguments of `audit check-receipt`.
#[derive(Debug, Args)]
pub(super) struct CheckReceiptArgs {
    /// Files with receipts: the answers as they came, or the receipts alone.
    #[arg(required_unless_present = "checkpoint", value_name = "RECEIPT")]
    receipts: Vec<PathBuf>,
    /// The log's public key (vkey), as the partner was given it.
    #[arg(long, value_name = "VKEY")]
    key: String,
    /// The key that signs receipts (JWK), where it is not the log's.
    #[arg(long, value_name = "FILE")]
    jwk: Option<PathBuf>,
    /// A checkpoint that was kept; may be given several times.
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    /// A consistency proof, the answer of GET /v1/audit/consistency; may be given several times.
    #[arg(long, value_name = "FILE")]
    proof: Vec<PathBuf>,
    /// The log as its static files, a copy of the published folder.
    #[arg(long, value_name = "FOLDER")]
    log: Option<PathBuf>,
    /// The public key of a witness: say which checkpoint it has cosigned. May be given several
    /// times.
    #[arg(long, value_name = "VKEY")]
    witness: Vec<String>,
}

/// What was found out, to be said.
#[derive(Default)]
struct Findings {
    judged: Judged,
    /// What does not hold, with the file.
    faults: Vec<String>,
    kept: Vec<Kept>,
    notes: Vec<(String, String)>,
}

pub(super) fn check_receipt(args: &CheckReceiptArgs, json: bool) -> anyhow::Result<Outcome> {
    if Checkpoint::origin_of_key(&args.key).is_none() {
        eprintln_line("error: --key is not the key of a log (name+id+key)");
        return Ok(Outcome::InputRefused);
    }
    let jwk = args.jwk.as_deref().map(jwk).transpose()?;
    let mut found = Findings::default();
    for file in &args.receipts {
        let receipts = receipts_in(&text(file)?);
        if receipts.is_empty() {
            eprintln_line(&format!("error: {} holds no receipt", file.display()));
            return Ok(Outcome::InputRefused);
        }
        for jws in receipts {
            found.receipt(file, proof::check(&jws, &args.key, jwk.as_ref()));
        }
    }
    for file in &args.checkpoint {
        found.checkpoint(&name(file), &note_of(text(file)?), &args.key);
    }
    let mut ties = Ties::default();
    for file in &args.proof {
        let link: Link = serde_json::from_str(&text(file)?)
            .with_context(|| format!("{} is not a consistency proof", file.display()))?;
        ties.links.push(link);
    }
    let published = args.log.as_deref().map(|folder| found.published(folder, &args.key));
    let size = published.transpose()?.flatten().unwrap_or_default();
    let folder = args.log.clone().unwrap_or_default();
    let read =
        |node: NodeAt| -> Option<TreeHash> { publication::node_in_folder(&folder, size, node) };
    if size > 0 {
        ties.tree = Some((size, &read));
    }
    found.compare(&ties);
    found.cosignatures(&args.witness)?;
    Ok(found.say(json))
}

impl Findings {
    fn receipt(&mut self, file: &Path, checked: Result<Checked, ProofFault>) {
        let place = name(file);
        let checked = match checked {
            Ok(checked) => checked,
            Err(fault) => {
                self.faults.push(format!("{place}: {fault}."));
                return;
            }
        };
        let sub = checked.receipt.sub;
        self.judged.proved.push(format!(
            "{place}: the gateway {} signed this receipt for submission {sub}, with {} rows.",
            checked.receipt.iss,
            checked.receipt.rows.len()
        ));
        let (Some(head), Some(log)) = (checked.checkpoint, &checked.receipt.log) else {
            self.judged.not_proved.push(format!(
                "{place}: that it is in the log: it was made before receipts carried a proof."
            ));
            return;
        };
        self.judged.proved.push(format!(
            "{place}: its entry, number {}, is in the log of {} entries that was signed at {}.",
            log.seq, head.size, head.at
        ));
        if checked.vouched {
            self.judged
                .proved
                .push(format!("{place}: the entry vouches for what the receipt says, row by row."));
        } else {
            self.judged.not_proved.push(format!(
                "{place}: that the entry says the same: entries of before do not vouch for it."
            ));
        }
        self.notes.push((place.clone(), log.checkpoint.clone()));
        self.kept.push(Kept { place, checkpoint: head });
    }

    fn checkpoint(&mut self, place: &str, note: &str, key: &str) -> Option<u64> {
        match Checkpoint::parse_and_verify(note, key) {
            Ok(checkpoint) => {
                let size = checkpoint.size;
                self.notes.push((place.to_owned(), note.to_owned()));
                self.kept.push(Kept { place: place.to_owned(), checkpoint });
                Some(size)
            }
            Err(error) => {
                self.faults.push(format!("{place}: {error}."));
                None
            }
        }
    }

    /// The head of a published log, when its files lead to it.
    fn published(&mut self, folder: &Path, key: &str) -> anyhow::Result<Option<u64>> {
        let note = publication::note_in_folder(folder)
            .with_context(|| format!("{} has no checkpoint", folder.display()))?;
        Ok(self.checkpoint(&name(folder), &note, key))
    }

    fn compare(&mut self, ties: &Ties<'_>) {
        let Judged { proved, not_proved, contradictions } = history::judge(&self.kept, ties);
        self.judged.proved.extend(proved);
        self.judged.not_proved.extend(not_proved);
        self.judged.contradictions.extend(contradictions);
        if self.kept.len() < 2 && !self.kept.is_empty() {
            self.judged.not_proved.push(
                "That nobody else was shown another history, or that this one was not rewritten since: for that, keep this receipt and hold it against a later one.".to_owned(),
            );
        }
    }

    fn cosignatures(&mut self, vkeys: &[String]) -> anyhow::Result<()> {
        for vkey in vkeys {
            let key = CosignerKey::parse(vkey)?;
            let found = self.notes.iter().filter_map(|(place, note)| {
                let cosignature = key.find(note, note)?;
                Some((place.clone(), cosignature.at))
            });
            let found: Vec<_> = found.collect();
            if found.is_empty() {
                self.judged.not_proved.push(format!(
                    "That the witness {} saw this log: nothing here is cosigned by it. Fetch GET /v1/audit/checkpoint?cosigned=true.",
                    key.name()
                ));
            }
            for (place, at) in found {
                self.judged.proved.push(format!(
                    "{place}: the witness {} cosigned this checkpoint at {at}: it saw no other history of the log before.",
                    key.name()
                ));
            }
        }
        Ok(())
    }

    fn say(self, json: bool) -> Outcome {
        let Self { judged, faults, .. } = self;
        let holds = faults.is_empty() && judged.is_one_history();
        if json {
            let body = json!({
                "holds": holds, "faults": faults, "contradictions": judged.contradictions,
                "proved": judged.proved, "not_proved": judged.not_proved,
            });
            print_line(&format!("{body:#}"));
        } else {
            let sections = [
                ("Does NOT hold:", &faults),
                ("CONTRADICTION:", &judged.contradictions),
                ("Proved:", &judged.proved),
                ("Not proved:", &judged.not_proved),
            ];
            for (title, lines) in sections.into_iter().filter(|(_, lines)| !lines.is_empty()) {
                print_line(title);
                for line in lines {
                    print_line(&format!("  {line}"));
                }
            }
        }
        if holds {
            eprintln_line("Everything that was given holds, and is of one history.");
            return Outcome::Done;
        }
        eprintln_line(
            "Something does NOT hold. Keep every file as it is and tell your information governance lead.",
        );
        Outcome::Found
    }
}

/// Every compact JWS in a text, whatever it stands in: an answer, a report, a message, or alone.
/// A header in JSON begins with `eyJ` in base64url.
fn receipts_in(text: &str) -> Vec<String> {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let words = text.split(|c: char| !part(c));
    let receipts: BTreeSet<String> = words
        .filter(|word| word.starts_with("eyJ") && word.split('.').count() == 3)
        .map(str::to_owned)
        .collect();
    receipts.into_iter().collect()
}

/// A checkpoint as it was kept: a note, or the header `EHC-Log-Checkpoint`, which is base64.
fn note_of(text: String) -> String {
    let decoded = BASE64_STANDARD.decode(text.trim()).ok();
    decoded.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or(text)
}

fn jwk(file: &Path) -> anyhow::Result<Value> {
    let value: Value = serde_json::from_str(&text(file)?)
        .with_context(|| format!("{} is not a key", file.display()))?;
    // A set of keys, as the gateway publishes it, or one key.
    let first = value.pointer("/receipts/keys/0").or_else(|| value.pointer("/keys/0"));
    Ok(first.cloned().unwrap_or(value))
}

fn text(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))
}

fn name(file: &Path) -> String {
    file.display().to_string()
}
