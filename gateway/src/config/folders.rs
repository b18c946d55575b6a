//! The folders that are exchanged with a partner: where files are dropped for it, and where its
//! exports are watched for.
//!
//! Owns their settings and what may be wrong with them, alone and together: no folder lies inside
//! another's, so that one partner's files never reach another. It must never look into a folder.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::partners::Partner;
use crate::queue::CarrierKind;

/// `[partner.watch]`: a folder from which a partner's exports are picked up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// The folder. Relative to the partners file, unless it is absolute.
    pub folder: PathBuf,
    /// The mapping for tabular files found here; the partner's own when none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mapping: Option<String>,
    /// For how long a file's size and time of change must stay the same before it counts as
    /// complete, in seconds.
    #[serde(default = "default_settle_seconds")]
    pub settle_seconds: NonZeroU32,
    /// When set, a file counts as complete only once a file of the same name with this extension
    /// added is beside it: with `ready`, `export.csv` waits for `export.csv.ready`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marker: Option<String>,
}

/// A setting, what is wrong with it, and the fix.
pub(super) type Fault = (&'static str, &'static str, &'static str);

/// What is wrong with one partner's folders on their own.
pub(super) fn fault(partner: &Partner) -> Option<Fault> {
    let drops = partner.carrier == CarrierKind::DropFolder;
    match &partner.folder {
        None if drops => {
            let fix = "add folder = \"/srv/...\", a folder its import job reads";
            return Some(("carrier", "drop-folder needs a folder", fix));
        }
        Some(_) if !drops => {
            let fix = "remove it, or set carrier = \"drop-folder\"";
            return Some(("folder", "only a partner with carrier drop-folder has a folder", fix));
        }
        Some(folder) if folder.as_os_str().is_empty() => {
            return Some(("folder", "the folder has no name", "write its path"));
        }
        Some(_) if partner.endpoint.is_some() => {
            let fix = "remove it, or set carrier = \"https-push\"";
            return Some(("endpoint", "a partner with a drop folder has no endpoint", fix));
        }
        Some(_) | None => {}
    }
    let watch = partner.watch.as_ref()?;
    if watch.folder.as_os_str().is_empty() {
        return Some(("watch", "the watched folder has no name", "write its path"));
    }
    let plain = |marker: &String| {
        !marker.is_empty() && marker.chars().all(|letter| letter.is_ascii_alphanumeric())
    };
    let read = |marker: &String| adapters::Format::from_extension(marker).is_some();
    if watch.marker.as_ref().is_some_and(|marker| !plain(marker) || read(marker)) {
        let fix = "write letters and digits that no export ends in, for example \"ready\"";
        return Some(("watch", "this is not an extension for a marker", fix));
    }
    None
}

/// Makes relative folders start where the partners file is.
pub(super) fn resolve(partner: &mut Partner, file: &Path) {
    let start = file.parent().unwrap_or(Path::new(""));
    let watched = partner.watch.as_mut().map(|watch| &mut watch.folder);
    for folder in partner.folder.as_mut().into_iter().chain(watched) {
        *folder = start.join(&folder);
    }
}

/// The setting of a partner whose folder is, contains or lies in a folder that is in use already.
pub(super) fn overlap<'a>(
    partner: &Partner,
    others: impl Iterator<Item = &'a Partner>,
) -> Option<Fault> {
    let own = named(partner);
    let taken: Vec<&Path> = others.flat_map(named).map(|(_, folder)| folder).collect();
    let both = match own.as_slice() {
        [(_, first), (setting, second)] if nested(first, second) => Some(*setting),
        _ => None,
    };
    let mut own = own.iter();
    let clash = both.or_else(|| {
        let clash = own.find(|(_, folder)| taken.iter().any(|taken| nested(folder, taken)));
        clash.map(|(setting, _)| *setting)
    });
    let problem = "this folder is, contains or lies in a folder that is exchanged already";
    clash.map(|setting| (setting, problem, "give every partner, and each direction, its own"))
}

fn named(partner: &Partner) -> Vec<(&'static str, &Path)> {
    let drop = partner.folder.as_deref().map(|folder| ("folder", folder));
    let watch = partner.watch.as_ref().map(|watch| ("watch", watch.folder.as_path()));
    drop.into_iter().chain(watch).collect()
}

fn nested(one: &Path, other: &Path) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// Long enough for a report writer that pauses between blocks.
fn default_settle_seconds() -> NonZeroU32 {
    const FIVE: NonZeroU32 = NonZeroU32::MIN.saturating_add(4);
    FIVE
}
