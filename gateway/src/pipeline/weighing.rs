//! What authority says of a record at admission: whether it may be held, and may go to each
//! destination.

use schemas::{Issue, MessageType, Place};

use super::ReceiveError;
use super::admission::{Batch, Facts};
use super::destinations::Destination;
use crate::audit::DecisionNote;
use crate::authority::{self, ConsentEntry, Question, RecordFacts};

/// That a record may be held, and what was decided about each recipient.
type Weighed = (authority::Admission, Vec<(Destination, DecisionNote)>);

impl Batch<'_> {
    /// Asks whether the gateway may hold a record, and send it to each destination.
    pub(super) async fn weigh(
        &self,
        facts: &Facts,
        mut destinations: Vec<Destination>,
        entry: Option<&ConsentEntry>,
        place: &Place,
    ) -> Result<Result<Weighed, Vec<Issue>>, ReceiveError> {
        let questions: Vec<Question> =
            destinations.iter().map(|to| self.question(facts, to)).collect();
        let evidence = self.evidence(&self.holding_question(facts), None, entry).await?;
        let (now, today) = (self.app.clock.now(), self.app.clock.today());
        let sender = self.sender.organisation.clone();
        let asked = RecordFacts { record: facts.id, kind: facts.kind, sender };
        let rules = self.app.rule_book();
        let mut admitted = authority::admit(&asked, &questions, &evidence, rules, now, today);
        let stops = facts.kind.is_about_consent() || facts.kind == MessageType::Recall;
        if admitted.admission.is_none() && stops {
            // A withdrawal is recorded, and a recall done, even when nobody may be told of it.
            destinations.clear();
            admitted = authority::admit(&asked, &[], &evidence, rules, now, today);
        }
        let decisions = self.with_death(facts, &admitted.per_question).await?;
        let Some(admission) = admitted.admission else {
            let keeping = admitted.keeping.iter().map(authority::Decision::note);
            let issues = decisions.into_iter().chain(keeping);
            return Ok(Err(issues.map(|note| refusal(&note, place)).collect()));
        };
        Ok(Ok((admission, destinations.into_iter().zip(decisions).collect())))
    }
}

fn refusal(note: &DecisionNote, place: &Place) -> Issue {
    Issue::error(
        &note.rule,
        None,
        place.clone(),
        &note.reason,
        "ask your information governance lead; nothing was sent",
    )
}
