//! What a test may say: a whole gateway over real mutual TLS, on either engine, with a clock that
//! the test moves and partners that the test plays.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "this is test code: it fails by panicking, and asks the environment what CI requires"
)]

pub mod binary;
pub mod clamd;
pub mod collector;
pub mod faults;
pub mod gateway;
pub mod mailboxes;
pub mod peers;
#[path = "../../gateway/src/store/tests/postgres.rs"]
pub mod postgres;
pub mod sandbox;
mod scenes;

use ::gateway::practice::postgres as server;

pub use gateway::{
    Engine, TestGateway, each_engine, each_engine_prepared, keep_look_ups_for_a_year,
    with_letters_from_a_psychologist,
};
pub use scenes::text;
