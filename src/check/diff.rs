//! `--diff`: what normalizing would change in a file.
//!
//! The file is edited token by token, which keeps comments, order and quotes, so that `patch` can apply the diff. The result
//! is read back; where it is not exactly what the webhook would store (because an alias shares the text with another object,
//! for example), the diff is that of the object instead.

use std::ops::Range;

use diffy::DiffOptions;
use serde_json::Value;

use super::kubectl_yaml::{Entry, Node, Span};
use super::manifest::{Manifests, PoolManifest};
use crate::kinds::ippool::Pool;
use crate::kinds::ippool::Rewrite;

/// Lines shown around a change.
const CONTEXT_LINES: usize = 3;

/// One pool before and after.
struct Normalization<'m> {
    index: usize,
    manifest: &'m PoolManifest,
    rewrite: Rewrite,
    before: Value,
    after: Value,
}

/// The unified diff of normalizing the pools of a file; empty if nothing changes.
pub fn unified(file: &str, text: &str, pools: &[PoolManifest]) -> String {
    let changes: Vec<_> =
        pools.iter().enumerate().filter_map(|(index, pool)| Normalization::of(index, pool)).collect();
    if changes.is_empty() {
        return String::new();
    }
    match edited(file, text, &changes) {
        Some(edited) => render(text, &edited, file),
        None => changes.iter().map(|change| change.object_diff(file)).collect(),
    }
}

impl<'m> Normalization<'m> {
    fn of(index: usize, manifest: &'m PoolManifest) -> Option<Self> {
        let rewrite = Rewrite::of(&Pool::parse(&manifest.json).ok()?)?;
        let before: Value = serde_json::from_str(&manifest.json).ok()?;
        let after = rewritten(&rewrite, before.clone())?;
        Some(Self { index, manifest, rewrite, before, after })
    }

    /// The replacements of tokens in the file.
    fn edits(&self, text: &str) -> Option<Vec<(Range<usize>, String)>> {
        let spec = &self.manifest.node.entry("spec")?.value;
        let mut edits = Vec::new();
        if let Some(range) = &self.rewrite.range {
            edits.push(edit(text, &spec.entry("range")?.value.span, range)?);
        }
        for entry in self.rewrite.offset_shift.map(|_| keys(spec)).unwrap_or_default() {
            let moved = self.rewrite.key(&entry.key)?;
            if moved != entry.key {
                edits.push(edit(text, &entry.key_span, &moved)?);
            }
        }
        Some(edits)
    }

    /// The diff of the object, reformatted.
    fn object_diff(&self, file: &str) -> String {
        let written = |value| serde_saphyr::to_string(value).unwrap_or_default();
        let text = |path| self.before.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let object = format!("{}/{}", text("/metadata/namespace"), text("/metadata/name"));
        let title =
            format!("{file} (document {}, {})", self.manifest.document, crate::text::printable(&object));
        render(&written(&self.before), &written(&self.after), &title)
    }
}

/// The object with its range and keys rewritten.
fn rewritten(rewrite: &Rewrite, mut object: Value) -> Option<Value> {
    if let Some(range) = &rewrite.range {
        object["spec"]["range"] = range.as_str().into();
    }
    if rewrite.offset_shift.is_some() {
        let entries = object.pointer_mut("/spec/allocations")?.as_object_mut()?;
        // All at once, since a moved key may equal one that has not moved yet.
        let moved = std::mem::take(entries).into_iter().map(|(key, entry)| Some((rewrite.key(&key)?, entry)));
        *entries = moved.collect::<Option<_>>()?;
    }
    Some(object)
}

fn keys(spec: &Node) -> &[Entry] {
    spec.entry("allocations").map(|allocations| allocations.value.entries()).unwrap_or_default()
}

/// Replaces the token at `span` by `value`, in the same quotes.
fn edit(text: &str, span: &Span, value: &str) -> Option<(Range<usize>, String)> {
    let quoted = match text.get(span.bytes.clone())?.as_bytes().first()? {
        b'"' => format!("\"{value}\""),
        b'\'' => format!("'{value}'"),
        _ => value.to_owned(),
    };
    Some((span.bytes.clone(), quoted))
}

/// The file with all edits; `None` where it does not read back as expected.
fn edited(file: &str, text: &str, changes: &[Normalization<'_>]) -> Option<String> {
    let mut edits = Vec::new();
    for change in changes {
        edits.append(&mut change.edits(text)?);
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
    reads_back(file, &edited, changes).then_some(edited)
}

fn reads_back(file: &str, edited: &str, changes: &[Normalization<'_>]) -> bool {
    let read = Manifests::read(file, edited);
    changes.iter().all(|change| {
        let pool = read.pools.get(change.index);
        let value = pool.and_then(|pool| serde_json::from_str::<Value>(&pool.json).ok());
        value.as_ref() == Some(&change.after)
    })
}

fn render(before: &str, after: &str, title: &str) -> String {
    // Prefixes as in git, so that `patch -p1` finds the file.
    let title = title.trim_start_matches('/');
    let mut options = DiffOptions::new();
    options.set_context_len(CONTEXT_LINES);
    options.set_original_filename(format!("a/{title}")).set_modified_filename(format!("b/{title}"));
    options.create_patch(before, after).to_string()
}
