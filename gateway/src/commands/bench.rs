//! `bench`

use clap::Subcommand;

use super::Outcome;

/// Measurements.
#[derive(Debug, Subcommand)]
pub(super) enum BenchCommand {
    /// Durable accepts per second.
    Accept,
}

pub(super) async fn bench(_command: &BenchCommand, _json: bool) -> anyhow::Result<Outcome> {
    Ok(Outcome::Done)
}
