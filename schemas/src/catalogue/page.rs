//! The catalogue as a page for somebody who knows the law and not the code: every number with who
//! sends it to whom, by which power, what it says, and what is checked.
//!
//! Made from the data alone, so that it cannot say anything else than the gateway does.

use std::fmt::Write as _;

use super::{Catalogue, Content, DataClass, Direction, Entry, FieldDefinition, ValueKind};
use crate::draft::Field;
use crate::record::{Form, MessageType};

impl Catalogue {
    /// The catalogue as a Markdown page.
    pub fn page(&self) -> String {
        let mut page = String::from(INTRODUCTION);
        // Writing to a string does not fail.
        let _ = self.write(&mut page);
        page
    }

    fn write(&self, page: &mut String) -> std::fmt::Result {
        writeln!(page, "Version `{}`, in force from {}.\n", self.version, self.effective_from)?;
        writeln!(page, "| number | title | types | direction | power or duty |")?;
        writeln!(page, "|---|---|---|---|---|")?;
        for entry in &self.entries {
            writeln!(
                page,
                "| [{}](#{}) | {} | {} | {} | {} |",
                entry.number,
                anchor(&heading(entry)),
                entry.title,
                code_list(&entry.types),
                direction(entry.direction),
                entry.statute.as_deref().unwrap_or("-"),
            )?;
        }
        for entry in &self.entries {
            self.write_entry(page, entry)?;
        }
        writeln!(page, "\n## What every type is checked for\n\n{EVERY_TYPE}")?;
        writeln!(page, "\n## What one type is checked for and others are not\n")?;
        writeln!(page, "| rule | stops it | types | says |\n|---|---|---|---|")?;
        for rule in RULES {
            let stops = if rule.stops { "yes" } else { "no" };
            writeln!(page, "| `{}` | {stops} | {} | {} |", rule.name, rule.types, rule.words)?;
        }
        Ok(())
    }

    fn write_entry(&self, page: &mut String, entry: &Entry) -> std::fmt::Result {
        writeln!(page, "\n## {}\n", heading(entry))?;
        writeln!(page, "- Types: {}", code_list(&entry.types))?;
        writeln!(page, "- From and to: {} ({})", entry.parties, direction(entry.direction))?;
        writeln!(page, "- Sent when: {}", entry.trigger)?;
        writeln!(
            page,
            "- Power or duty: {}",
            entry.statute.as_deref().unwrap_or("none of its own")
        )?;
        match &entry.clock {
            Some(clock) => writeln!(page, "- Clock: {} (`{}`)", clock.words, clock.id)?,
            None => writeln!(page, "- Clock: none")?,
        }
        writeln!(page, "- Purpose: `{}`", entry.purpose)?;
        let classes: Vec<&str> = entry.data_classes.iter().map(|class| class.as_str()).collect();
        writeln!(page, "- Classes of data: {}", classes.join(", "))?;
        writeln!(
            page,
            "- Authority, in the order in which it is tried: {}",
            entry.authority.join(", ")
        )?;
        writeln!(page, "- Documents: {}", entry.attachments)?;
        writeln!(page, "- At the least: {}", entry.minimum_fields)?;
        let said = entry.types.iter().filter_map(|name| MessageType::parse(name));
        let mut forms: Vec<Form> = Vec::new();
        for kind in said {
            match self.content(kind) {
                Some(content) => self.write_content(page, content)?,
                None if !forms.contains(&kind.form()) => {
                    forms.push(kind.form());
                    write_form(page, kind.form())?;
                }
                None => {}
            }
        }
        Ok(())
    }

    fn write_content(&self, page: &mut String, content: &Content) -> std::fmt::Result {
        writeln!(page, "\n`{}` says, in `particulars`:\n", content.kind)?;
        writeln!(page, "| name | needed | kind | class | meaning |\n|---|---|---|---|---|")?;
        for name in content.names() {
            let Some(field) = self.field(name) else { continue };
            let needed = if content.needs.contains(name) { "yes" } else { "" };
            let class = field.class.map_or("-", DataClass::as_str);
            writeln!(
                page,
                "| `{name}` | {needed} | {} | {class} | {} |",
                kind(field),
                field.words
            )?;
        }
        Ok(())
    }
}

/// What a type with a form of its own says: the members of the canonical message.
fn write_form(page: &mut String, form: Form) -> std::fmt::Result {
    let member = if form == Form::Decision { "consent" } else { form.member() };
    let group = format!("{member}.");
    let fields = Field::ALL.into_iter().filter_map(|field| field.path().strip_prefix(&group));
    let fields: Vec<String> = fields.map(|name| format!("`{name}`")).collect();
    writeln!(page, "\nA form of its own: the member `{member}` with {}.", fields.join(", "))
}

fn heading(entry: &Entry) -> String {
    format!("{}: {}", entry.number, entry.title)
}

/// The address of a heading within its page, as readers of Markdown make it.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn code_list(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::AuthorityToHealth => "authority to health",
        Direction::HealthToAuthority => "health to authority",
        Direction::WithinHealth => "within health",
        Direction::Either => "any way round",
    }
}

