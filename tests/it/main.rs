//! The one integration binary: journeys, safety and recovery.

mod journeys;
mod recovery;
mod safety;
