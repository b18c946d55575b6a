//! Who has seen a child's record: the accounting of disclosures, out of the log.
//!
//! An officer asks with a person's pseudonym and a [`Reason`]; the asking is an entry of the log
//! before the answer is given, and is itself the first line of it. Entries become lines in
//! `reading`, which is pure: whoever holds proved entries gets the same lines from them. [`prove`]
//! puts the entries with their proofs in one file, and [`verify`] checks it without a gateway.
//! It must never know content, nor who a pseudonym is.
//!
//! [`for_family`] is the version that may be given away. It says only which organisation was sent
//! or opened which kind of message, or looked at how that went, on which day and by which sort of
//! power. Left out, and why: pseudonyms, roles, rules, entry numbers and classes of data (a class
//! that was cut tells of a protected address); what was held, refused or withdrawn, every look at
//! it and every vote (a hold is not to be told); messages about safety, identity and agreement;
//! releases on an override or in an emergency (telling may put somebody at risk); looks of whoever the
//! rest of the list gives no cause to look, and why anybody looked; looks at lists (a
//! list of what is held is not to be told, and who opened a record from a list is); what stands under
//! another pseudonym (a merge may join records from before an adoption). Where any restriction was
//! ever recorded, no version is made by machine: even the name of a hospital may tell where a
//! child lives, and a person must write the answer. What is said does not depend on what is left out.
//!
//! Limits: the newest [`ENTRIES_MAX`] entries about a person, and the newest [`LOOKS_MAX`] looks at
//! lists that the person was on (the board, what is held). Not supported: looks at lists from before
//! the gateway kept who was on them; periods whose [look-up](crate::look_up) was destroyed, which
//! the answer names. Messages that went into quarantine name nobody; content that
//! was read outside the gateway is not in its log.

mod family;
mod reading;
mod same_person;

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use schemas::OrganisationCode;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::audit::log_look::LogLook;
use crate::audit::looked::OnList;
use crate::audit::{Actor, Entry, Event, SubjectKey};
use crate::clock::london_date;
use crate::evidence::{PackFault, PackLog, proved, verify_log};
use crate::look_up::{self, Standing};
use crate::peer::Role;
use crate::store::{Change, StoreError};

pub use crate::audit::purpose::Reason;
pub use family::{FamilyLine, Unsafe};
pub use reading::{Account, Line, ListLine, Summary};
pub(crate) use reading::{Sort, sort, why, words};
pub use same_person::Opening;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// About whom.
    pub subject: SubjectKey,
    /// Why.
    pub reason: Reason,
    /// From this day on, in London; from the beginning when left out.
    pub from: Option<Date>,
    /// Until this day, which is included; until now when left out.
    pub until: Option<Date>,
}

impl Question {
    /// Whether an instant is within the days that are asked about.
    pub(crate) fn takes(&self, at: Timestamp) -> bool {
        let day = london_date(at);
        self.from.is_none_or(|from| day >= from) && self.until.is_none_or(|until| day <= until)
    }
}

/// The answer, for an officer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Why it was asked.
    pub reason: Reason,
    /// From which day on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Date>,
    /// Until which day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Date>,
    /// The entry of the log that says that this was asked.
    pub entry: u64,
    /// The lines.
    #[serde(flatten)]
    pub account: Account,
    /// Whether there are older entries than were read.
    pub older_left_out: bool,
    /// Whether there are older looks at lists than were read.
    pub older_lists_left_out: bool,
    /// Years of which nobody can tell any more whom the entries are about, because the look-up was
    /// lawfully destroyed: what there was of the child in them is not in the lines.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub look_ups_destroyed: Vec<Standing>,
    /// The entries that the lines are of, newest first; for [`prove`] and [`for_family`].
    #[serde(skip)]
    pub entries: Vec<Entry>,
}

/// Answers who has seen a record. The asking is durable in the log before anything is read.
pub async fn look(app: &App, question: &Question, actor: &Actor) -> Result<Report, StoreError> {
    let asked =
        app.store.commit(Change::because(asking(LogLook::WhoHasSeen, question, actor))).await?;
    read(app, question, asked.first_seq).await
}

/// The event of an asking, by what it is asked for.
pub(crate) fn asking(what: LogLook, question: &Question, actor: &Actor) -> Event {
    let reason = crate::telemetry::name_of(question.reason);
    let mut event = what.event(actor.clone()).with("reason", reason);
    for (name, day) in [("from", question.from), ("until", question.until)] {
        if let Some(day) = day {
            event = event.with(name, day);
        }
    }
    event.subject = Some(question.subject);
    event
}

/// Answers what was asked in an entry that is durable in the log.
pub(crate) async fn read(app: &App, question: &Question, entry: u64) -> Result<Report, StoreError> {
    let mut entries = Vec::new();
    let mut before = u64::try_from(i64::MAX).unwrap_or_default();
    while entries.len() < ENTRIES_MAX {
        let page = app.store.entries_naming(question.subject, before, PAGE).await?;
        let Some(last) = page.last() else { break };
        before = last.seq;
        entries.extend(page);
    }
    let older_left_out = entries.len() >= ENTRIES_MAX;
    let older_lists_left_out = add_looks(app, question.subject, &mut entries).await?;
    let names = |code: &str| app.name_of_code(code);
    let account = reading::account(&entries, question, &names);
    let Question { reason, from, until, .. } = *question;
    Ok(Report {
        reason,
        from,
        until,
        entry,
        account,
        older_left_out,
        older_lists_left_out,
        look_ups_destroyed: look_up::destroyed_within(app, from, until).await?,
        entries,
    })
}

