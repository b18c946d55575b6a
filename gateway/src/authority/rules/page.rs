//! The rules as a page for somebody who knows the law: for every type of message who may send it,
//! what it may rest on, who may have what of it, and what would stop it.
//!
//! Owns the words. The page is made from the rules, the agreements and the catalogue; the notes
//! above a rule in its file, where the law behind it and what nobody has checked yet are said,
//! are taken over as they stand. So the page cannot say anything else than the gateway does.
//!
//! Must never know a child, the store or the clock.
//!
//! Use: `page(&book, text)`, with the text that the rules were read from.
//!
//! Limits: one page for one pair of files; `authority page` writes it.

use std::collections::BTreeSet;
use std::fmt::{Result, Write};

use schemas::catalogue::{Catalogue, DataClass};
use schemas::record::ConsentKind;

use super::{
    Basis, Candidate, DetrimentTest, Obstacle, PartyKind, Restricted, Rule, RuleBook, Rules, Share,
};

/// The rules and agreements as a Markdown page. `text` is the file that the rules were read from.
pub fn page(book: &RuleBook, text: &str) -> String {
    let mut page = String::from(INTRODUCTION);
    // Writing to a string does not fail.
    let _ = write_page(&mut page, book, text);
    page
}

fn write_page(page: &mut String, book: &RuleBook, text: &str) -> Result {
    let rules = &book.rules;
    let (version, agreements) = (rules.version(), book.agreements.version());
    writeln!(page, "\nRules `{version}`, with the agreements `{agreements}`.\n")?;
    write_contents(page, rules)?;
    let notes = Notes::of(text);
    let mut section = None;
    for rule in in_order(rules) {
        let note = notes.of_rule(rule.line);
        if note.section != section {
            section = note.section;
            writeln!(page, "\n## {}", section.unwrap_or("Rules"))?;
            write_notes(page, &note.under_section)?;
        }
        write_rule(page, rule, rules)?;
        write_notes(page, &note.above)?;
    }
    write_duty(page, rules, &notes)?;
    write_overrides(page, rules, &notes)?;
    write_restrictions(page, rules, &notes)?;
    write_disclosures(page, rules, &notes)?;
    write_agreements(page, book)
}

/// Every rule, as it stands in the file.
fn in_order(rules: &Rules) -> Vec<&Rule> {
    let mut all: Vec<&Rule> = rules.all().collect();
    all.sort_by_key(|rule| rule.line);
    all
}

fn write_contents(page: &mut String, rules: &Rules) -> Result {
    writeln!(page, "| message | what it is | may rest on, in this order |\n|---|---|---|")?;
    for rule in in_order(rules) {
        let (number, title) = title(rule);
        let mut bases: Vec<&str> = Vec::new();
        for one in &rule.authority {
            if !bases.contains(&basis(one.basis)) {
                bases.push(basis(one.basis));
            }
        }
        let message = &rule.message;
        let anchor = message.replace(['.', '`'], "");
        writeln!(page, "| [`{message}`](#{anchor}) | {number} {title} | {} |", bases.join("; "))?;
    }
    Ok(())
}

fn write_rule(page: &mut String, rule: &Rule, rules: &Rules) -> Result {
    let (number, title) = title(rule);
    writeln!(page, "\n### `{}`\n", rule.message)?;
    writeln!(page, "{number}, {title}. Rule `{}` of `{}`.\n", rule.id, rules.version())?;
    let from: Vec<&str> = rule.from.iter().map(|kind| kind.in_words()).collect();
    writeln!(page, "- Who may send it: {}.", or_list(&from))?;
    if rule.undirected {
        writeln!(
            page,
            "- It is kept although it goes to nobody; it goes where a recipient is named."
        )?;
    }
    let records = rule.authority.iter().all(|one| one.basis == Basis::RecordKeeping);
    let purposes: Vec<String> = rule.purposes.iter().map(|name| format!("`{name}`")).collect();
    let consents =
        if records { "" } else { ", and so must the family's agreement where it counts" };
    writeln!(
        page,
        "- A sharing agreement must cover {} or this type by name{consents}.",
        purposes.join(" or ")
    )?;
    match rule.consent_kind {
        ConsentKind::Sharing => {}
        ConsentKind::Plan => writeln!(
            page,
            "- It is the plan document: only agreement about the plan itself counts (SEND Regulations \
             2014, regulation 17)."
        )?,
    }
    writeln!(page, "\nWhat it may rest on; the first that lets it go counts:\n")?;
    for (place, candidate) in (1..).zip(&rule.authority) {
        writeln!(page, "{place}. {}", candidate_in_words(candidate))?;
    }
    writeln!(
        page,
        "\n| who may have it | what of it | what is cut | without this it waits |\n|---|---|---|---|"
    )?;
    for (kind, share) in &rule.release {
        writeln!(page, "{}", share_row(*kind, share, rule))?;
    }
    Ok(())
}

