//! What survives being killed.

mod kill;