/// Adds the looks at lists that a person was on, in their places. Says whether there are more.
async fn add_looks(
    app: &App,
    subject: SubjectKey,
    entries: &mut Vec<Entry>,
) -> Result<bool, StoreError> {
    let (mut looks, mut before) = (0, u64::try_from(i64::MAX).unwrap_or_default());
    while looks < LOOKS_MAX {
        let page = app.store.looks_concerning(subject, before, PAGE).await?;
        let Some(last) = page.last() else { break };
        before = last.seq;
        looks = looks.saturating_add(page.len());
        entries.extend(page);
    }
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.seq));
    Ok(looks >= LOOKS_MAX)
}

/// The version for a family, newest first; or why a person must write it.
pub async fn for_family(
    app: &App,
    report: &Report,
    question: &Question,
) -> Result<Result<Vec<FamilyLine>, Unsafe>, StoreError> {
    let ledger = app.store.consents_for(question.subject).await?;
    let restricted = ledger.iter().any(|entry| entry.restriction.is_some());
    if let Some(refused) = family::refusal(report, restricted) {
        return Ok(Err(refused));
    }
    let names = |code: &str| app.name_of_code(code);
    let is_authority = |code: &str| {
        let code = OrganisationCode::parse(code).ok();
        let partner = code.and_then(|code| app.partner(&code));
        partner.is_some_and(|partner| partner.roles.contains(&Role::LaCaseSystem))
    };
    Ok(family::lines(&report.entries, question, &names, &is_authority))
}

/// Entries with their proofs: can it be proved? Its JSON form is the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessProof {
    /// Always `ehc-access-proof-1`.
    pub format: String,
    /// When it was made, in UTC.
    pub made_at: String,
    /// Why it was asked.
    pub reason: Reason,
    /// From which day on.
    pub from: Option<Date>,
    /// Until which day.
    pub until: Option<Date>,
    /// Every entry about the child in those days, and of the asking itself.
    pub log: PackLog,
    /// For each entry that is a look at a list, the proof that the child stood on it.
    #[serde(default)]
    pub lists: Vec<OnList>,
    /// What shows that the aliases in the entries are all one person's. Proofs from before there were
    /// aliases have none: their entries name one pseudonym.
    #[serde(default)]
    pub aliases: Vec<Opening>,
}

/// The proof of a report.
pub async fn prove(
    app: &App,
    report: &Report,
    question: &Question,
) -> Result<AccessProof, StoreError> {
    let within = report.entries.iter().filter(|entry| question.takes(entry.at()));
    let within: Vec<&Entry> = within.collect();
    let mut seqs: Vec<u64> = within.iter().map(|entry| entry.seq).collect();
    seqs.push(report.entry);
    let own = app.store.pseudonyms_of(question.subject).await?;
    let mut lists = Vec::new();
    for entry in within.iter().filter(|entry| reading::is_list(&entry.event)) {
        let looked = app.store.looked_at(entry.seq).await?;
        lists.extend(own.iter().find_map(|subject| looked.proof_of(entry.seq, *subject)));
    }
    let asking = report.entries.iter().filter(|entry| entry.seq == report.entry);
    let shown: Vec<&Entry> = within.iter().copied().chain(asking).collect();
    let aliases = same_person::openings(app, &shown, &own).await?;
    Ok(AccessProof {
        format: FORMAT.to_owned(),
        made_at: app.clock.now().to_string(),
        reason: report.reason,
        from: report.from,
        until: report.until,
        log: proved(app, &seqs).await?,
        lists,
        aliases,
    })
}

/// What a proof proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proved {
    /// What it says, worked out again from the proved entries alone; codes stand for names.
    pub account: Account,
    /// What is not proved; nothing when all of it is.
    pub faults: Vec<PackFault>,
}

/// Checks a proof against the log's public key, without a gateway. It proves that each entry is in
/// the signed log, that they name one person, and that the pseudonym that is named stood on each
/// list that was looked at; that none is missing is for the whole log to show (`audit verify`).
pub fn verify(proof: &AccessProof, vkey: &str) -> Proved {
    let (mut entries, mut faults) = verify_log(&proof.log, vkey);
    for entry in entries.iter().filter(|entry| reading::is_list(&entry.event)) {
        let mut lists = proof.lists.iter().filter(|list| list.entry == entry.seq);
        if !lists.any(|list| list.holds(&entry.event)) {
            faults.push(PackFault::List(entry.seq));
        }
    }
    faults.extend(same_person::stranger(&entries, &proof.aliases).map(PackFault::Stranger));
    if proof.format != FORMAT {
        faults = vec![PackFault::Form];
    }
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.seq));
    // Whose pseudonym it is does not matter to lines; the days do.
    let question = Question {
        subject: SubjectKey([0; 32]),
        reason: proof.reason,
        from: proof.from,
        until: proof.until,
    };
    let account = reading::account(&entries, &question, &str::to_owned);
    Proved { account, faults }
}

/// Counts by name.
pub(crate) type Counts = BTreeMap<String, u64>;

/// The name of the form of a proof.
const FORMAT: &str = "ehc-access-proof-1";

/// The most entries about one person that are read: some megabytes, and years of a case.
pub const ENTRIES_MAX: usize = 20_000;

/// The most looks at lists that are read: the board may be looked at every few minutes.
pub const LOOKS_MAX: usize = 5_000;

/// How many are asked for at once.
const PAGE: u32 = 1000;

#[cfg(test)]
mod tests;