fn kind(field: &FieldDefinition) -> String {
    match field.kind {
        ValueKind::Date => "date".to_owned(),
        ValueKind::Flag => "yes or no".to_owned(),
        ValueKind::Number => "whole number".to_owned(),
        ValueKind::Line => "one line".to_owned(),
        ValueKind::Text => "text".to_owned(),
        ValueKind::Texts => "texts".to_owned(),
        ValueKind::Code => format!("one of {}", code_list(&field.codes)),
        ValueKind::Organisation => "organisation code".to_owned(),
        ValueKind::Reference => "reference".to_owned(),
        ValueKind::NhsNumber => "NHS number".to_owned(),
    }
}

/// A rule of [`check`](crate::check) that belongs to some types only.
struct Rule {
    name: &'static str,
    stops: bool,
    types: &'static str,
    words: &'static str,
}

const fn rule(name: &'static str, stops: bool, types: &'static str, words: &'static str) -> Rule {
    Rule { name, stops, types, words }
}

/// The rules of `check/kinds`, each held by a test there.
const RULES: [Rule; 20] = [
    rule(
        "age-not-for-type",
        true,
        "`s23.notification`, `careact58.request`",
        "section 23 is about a child under compulsory school age, section 58 of the Care Act 2014 about one under 18",
    ),
    rule(
        "age-not-for-type",
        false,
        "`transition.notify_14`, `chc.*`, `cyp_cc.*`",
        "guidance expects 13 to 17, 16 and above, and under 18; and whether a decision is in principle agrees with the age",
    ),
    rule(
        "dates-out-of-order",
        true,
        "all",
        "no date is before the one it follows: a decision before its meeting, an appeal before its notice",
    ),
    rule("date-in-past", false, "`advice.late_forecast`", "the forecast has passed"),
    rule(
        "views-too-short",
        true,
        "`plan.draft`",
        "the family has at least 15 days, the day of service being the first (regulation 13(1))",
    ),
    rule(
        "decision-late",
        false,
        "`review.decision`",
        "more than four weeks after the meeting (regulations 20 and 21)",
    ),
    rule(
        "amendments-not-with-decision",
        false,
        "`review.decision`",
        "a decision to amend goes out with the proposed amendments (R (L, M, P) v Devon 2022)",
    ),
    rule(
        "plan-late",
        false,
        "`plan.amended`",
        "more than eight weeks after the notice (regulation 22)",
    ),
    rule(
        "appeal-window-short",
        false,
        "`plan.final`, `plan.amended`, `plan.not_issued`, `review.decision`",
        "less than two months after the notice",
    ),
    rule(
        "plan-without-content",
        false,
        "`plan.final`, `plan.amended`",
        "neither a section nor the document",
    ),
    rule(
        "reason-missing",
        false,
        "`ehcna.decision`, `plan.section_g_agreement`, `chc.decision`, `cyp_cc.decision`",
        "a decision against what was asked gives its reason",
    ),
    rule("section-unknown", false, "`tribunal.notice`", "sections are letters of a plan"),
    rule(
        "year-group-unknown",
        false,
        "`ehcna.considering`, `review.term_list`",
        "0 (reception) to 14",
    ),
    rule(
        "bodies-the-same",
        true,
        "`plan.transfer`, `rcb.change`",
        "the old and the new body differ",
    ),
    rule(
        "identifier-missing",
        true,
        "`person.match`, `person.merge`",
        "an identifier used before and one to use",
    ),
    rule(
        "identifiers-the-same",
        true,
        "`person.merge`",
        "two records that become one differ; what did not change is left out",
    ),
    rule("recall-of-itself", true, "`recall`", "a recall names another message"),
    rule("supersedes-itself", true, "all", "a message takes the place of another, never its own"),
    rule(
        "safeguarding-route-only",
        true,
        "`safeguarding.alert_link`",
        "a way to reach a team, in at most 120 characters; never the concern itself",
    ),
    rule(
        "attachment-not-for-type",
        false,
        "types that bring no documents; stops `safeguarding.alert_link`",
        "a document that the type has no place for is left out of every release",
    ),
];

const EVERY_TYPE: &str = "\
The envelope (`type`, `id`, `sender`, and what the type needs of `recipient`, `case` and `leg`), the
person (an NHS number with its check digit or the authority's id, names, date of birth), the names
marked as needed, the kind and length of every value, and that what is said to have happened (a
decision, an issue, a referral) does not lie in the future. What another type would say is reported
and left out. `advice.amend` names the advice it takes the place of in `supersedes`; any other type may.";

const INTRODUCTION: &str = "\
# The message catalogue

Every message that may travel, M01 to M33: who sends it to whom, by which power, which clock it moves,
what it says and what it is checked for. This page is made from `schemas/catalogue/messages-1.toml` and
held equal to it by a test; write it anew with
`cargo run -p schemas --example write-catalogue > gateway/docs/catalogue.md`.

A *class of data* is what a release may cut: a recipient without a class gets the message without the
names of that class, in every format. Names with no class (dates of the process, codes, the people who
act professionally) stay. What a type needs is never cut: where a needed name belongs to a class that
the recipient may not have, the message does not go.

";
