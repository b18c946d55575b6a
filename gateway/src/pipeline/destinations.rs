//! Whom a record goes to: the routing table's services, the recipient it names, the authority that
//! asked, or for a recall whoever was sent what it takes back.

use schemas::{Body, Field, Issue, MessageType, OrganisationCode, Place, Record, ServiceCode};

use super::ReceiveError;
use super::admission::Batch;
use super::answer::Attachment;
use super::relations::TakingBack;
use crate::queue::{CarrierKind, DeliveryId};

/// A recipient of a record.
#[derive(Debug, Clone)]
pub(super) struct Destination {
    pub(super) delivery: DeliveryId,
    pub(super) recipient: OrganisationCode,
    pub(super) service: Option<ServiceCode>,
    pub(super) carrier: CarrierKind,
}

type Issues = Vec<Issue>;

impl Batch<'_> {
    pub(super) fn destinations(
        &self,
        record: &Record,
        (attachment, taken): (Option<&Attachment>, Option<&TakingBack>),
        services: &[Place],
        place: &Place,
    ) -> Result<Result<Vec<Destination>, Issues>, ReceiveError> {
        let message = record.message();
        if let Body::Request(request) = &message.body {
            return self.routed(&request.services, services, place);
        }
        if let Some(taken) = taken.filter(|_| message.kind == MessageType::Recall) {
            return self.told_of(taken).map(Ok);
        }
        let own = &self.sender.organisation;
        let other = attachment.map(|Attachment { leg, .. }| {
            // What the authority says of a leg goes to the service that was asked.
            if leg.sender == *own { leg.recipient.clone() } else { leg.sender.clone() }
        });
        let recipient = other.or(message.recipient.clone());
        let Some(recipient) = recipient else { return Ok(Ok(Vec::new())) };
        let Some(carrier) = self.app.carrier_of(&recipient) else {
            if message.kind.is_about_consent() {
                // A withdrawal is recorded even when there is nobody to tell.
                return Ok(Ok(Vec::new()));
            }
            return Ok(Err(vec![Issue::error(
                "recipient-unknown",
                Some(Field::RECIPIENT),
                place.clone(),
                "is not an organisation this gateway delivers to",
                "check the organisation code, or ask the operator to add the partner",
            )]));
        };
        let delivery = DeliveryId(self.app.make_id()?);
        Ok(Ok(vec![Destination { delivery, recipient, service: None, carrier }]))
    }

    /// One destination per service asked; the recipient comes from the routing table alone.
    fn routed(
        &self,
        services: &[ServiceCode],
        places: &[Place],
        place: &Place,
    ) -> Result<Result<Vec<Destination>, Issues>, ReceiveError> {
        let mut destinations = Vec::new();
        let mut issues = Vec::new();
        for (index, service) in services.iter().enumerate() {
            let route = self.app.route(service, self.app.clock.today());
            let carrier = route.as_ref().and_then(|to| self.app.carrier_of(to));
            let (Some(recipient), Some(carrier)) = (route, carrier) else {
                let at = places.get(index).unwrap_or(place).clone();
                issues.push(Issue::error(
                    "service-unknown",
                    Some(Field::SERVICES),
                    at,
                    "names a service that is not in the routing table today",
                    "use a service code of the routing table, or map the source's code to one",
                ));
                continue;
            };
            let delivery = DeliveryId(self.app.make_id()?);
            let service = Some(service.clone());
            destinations.push(Destination { delivery, recipient, service, carrier });
        }
        Ok(if issues.is_empty() { Ok(destinations) } else { Err(issues) })
    }

    /// Every organisation that was sent what a recall takes back, and is still a partner.
    fn told_of(&self, taken: &TakingBack) -> Result<Vec<Destination>, ReceiveError> {
        let mut destinations = Vec::new();
        for recipient in taken.recipients() {
            let Some(carrier) = self.app.carrier_of(&recipient) else { continue };
            let delivery = DeliveryId(self.app.make_id()?);
            destinations.push(Destination { delivery, recipient, service: None, carrier });
        }
        Ok(destinations)
    }
}
