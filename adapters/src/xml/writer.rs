//! A tree to bytes: escaped, balanced, UTF-8, or nothing.

use super::tags::is_character;

/// Writes one document. A fault (a character XML cannot hold) is kept and told at the end.
///
/// ```text
/// let mut writer = Writer::new();
/// writer.start("advice", &[("xmlns", NAMESPACE)]);
/// writer.leaf("summary", &[], "R & D");
/// writer.end();
/// let bytes = writer.finish()?;
/// ```
#[derive(Debug)]
pub(crate) struct Writer {
    out: String,
    open: Vec<String>,
    /// Whether the element that is open holds only elements so far, which are then indented.
    elements_only: bool,
    fault: Option<Unwritable>,
}

/// Something cannot be written as XML. Says nothing of the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unwritable {
    /// A text holds a character that XML 1.0 cannot hold, escaped or not.
    Character,
    /// An element was left open, or closed twice, by the code that writes.
    Unbalanced,
}

impl Writer {
    /// A document with its declaration.
    pub(crate) fn new() -> Self {
        Self {
            out: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>".to_owned(),
            open: Vec::new(),
            elements_only: true,
            fault: None,
        }
    }

    /// Opens an element. Names come from our own code and are not checked.
    pub(crate) fn start(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.tag(name, attributes);
        self.out.push('>');
        self.open.push(name.to_owned());
        self.elements_only = true;
    }

    /// An element without content.
    pub(crate) fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.tag(name, attributes);
        self.out.push_str("/>");
    }

    /// Text inside the element that is open.
    pub(crate) fn text(&mut self, text: &str) {
        self.elements_only = false;
        self.escape(text, false);
    }

    /// Closes the element that was opened last.
    pub(crate) fn end(&mut self) {
        let Some(name) = self.open.pop() else {
            self.fault.get_or_insert(Unwritable::Unbalanced);
            return;
        };
        if self.elements_only {
            self.indent();
        }
        self.out.push_str("</");
        self.out.push_str(&name);
        self.out.push('>');
        self.elements_only = true;
    }

    /// An element that holds text and nothing else.
    pub(crate) fn leaf(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) {
        self.start(name, attributes);
        self.text(text);
        self.end();
    }

    /// The document, or what stands in its way.
    pub(crate) fn finish(mut self) -> Result<Vec<u8>, Unwritable> {
        if !self.open.is_empty() {
            self.fault.get_or_insert(Unwritable::Unbalanced);
        }
        self.out.push('\n');
        match self.fault {
            None => Ok(self.out.into_bytes()),
            Some(fault) => Err(fault),
        }
    }

    fn tag(&mut self, name: &str, attributes: &[(&str, &str)]) {
        if self.elements_only {
            self.indent();
        }
        self.out.push('<');
        self.out.push_str(name);
        for (name, value) in attributes {
            self.out.push(' ');
            self.out.push_str(name);
            self.out.push_str("=\"");
            self.escape(value, true);
            self.out.push('"');
        }
    }

    fn indent(&mut self) {
        self.out.push('\n');
        for _ in &self.open {
            self.out.push_str("  ");
        }
    }

    fn escape(&mut self, text: &str, attribute: bool) {
        for c in text.chars() {
            match c {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '"' if attribute => self.out.push_str("&quot;"),
                // A reader would turn these into other white space.
                '\r' => self.out.push_str("&#13;"),
                '\n' if attribute => self.out.push_str("&#10;"),
                '\t' if attribute => self.out.push_str("&#9;"),
                c if is_character(c) => self.out.push(c),
                _ => {
                    self.fault.get_or_insert(Unwritable::Character);
                }
            }
        }
    }
}
