//! Reading a file of clocks: its shape, and the contradictions it could hold.
//!
//! Every mistake is named with its line and what to do about it.

use std::cmp::Ordering;

use serde::Deserialize;
use toml::Spanned;

use super::{DeadlineError, RuleVersion, RulesError};
use crate::catalogue::line_of;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClocksFile {
    version: Vec<RuleVersion>,
}

/// Where things stand in the file: the same file, read for its places only.
#[derive(Deserialize)]
struct Places {
    version: Vec<VersionPlace>,
}

#[derive(Deserialize)]
struct VersionPlace {
    id: Spanned<String>,
    #[serde(default)]
    period: Vec<IdPlace>,
    #[serde(default)]
    exception: Vec<IdPlace>,
    #[serde(default)]
    receipt: Vec<MannerPlace>,
}

#[derive(Deserialize)]
struct IdPlace {
    id: Spanned<String>,
}

#[derive(Deserialize)]
struct MannerPlace {
    manner: Spanned<String>,
}

/// The versions of a file of clocks, or what is wrong with it.
pub(super) fn versions(text: &str) -> Result<Vec<RuleVersion>, RulesError> {
    let fault = |error: &toml::de::Error| {
        let (line, message) = located(text, error);
        RulesError::Clocks { line, message }
    };
    let file: ClocksFile = toml::from_str(text).map_err(|error| fault(&error))?;
    let places: Places = toml::from_str(text).map_err(|error| fault(&error))?;
    if file.version.is_empty() {
        return Err(RulesError::Order { line: 1, message: "there is no [[version]]".to_owned() });
    }
    in_order(text, &file.version, &places)?;
    for (version, place) in file.version.iter().zip(&places.version) {
        sound(text, version, place)?;
    }
    Ok(file.version)
}

/// Where a mistake of form stands, and what the reader of TOML says.
pub(super) fn located(text: &str, error: &toml::de::Error) -> (usize, String) {
    let line = error.span().map_or(1, |span| line_of(text, span.start));
    (line, error.message().to_owned())
}

fn in_order(text: &str, versions: &[RuleVersion], places: &Places) -> Result<(), RulesError> {
    let pairs = versions.iter().zip(versions.iter().skip(1));
    for ((one, next), place) in pairs.zip(places.version.iter().skip(1)) {
        let line = line_of(text, place.id.span().start);
        let wrong = |message: String| Err(RulesError::Order { line, message });
        match next.effective_from.cmp(&one.effective_from) {
            Ordering::Equal => {
                return wrong(format!(
                    "{} and {} both hold from {}; give the later one a later effective_from, or take one out",
                    one.id, next.id, one.effective_from
                ));
            }
            Ordering::Less => {
                return wrong(format!(
                    "{} holds from {}, before {} above it; put versions in order of effective_from",
                    next.id, next.effective_from, one.id
                ));
            }
            Ordering::Greater => {}
        }
        if one.effective_until.is_some_and(|until| until >= next.effective_from) {
            return wrong(format!(
                "{} still holds on {}, when {} begins; leave its effective_until out, or end it the day before",
                one.id, next.effective_from, next.id
            ));
        }
    }
    for (index, (version, place)) in versions.iter().zip(&places.version).enumerate() {
        let line = line_of(text, place.id.span().start);
        if versions.iter().take(index).any(|earlier| earlier.id == version.id) {
            let message =
                format!("{} is the name of two versions; give one another id", version.id);
            return Err(RulesError::Order { line, message });
        }
        if version.effective_until.is_some_and(|until| until < version.effective_from) {
            let message = format!("{} ends before it begins; correct effective_until", version.id);
            return Err(RulesError::Order { line, message });
        }
    }
    Ok(())
}

/// Whether a version has what is asked of it by name, each once, with numbers they can have, and
/// no two rows that say different things about one duty.
fn sound(text: &str, version: &RuleVersion, place: &VersionPlace) -> Result<(), RulesError> {
    for (index, (period, at)) in version.periods.iter().zip(&place.period).enumerate() {
        let wrong = |message: &str| {
            Err(RulesError::Period {
                line: line_of(text, at.id.span().start),
                version: version.id.clone(),
                period: period.id.clone(),
                message: message.to_owned(),
            })
        };
        let mut above = version.periods.iter().take(index);
        if above.clone().any(|earlier| earlier.id == period.id) {
            return wrong("stands twice; take one out or give it another id");
        }
        if above.any(|one| one.starts == period.starts && one.words == period.words) {
            return wrong("is due for the same thing from the same event as another row; keep one");
        }
        if !period.has_a_possible_length() {
            return wrong("has no length it can have; look at its unit, length, month and day");
        }
        if let Some(unknown) = period.excused_by.iter().find(|id| version.exception(id).is_none()) {
            return wrong(&format!("is excused by {unknown}, which is no [[version.exception]]"));
        }
        if !period.verified && period.note.trim().is_empty() {
            return wrong("is not verified and has no note; say what to look at");
        }
        let mut marks = period.started_by.iter().chain(&period.met_by).chain(&period.ended_by);
        if marks.any(|mark| mark.only_where.is_some() != mark.is.is_some()) {
            return wrong("has a mark with `where` but no `is`, or the other way; give both");
        }
    }
    for (index, (exception, at)) in version.exceptions.iter().zip(&place.exception).enumerate() {
        let mut above = version.exceptions.iter().take(index);
        let twice = above.any(|earlier| earlier.id == exception.id);
        if twice || !exception.has_possible_days() {
            return Err(RulesError::Exception {
                line: line_of(text, at.id.span().start),
                version: version.id.clone(),
                exception: exception.id.clone(),
            });
        }
    }
    for (index, (receipt, at)) in version.receipts.iter().zip(&place.receipt).enumerate() {
        if version.receipts.iter().take(index).any(|above| above.manner == receipt.manner) {
            return Err(RulesError::Receipt {
                line: line_of(text, at.manner.span().start),
                version: version.id.clone(),
                manner: receipt.manner.clone(),
            });
        }
    }
    let missing = NEEDED
        .iter()
        .find(|id| matches!(version.period(id), Err(DeadlineError::NoSuchPeriod { .. })));
    missing.map_or(Ok(()), |id| {
        Err(RulesError::Missing {
            line: line_of(text, place.id.span().start),
            version: version.id.clone(),
            period: (*id).to_owned(),
        })
    })
}

/// The periods that are asked for by name.
const NEEDED: [&str; 5] =
    ["reg-8", "review-papers", "review-report", "review-decision", "review-final"];

#[cfg(test)]
mod tests;
