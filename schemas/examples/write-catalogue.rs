//! Prints the page about the message catalogue:
//! `cargo run -p schemas --example write-catalogue > gateway/docs/catalogue.md`.

use std::io::Write;

fn main() -> std::io::Result<()> {
    write!(std::io::stdout(), "{}", schemas::catalogue::Catalogue::built_in().page())
}
