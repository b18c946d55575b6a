//! NHS MESH: our client against NHS England's own sandbox, and against a stricter double of ours.

mod double;
mod gateway;
mod sandbox;
