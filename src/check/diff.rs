//! `--diff`: what normalizing would change in a file.
//!
//! The file is edited token by token, which keeps comments, order and quotes, so that `patch` can apply the diff. The result
//! is read back; where it is not exactly what the webhook would store (because an alias shares the text with another object,
//! for example), the diff is that of the object instead.

use std::ops::Range;

use diffy::DiffOptions;
use serde_json::Value;

use super::kubectl_yaml::Node;
use super::manifest::{Manifest, Manifests};
use crate::kinds::{FileEdit, Kind};
use crate::output::ObjectName;

/// One object before and after.
struct Normalization<'m> {
    index: usize,
    manifest: &'m Manifest,
    edits: Vec<FileEdit>,
    before: Value,
    after: Value,
}

/// The unified diff of normalizing the objects of a file; empty if nothing changes.
pub fn unified<K: Kind>(file: &str, text: &str, objects: &[Manifest]) -> String {
    let changes: Vec<_> = objects
        .iter()
        .enumerate()
        .filter_map(|(index, object)| Normalization::of::<K>(index, object))
        .collect();
    if changes.is_empty() {
        return String::new();
    }
    match edited::<K>(file, text, &changes) {
        Some(edited) => render(text, &edited, file),
        None => changes.iter().map(|change| change.object_diff(file)).collect(),
    }
}

impl<'m> Normalization<'m> {
    fn of<K: Kind>(index: usize, manifest: &'m Manifest) -> Option<Self> {
        let edits = K::file_edits(&K::parse(&manifest.json).ok()?);
        if edits.is_empty() {
            return None;
        }
        let before: Value = serde_json::from_str(&manifest.json).ok()?;
        let after = rewritten(&edits, before.clone())?;
        Some(Self { index, manifest, edits, before, after })
    }

    /// The tokens of the file to replace, each by a text in the same quotes.
    fn tokens(&self, text: &str) -> Option<Vec<(Range<usize>, String)>> {
        let token = |edit: &FileEdit| {
            let mut node: &Node = &self.manifest.node;
            for key in edit.path {
                node = &node.entry(key)?.value;
            }
            let span = match &edit.key {
                Some(key) => &node.entry(key)?.key_span,
                None => &node.span,
            };
            let quote = text.get(span.bytes.clone())?.get(..1).filter(|it| ["'", "\""].contains(it));
            let quote = quote.unwrap_or_default();
            Some((span.bytes.clone(), format!("{quote}{}{quote}", edit.text)))
        };
        self.edits.iter().map(token).collect()
    }

    /// The diff of the object, reformatted.
    fn object_diff(&self, file: &str) -> String {
        let written = |value| serde_saphyr::to_string(value).unwrap_or_default();
        let ObjectName { namespace, name } = &self.manifest.name;
        let object = crate::text::printable(&format!("{namespace}/{name}"));
        let title = format!("{file} (document {}, {object})", self.manifest.document);
        render(&written(&self.before), &written(&self.after), &title)
    }
}

/// The object with its texts rewritten.
fn rewritten(edits: &[FileEdit], mut object: Value) -> Option<Value> {
    let mut renamed = Vec::new();
    for FileEdit { path, key, text } in edits {
        let value = path.iter().try_fold(&mut object, |value, key| value.get_mut(key))?;
        match key {
            None => *value = text.as_str().into(),
            // Removed first, all of them: a new key may be the old one of another entry.
            Some(key) => renamed.push((path, text, value.as_object_mut()?.remove(key)?)),
        }
    }
    for (path, key, entry) in renamed {
        let map = path.iter().try_fold(&mut object, |value, key| value.get_mut(key))?;
        map.as_object_mut()?.insert(key.clone(), entry);
    }
    Some(object)
}

/// The file with all edits; `None` where it does not read back as expected.
fn edited<K: Kind>(file: &str, text: &str, changes: &[Normalization<'_>]) -> Option<String> {
    let mut edits = Vec::new();
    for change in changes {
        edits.append(&mut change.tokens(text)?);
    }
    edits.sort_by_key(|(bytes, _)| bytes.start);
    let mut edited = String::with_capacity(text.len());
    let mut done = 0;
    for (bytes, value) in edits {
        edited.push_str(text.get(done..bytes.start)?);
        edited.push_str(&value);
        done = bytes.end;
    }
    edited.push_str(text.get(done..)?);
    reads_back::<K>(file, &edited, changes).then_some(edited)
}

fn reads_back<K: Kind>(file: &str, edited: &str, changes: &[Normalization<'_>]) -> bool {
    let read = Manifests::read::<K>(file, edited);
    changes.iter().all(|change| {
        let object = read.objects.get(change.index);
        let value = object.and_then(|object| serde_json::from_str::<Value>(&object.json).ok());
        value.as_ref() == Some(&change.after)
    })
}

fn render(before: &str, after: &str, title: &str) -> String {
    // Prefixes as in git, so that `patch -p1` finds the file.
    let title = title.trim_start_matches('/');
    let mut options = DiffOptions::new();
    options.set_original_filename(format!("a/{title}")).set_modified_filename(format!("b/{title}"));
    options.create_patch(before, after).to_string()
}
