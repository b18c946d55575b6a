//! What is nowhere to be found: the invariants of the architecture, each stated as an absence.
//!
//! Production code only; comments and strings do not count unless a rule says so. Modules are
//! named from the crate's root, and naming one covers everything inside it.

use crate::lexer::{Kind, Token};
use crate::paths::{Path, paths};
use crate::tokens::{closing, production_texts, production_tokens};
use crate::tree::{File, module};
use crate::{assert_found, assert_none, tree};

/// A path that only some modules may name.
struct Kept {
    /// The start of the path.
    path: &'static str,
    /// The modules of `gateway` that may.
    only_in: &'static [&'static str],
    /// Why.
    because: &'static str,
}

/// Anything with these at its start is not for `schemas` and `adapters`.
const IMPURE: &[&str] = &[
    "tokio",
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "std::os",
    "std::time::SystemTime",
    "std::time::Instant",
    "SystemTime",
    "Instant",
    "rand",
    "getrandom",
    "jiff::Timestamp::now",
    "jiff::Zoned::now",
    "Timestamp::now",
    "Zoned::now",
];

/// Decisions are pure functions: `authority` is handed its evidence and the time.
const NOT_FOR_AUTHORITY: &[&str] =
    &["tokio", "std::fs", "std::net", "crate::store", "crate::vault", "crate::delivery"];

/// What the store must never see.
const PLAIN: &[&str] = &["Record", "Draft", "Opened"];

const KEPT: &[Kept] = &[
    Kept { path: "sqlx", only_in: &["store"], because: "only the store speaks to a database" },
    Kept { path: "rustls", only_in: TLS, because: "TLS is decided in tls, peer and pki" },
    Kept { path: "tokio_rustls::rustls", only_in: TLS, because: "no way round by another name" },
    Kept { path: "x509_parser", only_in: TLS, because: "certificates stay with TLS" },
    Kept { path: "rcgen", only_in: TLS, because: "certificates are minted in pki" },
    Kept {
        path: "ring",
        only_in: &["vault", "audit", "entropy", "receipt"],
        because: "cryptography has four homes: vault, audit, entropy and receipt",
    },
    Kept {
        path: "anyhow",
        only_in: &["main", "commands"],
        because: "errors have types everywhere but at the command line",
    },
];

const TLS: &[&str] = &["tls", "peer", "pki"];

/// Who answers with, or reads, HTTP status codes: the API, and those who are its clients.
const STATUS_CODES: &[&str] = &[
    "api",
    "console",
    "delivery",
    "demo",
    "bench",
    "commands::demo",
    "practice",
    "commands::bench",
];

/// Who may read the environment.
const ENVIRONMENT: &[&str] = &["main", "commands"];

/// Modules that start nothing in the background.
const NO_SPAWN: &[&str] =
    &["authority", "vault", "audit", "entropy", "clock", "peer", "pki", "config", "receipt"];

/// The proofs of a decision about sharing, which only `authority` makes.
const TOKENS: &[&str] = &["Admission", "Release"];

/// Whether a module is one of these, or inside one.
fn within(module: &str, homes: &[&str]) -> bool {
    homes.iter().any(|home| {
        module.strip_prefix(home).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    })
}

fn report(file: &File, path: &Path, because: &str) -> String {
    format!("{}:{}: names {}: {because}", file.path, path.line, path.written())
}

/// A pure crate that reaches for the world.
fn impurities(file: &File) -> Vec<String> {
    let found = paths(&production_tokens(&file.text));
    let (krate, module) = module(&file.path);
    let refused = match krate.as_str() {
        "schemas" | "adapters" => IMPURE,
        "gateway" if within(&module, &["authority"]) => NOT_FOR_AUTHORITY,
        _ => &[],
    };
    let hits = found.iter().filter(|path| refused.iter().any(|start| path.starts_with(start)));
    hits.map(|path| report(file, path, "this code is pure: it is handed what it needs")).collect()
}

/// Packages and paths outside the modules that may name them.
fn out_of_place(file: &File) -> Vec<String> {
    let (krate, module) = module(&file.path);
    let found = paths(&production_tokens(&file.text));
    let mut findings = Vec::new();
    for kept in KEPT {
        if krate == "gateway" && within(&module, kept.only_in) {
            continue;
        }
        // `use rustls::crypto::ring` makes a local `ring` that is not the package.
        let local =
            |path: &Path| path.parts.len() > 1 && path.parts.last().is_some_and(|p| p == kept.path);
        if found.iter().any(local) {
            continue;
        }
        let named = |path: &&Path| path.starts_with(kept.path) && path.parts.len() > 1;
        findings.extend(found.iter().filter(named).map(|path| report(file, path, kept.because)));
    }
    let rules: [(&[&str], &str, &[&str]); 2] = [
        (STATUS_CODES, "only the API answers with status codes", &["StatusCode"]),
        (
            ENVIRONMENT,
            "nothing reads the environment after the command line",
            &["var", "var_os", "vars", "vars_os", "set_var", "remove_var"],
        ),
    ];
    for (homes, because, words) in rules {
        let env = words.contains(&"var");
        let hit =
            |path: &&Path| words.iter().any(|word| path.names(word)) && (!env || path.names("env"));
        if !within(&module, homes) {
            findings.extend(found.iter().filter(hit).map(|path| report(file, path, because)));
        }
    }
    findings
}

