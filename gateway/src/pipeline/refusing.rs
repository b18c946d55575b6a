//! What a batch does with a row or message that it cannot accept: kept sealed, with every reason.
//!
//! Must never put a value that stood in the row into an issue, an event or an answer.

use std::collections::BTreeSet;

use schemas::{Issue, PersonalBytes, Place};

use super::admission::{Batch, row};
use super::{ReceiveError, arriving};
use crate::audit::{Event, EventKind};
use crate::receipt::RowResult;
use crate::store::{Change, NewQuarantine, Write};
use crate::vault::BlobKind;

impl Batch<'_> {
    /// Keeps a row that was not accepted, sealed, and says why.
    pub(super) fn quarantine(
        &mut self,
        place: &Place,
        raw: &PersonalBytes,
        mut issues: Vec<Issue>,
    ) -> Result<(), ReceiveError> {
        // A reader and the check may both see the same fault.
        let mut said = BTreeSet::new();
        issues.retain(|i| said.insert((i.rule.clone(), i.field.clone(), i.place.to_string())));
        // A row whose cells could not be told apart has nothing in it: that says it all.
        if issues.iter().any(|i| matches!(i.rule.as_str(), "row-ragged" | "quote-stray")) {
            issues.retain(|i| !matches!(i.rule.as_str(), "missing" | "subject-identifier-missing"));
        }
        let id = self.app.make_id()?;
        let sealed = self.app.vault.seal_blob(
            BlobKind::Quarantine,
            id,
            &self.sender.organisation,
            raw.expose(),
        )?;
        let rules: BTreeSet<&str> =
            issues.iter().filter(|i| i.is_error()).map(|i| i.rule.as_str()).collect();
        let rules: Vec<&str> = rules.into_iter().collect();
        let mut event = Event::new(EventKind::RecordQuarantined, self.sender.actor.clone())
            .with("place", place)
            .with("rules", rules.join(" "));
        event.submission = Some(self.submission);
        event.hashes.insert("quarantined".to_owned(), sealed.sha256_hex());
        self.changes.push(Change::because(event).write(Write::Quarantine(NewQuarantine {
            id,
            submission: self.submission,
            sender: self.sender.organisation.clone(),
            sealed,
            issues: serde_json::to_string(&issues).unwrap_or_default(),
            at: self.app.clock.now(),
        })));
        self.changes.extend(arriving::waits_for_the_scanner(self, id, &issues));
        self.rows.push(row(place, RowResult::Quarantined, None, issues));
        Ok(())
    }
}
