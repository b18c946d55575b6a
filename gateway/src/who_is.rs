//! From a pseudonym to a person: which of some user names has which pseudonym in the log.
//!
//! Owns that this is asked with a reason, and that the asking is in the log before it is answered. The
//! log keeps no name, so whoever asks brings the names: a list of the organisation's own users, or of
//! the machine's logins. Nothing of the list is kept, and the entry says how many and never who. It must
//! never know where the list came from.
//!
//! To use it: [`who_is`].
//!
//! Limits: [`USERS_MAX`] names at once; a name that is written in another way than the organisation's
//! system wrote it is another person here (case and spaces around it are not told apart). Not
//! supported: the way back without a list, because that would be a register of who acts, kept beside
//! the log.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::access_report::Reason;
use crate::app::App;
use crate::audit::Actor;
use crate::audit::log_look::LogLook;
use crate::store::{Change, StoreError};
use crate::telemetry::name_of;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// Whose users they are: an organisation's code, or `gateway` for logins of the machine.
    pub organisation: &'a str,
    /// The names, one a line; empty lines are left out.
    pub users: &'a str,
    /// Only these pseudonyms; all when there is none.
    pub pseudonyms: &'a [String],
    /// Why it is asked.
    pub reason: Reason,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The entry of the log that says that this was asked.
    pub entry: u64,
    /// How many names were looked at.
    pub users: usize,
    /// Who is who, in the order of the list.
    pub people: Vec<Named>,
}

/// A name, and what the log has in its place.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    /// The name, as it stood in the list.
    pub user: String,
    /// The pseudonym.
    pub pseudonym: String,
}

impl std::fmt::Debug for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Named({})", self.pseudonym)
    }
}

/// Why it is not answered. It says what to change, and never a name.
#[derive(Debug, thiserror::Error)]
pub enum WhoIsError {
    /// Not an organisation.
    #[error("--organisation is an organisation's code, or gateway for logins of this machine")]
    Organisation,
    /// Not a pseudonym.
    #[error("--pseudonym is the 16 digits that the log shows")]
    Pseudonym,
    /// Nobody is named.
    #[error(
        "there is no user name: write one a line to standard input, or name a file with --file"
    )]
    Nobody,
    /// Too many are named.
    #[error("there are more than {USERS_MAX} user names; ask in parts")]
    TooMany,
    /// A line is no user name.
    #[error("line {0} has more than {USER_BYTES_MAX} bytes; a line is one user name")]
    Line(usize),
    /// The store refused or failed.
    #[error("the asking could not be written down")]
    Store(#[from] StoreError),
}

/// Says who is who. The asking is durable in the log before it is answered.
pub async fn who_is(
    app: &App,
    question: &Question<'_>,
    actor: &Actor,
) -> Result<Answer, WhoIsError> {
    let wanted: BTreeSet<&str> = question.pseudonyms.iter().map(String::as_str).collect();
    if !wanted.iter().all(|pseudonym| is_pseudonym(pseudonym)) {
        return Err(WhoIsError::Pseudonym);
    }
    let names = app.vault.pseudonyms();
    let mut people = Vec::new();
    let mut users = 0;
    for (line, user) in (1..).zip(question.users.lines().map(str::trim)) {
        if user.is_empty() {
            continue;
        }
        if user.len() > USER_BYTES_MAX {
            return Err(WhoIsError::Line(line));
        }
        users += 1;
        if users > USERS_MAX {
            return Err(WhoIsError::TooMany);
        }
        let pseudonym = names.user_of(question.organisation, user);
        let pseudonym = pseudonym.ok_or(WhoIsError::Organisation)?;
        if wanted.is_empty() || wanted.contains(pseudonym.as_str()) {
            people.push(Named { user: user.to_owned(), pseudonym });
        }
    }
    if users == 0 {
        return Err(WhoIsError::Nobody);
    }
    // Not whose users: an entry that named them would tell an employer that somebody is looked into.
    let event = LogLook::WhoIs
        .event(actor.clone())
        .with("reason", name_of(question.reason))
        .with("users", users)
        .with("pseudonyms", wanted.len())
        .with("found", people.len());
    let entry = app.store.commit(Change::because(event)).await?.first_seq;
    Ok(Answer { entry, users, people })
}

/// Whether a text is a pseudonym of a person, as the log shows it.
pub(crate) fn is_pseudonym(text: &str) -> bool {
    text.len() == PSEUDONYM && text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
}

/// The most names at once: more than any organisation that sends through one gateway has users.
pub const USERS_MAX: usize = 20_000;
/// The longest name; that of an e-mail address (RFC 5321, 4.5.3.1: 64 and 255, and the sign between).
pub const USER_BYTES_MAX: usize = 320;
/// The digits of a person's pseudonym.
const PSEUDONYM: usize = 16;
