//! Limits of every reader, each with its reason. Exceeding one is a clear refusal.

/// The largest submission read in one piece, in bytes. A nightly file for the largest English
/// authority (20,000 rows of 1 KiB) fits; documents beyond this travel as attachments of their own.
pub const SUBMISSION_BYTES_MAX: usize = 32 * 1024 * 1024;
/// The most rows of one tabular file: the whole cohort of any one authority.
pub const ROWS_MAX: usize = 50_000;
/// The most columns of one tabular file: SEN2 templates have under 100.
pub const COLUMNS_MAX: usize = 512;
/// The largest cell, in bytes: an unterminated quote must not swallow the file.
pub const CELL_BYTES_MAX: usize = 64 * 1024;
/// The deepest nesting of a structured message: FHIR Bundles we exchange need 14.
pub const DEPTH_MAX: usize = 32;
/// The most members or elements of one structured message.
pub const NODES_MAX: usize = 200_000;
/// The most messages in one structured submission.
pub const MESSAGES_MAX: usize = 1_000;
/// The largest document carried inside a message, decoded, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 10 * 1024 * 1024;
/// The most documents of one message.
pub const DOCUMENTS_MAX: usize = 20;
/// The deepest nesting of an XML document: an ITK envelope (10) around a CDA document with nested
/// sections and tables (30), with room.
pub const XML_DEPTH_MAX: usize = 64;
/// The most elements and attributes of one XML document: a return of 10,000 people with 40 each.
pub const XML_NODES_MAX: usize = 400_000;
/// The most attributes of one element; the formats we read need 12.
pub const XML_ATTRIBUTES_MAX: usize = 64;
/// The largest text or attribute value in XML, in bytes: a document of the largest size in base64,
/// with line breaks.
pub const XML_TEXT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The longest name in XML, in bytes: longer ones are damage.
pub const XML_NAME_BYTES_MAX: usize = 256;
/// The most segments of one HL7 v2 message: the largest document in rows of 30 KB needs 500.
pub const HL7_SEGMENTS_MAX: usize = 5_000;
/// The most fields of one HL7 v2 segment: the longest in the standard has 50, and Z segments grow.
pub const HL7_FIELDS_MAX: usize = 256;
/// The most bytes an archive may unpack to: three times the largest submission, which XML of a
/// workbook needs. Anything beyond is an archive made to exhaust who opens it.
pub const ARCHIVE_BYTES_MAX: usize = 96 * 1024 * 1024;
/// The most parts of one archive: a set with a document for each of a night's requests fits.
pub const ARCHIVE_PARTS_MAX: usize = 2_000;
/// The most cells of one sheet, empty ones before others included: 50,000 rows of 40.
pub const SHEET_CELLS_MAX: usize = 2_000_000;
/// The most text of one sheet, in bytes: a text that is kept once may stand in every cell.
pub const SHEET_TEXT_BYTES_MAX: usize = 64 * 1024 * 1024;
