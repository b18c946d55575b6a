//! A search as it is asked for, by codes and names: parsed into one, or refused.

use jiff::civil::Date;
use schemas::OrganisationCode;
use serde::Deserialize;

use super::{LIMIT_MAX, Search};
use crate::access_report::Reason;
use crate::audit::{EventKind, SubjectKey};
use crate::clock::london_day_ends;
use crate::store::LogFilter;
use crate::vault::pseudonym::Pseudonyms;
use crate::who_is::is_pseudonym;

/// A search as it is asked for: the JSON that the API takes, and what the command makes.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Asked {
    /// Why it is asked: a code of [`Reason`].
    pub reason: String,
    /// About the child with this NHS number.
    pub nhs_number: Option<String>,
    /// About the child with this id of the organisation in `id_of`.
    pub person_id: Option<String>,
    /// Whose id of the child it is.
    pub id_of: Option<String>,
    /// Done by the person with this user id at the organisation in `user_of`.
    pub user: Option<String>,
    /// Whose user it is; `gateway` for a login of the machine.
    pub user_of: Option<String>,
    /// Done by this person: the pseudonym that the log shows.
    pub person: Option<String>,
    /// Done by this organisation, or by `gateway`.
    pub organisation: Option<String>,
    /// With this other organisation.
    pub counterparty: Option<String>,
    /// Of any of these kinds, by their names in the log.
    pub kinds: Vec<String>,
    /// For this purpose: the code of a reason that somebody gave.
    pub purpose: Option<String>,
    /// Relying on this authority, by its code.
    pub authority: Option<String>,
    /// With this outcome, by its code.
    pub outcome: Option<String>,
    /// From this day on, in London.
    pub from: Option<Date>,
    /// Until this day, which is included.
    pub until: Option<Date>,
    /// Only what stands before this entry.
    pub before: Option<u64>,
    /// At most so many.
    pub limit: Option<u32>,
}

/// What is asked cannot be searched for. It says what to change, and never what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// No reason, or none of the list.
    #[error(
        "reason is one of subject-access-request, complaint, incident, routine-check and family-question"
    )]
    Reason,
    /// Not one child.
    #[error("a child is an nhs_number, or a person_id with id_of, the code of whose id it is")]
    Child,
    /// Not one person.
    #[error(
        "a person is a user with user_of, the code of their organisation or gateway, or the 16 digits of the pseudonym that the log shows"
    )]
    Person,
    /// Not an organisation.
    #[error("organisation is a code or gateway, counterparty is a code")]
    Organisation,
    /// A kind that the log does not have.
    #[error("kinds are names of entries of the log, for example delivery.collected")]
    Kind,
    /// Not a code.
    #[error("purpose, authority and outcome are codes: lower-case letters, digits and hyphens")]
    Code,
    /// A page of another size.
    #[error("limit is 1 to 500")]
    Limit,
}

impl Asked {
    /// The search that is asked for.
    pub fn search(&self, names: &Pseudonyms) -> Result<Search, AskError> {
        let limit = self.limit.unwrap_or(LIMIT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(AskError::Limit);
        }
        let codes = [&self.purpose, &self.authority, &self.outcome];
        if !codes.into_iter().flatten().all(|code| is_code(code)) {
            return Err(AskError::Code);
        }
        let kind = |name: &String| {
            serde_json::from_value::<EventKind>(name.as_str().into()).or(Err(AskError::Kind))
        };
        let day_begins = |day: Date| london_day_ends(day.yesterday().unwrap_or(day));
        let filter = LogFilter {
            kinds: self.kinds.iter().map(kind).collect::<Result<_, _>>()?,
            organisation: self.organisation.as_deref().map(actor).transpose()?,
            person: self.person(names)?,
            counterparty: self.counterparty.as_deref().map(code).transpose()?,
            authority: self.authority.clone(),
            outcome: self.outcome.clone(),
            reason: self.purpose.clone(),
            subject: self.child(names)?,
            from: self.from.map(day_begins),
            until: self.until.map(london_day_ends),
        };
        let reason = Reason::parse(&self.reason).ok_or(AskError::Reason)?;
        Ok(Search { filter, reason, before: self.before, limit })
    }

    fn child(&self, names: &Pseudonyms) -> Result<Option<SubjectKey>, AskError> {
        let by_id = (self.person_id.as_deref(), self.id_of.as_deref());
        if self.nhs_number.is_none() && by_id == (None, None) {
            return Ok(None);
        }
        let child = names.key_named(self.nhs_number.as_deref(), by_id);
        child.map(Some).ok_or(AskError::Child)
    }

    fn person(&self, names: &Pseudonyms) -> Result<Option<String>, AskError> {
        match (&self.person, &self.user, &self.user_of) {
            (None, None, None) => Ok(None),
            (Some(pseudonym), None, None) => {
                is_pseudonym(pseudonym).then(|| Some(pseudonym.clone())).ok_or(AskError::Person)
            }
            (None, Some(user), Some(of)) if !user.trim().is_empty() => {
                names.user_of(of, user).map(Some).ok_or(AskError::Person)
            }
            (_, _, _) => Err(AskError::Person),
        }
    }
}

fn code(text: &str) -> Result<OrganisationCode, AskError> {
    OrganisationCode::parse(text).or(Err(AskError::Organisation))
}

/// Who acted, as an entry names them.
fn actor(text: &str) -> Result<String, AskError> {
    if text == "gateway" { Ok(text.to_owned()) } else { code(text).map(|code| code.to_string()) }
}

fn is_code(text: &str) -> bool {
    let fits =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    (1..=CODE_MAX).contains(&text.len()) && text.chars().all(fits)
}

/// The entries of a page when nobody says how many.
const LIMIT: u32 = 50;

/// The most letters of a code.
const CODE_MAX: usize = 64;
