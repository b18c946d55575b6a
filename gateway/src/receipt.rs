//! Signed proof of what was handed in and what became of it.
