//! Where sealed segments are kept: a folder, or an S3-compatible store.
//!
//! Owns the names of objects: `DOCUMENT/INDEX`, one for each segment. Every write is whole or not
//! at all: into a file beside it that is flushed and then renamed, or one request. It must never
//! see a plain byte, and never lists: what is there is in the database.
//!
//! Limits: one object for each MiB, 5,120 at most for one document. Not supported: multipart uploads,
//! which would leave parts behind that only the store's own lifecycle rules remove.

use std::path::PathBuf;
use std::sync::Arc;

use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use uuid::Uuid;

use crate::config::{KeepingSection, S3Section};

/// Where segments are kept.
#[derive(Debug)]
pub struct Keeping {
    store: Arc<dyn ObjectStore>,
    /// The folder, when it is one: an interrupted write leaves its file beside the segments.
    folder: Option<PathBuf>,
    prefix: String,
}

/// Why segments could not be kept or had back. No content.
#[derive(Debug, thiserror::Error)]
pub enum KeepingError {
    /// The folder could not be made or is not one.
    #[error("the folder for documents, {}, cannot be used; check it and its permissions", .folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The key for the store could not be read.
    #[error(transparent)]
    Secret(#[from] crate::secret_file::SecretFileError),
    /// What should be there is not.
    #[error("a segment is not where it was kept")]
    Missing,
    /// The store did not do it.
    #[error("the store for documents did not answer as it should")]
    Store(#[source] object_store::Error),
}

impl Keeping {
    /// Opens the place named by the configuration. A folder is made when it is not there.
    pub fn open(section: &KeepingSection) -> Result<Self, KeepingError> {
        match section {
            KeepingSection::Folder(folder) => {
                let fault = |source| KeepingError::Folder { folder: folder.clone(), source };
                std::fs::create_dir_all(folder).map_err(fault)?;
                private(folder).map_err(fault)?;
                let store = LocalFileSystem::new_with_prefix(folder)?.with_fsync(true);
                let folder = Some(folder.clone());
                Ok(Self { store: Arc::new(store), folder, prefix: String::new() })
            }
            KeepingSection::S3(s3) => {
                let store = Arc::new(bucket(s3)?);
                Ok(Self { store, folder: None, prefix: s3.prefix.clone() })
            }
        }
    }

    /// Keeps a sealed segment durably, in place of one that was there.
    pub(crate) async fn put(
        &self,
        document: Uuid,
        index: u64,
        sealed: Vec<u8>,
    ) -> Result<(), KeepingError> {
        self.store.put(&self.path(document, index), sealed.into()).await?;
        Ok(())
    }

    /// A sealed segment.
    pub(crate) async fn get(
        &self,
        document: Uuid,
        index: u64,
    ) -> Result<bytes::Bytes, KeepingError> {
        Ok(self.store.get(&self.path(document, index)).await?.bytes().await?)
    }

    /// Removes what is kept of a document. Removing it again is no fault.
    pub(crate) async fn remove(&self, document: Uuid, segments: u64) -> Result<(), KeepingError> {
        for index in 0..segments {
            match self.store.delete(&self.path(document, index)).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if let Some(folder) = &self.folder {
            let folder = folder.join(document.to_string());
            match tokio::fs::remove_dir_all(&folder).await {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(KeepingError::Folder { folder, source });
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    fn path(&self, document: Uuid, index: u64) -> Path {
        Path::from(format!("{}{document}/{index:05}", self.prefix))
    }
}

impl From<object_store::Error> for KeepingError {
    fn from(error: object_store::Error) -> Self {
        if matches!(error, object_store::Error::NotFound { .. }) {
            return Self::Missing;
        }
        Self::Store(error)
    }
}

fn bucket(s3: &S3Section) -> Result<object_store::aws::AmazonS3, KeepingError> {
    // The client of the store uses the process's own choice of cryptography.
    crate::tls::choose_cryptography();
    let secret = crate::secret_file::read(&s3.secret_key_file)?;
    let secret = String::from_utf8_lossy(&secret).trim().to_owned();
    let builder = AmazonS3Builder::new()
        .with_bucket_name(&s3.bucket)
        .with_region(&s3.region)
        .with_access_key_id(&s3.access_key_id)
        .with_secret_access_key(secret)
        // Plain HTTP is for loopback alone: the configuration refuses it elsewhere.
        .with_allow_http(s3.endpoint.as_deref().is_some_and(|url| url.starts_with("http://")));
    let builder = match &s3.endpoint {
        Some(endpoint) => builder.with_endpoint(endpoint),
        None => builder,
    };
    Ok(builder.build()?)
}

#[cfg(unix)]
fn private(folder: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn private(_folder: &std::path::Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests;
