//! The words of an HTML letter: markup, scripts and styles away, lines and cells kept apart.
//!
//! A pure function that cannot fail: letters hold HTML of every age, mostly not well-formed, and
//! nothing in it is ever run, loaded or followed. What a browser would not show as text is left
//! out. It must never know where the HTML came from.
//!
//! Not supported: layout by style sheets (hidden text is shown, because who hid it is not known),
//! images and their alternatives (they say nothing that a caseworker may rely on).

/// The words of some HTML as plain text, without control characters.
pub(crate) fn to_text(html: &str) -> String {
    let mut out = Words { text: String::with_capacity(html.len() / 2), preformatted: 0 };
    let mut rest = html;
    loop {
        let (before, after) = match rest.split_once('<') {
            Some(parts) => parts,
            None => (rest, ""),
        };
        out.characters(before);
        if before.len() == rest.len() {
            return out.finish();
        }
        rest = match Tag::at(after) {
            Tag::None => {
                out.push('<');
                after
            }
            Tag::Skip(rest) => rest,
            Tag::Open { name, rest } => {
                out.open(&name);
                if SILENT.contains(&name.as_str()) { behind_end_of(&name, rest) } else { rest }
            }
            Tag::Close { name, rest } => {
                out.close(&name);
                rest
            }
        };
    }
}

/// Whether a text is HTML and not plain words: it begins with a tag or a document type.
pub(crate) fn is_html(text: &str) -> bool {
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let Some(after) = text.strip_prefix('<') else { return false };
    !matches!(Tag::at(after), Tag::None)
}

/// What stands behind a `<`.
enum Tag<'a> {
    /// Nothing of HTML: the sign itself.
    None,
    /// A comment, a document type, an instruction: the text behind it.
    Skip(&'a str),
    Open {
        name: String,
        rest: &'a str,
    },
    Close {
        name: String,
        rest: &'a str,
    },
}

impl<'a> Tag<'a> {
    fn at(after: &'a str) -> Self {
        if let Some(comment) = after.strip_prefix("!--") {
            return Self::Skip(comment.split_once("-->").map_or("", |(_, rest)| rest));
        }
        if after.starts_with(['!', '?']) {
            return Self::Skip(after.split_once('>').map_or("", |(_, rest)| rest));
        }
        let (closing, inner) = match after.strip_prefix('/') {
            Some(inner) => (true, inner),
            None => (false, after),
        };
        if !inner.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Self::None;
        }
        let name: String = inner
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == ':')
            .flat_map(char::to_lowercase)
            .collect();
        let rest = behind_tag(inner);
        if closing { Self::Close { name, rest } } else { Self::Open { name, rest } }
    }
}

/// The text behind the `>` that ends a tag; one inside a quoted value does not.
fn behind_tag(tag: &str) -> &str {
    let mut quote = None;
    let mut value = false;
    for (at, c) in tag.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '>' => return tag.get(at + 1..).unwrap_or_default(),
            None if value && matches!(c, '"' | '\'') => quote = Some(c),
            Some(_) | None => {}
        }
        // A quotation mark opens a value only behind an equals sign.
        value = c == '=' || (value && c.is_whitespace());
    }
    // An open quote must not swallow the letter: end at the first sign there is.
    tag.split_once('>').map_or("", |(_, rest)| rest)
}

/// The text behind the end tag of an element whose content is not shown.
fn behind_end_of<'a>(name: &str, content: &'a str) -> &'a str {
    let mut rest = content;
    while let Some((_, after)) = rest.split_once("</") {
        let is_end = after.get(..name.len()).is_some_and(|n| n.eq_ignore_ascii_case(name));
        if is_end {
            return behind_tag(after);
        }
        rest = after;
    }
    ""
}

struct Words {
    text: String,
    preformatted: usize,
}

impl Words {
    fn characters(&mut self, text: &str) {
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('&') {
            self.plain(before);
            if let Some((characters, tail)) = entity(after) {
                characters.chars().for_each(|c| self.visible(c));
                rest = tail;
            } else {
                self.push('&');
                rest = after;
            }
        }
        self.plain(rest);
    }

    fn plain(&mut self, text: &str) {
        for c in text.chars() {
            if c.is_whitespace() && c != '\u{a0}' && self.preformatted == 0 {
                self.space();
            } else {
                self.visible(c);
            }
        }
    }

    /// A character that is meant: control characters are not.
    fn visible(&mut self, c: char) {
        if c == '\n' || c == '\t' || !c.is_control() {
            self.push(c);
        }
    }

