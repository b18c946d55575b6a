//! PLACEHOLDER
mod files;
pub use files::{MailboxFiles, PASSWORD, SHARED_KEY};
