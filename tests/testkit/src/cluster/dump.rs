//! Objects as `kubectl get -o json` and `-o yaml` write them.

use std::cell::RefCell;
use std::io::{self, Write};

use serde::ser::{Serialize, SerializeStruct, Serializer};
use serde_json::ser::PrettyFormatter;
use serde_json::{Map, Value};

const INDENT: &[u8] = b"    ";

/// Writes a list of objects as JSON.
///
/// # Errors
/// Where they cannot be written.
pub fn write_json(objects: impl Iterator<Item = Value>, out: impl Write) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(out, PrettyFormatter::with_indent(INDENT));
    List(Items(RefCell::new(objects))).serialize(&mut serializer)?;
    serializer.into_inner().write_all(b"\n")
}

/// A value as it is written by itself.
pub fn indented(value: &Value) -> String {
    let mut serializer =
        serde_json::Serializer::with_formatter(Vec::new(), PrettyFormatter::with_indent(INDENT));
    value.serialize(&mut serializer).unwrap();
    String::from_utf8(serializer.into_inner()).unwrap()
}

/// Writes a list of objects as YAML.
///
/// # Errors
/// Where they cannot be written.
pub fn write_yaml(objects: impl Iterator<Item = Value>, mut out: impl Write) -> io::Result<()> {
    out.write_all(b"apiVersion: v1\nitems:\n")?;
    let mut text = String::new();
    for object in objects {
        text.clear();
        yaml_item(&object, 0, &mut text);
        out.write_all(text.as_bytes())?;
    }
    out.write_all(b"kind: List\nmetadata:\n  resourceVersion: \"\"\n")
}

/// A list whose items are made while they are written.
struct List<I>(Items<I>);

struct Items<I>(RefCell<I>);

impl<I: Iterator<Item = Value>> Serialize for List<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_struct("List", 4)?;
        list.serialize_field("apiVersion", "v1")?;
        list.serialize_field("items", &self.0)?;
        list.serialize_field("kind", "List")?;
        list.serialize_field("metadata", &serde_json::json!({ "resourceVersion": "" }))?;
        list.end()
    }
}

impl<I: Iterator<Item = Value>> Serialize for Items<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&mut *self.0.borrow_mut())
    }
}

/// Writes an element of a sequence, whose dash is indented this far.
fn yaml_item(item: &Value, indent: usize, out: &mut String) {
    let start = out.len();
    match item {
        Value::Object(members) if !members.is_empty() => {
            yaml_members(members, indent + 2, out);
            // The first member comes after the dash.
            out.replace_range(start + indent..start + indent + 2, "- ");
        }
        scalar => {
            out.extend(std::iter::repeat_n(' ', indent));
            out.push_str("- ");
            yaml_scalar(scalar, indent + 2, out);
        }
    }
}

fn yaml_members(members: &Map<String, Value>, indent: usize, out: &mut String) {
    for (key, value) in members {
        out.extend(std::iter::repeat_n(' ', indent));
        out.push_str(&yaml_text(key));
        out.push(':');
        match value {
            Value::Object(members) if !members.is_empty() => {
                out.push('\n');
                yaml_members(members, indent + 2, out);
            }
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                items.iter().for_each(|item| yaml_item(item, indent, out));
            }
            scalar => {
                out.push(' ');
                yaml_scalar(scalar, indent + 2, out);
            }
        }
    }
}

fn yaml_scalar(scalar: &Value, indent: usize, out: &mut String) {
    match scalar {
        Value::String(text) if text.contains('\n') => {
            out.push_str("|-");
            for line in text.lines() {
                out.push('\n');
                out.extend(std::iter::repeat_n(' ', indent));
                out.push_str(line);
            }
        }
        Value::String(text) => out.push_str(&yaml_text(text)),
        other => out.push_str(&other.to_string()),
    }
    out.push('\n');
}

/// A text, quoted where it could be read as something else.
fn yaml_text(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '-' | '_' | ':' | '@');
    let is_other = text.parse::<f64>().is_ok()
        || matches!(text, "" | "true" | "false" | "null" | "-")
        || text.ends_with(':')
        || (text.starts_with(|c: char| c.is_ascii_digit()) && text.contains(':'));
    let starts_plain = text.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '-'));
    match text.chars().all(is_plain) && starts_plain && !is_other {
        true => text.to_owned(),
        false if text.contains('"') => format!("'{}'", text.replace('\'', "''")),
        false => format!("\"{text}\""),
    }
}
