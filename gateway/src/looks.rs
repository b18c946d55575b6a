//! A look at a list of many people: in the log before the list is given, with who was on it.
//!
//! The entry says how many people were on the list and holds a salted hash of who; the gateway's
//! own record of who they were is committed with it, so that whoever asks who has seen a child's
//! record is told of every list the child stood on ([`access_report`](crate::access_report)), and
//! can be given the proof ([`OnList`](crate::audit::looked::OnList)). Must never know what a list
//! shows.
//!
//! To use it: [`at_records`] or [`at_people`] with the event of the look, before answering.
//!
//! Not supported: lists that show nothing of a person or a case (an inbox, what did not arrive),
//! figures that count people, and what is in quarantine: nobody knows yet whom that is about.

use schemas::RecordId;

use crate::app::App;
use crate::audit::looked::Looked;
use crate::audit::{Event, SubjectKey};
use crate::store::{Change, StoreError, Write};

/// Somebody looks at a list of these records. `Ok` only once the look is in the log.
pub async fn at_records(
    app: &App,
    event: Event,
    records: impl IntoIterator<Item = RecordId>,
) -> Result<(), StoreError> {
    let records: Vec<RecordId> = records.into_iter().collect();
    let people = app.store.people_of(&records).await?;
    at_people(app, event, people).await
}

/// Somebody looks at a list of these people. `Ok` only once the look is in the log.
pub async fn at_people(
    app: &App,
    event: Event,
    people: impl IntoIterator<Item = SubjectKey>,
) -> Result<(), StoreError> {
    let looked = Looked::at(people, app.entropy.as_ref())?;
    let change = Change::because(looked.told_in(event)).write(Write::Looked(looked));
    app.store.commit(change).await.map(drop)
}
