//! What a message does to the clocks of its case.
//!
//! Which message starts, meets or ends which clock stands in the rules of the law
//! (`schemas::deadlines`), not here: this reads the marks of each rule and turns them into writes.
//! A case is what concerns one person; whoever owes is a party to the message that starts a clock.
//!
//! Not supported, and why: a clock whose first day is before the rules, or not in the message, is
//! not begun; the message is taken all the same.

use jiff::civil::Date;
use schemas::deadlines::{Due, Mark, OwedBy, Period};
use schemas::record::Particulars;
use schemas::{Body, MessageId, OrganisationCode, Record};

use super::ReceiveError;
use super::admission::{Batch, Facts};
use crate::app::App;
use crate::audit::{EventKind, SubjectKey};
use crate::store::{Change, ClockWrite, NewCaseClock, Write};

/// What a message does to clocks, and their names for the log.
#[derive(Default)]
struct Effects {
    writes: Vec<ClockWrite>,
    started: Vec<String>,
    met: Vec<String>,
    ended: Vec<String>,
}

impl Batch<'_> {
    /// What a message to these recipients does to the clocks of its case; `None` for nothing.
    pub(super) async fn clocks(
        &self,
        record: &Record,
        facts: &Facts,
        recipients: &[&OrganisationCode],
    ) -> Result<Option<Change>, ReceiveError> {
        let message = record.message();
        let mut effects = Effects::default();
        if let Some(earlier) = &message.supersedes {
            self.undo(earlier, &mut effects).await?;
        }
        if let (Body::Particulars(said), Some(subject)) = (&message.body, facts.subject) {
            let context = Context { batch: self, facts, said, subject, recipients };
            context.start(&mut effects)?;
            context.meet(&mut effects);
            context.end(&mut effects);
        }
        if effects.writes.is_empty() {
            return Ok(None);
        }
        if let Some(subject) = facts.subject {
            // The log names only what there was to meet or to end.
            let mut running = self.app.store.running_periods(subject).await?;
            running.extend(effects.started.iter().cloned());
            running.insert("replaced".to_owned());
            effects.met.retain(|period| running.contains(period));
            effects.ended.retain(|period| running.contains(period));
        }
        let mut event = self.event(EventKind::ClockChanged, facts);
        let lists = [("started", effects.started), ("met", effects.met), ("ended", effects.ended)];
        for (name, periods) in lists {
            if !periods.is_empty() {
                event = event.with(name, periods.join(" "));
            }
        }
        let writes = effects.writes.into_iter().map(Write::Clock);
        Ok(Some(writes.fold(Change::because(event), Change::write)))
    }

    /// A message that replaces an earlier one takes back what that one did to clocks.
    async fn undo(&self, earlier: &MessageId, effects: &mut Effects) -> Result<(), ReceiveError> {
        let identity =
            super::admission::identity(self.app, &self.sender.organisation, earlier.expose());
        let known = self.app.store.find_duplicate(identity).await?;
        if let Some((record, _)) = known {
            effects.writes.push(ClockWrite::Undone(record, self.app.clock.today()));
            effects.ended.push("replaced".to_owned());
        }
        Ok(())
    }
}

/// One message about one person.
struct Context<'a> {
    batch: &'a Batch<'a>,
    facts: &'a Facts,
    said: &'a Particulars,
    subject: SubjectKey,
    recipients: &'a [&'a OrganisationCode],
}

impl Context<'_> {
    fn app(&self) -> &App {
        self.batch.app
    }

    fn today(&self) -> Date {
        self.app().clock.today()
    }

    fn sender(&self) -> &OrganisationCode {
        &self.batch.sender.organisation
    }

    /// The rules of today; what began earlier is computed by the rules of its own first day.
    fn periods(&self) -> &[Period] {
        let version = self.app().rules.version_on(self.today());
        version.map_or(&[], |version| version.periods.as_slice())
    }

    /// The first mark of a list that fits this message.
    fn fitting<'m>(&self, marks: &'m [Mark]) -> Option<&'m Mark> {
        let kind = self.facts.kind.as_str();
        marks.iter().find(|mark| mark.message == kind && self.says(mark))
    }

    /// Whether the message says what a mark wants of it.
    fn says(&self, mark: &Mark) -> bool {
        let (Some(name), Some(is)) = (&mark.only_where, &mark.is) else { return true };
        match self.said.flag(name) {
            Some(flag) => is == if flag { "yes" } else { "no" },
            None => self.said.text(name) == Some(is),
        }
    }

    /// The day of a mark: the one that the message names, or today.
    fn day(&self, mark: &Mark) -> Option<Date> {
        match &mark.date {
            Some(name) => self.said.date(name),
            None => Some(self.today()),
        }
    }

    fn start(&self, effects: &mut Effects) -> Result<(), ReceiveError> {
        for period in self.periods() {
            let Some(mark) = self.fitting(&period.started_by) else { continue };
            let Some(from) = self.day(mark) else { continue };
            let not_before = mark.not_before.as_ref().and_then(|name| self.said.date(name));
            let Some((due, work_to_on)) = self.due(period, from, not_before) else { continue };
            let owners = match period.owed_by {
                OwedBy::Sender => vec![self.sender()],
                OwedBy::Recipient => self.recipients.to_vec(),
            };
            for owner in owners {
                effects.writes.push(ClockWrite::Started(NewCaseClock {
                    id: self.app().make_id()?,
                    subject: self.subject,
                    period: period.id.clone(),
                    nature: period.nature,
                    rule_version: due.rule_version.clone(),
                    owner: owner.clone(),
                    started_by: self.facts.id,
                    started_on: from,
                    due_on: due.statutory,
                    alternative_on: due.alternative,
                    work_to_on,
                }));
                effects.started.push(period.id.clone());
            }
        }
        Ok(())
    }

    /// When a period is due, and the day to work to where bank holidays are known so far ahead.
    fn due(
        &self,
        period: &Period,
        from: Date,
        not_before: Option<Date>,
    ) -> Option<(Due, Option<Date>)> {
        let rules = &self.app().rules;
        let due = match not_before {
            Some(day) => rules.due_not_before(&period.id, from, day),
            None => rules.due(&period.id, from),
        };
        if let Ok(due) = due {
            let work_to = due.operational;
            return Some((due, Some(work_to)));
        }
        let (ends, version) = rules.ends(&period.id, from).ok()?;
        let statutory = not_before.map_or(ends.statutory, |day| day.max(ends.statutory));
        let rule_version = version.id.clone();
        let due =
            Due { statutory, alternative: ends.alternative, operational: statutory, rule_version };
        Some((due, None))
    }

    fn meet(&self, effects: &mut Effects) {
        for period in self.periods() {
            let Some(mark) = self.fitting(&period.met_by) else { continue };
            let Some(on) = self.day(mark) else { continue };
            effects.writes.push(ClockWrite::Met {
                subject: self.subject,
                period: period.id.clone(),
                owner: self.sender().clone(),
                of: mark.of.as_ref().and_then(|name| self.said.date(name)),
                earlier: mark.earlier,
                on,
                record: self.facts.id,
            });
            effects.met.push(period.id.clone());
        }
    }

    fn end(&self, effects: &mut Effects) {
        for period in self.periods() {
            if self.fitting(&period.ended_by).is_none() {
                continue;
            }
            effects.writes.push(ClockWrite::Ended {
                subject: self.subject,
                period: period.id.clone(),
                party: self.sender().clone(),
                on: self.today(),
                because: self.facts.kind.as_str().to_owned(),
            });
            effects.ended.push(period.id.clone());
        }
    }
}