fn candidate_in_words(candidate: &Candidate) -> String {
    let Candidate { basis: on, reference, restricted, from, to, disclosure } = candidate;
    let kinds = |kinds: &BTreeSet<PartyKind>| {
        let names: Vec<&str> = kinds.iter().map(|kind| kind.in_words()).collect();
        or_list(&names)
    };
    let mut only = String::new();
    if !from.is_empty() {
        only = format!(", sent by {}", kinds(from));
    }
    if !to.is_empty() {
        only = format!("{only}, to {}", kinds(to));
    }
    let purpose = disclosure.as_ref().map(|name| format!(" Purpose of regulation 17: `{name}`."));
    let (on, stops) = (basis(*on), stopped(*restricted));
    format!("{on}: {reference}{only}. {stops}{}", purpose.unwrap_or_default())
}

fn share_row(kind: PartyKind, share: &Share, rule: &Rule) -> String {
    let cut: BTreeSet<DataClass> = rule.carries.difference(&share.classes).copied().collect();
    let cut = if cut.is_empty() { "nothing".to_owned() } else { classes(&cut) };
    format!(
        "| {} | {} | {cut} | {} |",
        kind.in_words(),
        classes(&share.classes),
        classes(&share.needs)
    )
}

fn write_duty(page: &mut String, rules: &Rules, notes: &Notes<'_>) -> Result {
    writeln!(page, "\n## The duty to share of Children Act 2004, section 16LA")?;
    write_notes(page, notes.of_section("The duty to share"))?;
    writeln!(page)?;
    match rules.ca2004_16la_from() {
        Some(from) => writeln!(page, "Switched on from {from}.")?,
        None => writeln!(page, "Switched off: no rule rests on it, whatever it names.")?,
    }
    let test = match rules.detriment_test() {
        DetrimentTest::ByAPerson => {
            "each use waits until two named people say that sharing is not more detrimental to the child than not sharing"
        }
        DetrimentTest::OnRecord => "it is used unless something on record speaks against it",
    };
    writeln!(page, "Its test: {test}.")?;
    writeln!(page, "\n## What goes back to the organisation whose own record it is")?;
    write_notes(page, notes.of_section("What goes back"))?;
    writeln!(page)?;
    writeln!(
        page,
        "It is not a disclosure to anybody else: no agreement is needed and nothing is cut. Rule \
         `own-record`, {}.",
        rules.own_record()
    )
}

fn write_overrides(page: &mut String, rules: &Rules, notes: &Notes<'_>) -> Result {
    writeln!(page, "\n## What two different named people can decide")?;
    write_notes(page, notes.of_section("Overrides"))?;
    writeln!(page)?;
    writeln!(page, "| ground | provision | overcomes | a plan document |\n|---|---|---|---|")?;
    for one in rules.overrides() {
        let lifts: Vec<&str> =
            one.lifts.iter().map(|obstacle| obstacle_in_words(*obstacle)).collect();
        let plan = one.disclosure.as_ref();
        let plan =
            plan.map_or_else(|| "is not released".to_owned(), |name| format!("for `{name}`"));
        writeln!(
            page,
            "| {} | {} | {} | {plan} |",
            ground(one.basis),
            one.reference,
            lifts.join("; ")
        )?;
    }
    Ok(())
}

fn write_restrictions(page: &mut String, rules: &Rules, notes: &Notes<'_>) -> Result {
    writeln!(page, "\n## Restrictions on record")?;
    write_notes(page, notes.of_section("Restrictions"))?;
    writeln!(page)?;
    writeln!(page, "| restriction | provision | what it does |\n|---|---|---|")?;
    for one in rules.restrictions() {
        let does = if one.cuts.is_empty() {
            "the whole message waits for a person".to_owned()
        } else {
            format!("cuts {}", classes(&one.cuts))
        };
        let narrowed = if one.narrowed_by_entry {
            "; where the record of it names classes, those are cut instead"
        } else {
            ""
        };
        writeln!(page, "| `{}` | {} | {does}{narrowed} |", one.kind.as_str(), one.reference)?;
    }
    Ok(())
}

