//! Places in lists: an opaque cursor, bound to the list and the caller it was made for.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::entropy::sha256_hex;

#[derive(Serialize, Deserialize)]
struct Cursor<T> {
    scope: String,
    after: T,
}

/// The cursor that continues a list after a place.
pub(super) fn write<T: Serialize>(scope: &str, after: T) -> Option<String> {
    let cursor = Cursor { scope: sha256_hex(scope.as_bytes()), after };
    serde_json::to_vec(&cursor).ok().map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
}

/// The place a cursor continues after; `None` when it belongs to another list or caller.
pub(super) fn read<T: DeserializeOwned>(scope: &str, cursor: &str) -> Option<T> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let cursor: Cursor<T> = serde_json::from_slice(&bytes).ok()?;
    (cursor.scope == sha256_hex(scope.as_bytes())).then_some(cursor.after)
}
