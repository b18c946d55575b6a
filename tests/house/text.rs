//! What no file may hold: keys, paths of somebody's machine, promises without a number, numbers
//! that could be a real person's.

use crate::lexer::tokens;
use crate::tree::File;
use crate::{assert_found, assert_none, tree};

/// Numbers that pass the NHS check digit and are published examples, or not NHS numbers at all
/// (learner numbers, whose examples pass by chance).
const PUBLISHED: &[&str] =
    &["9434765919", "9876543210", "9876544322", "1000102504", "1000102505", "0000000042"];

/// Beginnings of paths that exist on one machine only.
fn machine_paths() -> Vec<String> {
    ["home", "root", "work", "Users"].iter().map(|top| format!("/{top}/")).collect()
}

/// Words that promise later work.
const PROMISES: &[&str] = &["TODO", "FIXME", "HACK"];

fn numbered_lines(file: &File) -> impl Iterator<Item = (usize, &str)> {
    file.text.lines().enumerate().map(|(at, line)| (at + 1, line))
}

/// A PEM header of a private key with key material behind it.
fn private_keys(file: &File) -> Vec<String> {
    let header = ["PRIVATE KEY", "-----"].concat();
    let material = |rest: &str| {
        let body = rest.replace("\\n", " ").replace("\\r", " ");
        let near = body.split(|c: char| c.is_whitespace() || c == '"' || c == '\\');
        let longest = near.take(12).map(|word| {
            let base64 = |c: &char| c.is_ascii_alphanumeric() || ['+', '/', '='].contains(c);
            word.chars().take_while(base64).count()
        });
        longest.max().unwrap_or(0) >= 24
    };
    let mut findings = Vec::new();
    for (at, _) in file.text.match_indices(&header) {
        let (before, rest) = file.text.split_at(at);
        let begins = before.lines().last().is_some_and(|line| line.contains("-----BEGIN "));
        if begins && material(rest.trim_start_matches(header.as_str())) {
            let line = before.lines().count();
            findings.push(format!("{}:{line}: a private key; none is ever committed", file.path));
        }
    }
    findings
}

fn somebodys_paths(file: &File) -> Vec<String> {
    let mut findings = Vec::new();
    for (number, line) in numbered_lines(file) {
        for path in machine_paths() {
            let stands_alone = line.match_indices(&path).any(|(at, _)| {
                let before = line.get(..at).and_then(|before| before.chars().last());
                !before.is_some_and(|c| c.is_alphanumeric() || "._-}~*)".contains(c))
            });
            if stands_alone {
                findings.push(format!("{}:{number}: {path} is on one machine only", file.path));
            }
        }
    }
    findings
}

/// `TODO` and its like without an issue's number on the line.
fn promises(file: &File) -> Vec<String> {
    let mut findings = Vec::new();
    for (number, line) in numbered_lines(file) {
        let word = line
            .split(|c: char| !(c.is_alphanumeric() || c == '_'))
            .find(|word| PROMISES.contains(word));
        let numbered =
            line.split('#').skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        if let Some(word) = word.filter(|_| !numbered) {
            findings.push(format!("{}:{number}: {word} without the number of an issue", file.path));
        }
    }
    findings
}

/// Unfinished code, ignored tests, and lints silenced without a reason.
fn unfinished(file: &File) -> Vec<String> {
    let all = tokens(&file.text);
    let mut findings = Vec::new();
    for (at, token) in all.iter().enumerate() {
        let next = |ahead: usize, mark: &str| all.get(at + ahead).is_some_and(|t| t.is_mark(mark));
        let line = token.line;
        if ["todo", "unimplemented"].iter().any(|word| token.is_word(word)) && next(1, "!") {
            findings.push(format!("{}:{line}: unfinished code", file.path));
        }
        let attribute = token.is_mark("#") && (next(1, "[") || (next(1, "!") && next(2, "[")));
        if !attribute {
            continue;
        }
        let inside = if next(1, "[") { at + 2 } else { at + 3 };
        match all.get(inside).and_then(crate::lexer::Token::word) {
            Some("ignore") => {
                findings.push(format!("{}:{line}: an ignored test is no test", file.path));
            }
            Some("allow") => {
                findings.push(format!("{}:{line}: say expect, with a reason", file.path));
            }
            _ => {}
        }
    }
    findings
}

/// Whether ten digits pass the NHS number's check (modulus 11, weights 10 to 2).
fn passes_check(digits: &str) -> bool {
    let values: Vec<u32> = digits.chars().filter_map(|c| c.to_digit(10)).collect();
    let Some((check, nine)) = values.split_last().filter(|(_, nine)| nine.len() == 9) else {
        return false;
    };
    let sum: u32 = nine.iter().zip((2..=10).rev()).map(|(digit, weight)| digit * weight).sum();
    match 11 - sum % 11 {
        11 => *check == 0,
        wanted => *check == wanted,
    }
}

