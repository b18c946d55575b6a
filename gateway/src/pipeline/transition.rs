//! What is written down of a record for the way to adulthood: sealed, in the same commit.

use schemas::Record;
use schemas::transition::TransitionRules;

use super::ReceiveError;
use super::admission::{Batch, Facts};
use crate::store::{NewTransitionStep, TransitionWrite, Write};
use crate::transition::Said;
use crate::vault::BlobKind;

impl Batch<'_> {
    /// What a record says of somebody's way to adulthood; `None` when it says nothing of it.
    pub(super) fn transition_step(
        &self,
        record: &Record,
        facts: &Facts,
    ) -> Result<Option<Write>, ReceiveError> {
        let today = self.app.clock.today();
        let rules = TransitionRules::built_in().version_on(today);
        let (Some(rules), Some(subject), Some(said)) = (rules, facts.subject, Said::of(record))
        else {
            return Ok(None);
        };
        let begins = rules.begins(said.born).or(Err(ReceiveError::Ours("the school year")))?;
        let looked_at_from = if said.is_early() { begins.min(today) } else { begins };
        let place = facts.id.0;
        let owner = &self.sender.organisation;
        let bytes = said.to_bytes().ok_or(ReceiveError::Ours("the facts of a transition"))?;
        let sealed = self.app.vault.seal_blob(BlobKind::Transition, place, owner, &bytes)?;
        Ok(Some(Write::Transition(TransitionWrite::Step(NewTransitionStep {
            transition: self.app.make_id()?,
            subject,
            record: facts.id,
            looked_at_from,
            facts: sealed,
        }))))
    }
}
