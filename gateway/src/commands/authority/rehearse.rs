//! `authority rehearse`: the past decisions again, under draft rules or agreements.

use std::collections::BTreeMap;

use anyhow::bail;
use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::super::{eprintln_line, print_line, progress, table};
use super::{Drafts, Outcome, configured, refused};
use crate::accountability::{Past, Replay};
use crate::app::App;
use crate::audit::log_look::LogLook;
use crate::authority::rehearsal::{Changed, rehearse as compare};
use crate::authority::{Decision, RuleBook};
use crate::store::Change;

/// Arguments of `authority rehearse`.
#[derive(Debug, Args)]
pub(in crate::commands) struct RehearseArgs {
    #[command(flatten)]
    drafts: Drafts,
}

/// What came of it.
#[derive(Default)]
struct Tally {
    asked: u64,
    unasked: u64,
    /// Decisions that the rules in force do not make as the log says they were made.
    unlike_the_log: u64,
    lines: Vec<Line>,
}

/// A decision that the draft would change.
#[derive(Serialize)]
struct Line {
    entry: u64,
    at: String,
    #[serde(rename = "type")]
    kind: String,
    from: String,
    to: String,
    before: Said,
    after: Said,
}

#[derive(Serialize)]
struct Said {
    outcome: &'static str,
    rule: String,
    authority: Option<String>,
    classes: Vec<&'static str>,
    reason: String,
}

pub(super) async fn rehearse(args: &RehearseArgs, json: bool) -> anyhow::Result<Outcome> {
    if args.drafts.rules.is_none() && args.drafts.agreements.is_none() {
        bail!("name a draft: --rules FILE, --agreements FILE, or both");
    }
    let configured = configured(args.drafts.config.as_deref());
    let in_force = Drafts { config: Some(configured.config.clone()), ..args.drafts.clone() };
    let draft = match in_force.read()? {
        Ok(draft) => draft,
        Err(problem) => return Ok(refused(&[problem], json)),
    };
    let findings = draft.findings();
    if !findings.is_empty() {
        return Ok(refused(&findings, json));
    }
    let app = super::super::serve::open_existing(&configured).await?;
    let tally = replay(&app, &draft.book).await;
    app.store.close().await;
    let tally = tally?;
    let (before, after) = (app.rule_book().version(), draft.book.version());
    if json {
        print_line(&format!("{:#}", tally.document(&before, &after)));
    } else {
        tally.print(&before, &after);
    }
    Ok(if tally.lines.is_empty() { Outcome::Done } else { Outcome::Found })
}

async fn replay(app: &App, draft: &RuleBook) -> anyhow::Result<Tally> {
    // Every decision about everybody is read.
    let event = LogLook::Rehearsal.event(app.operator());
    app.store.commit(Change::because(event)).await?;
    let mut tally = Tally::default();
    let bar = progress(app.store.audit_head().await?.size, "replaying");
    let mut replay = Replay::new(app);
    while let Some(page) = replay.page().await? {
        tally.take(page, app.rule_book(), draft);
        bar.set_position(replay.place());
    }
    bar.finish_and_clear();
    tally.unasked = replay.unasked();
    Ok(tally)
}

impl Tally {
    fn take(&mut self, page: Vec<Past>, current: &RuleBook, draft: &RuleBook) {
        let (entries, cases): (Vec<_>, Vec<_>) =
            page.into_iter().map(|past| ((past.entry, past.note), past.case)).unzip();
        self.asked = self.asked.saturating_add(u64::try_from(cases.len()).unwrap_or(u64::MAX));
        for ((_, note), case) in entries.iter().zip(&cases) {
            let again = crate::authority::rehearsal::again(case, current);
            if (again.outcome.as_str(), &again.rule) != (note.outcome.as_str(), &note.rule) {
                self.unlike_the_log = self.unlike_the_log.saturating_add(1);
            }
        }
        for changed in compare(&cases, current, draft) {
            let found = entries.get(changed.case).zip(cases.get(changed.case));
            if let Some(((entry, _), case)) = found {
                let question = &case.question;
                let Changed { before, after, .. } = changed;
                self.lines.push(Line {
                    entry: *entry,
                    at: case.now.to_string(),
                    kind: question.kind.as_str().to_owned(),
                    from: question.sender.to_string(),
                    to: question.recipient.to_string(),
                    before: said(before),
                    after: said(after),
                });
            }
        }
    }

    /// How often an outcome would become another.
    fn counts(&self) -> BTreeMap<(&'static str, &'static str), usize> {
        let mut counts = BTreeMap::new();
        for line in &self.lines {
            let count = counts.entry((line.before.outcome, line.after.outcome)).or_insert(0_usize);
            *count = count.saturating_add(1);
        }
        counts
    }

    fn document(&self, before: &str, after: &str) -> serde_json::Value {
        let counts: Vec<_> = self
            .counts()
            .into_iter()
            .map(|((before, after), count)| json!({ "before": before, "after": after, "count": count }))
            .collect();
        json!({
            "in_force": before,
            "draft": after,
            "decisions": self.asked,
            "without_a_question": self.unasked,
            "unlike_the_log": self.unlike_the_log,
            "changed": self.lines.len(),
            "counts": counts,
            "changes": self.lines,
        })
    }

    fn print(&self, before: &str, after: &str) {
        if !self.lines.is_empty() {
            let header = ["entry", "when (UTC)", "type", "from", "to", "now", "draft", "why"];
            print_line(&table(&header, self.lines.iter().map(Line::cells)));
            let counts = self.counts();
            let counts = counts.iter().map(|((before, after), count)| {
                vec![(*before).to_owned(), (*after).to_owned(), count.to_string()]
            });
            print_line(&format!("\n{}", table(&["now", "draft", "decisions"], counts)));
        }
        eprintln_line(&format!(
            "{} decisions made again by the draft ({after}) in place of {before}: {} would change.",
            self.asked,
            self.lines.len()
        ));
        if before == after {
            eprintln_line("The draft still has the version in force; give it its own before use.");
        }
        if self.unlike_the_log > 0 {
            eprintln_line(&format!(
                "{} of them the rules in force do not make as they were made: rules or agreements \
                 have changed since.",
                self.unlike_the_log
            ));
        }
    }
}

impl Line {
    fn cells(&self) -> Vec<String> {
        let side = |said: &Said| format!("{} ({})", said.outcome, said.rule);
        vec![
            self.entry.to_string(),
            self.at.get(..19).unwrap_or(&self.at).replace('T', " "),
            self.kind.clone(),
            self.from.clone(),
            self.to.clone(),
            side(&self.before),
            side(&self.after),
            self.after.reason.clone(),
        ]
    }
}

fn said(decision: Decision) -> Said {
    Said {
        outcome: decision.outcome.as_str(),
        rule: decision.rule,
        authority: decision.authority,
        classes: decision.classes.iter().map(|class| class.as_str()).collect(),
        reason: decision.reason,
    }
}
