//! The names FHIR and we give to identifiers, codes, extensions and profiles.
//!
//! Compared exactly: a system that differs only in capitals is another system, and is reported.

pub(super) const NHS_NUMBER: &str = "https://fhir.nhs.uk/Id/nhs-number";
pub(super) const ODS: &str = "https://fhir.nhs.uk/Id/ods-organization-code";
pub(super) const GMC: &str = "https://fhir.hl7.org.uk/Id/gmc-number";
pub(super) const SDS_USER: &str = "https://fhir.nhs.uk/Id/sds-user-id";

/// The events of `BaRS`: a request for a service, and every response to one.
pub(super) const BARS_EVENT: &str = "https://fhir.nhs.uk/CodeSystem/message-events-bars";
/// The relationships of a related person (HL7 v3 `RoleCode`).
pub(super) const ROLE: &str = "http://terminology.hl7.org/CodeSystem/v3-RoleCode";
pub(super) const EVENT: &str = "urn:ehc-gateway:message-event";
/// The canonical address of a type of message, in a `CapabilityStatement`.
pub(super) const DEFINITION: &str = "urn:ehc-gateway:message-definition";
/// The rules that issues name.
pub(super) const RULE: &str = "urn:ehc-gateway:rule";
pub(super) const MESSAGE_ID: &str = "urn:ehc-gateway:message-id";
pub(super) const LEG: &str = "urn:ehc-gateway:leg";
pub(super) const CASE: &str = "urn:ehc-gateway:case";
pub(super) const ORGANISATION: &str = "urn:ehc-gateway:organisation";
pub(super) const SERVICE: &str = "urn:ehc-gateway:service";
pub(super) const LA_PERSON: &str = "urn:ehc-gateway:la-person";
pub(super) const UPN: &str = "urn:ehc-gateway:upn";
pub(super) const USER: &str = "urn:ehc-gateway:user";
pub(super) const REGISTRATION: &str = "urn:ehc-gateway:registration";
pub(super) const CONSENT_REFERENCE: &str = "urn:ehc-gateway:consent-reference";
pub(super) const CONSENT_KIND: &str = "urn:ehc-gateway:consent-kind";
/// The category of a Consent that begins or lifts a restriction.
pub(super) const RESTRICTION: &str = "urn:ehc-gateway:restriction";
/// The classes of data that a Consent covers.
pub(super) const DATA_CLASS: &str = "urn:ehc-gateway:data-class";
pub(super) const PURPOSE: &str = "urn:ehc-gateway:purpose";
pub(super) const NIL_REASON: &str = "urn:ehc-gateway:nil-reason";
pub(super) const EXCEPTION_LIMB: &str = "urn:ehc-gateway:exception-limb";
pub(super) const REJECTION_REASON: &str = "urn:ehc-gateway:rejection-reason";
/// The type of a Task's input or output, the code of a Composition's section, and (in an extension)
/// what a Communication's payload is.
pub(super) const DETAIL: &str = "urn:ehc-gateway:detail";

pub(super) const EXTENSION_SCHOOL: &str = "urn:ehc-gateway:extension:school";
pub(super) const EXTENSION_GIVEN_BY: &str = "urn:ehc-gateway:extension:given-by";
/// The exact status of a decision, which FHIR's own status only approximates.
pub(super) const EXTENSION_CONSENT_STATUS: &str = "urn:ehc-gateway:extension:consent-status";
/// When and by whom competence or capacity was assessed: the parts `on` and `by`.
pub(super) const EXTENSION_ASSESSED: &str = "urn:ehc-gateway:extension:capacity-assessed";
/// Which name of the catalogue a payload says.
pub(super) const EXTENSION_DETAIL: &str = "urn:ehc-gateway:extension:detail";
/// The sender's reference of an earlier message that this one takes the place of.
pub(super) const EXTENSION_SUPERSEDES: &str = "urn:ehc-gateway:extension:supersedes";
pub(super) const EXTENSION_ABOUT: &str = "urn:ehc-gateway:extension:about";
/// SHA-256 of a document, in hexadecimal: R4's own `hash` is SHA-1.
pub(super) const EXTENSION_SHA256: &str = "urn:ehc-gateway:extension:sha256";
pub(super) const DATA_ABSENT: &str = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";
pub(super) const VERIFICATION: [&str; 3] = [
    "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NHSNumberVerificationStatus",
    "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NHSNumberVerificationStatusEngland",
    "https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect-NHSNumberVerificationStatus-1",
];
/// Codes that say an NHS number was traced and verified, in the older and the newer code system.
pub(super) const VERIFIED: [&str; 3] =
    ["number-present-and-verified", "number-present-and-traced-using-welsh-nhs-ar", "01"];

/// The UK Core profile of a resource.
pub(super) fn profile(resource: &str) -> String {
    format!("https://fhir.hl7.org.uk/StructureDefinition/UKCore-{resource}")
}

/// The system of an organisation's code: ODS codes have letters, council numbers have none.
pub(super) fn organisation_system(code: &str) -> &'static str {
    if code.chars().all(|c| c.is_ascii_digit()) { ORGANISATION } else { ODS }
}
