//! No answer of a MESH server makes a reader panic, and no link leads out of our inbox.
#![no_main]

use adapters::mesh::{self, Mailbox};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some(mailbox) = Mailbox::parse("X26ABC1") else { return };
    if let Ok(page) = mesh::inbox_page(bytes, &mailbox)
        && let Some(next) = page.next
    {
        assert!(next.to_ascii_lowercase().starts_with("/messageexchange/x26abc1/inbox?"));
    }
    let _ = mesh::sent(bytes);
    let _ = mesh::tracking(bytes);
    let _ = mesh::mailboxes(bytes);
    let _ = mesh::fault(bytes).to_string();
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = mesh::TokenParts::parse(text);
    let lines: Vec<(&str, &str)> =
        text.lines().filter_map(|line| line.split_once(": ")).collect();
    let _ = mesh::Incoming::read(|name| {
        lines.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    });
});