/// SQL outside the store: string literals that begin as a statement does.
fn stray_sql(file: &File) -> Vec<String> {
    if within(&module(&file.path).1, &["store"]) {
        return Vec::new();
    }
    let texts = production_texts(&file.text);
    let hits = texts.iter().filter(|(_, text)| is_sql(text));
    hits.map(|(line, _)| format!("{}:{line}: SQL belongs in the store", file.path)).collect()
}

fn is_sql(text: &str) -> bool {
    let lower = text.to_lowercase();
    let body: Vec<&str> = lower
        .lines()
        .map(str::trim)
        .filter(|line| !(line.is_empty() || line.starts_with("--") || line.starts_with("/*")))
        .collect();
    let body = body.join(" ");
    let pairs = [
        ("select ", " from "),
        ("insert into ", " values"),
        ("insert into ", " select "),
        ("update ", " set "),
        ("delete from ", " where "),
        ("create table ", "("),
        ("create index ", " on "),
        ("create unique index ", " on "),
        ("pragma ", ""),
        ("alter table ", " "),
        ("begin immediate", ""),
    ];
    pairs.iter().any(|(start, then)| body.starts_with(start) && body.contains(then))
}

/// Plaintext in the store: `Write::Record` is the store's own word, `schemas::Record` is not.
fn plaintext_in_store(file: &File) -> Vec<String> {
    let (krate, module) = module(&file.path);
    if krate != "gateway" || !within(&module, &["store"]) {
        return Vec::new();
    }
    let found = paths(&production_tokens(&file.text));
    let own = |part: &str| ["Write", "Self", "EventKind"].contains(&part);
    let names_plain = |path: &&Path| {
        path.parts.windows(2).any(
            |pair| matches!(pair, [before, word] if PLAIN.contains(&word.as_str()) && !own(before)),
        ) || (path.starts_with("schemas") && path.names("*"))
    };
    let hits = found.iter().filter(names_plain);
    hits.map(|path| report(file, path, "the store sees sealed things only")).collect()
}

/// A format cannot vouch for content: adapters take a `Record` by reference and give none.
fn adapters_that_vouch(file: &File) -> Vec<String> {
    if module(&file.path).0 != "adapters" {
        return Vec::new();
    }
    let all = production_tokens(&file.text);
    let mut findings = Vec::new();
    for (at, _) in all.iter().enumerate().filter(|(_, token)| token.is_mark("->")) {
        let ends =
            |token: &&Token| !(token.is_mark("{") || token.is_mark(";") || token.is_word("where"));
        let returned: Vec<&Token> = all.iter().skip(at + 1).take_while(ends).collect();
        let mut before: Option<&Token> = None;
        for token in returned {
            let lent = before.is_some_and(|b| b.is_mark("&") || b.kind == Kind::Other);
            if token.is_word("Record") && !lent {
                findings
                    .push(format!("{}:{}: gives a Record; give a Draft", file.path, token.line));
            }
            before = Some(token);
        }
    }
    findings
}

/// `Admission { … }` or `Release { … }` built outside `authority`.
fn forged(file: &File) -> Vec<String> {
    let (krate, module) = module(&file.path);
    if krate != "gateway" || within(&module, &["authority"]) {
        return Vec::new();
    }
    let all = production_tokens(&file.text);
    let found = paths(&all);
    let lower = |part: &String| part.chars().all(|c| c.is_lowercase() || c == '_');
    let mut findings = Vec::new();
    for name in TOKENS {
        let known = found.iter().any(|path| {
            matches!(path.parts.as_slice(), [.., before, last] if last == name && lower(before))
        });
        let built = (0..all.len()).filter(|&at| known && is_built(&all, at, name));
        findings.extend(built.filter_map(|at| all.get(at)).map(|token| {
            format!("{}:{}: makes or extends {name}; only authority may", file.path, token.line)
        }));
    }
    findings
}

