//! `authority`: why something may go, whether the rules hold together, and what others would change.

mod explain;
mod rehearse;

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use schemas::catalogue::Catalogue;

use super::{Configured, Outcome, eprintln_line, print_line};
use crate::authority::rules::consistency::{Finding, Source};
use crate::authority::{Agreements, RuleBook, Rules};
use crate::config::Config;

/// Commands about decisions on sharing.
#[derive(Debug, Subcommand)]
pub(super) enum AuthorityCommand {
    /// Every step of a decision in words: for a record or delivery, or for a made-up question.
    Explain(explain::ExplainArgs),
    /// Make the past decisions again under draft rules or agreements, and list what would change.
    Rehearse(rehearse::RehearseArgs),
    /// Look for what contradicts in rules, agreements and catalogue. Reads no records.
    Check(CheckArgs),
    /// Print rules and agreements as a page for somebody who knows the law.
    Page(PageArgs),
}

/// Arguments of `authority page`.
#[derive(Debug, Args)]
pub(super) struct PageArgs {
    #[command(flatten)]
    drafts: Drafts,
}

/// Arguments of `authority check`.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    drafts: Drafts,
}

/// Which rules and agreements: drafts, else the configuration's, else those shipped.
#[derive(Debug, Clone, Args)]
struct Drafts {
    /// The configuration file. Where there is none, what is shipped is used.
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A rules file, in place of the one in force.
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// An agreements file, in place of the one in force.
    #[arg(long, value_name = "FILE")]
    agreements: Option<PathBuf>,
}

/// Rules and agreements with the names of their files.
struct Named {
    book: RuleBook,
    /// What the rules were read from.
    text: String,
    rules: String,
    agreements: String,
}

pub(super) async fn authority(command: &AuthorityCommand, json: bool) -> anyhow::Result<Outcome> {
    match command {
        AuthorityCommand::Explain(args) => explain::explain(args, json).await,
        AuthorityCommand::Rehearse(args) => rehearse::rehearse(args, json).await,
        AuthorityCommand::Check(args) => check(args, json),
        AuthorityCommand::Page(args) => page(args, json),
    }
}

fn page(args: &PageArgs, json: bool) -> anyhow::Result<Outcome> {
    let named = match args.drafts.read()? {
        Ok(named) => named,
        Err(problem) => return Ok(refused(&[problem], json)),
    };
    let page = crate::authority::rules::page::page(&named.book, &named.text);
    if json {
        let body = serde_json::json!({ "version": named.book.version(), "page": page });
        print_line(&serde_json::to_string_pretty(&body)?);
    } else {
        print_line(page.trim_end());
    }
    Ok(Outcome::Done)
}

fn check(args: &CheckArgs, json: bool) -> anyhow::Result<Outcome> {
    let named = match args.drafts.read()? {
        Ok(named) => named,
        Err(problem) => return Ok(refused(&[problem], json)),
    };
    let findings = named.findings();
    if !findings.is_empty() {
        return Ok(refused(&findings, json));
    }
    let book = &named.book;
    if json {
        let body = serde_json::json!({
            "ok": true,
            "findings": [],
            "version": book.version(),
            "rules": book.rules.all().count(),
            "agreements": book.agreements.all().len(),
        });
        print_line(&serde_json::to_string_pretty(&body)?);
    } else {
        print_line(&format!(
            "{} and {}: {} rules and {} agreements, and nothing contradicts.",
            named.rules,
            named.agreements,
            book.rules.all().count(),
            book.agreements.all().len(),
        ));
    }
    Ok(Outcome::Done)
}

/// Says what is wrong with the files.
fn refused(findings: &[String], json: bool) -> Outcome {
    if json {
        let body = serde_json::json!({ "ok": false, "findings": findings });
        print_line(&format!("{body:#}"));
    } else {
        for finding in findings {
            print_line(finding);
        }
        eprintln_line(&format!("{} to put right.", findings.len()));
    }
    Outcome::InputRefused
}

impl Drafts {
    /// Reads the files; the inner error is a mistake in one of them, with its file and line.
    fn read(&self) -> anyhow::Result<Result<Named, String>> {
        let files = self.config.as_deref().map(Config::load).transpose()?.map(|one| one.files);
        let (in_force_rules, in_force_agreements) =
            files.map_or((None, None), |files| (files.rules, files.agreements));
        let rules = self.rules.clone().or(in_force_rules);
        let (rules_name, rules_text) = file_or(rules.as_deref(), "the rules shipped", RULES)?;
        let rules = match Rules::parse(&rules_text) {
            Ok(rules) => rules,
            Err(error) => return Ok(Err(format!("{rules_name}: {error}"))),
        };
        let agreements = self.agreements.clone().or(in_force_agreements);
        let (agreements_name, text) =
            file_or(agreements.as_deref(), "the example agreements shipped", AGREEMENTS)?;
        let agreements = match Agreements::parse(&text) {
            Ok(agreements) => agreements,
            Err(error) => return Ok(Err(format!("{agreements_name}: {error}"))),
        };
        let book = RuleBook { agreements, rules };
        Ok(Ok(Named { book, text: rules_text, rules: rules_name, agreements: agreements_name }))
    }
}

impl Named {
    /// What contradicts, each with its file and line.
    fn findings(&self) -> Vec<String> {
        let said = |finding: Finding| {
            let file = match finding.source {
                Source::Rules => &self.rules,
                Source::Agreements => &self.agreements,
            };
            format!("{file}: {finding}")
        };
        self.book.findings(Catalogue::built_in()).into_iter().map(said).collect()
    }
}

fn file_or(file: Option<&Path>, shipped: &str, text: &str) -> anyhow::Result<(String, String)> {
    let Some(file) = file else { return Ok((shipped.to_owned(), text.to_owned())) };
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).with_context(|| format!("{name} cannot be read"))?;
    Ok((name, text))
}

/// What is shipped.
const RULES: &str = include_str!("../../rules/authority-1.toml");
const AGREEMENTS: &str = include_str!("../../config/agreements.example.toml");

/// The configuration that a command looks for when none is named.
fn configured(config: Option<&Path>) -> Configured {
    let config = config.unwrap_or_else(|| Path::new("ehc-gateway.toml"));
    Configured { config: config.to_owned() }
}

#[cfg(test)]
mod tests;
