//! What must never happen, tried.

mod bad_input;
mod bundles;
mod leaks;
mod lists;
mod matrix;
mod mllp;
mod no_audit;
mod outsiders;
mod tampering;
mod totality;
mod villains;
mod xml_peer;