/// Whether the word at `at` begins a struct literal of this name, or an inherent impl for it.
fn is_built(all: &[Token], at: usize, name: &str) -> bool {
    let here = all.get(at).is_some_and(|token| token.is_word(name));
    if !here || !all.get(at + 1).is_some_and(|token| token.is_mark("{")) {
        return false;
    }
    let mut start = at;
    while start >= 2 && all.get(start - 1).is_some_and(|token| token.is_mark("::")) {
        start -= 2;
        if all
            .get(start)
            .and_then(Token::word)
            .is_some_and(|part| part.starts_with(char::is_uppercase))
        {
            // `Outcome::Release { … }` is a variant of something else.
            return false;
        }
    }
    let mut before = start;
    while before >= 1
        && all.get(before - 1).is_some_and(|token| {
            token.is_mark("&") || token.is_word("mut") || token.kind == Kind::Other
        })
    {
        before -= 1;
    }
    let previous = before.checked_sub(1).and_then(|place| all.get(place));
    if previous.is_some_and(|token| token.is_word("impl")) {
        return true;
    }
    let declares = previous.is_some_and(|token| {
        token.is_mark("->")
            || ["struct", "enum", "for", "let", "trait", "mod", "dyn"]
                .iter()
                .any(|w| token.is_word(w))
    });
    let after = closing(all, at + 1).and_then(|end| all.get(end + 1));
    let taken_apart =
        after.is_some_and(|token| ["=", "=>", ":", "|"].iter().any(|mark| token.is_mark(mark)));
    !declares && !taken_apart
}

/// Background tasks where there are to be none, and state that everyone can change.
fn loose_ends(file: &File) -> Vec<String> {
    let (krate, module) = module(&file.path);
    let all = production_tokens(&file.text);
    let mut findings = Vec::new();
    let quiet = krate != "gateway" || within(&module, NO_SPAWN);
    let spawns = |path: &&Path| {
        quiet && (path.starts_with("tokio::spawn") || path.starts_with("tokio::task::spawn"))
    };
    let found = paths(&all);
    let hits = found.iter().filter(spawns);
    findings.extend(hits.map(|path| report(file, path, "this module starts nothing")));
    for (at, token) in all.iter().enumerate().filter(|(_, token)| token.is_word("static")) {
        let until = |token: &&Token| !(token.is_mark("=") || token.is_mark(";"));
        let changeable =
            all.iter().skip(at + 1).take_while(until).filter_map(Token::word).any(|word| {
                ["mut", "Mutex", "RwLock", "Cell", "RefCell", "ArcSwap"].contains(&word)
                    || word.starts_with("Atomic")
            });
        if changeable {
            findings.push(format!("{}:{}: global state that changes", file.path, token.line));
        }
    }
    findings
}

/// The API speaks to the pipeline and the store, never to the vault.
fn shortcuts(file: &File) -> Vec<String> {
    let (krate, module) = module(&file.path);
    if krate != "gateway" || !within(&module, &["api", "console"]) {
        return Vec::new();
    }
    let found = paths(&production_tokens(&file.text));
    let hits = found.iter().filter(|path| path.starts_with("crate::vault"));
    hits.map(|path| report(file, path, "the outside does not open records itself")).collect()
}

fn over_production(check: fn(&File) -> Vec<String>) -> Vec<String> {
    tree::production().into_iter().flat_map(check).collect()
}

/// A finding in a made-up file.
#[cfg(test)]
fn of(check: fn(&File) -> Vec<String>, path: &str, text: &str) -> Vec<String> {
    check(&File { path: path.to_owned(), text: text.to_owned() })
}

#[test]
fn schemas_adapters_and_authority_reach_for_nothing() {
    assert_none("purity", &over_production(impurities));
}

#[test]
fn an_impure_line_would_be_noticed() {
    let grouped = "use std::{fmt, fs::File};";
    assert_found(&of(impurities, "adapters/src/csv.rs", grouped), "std::fs::File");
    assert_found(
        &of(impurities, "schemas/src/a.rs", "let t = std::time::Instant::now();"),
        "Instant",
    );
    assert_found(
        &of(impurities, "gateway/src/authority/rules.rs", "use crate::store::Store;"),
        "store",
    );
    assert!(of(impurities, "schemas/src/a.rs", "// std::fs\nlet s = \"std::fs\";").is_empty());
    assert!(of(impurities, "gateway/src/config.rs", grouped).is_empty());
}

#[test]
fn packages_are_named_only_where_they_live() {
    assert_none("packages out of place", &over_production(out_of_place));
}

