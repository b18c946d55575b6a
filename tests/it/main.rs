//! The one integration binary: journeys, safety and recovery.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "this is test code: it fails by panicking"
)]

mod commands;
mod journeys;
mod mapping;
mod mesh;
mod recovery;
mod safety;
