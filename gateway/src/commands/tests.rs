//! The operator's page names every command there is, and no flag that there is not.

use std::collections::{BTreeMap, BTreeSet};

use super::{Cli, CommandFactory as _, Outcome, totality};
use crate::audit::EventKind;
use crate::store::Notice;

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
    for (name, _, why) in totality::LEAVES_NOTHING {
        assert!(all.contains_key(name), "there is no command {name}");
        assert!(why.len() > 5, "{name} has no reason");
    }
}

/// What is seen to leave these kinds of entries is compared with them where commands are run.
#[test]
fn every_command_leaves_an_entry_or_has_a_reason_not_to() {
    let all = commands();
    let leaves: BTreeMap<&str, &str> =
        include_str!("entries.txt").lines().filter_map(|line| line.split_once(" = ")).collect();
    for (name, kinds) in &leaves {
        let is_known = |kind: &str| serde_json::from_value::<EventKind>(kind.into()).is_ok();
        let strange: Vec<&str> = kinds.split(' ').filter(|kind| !is_known(kind)).collect();
        assert!(strange.is_empty(), "{name} leaves {strange:?}, and there is no such kind");
    }
    let (always, one_way): (Vec<_>, Vec<_>) =
        totality::LEAVES_NOTHING.iter().partition(|(_, when, _)| when.is_always());
    let always: BTreeSet<&str> = always.into_iter().map(|(name, _, _)| *name).collect();
    let known: BTreeSet<&str> = leaves.keys().copied().chain(always.iter().copied()).collect();
    let all: BTreeSet<&str> = all.keys().map(String::as_str).collect();
    assert_eq!(all, known, "say in entries.txt what a command leaves, or why it leaves nothing");
    for name in always {
        assert!(!leaves.contains_key(name), "{name} never leaves an entry, and leaves one");
    }
    for (name, _, _) in one_way {
        assert!(leaves.contains_key(name), "{name} never leaves an entry: say so");
    }
}

/// A command is let off only the way that leaves nothing.
#[test]
fn a_command_that_leaves_nothing_one_way_must_leave_an_entry_the_other() {
    let id = "0b9f6f9e-6d0c-4f8e-9f53-1c8a5d7effff";
    let made_up = ["authority", "explain", "--type", "plan.final", "--from", "334", "--to", "RYW"];
    let ways: [(&[&str], Outcome, bool, bool); 14] = [
        (&["report", "list"], Outcome::Done, false, true),
        (&["report", "check", "a.csv"], Outcome::Done, false, false),
        (&["report", "exceptions", "--reason", "complaint"], Outcome::Done, false, false),
        (&made_up, Outcome::Done, false, true),
        (&["authority", "explain", id], Outcome::Done, false, false),
        (&["audit", "verify", "--bundle", "a", "--key", "b"], Outcome::Done, false, true),
        (&["audit", "verify"], Outcome::Done, false, false),
        (&["audit", "verify", "--key", "b"], Outcome::Done, false, false),
        (&["audit", "verify"], Outcome::Found, false, true),
        (&["import", "a.csv", "--as", "334"], Outcome::Done, false, false),
        (&["import", "a.csv", "--as", "334"], Outcome::Done, true, true),
        (&["retention", "run", "--confirm"], Outcome::Done, false, false),
        (&["retention", "run", "--confirm"], Outcome::Done, true, true),
        (&["board"], Outcome::Found, true, false),
    ];
    for (words, outcome, nothing_done, may) in ways {
        let typed = [&["ehc-gateway"], words].concat();
        let matches = Cli::command().try_get_matches_from(typed).expect("a command");
        let typed = totality::Typed::of(&matches);
        let notice = Notice::default();
        if nothing_done {
            notice.say_nothing_was_done();
        }
        let said = format!("{words:?} {outcome:?}, nothing done: {nothing_done}");
        assert_eq!(totality::is_witnessed(&typed, outcome, &notice), may, "{said}");
        assert!(totality::is_witnessed(&typed, Outcome::NotFound, &notice), "{said}");
    }
}
