//! Plain YAML scalars as kubectl resolves them.
//!
//! Kubernetes converts YAML to JSON with `sigs.k8s.io/yaml`, which resolves scalars as go-yaml v2 does:
//! YAML 1.1 words (`on`, `yes`, `~`), octal and hexadecimal integers and underscores in numbers, but no
//! sexagesimal ones. The rules therefore have to see the offset 8 for the unquoted key `010`.

use std::borrow::Cow;

use serde_json::{Number, Value};
use serde_saphyr::granit_parser::{ScalarStyle, Tag};

/// The value of a scalar, or why it has no form in JSON.
pub fn value(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, String> {
    match tag.and_then(yaml_type).as_deref() {
        None if tag.is_none() && style == ScalarStyle::Plain => resolve(text),
        None | Some("str") => Ok(text.into()),
        Some(name @ ("int" | "float" | "bool" | "null")) => tagged(text, name),
        Some(name) => Err(format!("the tag !!{name} has no meaning in a Kubernetes object")),
    }
}

/// The name of a type of YAML, as in `!!int`.
pub fn yaml_type(tag: &Tag) -> Option<Cow<'_, str>> {
    tag.suffix_in_namespace("tag:yaml.org,2002:")
}

/// A scalar with the type that its tag requires.
fn tagged(text: &str, name: &str) -> Result<Value, String> {
    let value = resolve(text);
    match (name, &value) {
        ("int", Ok(Value::Number(number))) if !number.is_f64() => value,
        ("float", Ok(Value::Number(number))) if !number.is_u64() || number.is_i64() => {
            Ok(number.as_f64().into())
        }
        ("float", Err(_)) | ("bool", Ok(Value::Bool(_))) | ("null", Ok(Value::Null)) => value,
        _ => Err(format!("{text:?} is not a valid !!{name}")),
    }
}

/// The value of a plain scalar without a tag.
fn resolve(text: &str) -> Result<Value, String> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => true.into(),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => false.into(),
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf"
        | "-.Inf" | "-.INF" => {
            return Err(format!("{text} is a number that JSON cannot express; quote it if it is text"));
        }
        _ => number(text).map_or_else(|| text.into(), Value::Number),
    })
}

fn number(text: &str) -> Option<Number> {
    let plain = text.replace('_', "");
    match text.as_bytes().first()? {
        b'.' if underscores_are_between_digits(text) => float(&plain),
        b'0'..=b'9' | b'+' | b'-' => integer(&plain).or_else(|| float(&plain)),
        _ => None,
    }
}

/// Go takes an underscore in a float only between two digits.
fn underscores_are_between_digits(text: &str) -> bool {
    let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    text.match_indices('_').all(|(at, _)| {
        let (before, after) = text.split_at(at);
        is_digit(before.chars().next_back()) && is_digit(after.chars().nth(1))
    })
}

/// Go's `strconv.ParseInt(text, 0, 64)`, then `ParseUint`, which takes no sign.
fn integer(text: &str) -> Option<Number> {
    let (radix, digits) = radix(text.strip_prefix(['-', '+']).unwrap_or(text));
    // `from_str_radix` would accept a second sign here.
    if digits.starts_with(['-', '+']) {
        return None;
    }
    let magnitude = i128::from_str_radix(digits, radix).ok()?;
    let value = if text.starts_with('-') { -magnitude } else { magnitude };
    match i64::try_from(value) {
        Ok(value) => Some(value.into()),
        Err(_) if text.starts_with('+') => None,
        Err(_) => u64::try_from(value).ok().map(Number::from),
    }
}

fn radix(digits: &str) -> (u32, &str) {
    let Some(rest) = digits.strip_prefix('0').filter(|rest| !rest.is_empty()) else { return (10, digits) };
    match rest.as_bytes() {
        [b'x' | b'X', _, ..] => (16, &rest[1..]),
        [b'o' | b'O', _, ..] => (8, &rest[1..]),
        [b'b' | b'B', _, ..] => (2, &rest[1..]),
        _ => (8, rest),
    }
}

/// `inf` and `nan`, which `parse` accepts and go-yaml does not, are not numbers of JSON.
fn float(text: &str) -> Option<Number> {
    Number::from_f64(text.parse().ok()?)
}

/// The text of a key, as `sigs.k8s.io/yaml` writes it.
pub fn key(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) if number.is_f64() => Ok(float_key(number.as_f64().unwrap_or_default())),
        Value::Number(number) if !number.is_i64() => {
            Err(format!("kubectl takes no unquoted number past 63 bits as a key; write \"{number}\""))
        }
        Value::Null => Err("a key is null; kubectl takes only strings, numbers and booleans".to_owned()),
        other => Ok(other.to_string()),
    }
}

/// A float as a key: Go's `FormatFloat(value, 'g', -1, 32)`, so that `1e6` becomes `1e+06`.
#[expect(clippy::cast_possible_truncation, reason = "sigs.k8s.io/yaml narrows it the same way")]
fn float_key(value: f64) -> String {
    let value = value as f32;
    if value.is_infinite() {
        return if value > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..6).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{mantissa}e{sign}{:02}", exponent.abs())
        }
        _ => format!("{value}"),
    }
}