fn write_disclosures(page: &mut String, rules: &Rules, notes: &Notes<'_>) -> Result {
    writeln!(
        page,
        "\n## The plan document without consent (SEND Regulations 2014, regulation 17)"
    )?;
    write_notes(page, notes.of_section("Regulation 17"))?;
    writeln!(page)?;
    writeln!(page, "| purpose | in words | rules and grounds that use it |\n|---|---|---|")?;
    for one in rules.plan_disclosures() {
        let named = |disclosure: Option<&String>| disclosure == Some(&one.purpose);
        let using = in_order(rules).into_iter().filter(|rule| {
            rule.authority.iter().any(|candidate| named(candidate.disclosure.as_ref()))
        });
        let mut using: Vec<String> = using.map(|rule| format!("`{}`", rule.id)).collect();
        let grounds = rules.overrides().iter().filter(|ground| named(ground.disclosure.as_ref()));
        using.extend(grounds.map(|ground| basis(ground.basis).to_owned()));
        let using = if using.is_empty() { "none".to_owned() } else { using.join(", ") };
        writeln!(page, "| `{}` | {} | {using} |", one.purpose, one.words)?;
    }
    Ok(())
}

fn write_agreements(page: &mut String, book: &RuleBook) -> Result {
    writeln!(page, "\n## Sharing agreements\n")?;
    writeln!(
        page,
        "Without one in force between sender and recipient nothing goes; and none is an authority by \
         itself.\n\n| agreement | between | covers | classes | in force | powers |\n|---|---|---|---|---|---|"
    )?;
    for one in book.agreements.all() {
        let parties: Vec<String> = one
            .parties
            .iter()
            .map(|(code, kind)| format!("{code} ({})", kind.in_words()))
            .collect();
        let messages = one.messages.iter().map(|name| format!("`{name}`"));
        let purposes = one.purposes.iter().map(|name| format!("everything for `{name}`"));
        let covers: Vec<String> = messages.chain(purposes).collect();
        let until =
            one.until.map_or_else(|| "until further notice".to_owned(), |day| format!("to {day}"));
        writeln!(
            page,
            "| `{}`: {} | {} | {} | {} | from {} {until} | {} |",
            one.id,
            one.title,
            parties.join(", "),
            covers.join(", "),
            classes(&one.classes),
            one.from,
            one.statute
        )?;
    }
    Ok(())
}

/// What the file says of its rules beside the rules.
struct Notes<'a> {
    /// For the line on which each rule begins.
    of: Vec<(usize, Note<'a>)>,
    /// What stands right under each heading.
    sections: Vec<(&'a str, Vec<&'a str>)>,
}

/// What the file says above one rule.
#[derive(Clone, Default)]
struct Note<'a> {
    section: Option<&'a str>,
    under_section: Vec<&'a str>,
    above: Vec<&'a str>,
}

impl<'a> Notes<'a> {
    /// Reads the notes of a file. A line `# ---- title ----` begins a section; what stands under it
    /// is about its rules together, unless it stands right above one.
    fn of(text: &'a str) -> Self {
        let mut notes = Self { of: Vec::new(), sections: Vec::new() };
        let mut note = Note::default();
        let mut heading = false;
        for (line, number) in text.lines().zip(1..) {
            if let Some(title) = line.strip_prefix("# ---- ") {
                let title = title.trim_end_matches([' ', '-']);
                note = Note { section: Some(title), ..Note::default() };
                notes.sections.push((title, Vec::new()));
                heading = true;
            } else if let Some(said) = line.strip_prefix('#') {
                note.above.push(said.trim());
                if let Some((_, under)) = notes.sections.last_mut().filter(|_| heading) {
                    under.push(said.trim());
                }
            } else if line.trim().is_empty() {
                heading = false;
                note.under_section.append(&mut note.above);
            } else if line == "[[rule]]" {
                notes.of.push((number, note.clone()));
                note.above.clear();
                note.under_section.clear();
            } else {
                heading = false;
                note.above.clear();
            }
        }
        notes
    }

    /// What stands right under the heading that begins so.
    fn of_section(&self, begins: &str) -> &[&'a str] {
        let found = self.sections.iter().find(|(title, _)| title.starts_with(begins));
        found.map_or(&[], |(_, under)| under)
    }

