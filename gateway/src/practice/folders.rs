//! The two folders of a partner that exchanges files: its exports in, import files back.
//!
//! [`Stage::exchange_folders`] sets them up before the gateway rises; [`Folders`] is what the
//! partner's own jobs do with them. Like everything in `practice`, for made-up people only.

use std::io;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use adapters::Format;

use super::{PracticeError, Stage, organisation, partners_file, write};
use crate::config::{Partners, Watch};
use crate::delivery::folder::{self, Manifest};
use crate::intake::acknowledgements;
use crate::intake::report::Report;
use crate::queue::{CarrierKind, DeliveryId};

/// A partner's folders, as its own jobs use them.
#[derive(Debug, Clone)]
pub struct Folders {
    /// Where it leaves its exports.
    pub export: PathBuf,
    /// Where import files are dropped for it.
    pub import: PathBuf,
}

impl Stage {
    /// Gives a member of the cast, by its code, an export folder that is watched and a drop folder
    /// in which it is written to in this format; from the next start of the gateway on.
    pub fn exchange_folders(
        &self,
        code: &'static str,
        format: Format,
    ) -> Result<Folders, PracticeError> {
        let place = self.plan.dir.join("folders").join(code);
        let folders = Folders { export: place.join("export"), import: place.join("import") };
        for folder in [&folders.export, &folders.import] {
            std::fs::create_dir_all(folder)
                .map_err(|error| PracticeError::File(folder.clone(), error))?;
        }
        let file = self.plan.dir.join("partners.toml");
        let who = organisation(code)?;
        let mut partners: Vec<_> = Partners::load(&file)?.iter().cloned().collect();
        for partner in partners.iter_mut().filter(|partner| partner.organisation == who) {
            partner.carrier = CarrierKind::DropFolder;
            partner.format = format;
            partner.endpoint = None;
            partner.server_pins.clear();
            partner.folder = Some(folders.import.clone());
            partner.watch = Some(Watch {
                folder: folders.export.clone(),
                mapping: None,
                settle_seconds: NonZeroU32::MIN,
                marker: None,
            });
        }
        write(&file, &partners_file(partners)?)?;
        Ok(folders)
    }
}

impl Folders {
    /// Leaves an export as a careful job does: written under a hidden name, then renamed.
    pub fn leave(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let hidden = self.export.join(format!(".{name}.partial"));
        std::fs::write(&hidden, content)?;
        std::fs::rename(hidden, self.export.join(name))
    }

    /// The deliveries that lie complete in the drop folder, each with its manifest.
    pub fn arrived(&self) -> io::Result<Vec<(PathBuf, Manifest)>> {
        folder::arrived(&self.import)
    }

    /// Says what became of a delivery: taken over, or rejected with a reason of the catalogue.
    pub fn acknowledge(&self, delivery: DeliveryId, rejected: Option<&str>) -> io::Result<()> {
        let ending = if rejected.is_some() { "rejected" } else { "accepted" };
        let place = self.import.join(acknowledgements::FOLDER);
        let hidden = place.join(format!(".{delivery}"));
        std::fs::write(&hidden, rejected.unwrap_or_default())?;
        std::fs::rename(hidden, place.join(format!("{delivery}.{ending}")))
    }

    /// The report on an export, once there is one: from `done/` or from `refused/`.
    pub fn report(&self, name: &str) -> Option<Report> {
        let of = |part: &str| {
            let file = self.export.join(part).join(format!("{name}.report.json"));
            serde_json::from_slice(&std::fs::read(file).ok()?).ok()
        };
        of("done").or_else(|| of("refused"))
    }

    /// Whether a file that was left is still waiting or in hand.
    pub fn is_waiting(&self, name: &str) -> bool {
        let there = |folder: &Path| folder.join(name).exists();
        there(&self.export) || there(&self.export.join("processing"))
    }
}