#[test]
fn a_package_out_of_place_would_be_noticed() {
    assert_found(&of(out_of_place, "gateway/src/api.rs", "use sqlx::Row;"), "sqlx");
    assert_found(
        &of(out_of_place, "gateway/src/delivery/https.rs", "use rustls::ClientConfig;"),
        "rustls",
    );
    assert_found(&of(out_of_place, "gateway/src/api.rs", "ring::digest::digest(a, b)"), "ring");
    assert_found(&of(out_of_place, "gateway/src/store.rs", "use anyhow::Result;"), "anyhow");
    assert_found(
        &of(out_of_place, "gateway/src/vault.rs", "fn a() -> axum::http::StatusCode {}"),
        "StatusCode",
    );
    assert_found(
        &of(out_of_place, "gateway/src/config.rs", "use std::env; env::var(\"A\")"),
        "env::var",
    );
    let allowed = "use rustls::crypto::ring; fn a() { ring::default_provider(); }";
    assert!(of(out_of_place, "gateway/src/tls/server.rs", allowed).is_empty());
    assert!(of(out_of_place, "gateway/src/commands/pki.rs", "use anyhow::Result;").is_empty());
}

#[test]
fn sql_is_written_in_the_store_only() {
    assert_none("SQL outside the store", &over_production(stray_sql));
}

#[test]
fn stray_sql_would_be_noticed() {
    let source = "let q = \"-- find\\n\"; let r = r#\"\n  -- board\n  select a\n  from b\"#;";
    assert_found(&of(stray_sql, "gateway/src/api.rs", source), "api.rs:1");
    assert!(of(stray_sql, "gateway/src/store/legs.rs", source).is_empty());
    assert!(!is_sql("select one of these") && !is_sql("update the partner's certificate"));
}

#[test]
fn the_store_never_sees_plaintext() {
    assert_none("plaintext in the store", &over_production(plaintext_in_store));
}

#[test]
fn plaintext_in_the_store_would_be_noticed() {
    let path = "gateway/src/store/records.rs";
    assert_found(&of(plaintext_in_store, path, "use schemas::{RecordId, Record};"), "Record");
    assert_found(&of(plaintext_in_store, path, "use schemas::*;"), "schemas::*");
    assert_found(&of(plaintext_in_store, path, "fn a(r: &schemas::record::Record) {}"), "Record");
    let fine = "use crate::vault::SealedRecord; match w { Write::Record(NewRecord { .. }) => {} }";
    assert!(of(plaintext_in_store, path, fine).is_empty());
}

#[test]
fn adapters_give_drafts_and_never_records() {
    assert_none("adapters that vouch", &over_production(adapters_that_vouch));
}

#[test]
fn an_adapter_that_vouches_would_be_noticed() {
    let path = "adapters/src/csv.rs";
    let source = "fn read(b: &[u8]) -> Result<Vec<Record>, ReadError> { a() }";
    assert_found(&of(adapters_that_vouch, path, source), "give a Draft");
    assert!(of(adapters_that_vouch, path, "fn write(r: &Record) -> Vec<u8> { a() }").is_empty());
}

#[test]
fn only_authority_makes_admissions_and_releases() {
    assert_none("forged proofs", &over_production(forged));
}

#[test]
fn a_forged_proof_would_be_noticed() {
    let path = "gateway/src/pipeline.rs";
    let import = "use crate::authority::{Admission, Release};";
    for bad in ["let a = Admission { record };", "spend(&Release { record })", "impl Release { }"] {
        assert_found(&of(forged, path, &format!("{import} {bad}")), "only authority");
    }
    assert_found(&of(forged, path, "x(crate::authority::Release { a })"), "Release");
    for fine in [
        "let Release { record, .. } = release;",
        "match r { Release { a, .. } => b, }",
        "fn f() -> Release { g() }",
        "impl Spend for Release { }",
        "let o = Outcome::Release { a };",
    ] {
        assert!(of(forged, path, &format!("{import} {fine}")).is_empty(), "{fine}");
    }
}

#[test]
fn nothing_is_started_or_shared_behind_the_readers_back() {
    assert_none("loose ends", &over_production(loose_ends));
}

#[test]
fn a_loose_end_would_be_noticed() {
    assert_found(&of(loose_ends, "gateway/src/vault.rs", "tokio::spawn(a);"), "starts nothing");
    assert_found(&of(loose_ends, "gateway/src/api.rs", "static N: AtomicU64 = x;"), "global state");
    assert!(
        of(loose_ends, "gateway/src/api.rs", "fn a(s: &'static str) {} static B: &str = c;")
            .is_empty()
    );
}

#[test]
fn the_api_never_opens_a_record() {
    assert_none("shortcuts to the vault", &over_production(shortcuts));
}

#[test]
fn a_shortcut_to_the_vault_would_be_noticed() {
    assert_found(&of(shortcuts, "gateway/src/api/inbox.rs", "use crate::vault::Vault;"), "vault");
}