    /// The notes of the rule that begins here, or just before.
    fn of_rule(&self, line: usize) -> Note<'a> {
        let before = self.of.iter().rev().find(|(begins, _)| *begins <= line);
        before.map(|(_, note)| note.clone()).unwrap_or_default()
    }
}

fn write_notes(page: &mut String, notes: &[&str]) -> Result {
    let notes = notes.join("\n");
    match notes.trim() {
        "" => Ok(()),
        said => writeln!(page, "\n{said}"),
    }
}

/// The number and title of a type in the catalogue.
fn title(rule: &Rule) -> (String, String) {
    let entry = Catalogue::built_in().find(&rule.message);
    entry.map(|entry| (entry.number.clone(), entry.title.clone())).unwrap_or_default()
}

fn classes(classes: &BTreeSet<DataClass>) -> String {
    let names: Vec<&str> = classes.iter().map(|class| class.as_str()).collect();
    names.join(", ")
}

fn or_list(names: &[&str]) -> String {
    match names {
        [] => "nobody".to_owned(),
        [one] => (*one).to_owned(),
        [before @ .., last] => format!("{} or {last}", before.join(", ")),
    }
}

fn basis(basis: Basis) -> &'static str {
    match basis {
        Basis::Statute => "a power or duty",
        Basis::Consent => "agreement that holds today",
        Basis::DirectCareImplied => "what a patient expects of those who care for them",
        Basis::Ca2004S16la => "the duty to share of section 16LA, once switched on",
        Basis::RecordKeeping => "a record or notice that the law requires",
        Basis::SafeguardingOverride => "safeguarding, claimed by two people",
        Basis::CourtOrTribunal => "an order or direction, read by two people",
        Basis::BestInterests => "best interests, claimed by two people",
        Basis::VitalInterests => "vital interests, claimed by two people",
    }
}

/// What two people claim.
fn ground(claimed: Basis) -> &'static str {
    match claimed {
        Basis::Statute => "the duty that the rule names, confirmed by two people",
        Basis::Consent
        | Basis::DirectCareImplied
        | Basis::Ca2004S16la
        | Basis::RecordKeeping
        | Basis::SafeguardingOverride
        | Basis::CourtOrTribunal
        | Basis::BestInterests
        | Basis::VitalInterests => basis(claimed),
    }
}

fn stopped(restricted: Restricted) -> &'static str {
    match restricted {
        Restricted::Hold => "With an objection or a restriction against it, it waits for people.",
        Restricted::Refuse => "With an objection or a restriction against it, it does not go.",
        Restricted::Proceed => {
            "It goes all the same with an objection; a restriction's cuts are made."
        }
    }
}

fn obstacle_in_words(obstacle: Obstacle) -> &'static str {
    match obstacle {
        Obstacle::Objection => "an objection of the family",
        Obstacle::NoAgreement => "no agreement and no duty",
        Obstacle::StaleDecisionMaker => "agreement by somebody who no longer decides",
        Obstacle::Disagreement => "two people with parental responsibility who disagree",
        Obstacle::CapacityNotRecorded => "no assessment of competence or capacity on record",
        Obstacle::Detriment => "the test of section 16LA",
        Obstacle::ProtectedAddress => "a protected address",
        Obstacle::ThirdParty => "information about somebody else",
        Obstacle::Adoption => "information about an adoption",
        Obstacle::Sealed => "sealed items",
        Obstacle::CourtLimits => "what a court has limited",
    }
}

const INTRODUCTION: &str = "# The rules of release

For somebody who knows the law and does not program: for each of the message types, by which rule it
goes, on what law, who may have what of it, and what makes it wait. This page is made from
[the rules](../rules/authority-1.toml) and the example
[agreements](../config/agreements.example.toml); a test holds it equal to them. Write it anew, or
for the files of your own gateway, with `ehc-gateway authority page` (with `-c FILE`, or `--rules
FILE` and `--agreements FILE`). What comes of the rules in particular cases is in the
[decision table](decision-table.md); what each message says is in [the catalogue](catalogue.md).

*Classes of data* are cut out of what is rendered, in every format. *Without this it waits*: when a
restriction or the family's agreement would cut a class that the recipient needs, people decide.
An override that a rule does not name can still be claimed by two people for what waits.
\"Not verified\" marks what was not checked against the text of the law.
";

#[cfg(test)]
mod tests;
