//! The rules for what is said by the names of the catalogue.

use std::collections::BTreeMap;

use super::{Check, LINE_CHARS_MAX, TEXT_CHARS_MAX};
use crate::catalogue::{Catalogue, FieldDefinition, ValueKind};
use crate::draft::Field;
use crate::identifiers::{MessageId, NhsNumber, OrganisationCode};
use crate::personal::PersonalText;
use crate::record::{MessageType, Particular, Particulars};

impl Check<'_> {
    /// What a type says by the names of the catalogue. What it needs must be there; what it has no
    /// place for is reported and left out.
    pub(super) fn particulars(&mut self, kind: MessageType) -> Particulars {
        let catalogue = Catalogue::built_in();
        let mut values = BTreeMap::new();
        let Some(content) = catalogue.content(kind) else { return Particulars::default() };
        for name in content.names() {
            let Some(definition) = catalogue.field(name) else { continue };
            let field = Field::of_content(definition);
            if content.needs.contains(name) {
                self.present(field);
            }
            if let Some(value) = self.particular(field, definition) {
                values.insert(name.clone(), value);
            }
        }
        self.only_of_the_type(|name| content.names().any(|known| known == name));
        Particulars::new(values)
    }

    fn particular(&mut self, field: Field, definition: &FieldDefinition) -> Option<Particular> {
        let located = self.draft.first(field)?.clone();
        let as_it_stands = || Particular::Text(located.text.clone());
        match definition.kind {
            ValueKind::Date => self.date(field).map(|_| as_it_stands()),
            ValueKind::Flag => Some(Particular::Flag(self.flag(field))),
            ValueKind::Line => self.text(field, LINE_CHARS_MAX).map(Particular::Text),
            ValueKind::Text => self.text(field, TEXT_CHARS_MAX).map(Particular::Text),
            ValueKind::Texts => {
                let texts = self.texts(field);
                (!texts.is_empty()).then_some(Particular::Texts(texts))
            }
            ValueKind::Organisation => self
                .optional(field, OrganisationCode::parse)
                .map(|code| Particular::Text(PersonalText::new(code.as_str()))),
            ValueKind::Reference => self
                .optional(field, MessageId::parse)
                .map(|id| Particular::Text(PersonalText::new(id.expose()))),
            ValueKind::NhsNumber => self
                .optional(field, NhsNumber::parse)
                .map(|number| Particular::Text(PersonalText::new(number.expose()))),
            ValueKind::Number if located.text.expose().parse::<i64>().is_ok() => {
                Some(as_it_stands())
            }
            ValueKind::Number => {
                let next = "write digits, with a minus sign in front where it is negative";
                self.fault(field, &located.place, "not-a-number", "is not a whole number", next);
                None
            }
            ValueKind::Code if definition.codes.iter().any(|c| c == located.text.expose()) => {
                Some(as_it_stands())
            }
            ValueKind::Code => {
                let next = "use a code of the set, or add it to the mapping's code map";
                let message = "is not a code of the set for this field";
                self.fault(field, &located.place, "code-unknown", message, next);
                None
            }
        }
    }

    /// Reports the names of the catalogue that another type has and this one has not.
    fn only_of_the_type(&mut self, known: impl Fn(&str) -> bool) {
        let draft = self.draft;
        for (field, located) in &draft.fields {
            let name = field.path().strip_prefix("particulars.");
            if name.is_some_and(|name| !known(name)) {
                self.warn(
                    *field,
                    &located.place,
                    "field-not-for-type",
                    "does not belong to this type of message and was left out",
                    "send it in a message of the type it belongs to",
                );
            }
        }
    }
}
