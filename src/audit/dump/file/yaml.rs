//! YAML in a file of a dump.

use std::io::{self, BufRead, Read as _};
use std::rc::Rc;

use super::File;
use crate::audit::collect::ObjectKind;
use crate::audit::dump::input::without_mark;
use crate::audit::dump::yaml;
use crate::audit::json::MAX_OBJECT_BYTES;
use crate::check::kubectl_yaml::{self, Node, Value};
use crate::kinds::ippool::cluster::TypeMeta;

impl File<'_, '_> {
    pub fn read_yaml(&mut self, file: &mut impl BufRead) -> io::Result<()> {
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
}
