//! Prints the JSON Schema of the canonical message:
//! `cargo run -p schemas --example write-schema > schemas/record/message-v1.schema.json`.

use std::io::Write;

fn main() -> std::io::Result<()> {
    let schema = schemas::record::message_schema();
    let text = serde_json::to_string_pretty(&schema)?;
    writeln!(std::io::stdout(), "{text}")
}
