//! Agreement to share that stops by itself: at the end of compulsory school age, and on its last day.
//!
//! On the last Friday of June of the school year in which a young person turns 16 they decide
//! (Children and Families Act 2014, section 83; Education Act 1996, section 8). Agreement given by
//! somebody else before that is stale from that day: what rests on it is decided again, and the
//! organisation that recorded it is told by a `consent.stale` for which case to ask again. Agreement
//! with a last day has expired on the day after.
//!
//! Authority does not wait for this: it asks by the dates. The duty makes the ledger say so, stops
//! what is queued, and tells.
//!
//! Limits: looks back a little over a year, so that a gateway that was away catches up.

use jiff::ToSpan;
use jiff::civil::Date;
use schemas::record::ConsentStatus;
use schemas::{Field, MessageType, Place};

use super::{Doing, DutyError};
use crate::app::App;
use crate::audit::SubjectKey;
use crate::authority::ConsentEntry;
use crate::pipeline;
use crate::telemetry::name_of;
use crate::vault::BlobKind;

/// Agreement by somebody who no longer decides becomes stale.
pub(super) fn pass_decisions_on(app: &App) -> Doing<'_> {
    Box::pin(async move {
        let today = app.clock.today();
        let mut done = 0;
        let mut before = None;
        loop {
            let stale = app.store.passed_on(since(today)?, today, AT_ONCE).await?;
            let Some(first) = stale.first().map(|(who, entry)| (*who, entry.version)) else {
                return Ok(done);
            };
            if before.replace(first) == Some(first) {
                return Err(DutyError::Ours("what follows from stale agreement"));
            }
            for (subject, entry) in stale {
                becomes_stale(app, subject, &entry).await?;
                done += 1;
            }
        }
    })
}

/// Agreement whose last day is over expires.
pub(super) fn expire(app: &App) -> Doing<'_> {
    Box::pin(async move {
        let today = app.clock.today();
        let yesterday = today.checked_sub(1.day()).or(Err(DutyError::Ours("yesterday")))?;
        let mut done = 0;
        let mut before = None;
        loop {
            let lapsed = app.store.lapsed(since(today)?, yesterday, AT_ONCE).await?;
            let Some(first) = lapsed.first().map(|(who, entry)| (*who, entry.version)) else {
                return Ok(done);
            };
            if before.replace(first) == Some(first) {
                return Err(DutyError::Ours("what follows from agreement that has expired"));
            }
            for (subject, entry) in lapsed {
                let expired = by_itself(app, &entry, ConsentStatus::Expired);
                pipeline::record_by_itself(app, subject, expired).await?;
                done += 1;
            }
        }
    })
}

/// Tells the organisation that recorded an agreement that it is stale: the message that tells is
/// what the ledger records.
async fn becomes_stale(
    app: &App,
    subject: SubjectKey,
    entry: &ConsentEntry,
) -> Result<(), DutyError> {
    let recorder = &entry.recorded_by;
    let told = match app.store.find_record(entry.record).await? {
        Some(stored) if app.carrier_of(recorder).is_some() => {
            let person = app.vault.expose_subject_for_sender(&stored.sealed, recorder);
            let label = (BlobKind::Label, entry.record.0);
            let case =
                app.vault.expose_blob_for_owner(label.0, label.1, recorder, &stored.label).ok();
            person.ok().flatten().map(|person| (person, case))
        }
        Some(_) | None => None,
    };
    if let Some((person, case)) = told {
        let mut draft = pipeline::notice(MessageType::ConsentStale, &person);
        draft.set(Field::RECIPIENT, recorder.as_str(), Place::Whole);
        draft.set(Field::CONSENT_KIND, name_of(entry.kind), Place::Whole);
        draft.set(Field::CONSENT_DATE, app.clock.today().to_string(), Place::Whole);
        let case = case.as_ref().and_then(|bytes| std::str::from_utf8(bytes.expose()).ok());
        if let Some(case) = case.filter(|case| !case.is_empty()) {
            draft.set(Field::CASE, case, Place::Whole);
        }
        let key = format!("consent-stale {} {}", subject.to_hex(), entry.version);
        let answer = pipeline::issue(app, recorder, draft, &key).await?;
        if answer.status < 300 {
            return Ok(());
        }
        tracing::error!(record = %entry.record, "a notice of stale agreement was not accepted");
    }
    // Nobody can be told; the ledger says it all the same.
    let stale = by_itself(app, entry, ConsentStatus::Stale);
    Ok(pipeline::record_by_itself(app, subject, stale).await?)
}

/// What the gateway records by itself about an agreement.
fn by_itself(app: &App, entry: &ConsentEntry, status: ConsentStatus) -> ConsentEntry {
    ConsentEntry {
        version: 0,
        status,
        decided_on: Some(app.clock.today()),
        expires_on: None,
        exclusions: Vec::new(),
        recorded_by: app.organisation().clone(),
        recorded_at: app.clock.now(),
        ..entry.clone()
    }
}

fn since(today: Date) -> Result<Date, DutyError> {
    today.checked_sub(LOOKS_BACK_DAYS.days()).or(Err(DutyError::Ours("a day a year ago")))
}

/// People looked at in one go.
const AT_ONCE: u32 = 100;
/// How far back is looked.
const LOOKS_BACK_DAYS: i32 = 400;
