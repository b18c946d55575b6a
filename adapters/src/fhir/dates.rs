//! FHIR dates, dateTimes and instants to the civil date they mean in England.

use jiff::Timestamp;

/// The civil date of a FHIR date, dateTime or instant, as text for the check.
///
/// A date is passed on as it stands, whether it exists or not: that is for the check to say. A
/// time has an offset, and is the date it was in England, so a report signed on a summer's
/// evening keeps its day.
pub(super) fn civil_date(text: &str) -> String {
    let Ok(instant) = text.parse::<Timestamp>() else { return text.to_owned() };
    match instant.in_tz("Europe/London") {
        Ok(zoned) => zoned.date().to_string(),
        Err(_) => text.to_owned(),
    }
}
