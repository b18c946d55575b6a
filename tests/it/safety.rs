//! What must never happen, tried.

mod bad_input;
mod bundles;
mod given_away;
pub(crate) mod hunt;
mod leaks;
mod lists;
mod matrix;
mod mllp;
mod no_audit;
mod outsiders;
mod tampering;
mod tasks;
mod totality;
mod villains;
mod xml_peer;
