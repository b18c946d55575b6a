//! The files of the repository: what is walked, and what counts as production code.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use crate::tokens::test_modules;

/// Folders that are made, not written.
const MADE: &[&str] = &[".git", "target"];

/// Where the practice certificates are minted; ignored, and never committed.
const MINTED: &str = "certs-example/out";

/// A text file of the repository.
#[derive(Debug)]
pub(crate) struct File {
    /// Its path from the root, with forward slashes.
    pub(crate) path: String,
    /// What is in it; empty when it is not UTF-8.
    pub(crate) text: String,
}

impl File {
    /// Whether its name ends so.
    pub(crate) fn is(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|own| own == extension)
    }
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ has a parent").to_path_buf()
}

/// Every file, read once.
pub(crate) fn files() -> &'static [File] {
    static FILES: LazyLock<Vec<File>> = LazyLock::new(|| {
        let mut found = Vec::new();
        walk(&root(), "", &mut found);
        found.sort_by(|a, b| a.path.cmp(&b.path));
        found
    });
    &FILES
}

/// The file at this path, if there is one.
pub(crate) fn file(path: &str) -> Option<&'static File> {
    files().iter().find(|file| file.path == path)
}

/// Rust files that end up in the product: of the three crates, without test files.
pub(crate) fn production() -> Vec<&'static File> {
    let sources: Vec<&File> = files().iter().filter(|file| file.is("rs")).collect();
    let tests: BTreeSet<String> = sources.iter().flat_map(|file| test_files(file)).collect();
    let ours = |path: &str| {
        ["schemas/src/", "adapters/src/", "gateway/src/"].iter().any(|root| path.starts_with(root))
    };
    let is_test = |path: &str| {
        tests
            .iter()
            .any(|test| path == format!("{test}.rs") || path.starts_with(&format!("{test}/")))
            || path.ends_with("/tests.rs")
            || path.contains("/tests/")
    };
    sources.into_iter().filter(|file| ours(&file.path) && !is_test(&file.path)).collect()
}

/// The crate and module of a production file: `gateway/src/store/change.rs` is `store::change`.
pub(crate) fn module(path: &str) -> (String, String) {
    let (krate, inside) = path.split_once("/src/").unwrap_or((path, ""));
    let inside = inside.strip_suffix(".rs").unwrap_or(inside);
    (krate.to_owned(), inside.replace('/', "::"))
}

/// Paths, without extension, of the modules this file declares for tests only.
fn test_files(file: &File) -> Vec<String> {
    let stem = file.path.strip_suffix(".rs").unwrap_or(&file.path);
    let front = ["/lib", "/main", "/mod"].iter().find_map(|front| stem.strip_suffix(front));
    let folder = front.unwrap_or(stem);
    test_modules(&file.text).iter().map(|name| format!("{folder}/{name}")).collect()
}

fn walk(folder: &Path, prefix: &str, found: &mut Vec<File>) {
    let entries = std::fs::read_dir(folder).expect("a folder of the repository can be listed");
    for entry in entries.map(|entry| entry.expect("an entry can be read")) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
        let kind = entry.file_type().expect("an entry has a type");
        if MADE.contains(&name.as_str()) || path == MINTED {
            continue;
        }
        if kind.is_dir() {
            walk(&entry.path(), &path, found);
        } else {
            let bytes = std::fs::read(entry.path()).expect("a file can be read");
            found.push(File { path, text: String::from_utf8(bytes).unwrap_or_default() });
        }
    }
}

#[test]
fn the_tree_is_found_and_tests_are_told_from_production() {
    assert!(files().iter().any(|file| file.path == "Cargo.toml"));
    let paths: Vec<&str> = production().iter().map(|file| file.path.as_str()).collect();
    assert!(paths.contains(&"gateway/src/authority.rs"), "{paths:?}");
    assert!(paths.iter().all(|path| !path.starts_with("tests/") && !path.contains("/tests")));
}

#[test]
fn a_module_declared_for_tests_is_a_test_file() {
    let text = "#[cfg(test)]\nmod vectors;".to_owned();
    let file = File { path: "gateway/src/vault.rs".to_owned(), text };
    assert_eq!(test_files(&file), ["gateway/src/vault/vectors"]);
    assert_eq!(module("gateway/src/store/change.rs").1, "store::change");
}
