//! Splits a YAML stream into documents, and a list as kubectl writes it into its items, line by line: a list of any length
//! takes the memory of its largest item, and one that is cut has all items before the cut.

use crate::audit::json::MAX_OBJECT_BYTES;
use crate::check::kubectl_yaml::is_separator;

/// A part of a YAML stream that is read by itself.
#[derive(Debug, PartialEq, Eq)]
pub enum Part<'s> {
    /// A list with one element, an item of the list.
    Item(Text<'s>),
    /// A document; of a list, everything but its items.
    Document(Text<'s>),
}

/// The text of a part.
#[derive(Debug, PartialEq, Eq)]
pub struct Text<'s> {
    pub text: &'s str,
    /// The lines of the source before it.
    pub lines_before: usize,
    /// Whether the items of this document were passed on before.
    pub has_items: bool,
}

/// Finds documents and items in lines that are pushed one by one.
#[derive(Debug, Default)]
pub struct Splitter {
    /// The document without its items.
    document: String,
    document_line: usize,
    item: String,
    item_line: usize,
    /// How far the items of the document are indented; `None` outside them.
    indent: Option<usize>,
    /// Whether the last line was `items:`, so that the next one says how far they are indented.
    is_after_key: bool,
    has_items: bool,
    lines: usize,
    /// How far the key is indented whose value is left out of the item.
    left_out: Option<usize>,
}

/// The key whose value nobody needs, since it repeats the name of every field: a third of a pod.
const NOT_NEEDED: &str = "fieldsV1:";

impl Splitter {
    /// Takes a line with its end. False where a part is too long.
    pub fn push(&mut self, line: &str, found: &mut dyn FnMut(Part<'_>)) -> bool {
        if is_separator(line) {
            self.end(found);
        } else if !self.is_item_line(line, found) {
            if self.document.is_empty() {
                self.document_line = self.lines;
            }
            self.document.push_str(line);
            self.is_after_key = line.trim_end() == "items:";
        }
        self.lines += 1;
        self.document.len().max(self.item.len()) <= MAX_OBJECT_BYTES
    }

    /// Ends the document.
    pub fn end(&mut self, found: &mut dyn FnMut(Part<'_>)) {
        self.end_item(found);
        if !self.document.trim().is_empty() {
            let text =
                Text { text: &self.document, lines_before: self.document_line, has_items: self.has_items };
            found(Part::Document(text));
        }
        self.document.clear();
        (self.indent, self.is_after_key, self.has_items) = (None, false, false);
    }

    /// Drops the last item, which may be cut.
    pub fn drop_item(&mut self) {
        self.item.clear();
    }

    /// Whether the text ends in the items of a list that has no kind yet: kubectl writes it after the items.
    pub fn is_cut(&self) -> bool {
        self.indent.is_some() && !self.document.lines().any(|line| line.starts_with("kind:"))
    }

    /// The number of lines so far.
    pub fn lines(&self) -> usize {
        self.lines
    }

    /// Takes a line that is part of the items.
    fn is_item_line(&mut self, line: &str, found: &mut dyn FnMut(Part<'_>)) -> bool {
        let indent = line.len() - line.trim_start_matches(' ').len();
        let rest = line.get(indent..).unwrap_or_default();
        let is_dash = rest.starts_with("- ") || rest.trim_end() == "-";
        if std::mem::take(&mut self.is_after_key) && is_dash {
            (self.indent, self.has_items) = (Some(indent), true);
        }
        let Some(items) = self.indent else { return false };
        let is_blank = rest.trim().is_empty() || rest.starts_with('#');
        if is_dash && indent == items {
            self.end_item(found);
            self.item_line = self.lines;
        } else if indent <= items && !is_blank {
            self.end_item(found);
            self.indent = None;
            return false;
        }
        if self.left_out.is_some_and(|key| indent > key || is_blank) {
            // The line stays, so that the others keep their numbers.
            self.item.push('\n');
            return true;
        }
        self.left_out = (rest.trim_end() == NOT_NEEDED).then_some(indent);
        self.item.push_str(line);
        true
    }

    fn end_item(&mut self, found: &mut dyn FnMut(Part<'_>)) {
        if !self.item.is_empty() {
            found(Part::Item(Text { text: &self.item, lines_before: self.item_line, has_items: false }));
            self.item.clear();
        }
        self.left_out = None;
    }
}

/// The kind of a part, where a line of its own says it, so that the others need not be read.
pub fn kind_of<'t>(part: &Part<'t>) -> Option<&'t str> {
    let (text, indent) = match part {
        Part::Document(text) => (text.text, ""),
        Part::Item(text) => (text.text, "  "),
    };
    let own = |line: &'t str| {
        let line =
            line.strip_prefix("- ").filter(|_| !indent.is_empty()).or_else(|| line.strip_prefix(indent))?;
        line.strip_prefix("kind: ").map(str::trim)
    };
    let kind = text.lines().find_map(own)?;
    kind.bytes().all(|byte| byte.is_ascii_alphanumeric()).then_some(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<String> {
        let (mut parts, mut splitter) = (Vec::new(), Splitter::default());
        let mut each = |part: Part<'_>| {
            let kind = kind_of(&part).unwrap_or("?").to_owned();
            parts.push(match part {
                Part::Item(it) => format!("item {} {kind}: {}", it.lines_before, it.text),
                Part::Document(it) => {
                    format!("document {} {kind} {}: {}", it.lines_before, it.has_items, it.text)
                }
            });
        };
        for line in text.split_inclusive('\n') {
            assert!(splitter.push(line, &mut each));
        }
        splitter.end(&mut each);
        parts
    }

    #[test]
    fn the_items_of_a_list_are_found_before_its_kind() {
        let list = "apiVersion: v1\nitems:\n- kind: Pod\n  a: |\n    - kind: no\n\n    x\n- b: 1\nkind: List\n---\nkind: Other\n";
        assert_eq!(
            split(list),
            [
                "item 2 Pod: - kind: Pod\n  a: |\n    - kind: no\n\n    x\n",
                "item 7 ?: - b: 1\n",
                "document 0 List true: apiVersion: v1\nitems:\nkind: List\n",
                "document 10 Other false: kind: Other\n",
            ]
        );
    }

    #[test]
    fn what_nobody_needs_of_an_item_is_left_out_with_its_lines_counted() {
        assert_eq!(
            split(
                "items:\n- a:\n  - b: 1\n    fieldsV1:\n      f:b: {}\n\n    time: 1\n- c: 3\nkind: List\n"
            ),
            [
                "item 1 ?: - a:\n  - b: 1\n    fieldsV1:\n\n\n    time: 1\n",
                "item 7 ?: - c: 3\n",
                "document 0 List true: items:\nkind: List\n"
            ]
        );
    }

    #[test]
    fn items_may_be_indented() {
        assert_eq!(
            split("items:\n  - a: 1\n    b: 2\n  - c: 3\nkind: List\n"),
            [
                "item 1 ?:   - a: 1\n    b: 2\n",
                "item 3 ?:   - c: 3\n",
                "document 0 List true: items:\nkind: List\n"
            ]
        );
    }

    #[test]
    fn an_empty_list_has_no_items() {
        assert_eq!(split("items: []\nkind: List\n"), ["document 0 List false: items: []\nkind: List\n"]);
    }
}
