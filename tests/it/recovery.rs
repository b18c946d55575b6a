//! What survives being killed.

mod folders;
mod kill;
mod sinks;
