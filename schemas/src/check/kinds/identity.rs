//! Rules about who is who: persons matched and merged, bodies that change, messages taken back.

use super::{Check, Said};
use crate::record::MessageType;

impl MessageType {
    /// Whether it says which identifiers a person has from now on, or that the person died: what
    /// has happened, never what will.
    pub(super) fn changes_identity(self) -> bool {
        matches!(self, Self::PersonMatch | Self::PersonMerge | Self::PersonDeath)
    }
}

impl Check<'_> {
    pub(super) fn identities(&mut self, said: &Said<'_>) {
        let pairs = said.is_one_of(&[MessageType::PersonMatch, MessageType::PersonMerge]);
        if pairs {
            self.old_and_new(said);
        }
        self.differ(said, "old_body", "new_body", "bodies-the-same");
        if said.kind == MessageType::Recall
            && let (Some(about), Some(id)) =
                (said.particulars.text("about"), self.draft.first(crate::Field::ID))
            && about == id.text.expose()
        {
            let next = "name the message that is taken back";
            self.refuse("about", "recall-of-itself", "is the reference of this recall", next);
        }
    }

    /// A match or merge names what was used before and what is used now; what was merged differs.
    fn old_and_new(&mut self, said: &Said<'_>) {
        for (names, missing) in [
            (["old_nhs_number", "old_person_id"], "neither identifier used before is given"),
            (["new_nhs_number", "new_person_id"], "neither identifier to use is given"),
        ] {
            if names.iter().all(|name| said.particulars.get(name).is_none()) {
                let [first, _] = names;
                let next = "give the NHS number, the authority's id for the person, or both";
                self.refuse(first, "identifier-missing", missing, next);
            }
        }
        // A match may confirm a number: whose name changed is still the same person.
        if said.kind == MessageType::PersonMerge {
            self.differ(said, "old_nhs_number", "new_nhs_number", "identifiers-the-same");
            self.differ(said, "old_person_id", "new_person_id", "identifiers-the-same");
        }
    }

    fn differ(&mut self, said: &Said<'_>, old: &str, new: &str, rule: &str) {
        let (before, after) = (said.particulars.text(old), said.particulars.text(new));
        if before.is_some() && before == after {
            let next = "give what held before and what holds now; leave out what did not change";
            self.refuse(new, rule, "is the same as before", next);
        }
    }
}
