//! One file of a dump.

mod json;
mod yaml;

use std::io::{BufRead as _, BufReader};

use super::input::{Input, is_json};
use crate::audit::collect::{self, Collector, ObjectKind};
use crate::kinds::ippool::cluster::{Head, TypeMeta};
use crate::output::Notification;

/// How much of a file is read at once, in bytes.
const BLOCK_BYTES: usize = 256 << 10;

/// How many errors of a file are reported.
pub const MAX_ERRORS: usize = 20;

/// How deep lists of lists are read; kubectl writes none.
pub const MAX_LISTS: usize = 8;

/// A file while it is read.
pub struct File<'f, 'p> {
    name: String,
    /// What an object belongs to that is in no list.
    folder: collect::Part,
    /// The namespace whose pods the file lists, even if there are none.
    namespace_of_pods: Option<String>,
    collector: &'f mut Collector<'p>,
    errors: Vec<Notification>,
    /// The types of the lists, in the order of the file. A type can come after the items.
    lists: Vec<TypeMeta>,
    /// The number of the current list.
    list: usize,
    /// Whether an item has no type, and the type of its list comes later.
    has_untyped: bool,
    /// Whether the file is read a second time, for items without a type.
    only_untyped: bool,
}

impl<'f, 'p> File<'f, 'p> {
    /// Reads a file into `collector`; returns what could not be read.
    pub fn read(input: &mut Input, collector: &'f mut Collector<'p>) -> Vec<Notification> {
        collector.seen.is_by_namespace |= input.is_by_namespace;
        let before = collector.pods;
        let mut file = File {
            name: input.name(),
            folder: if input.is_of_inspection { collect::Part::Folder } else { collect::Part::Nothing },
            namespace_of_pods: input.namespace_of_pods.clone(),
            collector,
            errors: Vec::new(),
            lists: Vec::new(),
            list: 0,
            has_untyped: false,
            only_untyped: false,
        };
        file.read_once(input);
        if file.has_untyped {
            (file.list, file.only_untyped) = (0, true);
            let said = file.errors.len();
            file.read_once(input);
            // The errors of the file were reported the first time.
            file.errors.truncate(said);
        }
        input.has_pods = file.collector.pods > before;
        file.errors
    }

    fn read_once(&mut self, input: &mut Input) {
        let result = input.open().and_then(|file| {
            let mut file = BufReader::with_capacity(BLOCK_BYTES, file);
            match file.fill_buf()? {
                [0x1f, 0x8b, ..] => {
                    self.error(None, "is compressed with gzip; unpack it".to_owned());
                    Ok(())
                }
                start if is_json(start) => self.read_json(&mut file),
                _ => self.read_yaml(&mut file),
            }
        });
        if let Err(error) = result {
            self.error(None, format!("cannot be read: {error}"));
        }
    }

    fn bytes(&mut self, bytes: &[u8], line: usize, list: &TypeMeta, depth: usize) {
        let Some(text) = self.text(bytes, line) else { return };
        if let Err(error) = self.object(text, line, list, depth) {
            self.not_json(line, &error);
        }
    }

    fn text<'t>(&mut self, bytes: &'t [u8], line: usize) -> Option<&'t str> {
        let text = simdutf8::basic::from_utf8(bytes).ok();
        if text.is_none() {
            self.error(Some(line), "is not UTF-8 text here; this object is left out".to_owned());
        }
        text
    }

    fn not_json(&mut self, line: usize, error: &serde_json::Error) {
        let line = line + error.line().saturating_sub(1);
        self.error(Some(line), "is not JSON here; this object is left out".to_owned());
    }

    /// Reads an object; `list` is the type of its list, if it is known.
    ///
    /// # Errors
    /// If it is not JSON.
    fn object(&mut self, text: &str, line: usize, list: &TypeMeta, depth: usize) -> serde_json::Result<()> {
        let list = if self.only_untyped { self.lists.get(self.list).unwrap_or(list) } else { list };
        let kind = list.kind.trim_end_matches("List").to_owned();
        let of_list = TypeMeta { kind, api_version: list.api_version.clone() };
        // The items of such a list may have no type.
        let kind_of_list = ObjectKind::of(&of_list);
        if let Some(kind) = kind_of_list.filter(|_| !self.only_untyped) {
            return self.named(text, line, kind);
        }
        let own = Head::type_meta(text);
        if let Some(kind) = ObjectKind::of(&own) {
            return if self.only_untyped { Ok(()) } else { self.named(text, line, kind) };
        }
        collect::check(text)?;
        if own == TypeMeta::default() {
            if self.only_untyped {
                return kind_of_list.map_or(Ok(()), |kind| self.named(text, line, kind));
            }
            self.has_untyped = true;
        } else if own.kind.ends_with("List") && depth == MAX_LISTS {
            let why =
                format!("has more than {MAX_LISTS} lists within each other; the inner ones are left out");
            self.error(Some(line), why);
        } else if own.kind.ends_with("List") {
            self.nested(text, line, depth);
        }
        Ok(())
    }

    /// Reads an object of this kind. A stored object always has a name.
    fn named(&mut self, text: &str, line: usize, kind: ObjectKind) -> serde_json::Result<()> {
        let before = self.collector.seen.nameless;
        self.collector.read(text, kind)?;
        if self.collector.seen.nameless > before {
            let kind = kind.as_str();
            let why = format!("the {kind} here has no metadata.name: the dump is cut, or was edited");
            self.error(Some(line), why);
        }
        Ok(())
    }

    /// Ends an object that is in no list.
    fn end_object(&mut self) {
        self.collector.seen.end(self.folder, &TypeMeta::default());
    }

    fn end_list(&mut self, list: &TypeMeta) {
        self.collector.seen.end(collect::Part::List, list);
        if ObjectKind::of_items(list) == Some(ObjectKind::Pod) {
            self.collector.seen.pods_of.extend(self.namespace_of_pods.clone());
        }
        if !self.only_untyped {
            self.lists.push(list.clone());
        }
        self.list += 1;
    }

    /// Records an error.
    fn error(&mut self, line: Option<usize>, why: String) {
        match self.errors.len() {
            MAX_ERRORS => self.errors.push(Notification::error(
                &self.name,
                line,
                "has more errors, from here on".to_owned(),
            )),
            count if count < MAX_ERRORS => self.errors.push(Notification::error(&self.name, line, why)),
            _ => {}
        }
    }
}
