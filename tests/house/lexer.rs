//! Rust source as tokens: enough to tell code from comments and strings, and no more.
//!
//! Limits: no macro expansion, so a name that a macro would build is not seen; `use a as b` is
//! seen as the path `a`, not followed through `b`.

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An identifier or keyword.
    Word(String),
    /// `::`, `->`, `=>`, `==` or a single character.
    Mark(String),
    /// The inside of a string literal of any kind.
    Text(String),
    /// A number, character or lifetime.
    Other,
}

/// A token and the lines it covers, counted from 1.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    /// What it is.
    pub(crate) kind: Kind,
    /// The line it begins on.
    pub(crate) line: usize,
    /// The line it ends on.
    pub(crate) last_line: usize,
}

impl Token {
    /// The word, if it is one.
    pub(crate) fn word(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word(word) => Some(word),
            Kind::Mark(_) | Kind::Text(_) | Kind::Other => None,
        }
    }

    /// Whether it is this mark.
    pub(crate) fn is_mark(&self, mark: &str) -> bool {
        matches!(&self.kind, Kind::Mark(own) if own == mark)
    }

    /// Whether it is this word.
    pub(crate) fn is_word(&self, word: &str) -> bool {
        self.word() == Some(word)
    }
}

/// All tokens of a source file; comments are dropped, strings become one token each.
pub(crate) fn tokens(source: &str) -> Vec<Token> {
    let mut lexer = Lexer { rest: source.chars().collect(), at: 0, line: 1, found: Vec::new() };
    while lexer.step() {}
    lexer.found
}

struct Lexer {
    rest: Vec<char>,
    at: usize,
    line: usize,
    found: Vec<Token>,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> char {
        self.rest.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn take(&mut self) -> char {
        let c = self.peek(0);
        if c == '\n' {
            self.line += 1;
        }
        self.at += 1;
        c
    }

    fn push(&mut self, kind: Kind, line: usize) {
        self.found.push(Token { kind, line, last_line: self.line });
    }

    fn step(&mut self) -> bool {
        if self.at >= self.rest.len() {
            return false;
        }
        let line = self.line;
        match (self.peek(0), self.peek(1)) {
            ('/', '/') => self.skip_line_comment(),
            ('/', '*') => self.skip_block_comment(),
            ('"', _) => self.string(line),
            ('\'', _) => self.quote(line),
            (c, _) if c.is_alphabetic() || c == '_' => self.word(line),
            (c, _) if c.is_ascii_digit() => self.number(line),
            (c, _) if c.is_whitespace() => {
                self.take();
            }
            (a, b) => {
                let pair: String = [a, b].iter().collect();
                let mark = if ["::", "->", "=>", "=="].contains(&pair.as_str()) {
                    self.take();
                    pair
                } else {
                    a.to_string()
                };
                self.take();
                self.push(Kind::Mark(mark), line);
            }
        }
        true
    }

    fn skip_line_comment(&mut self) {
        while self.at < self.rest.len() && self.peek(0) != '\n' {
            self.take();
        }
    }

    fn skip_block_comment(&mut self) {
        let mut depth = 0;
        while self.at < self.rest.len() {
            match (self.peek(0), self.peek(1)) {
                ('/', '*') => {
                    depth += 1;
                    self.take();
                }
                ('*', '/') => {
                    depth -= 1;
                    self.take();
                }
                _ => {}
            }
            self.take();
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self, line: usize) {
        self.take();
        let mut text = String::new();
        while self.at < self.rest.len() && self.peek(0) != '"' {
            let c = self.take();
            text.push(c);
            if c == '\\' && self.at < self.rest.len() {
                text.push(self.take());
            }
        }
        self.take();
        self.push(Kind::Text(text), line);
    }

    fn raw_string(&mut self, hashes: usize, line: usize) {
        for _ in 0..=hashes {
            self.take();
        }
        let mut text = String::new();
        while self.at < self.rest.len() {
            let closes = self.peek(0) == '"' && (1..=hashes).all(|ahead| self.peek(ahead) == '#');
            if closes {
                for _ in 0..=hashes {
                    self.take();
                }
                break;
            }
            text.push(self.take());
        }
        self.push(Kind::Text(text), line);
    }

    /// A character (`'a'`, `'\n'`) or a lifetime (`'a`).
    fn quote(&mut self, line: usize) {
        self.take();
        if self.peek(0) == '\\' {
            self.take();
            self.take();
            while self.at < self.rest.len() && self.peek(0) != '\'' {
                self.take();
            }
            self.take();
        } else if self.peek(1) == '\'' {
            self.take();
            self.take();
        } else {
            while self.peek(0).is_alphanumeric() || self.peek(0) == '_' {
                self.take();
            }
        }
        self.push(Kind::Other, line);
    }

    fn word(&mut self, line: usize) {
        let mut word = String::new();
        while self.peek(0).is_alphanumeric() || self.peek(0) == '_' {
            word.push(self.take());
        }
        let hashes = self.rest.iter().skip(self.at).take_while(|&&c| c == '#').count();
        match word.as_str() {
            "r" | "br" | "cr" if self.peek(hashes) == '"' => self.raw_string(hashes, line),
            "b" | "c" if self.peek(0) == '"' => self.string(line),
            "b" if self.peek(0) == '\'' => self.quote(line),
            // A raw identifier: the name follows the hash.
            "r" if hashes == 1 => {
                self.take();
            }
            _ => self.push(Kind::Word(word), line),
        }
    }

    fn number(&mut self, line: usize) {
        while self.peek(0).is_alphanumeric() || self.peek(0) == '_' {
            self.take();
        }
        self.push(Kind::Other, line);
    }
}

#[test]
fn comments_vanish_and_strings_stay_apart_from_code() {
    let source = "a /* b /* c */ d */ \"e \\\" f\" // g\n r#\"h \" i\"# 'j' 'static b'k' l";
    let found = tokens(source);
    let words: Vec<&str> = found.iter().filter_map(Token::word).collect();
    assert_eq!(words, ["a", "l"]);
    let texts = found.iter().filter(|token| matches!(token.kind, Kind::Text(_))).count();
    assert_eq!(texts, 2);
    assert_eq!(found.last().map(|token| token.line), Some(2));
}