    fn space(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with([' ', '\n', '\t']) {
            self.push(' ');
        }
    }

    fn push(&mut self, c: char) {
        self.text.push(c);
    }

    fn line(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.push('\n');
        }
    }

    fn open(&mut self, name: &str) {
        match name {
            "br" => self.push('\n'),
            "td" | "th" if !self.text.ends_with('\n') => self.push('\t'),
            "li" => {
                self.line();
                self.text.push_str("- ");
            }
            "pre" => {
                self.line();
                self.preformatted += 1;
            }
            _ if BLOCKS.contains(&name) => self.line(),
            _ => {}
        }
    }

    fn close(&mut self, name: &str) {
        match name {
            "pre" => {
                self.preformatted = self.preformatted.saturating_sub(1);
                self.line();
            }
            "p" => {
                self.line();
                if !self.text.is_empty() && !self.text.ends_with("\n\n") {
                    self.push('\n');
                }
            }
            "li" => self.line(),
            _ if BLOCKS.contains(&name) => self.line(),
            _ => {}
        }
    }

    fn finish(self) -> String {
        let mut lines: Vec<&str> = Vec::new();
        for line in self.text.lines().map(str::trim_end) {
            if !line.is_empty() || lines.last().is_some_and(|last| !last.is_empty()) {
                lines.push(line);
            }
        }
        lines.join("\n").trim().to_owned()
    }
}

/// The characters of the entity at the start of a text behind `&`, and what follows it.
fn entity(after: &str) -> Option<(String, &str)> {
    // Looked for near the sign only: a letter of ampersands must not take for ever.
    let end = after.bytes().take(ENTITY_BYTES_MAX).position(|byte| byte == b';')?;
    let (name, rest) = (after.get(..end)?, after.get(end + 1..)?);
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        // Numbers 128 to 159 are taken from Windows-1252 by everybody.
        let c = match u8::try_from(code) {
            Ok(byte @ 0x80..=0x9f) => {
                let bytes = [byte];
                return Some((encoding_rs::WINDOWS_1252.decode(&bytes).0.into_owned(), rest));
            }
            _ => char::from_u32(code)?,
        };
        return Some((c.to_string(), rest));
    }
    let known = ENTITIES.iter().find(|(known, _)| *known == name);
    known.map(|(_, character)| ((*character).to_owned(), rest))
}

/// The longest reference to a character, with room: `&#x10FFFF;`.
const ENTITY_BYTES_MAX: usize = 12;

/// Elements whose content is not shown.
const SILENT: [&str; 9] =
    ["script", "style", "head", "title", "template", "iframe", "object", "noscript", "svg"];

/// Elements that begin and end lines.
const BLOCKS: [&str; 27] = [
    "address",
    "article",
    "blockquote",
    "body",
    "caption",
    "center",
    "dd",
    "div",
    "dl",
    "dt",
    "fieldset",
    "footer",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "ol",
    "p",
    "section",
    "table",
    "tbody",
    "tr",
    "ul",
];

/// The named entities that letters use.
const ENTITIES: [(&str, &str); 42] = [
    ("amp", "&"),
    ("lt", "<"),
    ("gt", ">"),
    ("quot", "\""),
    ("apos", "'"),
    ("nbsp", " "),
    ("pound", "£"),
    ("euro", "€"),
    ("copy", "©"),
    ("reg", "®"),
    ("trade", "™"),
    ("deg", "°"),
    ("plusmn", "±"),
    ("micro", "µ"),
    ("middot", "·"),
    ("bull", "•"),
    ("hellip", "…"),
    ("ndash", "–"),
    ("mdash", "—"),
    ("lsquo", "‘"),
    ("rsquo", "’"),
    ("sbquo", "‚"),
    ("ldquo", "“"),
    ("rdquo", "”"),
    ("laquo", "«"),
    ("raquo", "»"),
    ("frac14", "¼"),
    ("frac12", "½"),
    ("frac34", "¾"),
    ("sup2", "²"),
    ("times", "×"),
    ("divide", "÷"),
    ("le", "≤"),
    ("ge", "≥"),
    ("sect", "§"),
    ("eacute", "é"),
    ("egrave", "è"),
    ("aacute", "á"),
    ("oacute", "ó"),
    ("ouml", "ö"),
    ("uuml", "ü"),
    ("ntilde", "ñ"),
];

#[cfg(test)]
mod tests;
