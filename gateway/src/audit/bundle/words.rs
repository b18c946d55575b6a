//! What a judgement proves and what it does not, in plain words for somebody without training.

use super::judging::Facts;
use super::{Header, Holds};
use crate::audit::checkpoint::Checkpoint;
use crate::audit::verify::Verification;

impl Facts {
    /// What is proved, and what is not.
    pub(super) fn words(&self, found: &Verification) -> (Vec<String>, Vec<String>) {
        if !found.is_whole() {
            let only = "Nothing is proved by a bundle that is not whole. Keep it as it is, and ask \
                        for it again.";
            return (Vec::new(), vec![only.to_owned()]);
        }
        let (Some(newest), entries) = (&self.newest, found.entries) else {
            return (Vec::new(), Vec::new());
        };
        let signed = Signed(newest);
        let mut proved = match &self.header {
            Some(header) => self.of_header(header, entries, &signed),
            None => whole(entries, &signed),
        };
        let mut open = self.open(&signed);
        let (agreed, beyond) = self.kept;
        if agreed > 0 {
            proved.push(format!(
                "It is the same log that {agreed} checkpoint{} kept elsewhere saw.",
                if agreed == 1 { "" } else { "s" }
            ));
        } else {
            open.push(
                "That the gateway signed no second history for somebody else: only a checkpoint \
                 that was kept elsewhere shows that (--checkpoint)."
                    .to_owned(),
            );
        }
        if beyond > 0 {
            open.push(format!(
                "{beyond} of the kept checkpoints cannot be compared with what is in this bundle: \
                 ask for the whole log."
            ));
        }
        (proved, open)
    }

    fn of_header(&self, header: &Header, entries: u64, signed: &Signed<'_>) -> Vec<String> {
        let each = format!(
            "Each of the {entries} entries is in the log of {} entries that was signed at {}, at \
             its place and unchanged.",
            signed.0.size, signed.0.at
        );
        match (header.holds, &header.filter.partner) {
            (Holds::Whole, _) => whole(entries, signed),
            (Holds::Period, _) => self.of_period(header, entries, signed),
            (Holds::Case, _) | (Holds::Partner, None) => vec![each],
            (Holds::Partner, Some(partner)) => {
                let names = format!(
                    "Each names {partner}, as who acted or as the other side, or is about a \
                     message that was accepted from {partner} before."
                );
                vec![each, names]
            }
        }
    }

    fn of_period(&self, header: &Header, entries: u64, signed: &Signed<'_>) -> Vec<String> {
        let first = header.first.unwrap_or_default();
        let next = first.saturating_add(entries);
        let from = self.before.as_ref().map_or_else(
            || "the beginning of the log".to_owned(),
            |before| format!("the checkpoint signed at {}", before.at),
        );
        let end = self.end.as_ref().unwrap_or(signed.0);
        let mut proved = vec![format!(
            "These {entries} entries are all that the log has between {from} and the checkpoint \
             signed at {}: none is missing, none was added, changed or moved.",
            end.at
        )];
        let name = |us: Option<i64>, open: &str| {
            let at = us.and_then(|us| jiff::Timestamp::from_microsecond(us).ok());
            at.map_or_else(|| open.to_owned(), |at| at.to_string())
        };
        let from = name(header.filter.from_us, "its beginning");
        let until = name(header.filter.until_us, "its end");
        proved.push(format!(
            "All that the log says of the time from {from} to {until} is among them, by the \
             gateway's clock; at the edges there may be a little more."
        ));
        if end.size < signed.0.size {
            proved.push(format!(
                "They stand unchanged, from entry {first} to before entry {next}, in the log of \
                 {} entries that was signed at {}.",
                signed.0.size, signed.0.at
            ));
        }
        proved
    }

    fn open(&self, signed: &Signed<'_>) -> Vec<String> {
        let holds = self.header.as_ref().map_or(Holds::Whole, |header| header.holds);
        let mut open = Vec::new();
        match holds {
            Holds::Whole => {
                open.push(format!("Anything of the time after {}.", signed.0.at));
            }
            Holds::Period => {
                open.push("Anything of the time before or after these entries.".to_owned());
                let until = self.header.as_ref().and_then(|header| header.filter.until_us);
                if until.is_some_and(|until| signed.0.at.as_microsecond() < until) {
                    open.push(format!(
                        "Anything after {}: the log did not reach further when this bundle was \
                         made.",
                        signed.0.at
                    ));
                }
            }
            Holds::Case => open.push(
                "That none was left out: the log may have more entries about this case. Nor that \
                 each is about it, since most entries do not name a case. For that, ask for a \
                 period or the whole log."
                    .to_owned(),
            ),
            Holds::Partner => open.push(
                "That none was left out: the log may have more entries that name this partner. The \
                 same goes for those about its messages. For that, ask for a period or the whole \
                 log."
                    .to_owned(),
            ),
        }
        open.push(
            "That what happened was written down truly and in full, or at the time it says: the \
             log shows only that nothing was changed after it was signed."
                .to_owned(),
        );
        open.push(
            "What the messages say, and who the people are: entries hold hashes and pseudonyms."
                .to_owned(),
        );
        open
    }
}

/// The newest checkpoint.
struct Signed<'a>(&'a Checkpoint);

fn whole(entries: u64, signed: &Signed<'_>) -> Vec<String> {
    vec![format!(
        "These {entries} entries are all that the log had when it was signed at {}: none is \
         missing, none was added, changed or moved.",
        signed.0.at
    )]
}
