//! Reducing a record to the classes of data that a release covers.

use std::collections::BTreeSet;

use super::{Body, Form, Message, MessageType, Record};
use crate::catalogue::{Catalogue, DataClass};

impl Record {
    /// Drops the optional fields and the documents of every class that is not kept, and says of
    /// which classes something was dropped.
    ///
    /// | class | fields |
    /// |---|---|
    /// | identity | `subject` except what follows; never dropped |
    /// | contact | `subject.postcode`, `subject.address` |
    /// | education | `subject.school`, `request.questions`, `advice.educational_needs`, `advice.educational_provision` |
    /// | health | `advice.summary`, `.basis`, `.last_seen_on`, `.health_needs`, `.outcomes`, `.health_provision`; `nil.last_seen_on`, `.alternative_service`; `exception.evidence`; `triage.note`; `transition.actions`, `.transfer_on`, `.views` |
    /// | consent | `consent` |
    /// | any | the names of `particulars` that the catalogue gives to the class |
    /// | documents | every document, `request.existing_reports` |
    ///
    /// The envelope, the people who act professionally (`acting`, author, named worker), dates of
    /// the process and reason codes belong to no class. What a type of message cannot do without
    /// is never dropped: `exception.evidence`, `transition.actions`, and the `consent` of the
    /// consent messages. So ask [`Record::data_classes`] again: if the reduced record still has a
    /// class that is not kept, it cannot be released at all.
    #[must_use]
    pub fn reduced_to(mut self, keep: &BTreeSet<DataClass>) -> (Self, BTreeSet<DataClass>) {
        let mut dropped = BTreeSet::new();
        for class in DataClass::ALL.into_iter().filter(|class| !keep.contains(class)) {
            let before = self.message.clone();
            self.message.drop_class(class);
            let documents = class == DataClass::Documents && self.has_documents();
            if documents {
                self.attachments.clear();
                self.stored.clear();
            }
            if documents || before != self.message {
                dropped.insert(class);
            }
        }
        (self, dropped)
    }

    fn has_documents(&self) -> bool {
        !(self.attachments.is_empty() && self.stored.is_empty())
    }

    /// The classes of data this record holds something of.
    pub fn data_classes(&self) -> BTreeSet<DataClass> {
        let message = &self.message;
        let subject = message.subject.as_ref();
        let reports = matches!(&message.body, Body::Request(r) if !r.existing_reports.is_empty());
        let held = [
            (DataClass::Identity, subject.is_some()),
            (
                DataClass::Contact,
                subject.is_some_and(|s| s.postcode.is_some() || s.address.is_some()),
            ),
            (DataClass::Education, message.holds_education()),
            (DataClass::Health, message.holds_health()),
            (DataClass::Consent, message.consent.is_some()),
            (DataClass::Documents, reports || self.has_documents()),
        ];
        let particulars = |class| match &message.body {
            Body::Particulars(particulars) => particulars.holds(class),
            Body::Request(_)
            | Body::Triage(_)
            | Body::Advice(_)
            | Body::Nil(_)
            | Body::Exception(_)
            | Body::Transition(_)
            | Body::Notice(_)
            | Body::Decision(_) => false,
        };
        let held = held.into_iter().filter_map(|(class, held)| held.then_some(class));
        held.chain(DataClass::ALL.into_iter().filter(|class| particulars(*class))).collect()
    }
}

impl MessageType {
    /// The classes of data of what a type of message cannot do without, besides the identity of the
    /// person: [`Record::reduced_to`] never drops it, so without them the message cannot go at all.
    pub fn indispensable_classes(self) -> BTreeSet<DataClass> {
        let catalogue = Catalogue::built_in();
        match self.form() {
            Form::Exception | Form::Transition => [DataClass::Health].into(),
            Form::Decision => [DataClass::Consent].into(),
            Form::Particulars => {
                let needs = catalogue.content(self).map_or(&[][..], |content| &content.needs);
                needs.iter().filter_map(|name| catalogue.field(name)?.class).collect()
            }
            Form::Request | Form::Triage | Form::Advice | Form::Nil | Form::Notice => {
                BTreeSet::new()
            }
        }
    }
}

impl Message {
    fn drop_class(&mut self, class: DataClass) {
        if let Body::Particulars(particulars) = &mut self.body {
            let content = Catalogue::built_in().content(self.kind);
            let needed = content.map_or(&[][..], |content| &content.needs);
            particulars.drop_class(class, needed);
        }
        match class {
            DataClass::Identity | DataClass::SocialCare => {}
            DataClass::Contact => {
                if let Some(subject) = &mut self.subject {
                    subject.postcode = None;
                    subject.address = None;
                }
            }
            DataClass::Education => self.drop_education(),
            DataClass::Health => self.drop_health(),
            DataClass::Consent => {
                if !matches!(self.body, Body::Decision(_)) {
                    self.consent = None;
                }
            }
            DataClass::Documents => {
                if let Body::Request(request) = &mut self.body {
                    request.existing_reports.clear();
                }
            }
        }
    }

    fn holds_education(&self) -> bool {
        let school = self.subject.as_ref().is_some_and(|subject| subject.school.is_some());
        school
            || match &self.body {
                Body::Request(request) => !request.questions.is_empty(),
                Body::Advice(advice) => {
                    !(advice.educational_needs.is_empty()
                        && advice.educational_provision.is_empty())
                }
                Body::Triage(_)
                | Body::Nil(_)
                | Body::Exception(_)
                | Body::Transition(_)
                | Body::Notice(_)
                | Body::Decision(_)
                | Body::Particulars(_) => false,
            }
    }

    fn drop_education(&mut self) {
        if let Some(subject) = &mut self.subject {
            subject.school = None;
        }
        match &mut self.body {
            Body::Request(request) => request.questions.clear(),
            Body::Advice(advice) => {
                advice.educational_needs.clear();
                advice.educational_provision.clear();
            }
            Body::Triage(_)
            | Body::Nil(_)
            | Body::Exception(_)
            | Body::Transition(_)
            | Body::Notice(_)
            | Body::Decision(_)
            | Body::Particulars(_) => {}
        }
    }

    fn holds_health(&self) -> bool {
        match &self.body {
            Body::Advice(advice) => {
                let lists = [&advice.health_needs, &advice.outcomes, &advice.health_provision];
                advice.summary.is_some()
                    || advice.basis.is_some()
                    || advice.last_seen_on.is_some()
                    || lists.iter().any(|list| !list.is_empty())
            }
            Body::Nil(nil) => nil.last_seen_on.is_some() || nil.alternative_service.is_some(),
            Body::Triage(triage) => triage.note.is_some(),
            Body::Exception(_) | Body::Transition(_) => true,
            Body::Request(_) | Body::Notice(_) | Body::Decision(_) | Body::Particulars(_) => false,
        }
    }

    fn drop_health(&mut self) {
        match &mut self.body {
            Body::Advice(advice) => {
                advice.summary = None;
                advice.basis = None;
                advice.last_seen_on = None;
                advice.health_needs.clear();
                advice.outcomes.clear();
                advice.health_provision.clear();
            }
            Body::Nil(nil) => {
                nil.last_seen_on = None;
                nil.alternative_service = None;
            }
            Body::Triage(triage) => triage.note = None,
            Body::Transition(plan) => {
                plan.transfer_on = None;
                plan.views = None;
            }
            Body::Request(_)
            | Body::Exception(_)
            | Body::Notice(_)
            | Body::Decision(_)
            | Body::Particulars(_) => {}
        }
    }
}
