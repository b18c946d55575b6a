//! Which crate may depend on which, and the packages that are promised.

use std::collections::BTreeSet;

use crate::paths::paths;
use crate::tokens::production_tokens;
use crate::{assert_found, assert_none, tree};

/// Ours, lowest first: a crate may know those before it and nothing after.
const ORDER: &[&str] = &["schemas", "adapters", "gateway", "tests"];

/// Packages that are declared, and named in source: none is there for show.
const FIXED: &[&str] = &["axum", "rustls", "ring", "serde", "sqlx", "tracing", "base64"];

/// Packages that a crate of pure functions has no use for.
const WORLDLY: &[&str] = &[
    "tokio",
    "axum",
    "hyper",
    "reqwest",
    "rustls",
    "sqlx",
    "ring",
    "rand",
    "getrandom",
    "tracing",
];

/// The packages a manifest declares, development ones included.
fn declared(manifest: &str) -> BTreeSet<String> {
    let table: toml::Table = manifest.parse().unwrap_or_default();
    ["dependencies", "dev-dependencies", "build-dependencies"]
        .iter()
        .filter_map(|section| table.get(*section)?.as_table())
        .flat_map(|section| section.keys().cloned())
        .collect()
}

fn wrong_direction(name: &str, manifest: &str) -> Vec<String> {
    let place = ORDER.iter().position(|own| *own == name).unwrap_or(0);
    let refused: &[&str] = ORDER.get(place..).unwrap_or_default();
    let known = declared(manifest);
    let pure = ["schemas", "adapters"].contains(&name);
    let upward = refused.iter().filter(|other| known.contains(**other));
    let worldly = WORLDLY.iter().filter(|other| pure && known.contains(**other));
    upward
        .map(|other| format!("{name} depends on {other}: dependencies point to {ORDER:?} in order"))
        .chain(worldly.map(|other| format!("{name} is pure and has no use for {other}")))
        .collect()
}

/// Fixed packages that no manifest declares or no source names.
fn unused(manifests: &[&str], sources: &[&str]) -> Vec<String> {
    let known: BTreeSet<String> = manifests.iter().flat_map(|text| declared(text)).collect();
    let roots: BTreeSet<String> = sources
        .iter()
        .flat_map(|text| paths(&production_tokens(text)))
        .filter_map(|path| path.parts.first().cloned())
        .collect();
    let missing = FIXED.iter().filter(|name| !(known.contains(**name) && roots.contains(**name)));
    missing.map(|name| format!("{name} must be declared, and named in production code")).collect()
}

#[test]
fn dependencies_point_one_way() {
    let mut findings = Vec::new();
    for name in ORDER {
        let manifest =
            tree::file(&format!("{name}/Cargo.toml")).expect("each crate has a manifest");
        findings.extend(wrong_direction(name, &manifest.text));
    }
    assert_none("dependency direction", &findings);
}

#[test]
fn there_are_four_crates_and_none_is_published() {
    let manifest = tree::file("Cargo.toml").expect("the workspace has a manifest");
    let table: toml::Table = manifest.text.parse().expect("the manifest is TOML");
    let workspace = table.get("workspace").and_then(toml::Value::as_table);
    let members = workspace.and_then(|workspace| workspace.get("members")?.as_array());
    let members: Vec<&str> =
        members.into_iter().flatten().filter_map(toml::Value::as_str).collect();
    assert_eq!(members, ORDER, "an ADR comes before a fifth crate");
    assert!(manifest.text.contains("publish = false"));
}

#[test]
fn the_fixed_packages_are_declared_and_named_in_source() {
    let manifests: Vec<&str> = tree::files()
        .iter()
        .filter(|file| file.path.ends_with("/Cargo.toml") && !file.path.starts_with("tests/"))
        .map(|file| file.text.as_str())
        .collect();
    let sources: Vec<&str> = tree::production().iter().map(|file| file.text.as_str()).collect();
    assert_none("fixed packages", &unused(&manifests, &sources));
}

#[test]
fn a_wrong_direction_would_be_noticed() {
    let manifest = "[dependencies]\ngateway.workspace = true\ntokio = \"1\"\n";
    assert_found(&wrong_direction("adapters", manifest), "depends on gateway");
    assert_found(&wrong_direction("schemas", manifest), "no use for tokio");
    assert_found(&wrong_direction("schemas", "[dev-dependencies]\nadapters = \"1\""), "adapters");
}

#[test]
fn a_fixed_package_that_is_only_declared_would_be_noticed() {
    let findings = unused(&["[dependencies]\naxum = \"0\"\nring = \"0\""], &["use ring::digest;"]);
    assert_found(&findings, "axum must be declared");
    assert!(!findings.iter().any(|finding| finding.starts_with("ring")));
}
