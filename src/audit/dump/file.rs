//! One file of a dump.

use std::io::{self, BufRead, BufReader, Read};
use std::rc::Rc;

use super::input::{Input, is_json, without_mark};
use super::yaml;
use crate::audit::collect::{self, Collector, ObjectKind};
use crate::audit::json::{self, Broken, MAX_OBJECT_BYTES};
use crate::check::kubectl_yaml::{self, Node, Value};
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

    fn read_json(&mut self, file: &mut impl BufRead) -> io::Result<()> {
        let mut splitter = json::Splitter::default();
        let mut begin = true;
        loop {
            let block = file.fill_buf()?;
            let length = block.len();
            if length == 0 {
                break;
            }
            let block = if std::mem::take(&mut begin) { without_mark(block) } else { block };
            if let Err(Broken { line, why }) = splitter.push(block, &mut |part| self.json_part(&part, 0)) {
                self.error(Some(line), why);
                return Ok(());
            }
            file.consume(length);
        }
        if let Err(Broken { line, why }) = splitter.finish() {
            self.error(
                Some(line),
                format!("{why}: the dump is cut, and everything after this line is missing"),
            );
        }
        Ok(())
    }

    fn json_part(&mut self, part: &json::Part<'_>, depth: usize) {
        match part {
            json::Part::Item(item) => self.bytes(item.text, item.line, item.list, depth),
            json::Part::Whole(whole) if whole.has_items => {
                let text = self.text(whole.text, whole.line).unwrap_or("{}");
                let list = collect::check(text).map(|()| Head::type_meta(text)).unwrap_or_else(|error| {
                    self.not_json(whole.line, &error);
                    TypeMeta::default()
                });
                self.end_list(&list);
            }
            json::Part::Whole(whole) => {
                self.bytes(whole.text, whole.line, &TypeMeta::default(), depth);
                self.end_object();
            }
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
            return self.collector.read(text, kind);
        }
        let own = Head::type_meta(text);
        if let Some(kind) = ObjectKind::of(&own) {
            return if self.only_untyped { Ok(()) } else { self.collector.read(text, kind) };
        }
        collect::check(text)?;
        if own == TypeMeta::default() {
            if self.only_untyped {
                return kind_of_list.map_or(Ok(()), |kind| self.collector.read(text, kind));
            }
            self.has_untyped = true;
        } else if own.kind.ends_with("List") && depth < MAX_LISTS {
            self.nested(text, line, depth);
        }
        Ok(())
    }

    /// Reads the items of a list within a list.
    fn nested(&mut self, text: &str, line: usize, depth: usize) {
        let mut splitter = json::Splitter::default();
        let pushed = splitter.push(text.as_bytes(), &mut |part| {
            let part = match part {
                json::Part::Item(item) => json::Part::Item(json::Object { line, ..item }),
                json::Part::Whole(whole) if whole.has_items => json::Part::Whole(whole),
                // A list without items.
                json::Part::Whole(whole) => json::Part::Whole(json::Object { has_items: true, ..whole }),
            };
            self.json_part(&part, depth + 1);
        });
        if let Err(Broken { why, .. }) = pushed {
            self.error(Some(line), why);
        }
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

    fn read_yaml(&mut self, file: &mut impl BufRead) -> io::Result<()> {
        let (mut splitter, mut line) = (yaml::Splitter::default(), Vec::new());
        loop {
            line.clear();
            // A longer line would exceed the bound of an object.
            file.by_ref().take(MAX_OBJECT_BYTES as u64 + 1).read_until(b'\n', &mut line)?;
            let Ok(text) = std::str::from_utf8(without_mark(&line)) else {
                self.error(
                    Some(splitter.lines() + 1),
                    "is not UTF-8 text; convert it or leave it out".to_owned(),
                );
                return Ok(());
            };
            if text.is_empty() {
                break;
            }
            if !splitter.push(text, &mut |part| self.yaml_part(&part)) {
                let limit = MAX_OBJECT_BYTES >> 20;
                self.error(
                    Some(splitter.lines()),
                    format!("a document is longer than {limit} MiB; audit it in parts"),
                );
                return Ok(());
            }
        }
        if splitter.is_cut() {
            let why = "ends in the middle of a list, whose kind would follow: the dump is cut, and everything after this \
                       line is missing";
            self.error(Some(splitter.lines()), why.to_owned());
            splitter.drop_item();
        }
        splitter.end(&mut |part| self.yaml_part(&part));
        Ok(())
    }

    fn yaml_part(&mut self, part: &yaml::Part<'_>) {
        let is_known =
            |kind: &str| kind.ends_with("List") || ObjectKind::ALL.iter().any(|it| it.as_str() == kind);
        let (yaml::Part::Item(text) | yaml::Part::Document(text)) = part;
        if !text.has_items && yaml::kind_of(part).is_some_and(|kind| !is_known(kind)) {
            return;
        }
        kubectl_yaml::read(text.text, |read| match read {
            Err(error) => {
                let line = text.lines_before + error.line;
                self.error(Some(line), format!("cannot be parsed: {}", error.why));
            }
            Ok(node) => self.yaml_node(part, &node, text.lines_before + node.span.line),
        });
    }

    fn yaml_node(&mut self, part: &yaml::Part<'_>, node: &Rc<Node>, line: usize) {
        match (part, &node.value) {
            (yaml::Part::Item(_), Value::List(items)) => {
                items.iter().for_each(|item| self.written(item, line));
            }
            (yaml::Part::Document(text), _) if text.has_items => {
                let own = |key| node.text_at(key).unwrap_or_default().to_owned();
                self.end_list(&TypeMeta { api_version: own("apiVersion"), kind: own("kind") });
            }
            _ => {
                self.written(node, line);
                self.end_object();
            }
        }
    }

    fn written(&mut self, node: &Node, line: usize) {
        match serde_json::to_string(node) {
            Ok(json) => self.bytes(json.as_bytes(), line, &TypeMeta::default(), 0),
            Err(error) => self.error(Some(line), format!("cannot be written as JSON: {error}")),
        }
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
