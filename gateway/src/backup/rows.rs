//! The database's part: tables in the order in which they can be filled, and their rows.
//!
//! ```text
//! table   'T' | name: u8 length, text | columns: u16, each kind u8 ('i', 't', 'b') and u8 length, text
//! row     'R' | each cell: u8 0 absent, or 1 and the value
//!               int: 8 bytes, two's complement | text, bytes: u32 length, bytes
//! end     'E' | rows of the table: u64
//! ```
//!
//! Numbers are big-endian.

use super::BackupError;
use super::form::Reader;
use crate::store::dump::{Cell, Kind, Shape};

/// What comes next in the database's part.
pub(super) enum Next {
    /// A table begins.
    Table(Shape),
    /// A row of it.
    Row(Vec<Cell>),
    /// It had so many rows.
    End(u64),
    /// There is no more.
    Nothing,
}

/// The bytes that begin a table.
pub(super) fn table(shape: &Shape) -> Vec<u8> {
    let mut bytes = vec![b'T'];
    push_name(&mut bytes, &shape.name);
    let count = u16::try_from(shape.columns.len()).unwrap_or(0);
    bytes.extend_from_slice(&count.to_be_bytes());
    for (name, kind) in &shape.columns {
        bytes.push(match kind {
            Kind::Int => b'i',
            Kind::Text => b't',
            Kind::Bytes => b'b',
        });
        push_name(&mut bytes, name);
    }
    bytes
}

/// The bytes of a row.
pub(super) fn row(cells: &[Cell]) -> Vec<u8> {
    let mut bytes = vec![b'R'];
    let sized = |content: &[u8], bytes: &mut Vec<u8>| {
        bytes.push(1);
        let length = u32::try_from(content.len()).unwrap_or(0);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(content);
    };
    for cell in cells {
        match cell {
            Cell::Absent => bytes.push(0),
            Cell::Int(number) => {
                bytes.push(1);
                bytes.extend_from_slice(&number.to_be_bytes());
            }
            Cell::Text(text) => sized(text.as_bytes(), &mut bytes),
            Cell::Bytes(content) => sized(content, &mut bytes),
        }
    }
    bytes
}

/// The bytes that end a table.
pub(super) fn end(rows: u64) -> Vec<u8> {
    [[b'E'].as_slice(), &rows.to_be_bytes()].concat()
}

fn push_name(bytes: &mut Vec<u8>, name: &str) {
    bytes.push(u8::try_from(name.len()).unwrap_or(0));
    bytes.extend_from_slice(name.as_bytes());
}

/// Reads what comes next; `shape` is the table that is being read.
pub(super) async fn next(
    reader: &mut Reader<'_>,
    shape: Option<&Shape>,
) -> Result<Next, BackupError> {
    if reader.is_at_end().await? {
        return Ok(Next::Nothing);
    }
    match (one(reader).await?, shape) {
        (b'T', _) => read_table(reader).await.map(Next::Table),
        (b'R', Some(shape)) => {
            let mut cells = Vec::with_capacity(shape.columns.len());
            for (_, kind) in &shape.columns {
                cells.push(cell(reader, *kind).await?);
            }
            Ok(Next::Row(cells))
        }
        (b'E', Some(_)) => Ok(Next::End(u64::from_be_bytes(fixed(reader).await?))),
        _ => Err(reader.malformed("it holds something else than tables and rows")),
    }
}

async fn read_table(reader: &mut Reader<'_>) -> Result<Shape, BackupError> {
    let name = name(reader).await?;
    let count = u16::from_be_bytes(fixed(reader).await?);
    let mut columns = Vec::new();
    for _ in 0..count {
        let kind = match one(reader).await? {
            b'i' => Kind::Int,
            b't' => Kind::Text,
            b'b' => Kind::Bytes,
            _ => return Err(reader.malformed("a column of no known kind")),
        };
        columns.push((self::name(reader).await?, kind));
    }
    Shape::new(name, columns).ok_or_else(|| reader.malformed("a table that cannot be one of ours"))
}

async fn cell(reader: &mut Reader<'_>, kind: Kind) -> Result<Cell, BackupError> {
    match one(reader).await? {
        0 => return Ok(Cell::Absent),
        1 => {}
        _ => return Err(reader.malformed("a cell that is neither there nor absent")),
    }
    if kind == Kind::Int {
        return Ok(Cell::Int(i64::from_be_bytes(fixed(reader).await?)));
    }
    let length = u32::from_be_bytes(fixed(reader).await?);
    let content = reader.take(usize::try_from(length).unwrap_or(usize::MAX)).await?;
    if kind == Kind::Bytes {
        return Ok(Cell::Bytes(content));
    }
    let text = String::from_utf8(content);
    text.map(Cell::Text).or(Err(reader.malformed("text that is none")))
}

async fn name(reader: &mut Reader<'_>) -> Result<String, BackupError> {
    let length = one(reader).await?;
    let text = String::from_utf8(reader.take(length.into()).await?);
    text.or(Err(reader.malformed("a name that is none")))
}

async fn one(reader: &mut Reader<'_>) -> Result<u8, BackupError> {
    let [byte] = fixed(reader).await?;
    Ok(byte)
}

async fn fixed<const N: usize>(reader: &mut Reader<'_>) -> Result<[u8; N], BackupError> {
    let taken = reader.take(N).await?;
    taken.try_into().or(Err(reader.malformed("it ends in the middle of something")))
}