/// Ten digits that stand alone, plain or written 3-3-4, with the line they stand on.
fn ten_digit_numbers(line: &str) -> Vec<String> {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let words: Vec<&str> = line.split(|c: char| !word(c)).filter(|part| !part.is_empty()).collect();
    let all_digits = |part: &str| part.chars().all(|c| c.is_ascii_digit());
    let plain = words.iter().filter(|part| part.len() == 10 && all_digits(part));
    let mut found: Vec<String> = plain.map(|part| (*part).to_owned()).collect();
    for triple in words.windows(3) {
        if let [a, b, c] = triple {
            let shape = (a.len(), b.len(), c.len()) == (3, 3, 4);
            let joined = [a, b, c].map(|part| *part).concat();
            let apart =
                line.contains(&format!("{a} {b} {c}")) || line.contains(&format!("{a}-{b}-{c}"));
            if shape && all_digits(&joined) && apart {
                found.push(joined);
            }
        }
    }
    found
}

/// Numbers nobody has: the test range, one digit ten times, and none begins with two zeros.
fn is_made_up(digits: &str) -> bool {
    let repeated = digits.chars().all(|c| digits.starts_with(c));
    repeated || ["999", "00"].iter().any(|start| digits.starts_with(start))
}

fn real_looking_numbers(file: &File) -> Vec<String> {
    let mut findings = Vec::new();
    for (number, line) in numbered_lines(file) {
        let suspects = ten_digit_numbers(line).into_iter().filter(|digits| {
            passes_check(digits) && !is_made_up(digits) && !PUBLISHED.contains(&digits.as_str())
        });
        findings.extend(suspects.map(|digits| {
            format!("{}:{number}: {digits} passes the NHS check digit; use 999…", file.path)
        }));
    }
    findings
}

fn over(files: impl Fn(&File) -> bool, check: fn(&File) -> Vec<String>) -> Vec<String> {
    tree::files().iter().filter(|file| files(file)).flat_map(check).collect()
}

fn of(check: fn(&File) -> Vec<String>, text: &str) -> Vec<String> {
    check(&File { path: "a.rs".to_owned(), text: text.to_owned() })
}

#[test]
fn no_private_key_is_in_the_repository() {
    assert_none("private keys", &over(|_| true, private_keys));
    let named =
        tree::files().iter().filter(|file| file.is("key") || file.is("p12") || file.is("pfx"));
    let named: Vec<String> = named.map(|file| file.path.clone()).collect();
    assert_none("files named as keys", &named);
}

#[test]
fn no_path_of_a_machine_is_in_the_repository() {
    assert_none("paths of a machine", &over(|_| true, somebodys_paths));
}

#[test]
fn nothing_is_promised_without_the_number_of_an_issue() {
    assert_none("promises", &over(|file| file.path != "tests/house/text.rs", promises));
}

#[test]
fn no_code_is_unfinished_and_no_test_is_ignored() {
    assert_none("unfinished code", &over(|file| file.is("rs"), unfinished));
}

#[test]
fn every_nhs_number_is_from_the_range_reserved_for_tests() {
    let findings = over(|file| !file.path.ends_with("Cargo.lock"), real_looking_numbers);
    assert_none("numbers that could be a person's", &findings);
}

#[test]
fn a_private_key_would_be_noticed() {
    let key = |body: &str| ["-----BEGIN EC PRIVATE ", "KEY-----", body].concat();
    assert_found(&of(private_keys, &key("\nMHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04f\n")), "a.rs:1");
    assert_found(
        &of(private_keys, &key("\\nMHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5\\n")),
        "private key",
    );
    assert!(of(private_keys, &key("\" is the header of a key")).is_empty());
}

#[test]
fn a_path_of_a_machine_would_be_noticed() {
    let path = ["/ho", "me/someone/keys"].concat();
    assert_found(&of(somebodys_paths, &format!("let p = \"{path}\";")), "one machine");
    assert!(of(somebodys_paths, &format!("https://example.org{path}")).is_empty());
}

#[test]
fn a_promise_and_unfinished_code_would_be_noticed() {
    assert_found(&of(promises, "// TODO later"), "TODO without");
    assert!(of(promises, "// TODO(#12) later").is_empty());
    assert_found(&of(unfinished, "fn a() { todo!() }"), "unfinished");
    assert_found(&of(unfinished, "#[test] #[ignore = \"slow\"] fn a() {}"), "ignored");
    assert_found(&of(unfinished, "#![allow(dead_code)]"), "expect");
    assert!(of(unfinished, "// todo!()\n#[expect(dead_code, reason = \"a\")]").is_empty());
}

#[test]
fn a_number_that_could_be_a_persons_would_be_noticed() {
    // Put together here, so that no such number is written down.
    let digits = ["40102", "32137"].concat();
    assert!(passes_check(&digits) && passes_check("9990000018") && !passes_check("9876544321"));
    assert_found(&of(real_looking_numbers, &format!("\"{digits}\"")), "passes the NHS check");
    let spaced = ["401", "023", "2137"].join(" ");
    assert_found(&of(real_looking_numbers, &spaced), "passes the NHS check");
    assert!(of(real_looking_numbers, "1111111111 0000000000 999 000 0018").is_empty());
    assert!(of(real_looking_numbers, &format!("a{digits} 9990000018 9434765919")).is_empty());
}
