//! The operator's page names every command there is, and no flag that there is not.

use std::collections::{BTreeMap, BTreeSet};

use super::{Cli, CommandFactory as _, totality};

const PAGE: &str = include_str!("../../docs/operations.md");

/// The flags of every command that does something itself, by the words one types.
fn commands() -> BTreeMap<String, BTreeSet<String>> {
    fn walk(command: &clap::Command, path: &str, found: &mut BTreeMap<String, BTreeSet<String>>) {
        if !command.is_subcommand_required_set() {
            let flags = command.get_arguments().filter_map(clap::Arg::get_long);
            found.insert(path.to_owned(), flags.map(str::to_owned).collect());
        }
        for inner in command.get_subcommands() {
            let path = format!("{path} {}", inner.get_name());
            walk(inner, path.trim_start(), found);
        }
    }
    let mut found = BTreeMap::new();
    for command in Cli::command().get_subcommands() {
        walk(command, command.get_name(), &mut found);
    }
    found
}

/// What the page's tables say one types: the code in the first cells under `Commands`.
fn told() -> Vec<String> {
    let (_, rest) = PAGE.split_once("\n## Commands\n").expect("the heading");
    let section = rest.split("\n## ").next().expect("a section");
    let cells = section.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let typed = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned));
    typed.collect()
}

/// The longest command that a text begins with.
fn command_of<'a>(typed: &str, all: &'a BTreeMap<String, BTreeSet<String>>) -> Option<&'a String> {
    let begins = |name: &&String| {
        typed
            .strip_prefix(name.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    };
    all.keys().filter(begins).max_by_key(|name| name.len())
}

#[test]
fn the_operators_page_names_every_command_and_only_flags_that_there_are() {
    let all = commands();
    assert!(all.len() > 40, "the commands were not found: {all:?}");
    let mut named = BTreeSet::new();
    for typed in told() {
        let command = command_of(&typed, &all).unwrap_or_else(|| panic!("no command: {typed}"));
        named.insert(command.clone());
        for flag in typed.split("--").skip(1) {
            let flag = flag.split([' ', ']', '|']).next().unwrap_or_default();
            assert!(all[command].contains(flag), "{command} has no flag --{flag}");
        }
    }
    let missing: Vec<&String> = all.keys().filter(|name| !named.contains(*name)).collect();
    assert!(missing.is_empty(), "operations.md does not name {missing:?}");
}

#[test]
fn every_command_that_leaves_no_entry_is_there_and_has_a_reason() {
    let all = commands();
    for (name, why) in totality::LEAVES_NOTHING {
        assert!(all.contains_key(name), "there is no command {name}");
        assert!(why.len() > 5, "{name} has no reason");
    }
}

#[test]
fn every_command_leaves_an_entry_or_has_a_reason_not_to() {
    let all = commands();
    let leaves: BTreeSet<&str> = include_str!("entries.txt")
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .map(|(command, _)| command)
        .collect();
    let exempt: BTreeSet<&str> = totality::LEAVES_NOTHING.iter().map(|(name, _)| *name).collect();
    let known: BTreeSet<&str> = leaves.union(&exempt).copied().collect();
    let all: BTreeSet<&str> = all.keys().map(String::as_str).collect();
    assert_eq!(all, known, "say in entries.txt what a command leaves, or why it leaves nothing");
    let both: Vec<&&str> = leaves.intersection(&exempt).collect();
    assert!(both.is_empty(), "{both:?}");
}
