//! A delivery into a drop folder: what is kept apart is opened piece by piece and written as it
//! comes, so that memory does not grow with a document.

use super::App;
use crate::config::Partner;
use crate::delivery::{Parcel, SendError};
use crate::documents;

impl App {
    /// Writes a parcel with all its documents into its recipient's folder.
    pub(super) async fn drop_into_folder(
        &self,
        parcel: Parcel,
        partner: &Partner,
    ) -> Result<(), SendError> {
        let attempt = self.make_id();
        let attempt = attempt.or(Err(SendError::Transient("no randomness".to_owned())))?;
        let begun = self.carriers.folder.begin(parcel, partner, attempt).await?;
        let Some(mut staged) = begun else { return Ok(()) };
        while let Some(apart) = staged.next_apart().await? {
            for index in 0..apart.segments.count() {
                let document = apart.document.id;
                let plain = documents::segment(self, document, &apart.segments, index).await;
                let plain = plain.map_err(|error| {
                    let error = crate::telemetry::chain(&error);
                    SendError::Transient(format!("a document could not be read: {error}"))
                })?;
                staged.append(plain).await?;
            }
        }
        staged.put_in_place().await
    }
}
