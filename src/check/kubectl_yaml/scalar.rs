//! Plain YAML scalars as kubectl resolves them.
//!
//! Kubernetes converts YAML to JSON with `sigs.k8s.io/yaml`, which resolves scalars as go-yaml v2 does:
//! YAML 1.1 words (`on`, `yes`, `~`), octal and hexadecimal integers and underscores in numbers, but no
//! sexagesimal ones. The rules therefore have to see the offset 8 for the unquoted key `010`.

/// A plain scalar without a tag, resolved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// Nothing, `~` or `null`.
    Null,
    /// `true`, `yes`, `on`, `y` and their opposites.
    Bool(bool),
    /// An integer that fits 64 bits with sign.
    Int(i64),
    /// An integer that fits 64 bits only without sign.
    Uint(u64),
    /// A number with a fraction or exponent, or an integer past 64 bits.
    Float(f64),
    /// Everything else stays text.
    Text,
}

pub fn resolve(text: &str) -> Scalar {
    if let Some(known) = word(text) {
        return known;
    }
    match text.as_bytes().first() {
        Some(b'.') if underscores_are_between_digits(text) => float(&text.replace('_', "")),
        Some(b'0'..=b'9' | b'+' | b'-') => number(text),
        _ => Scalar::Text,
    }
}

/// The words of YAML 1.1 that go-yaml resolves.
fn word(text: &str) -> Option<Scalar> {
    Some(match text {
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Scalar::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Scalar::Bool(false)
        }
        ".nan" | ".NaN" | ".NAN" => Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Scalar::Float(f64::NEG_INFINITY),
        _ => return None,
    })
}

/// Go takes an underscore in a float only between two digits.
fn underscores_are_between_digits(text: &str) -> bool {
    let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    text.match_indices('_').all(|(at, _)| {
        let (before, after) = text.split_at(at);
        is_digit(before.chars().next_back()) && is_digit(after.chars().nth(1))
    })
}

fn number(text: &str) -> Scalar {
    let plain = text.replace('_', "");
    integer(&plain).unwrap_or_else(|| float(&plain))
}

/// Go's `strconv.ParseInt(text, 0, 64)`, then `ParseUint`, which takes no sign.
fn integer(text: &str) -> Option<Scalar> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (radix, digits) = radix(digits);
    // `from_str_radix` would accept a second sign here.
    if digits.starts_with(['-', '+']) {
        return None;
    }
    let magnitude = i128::from_str_radix(digits, radix).ok()?;
    let value = if text.starts_with('-') { -magnitude } else { magnitude };
    match (i64::try_from(value), u64::try_from(value)) {
        (Ok(value), _) => Some(Scalar::Int(value)),
        (_, Ok(value)) if !text.starts_with(['-', '+']) => Some(Scalar::Uint(value)),
        _ => None,
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

/// go-yaml accepts this shape only, not everything `ParseFloat` knows (hexadecimal, `inf`).
fn float(text: &str) -> Scalar {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let well_formed = !(whole.is_empty() && fraction.is_empty())
        && all_digits(whole)
        && all_digits(fraction)
        && exponent.is_none_or(|exponent| !exponent.is_empty() && all_digits(exponent));
    match text.parse::<f64>() {
        Ok(value) if well_formed && value.is_finite() => Scalar::Float(value),
        _ => Scalar::Text,
    }
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A float as a key: Go's `FormatFloat(value, 'g', -1, 32)`, so that `1e6` becomes `1e+06`.
#[expect(clippy::cast_possible_truncation, reason = "sigs.k8s.io/yaml narrows it the same way")]
pub fn float_key(value: f64) -> String {
    let value = value as f32;
    if !value.is_finite() {
        let infinity = if value > 0.0 { ".inf" } else { "-.inf" };
        return if value.is_nan() { ".nan" } else { infinity }.to_owned();
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by `sigs.k8s.io/yaml` 1.6: the scalar, what it is as a value, what it is as a key (null where
    /// kubectl refuses the document).
    const DECIDED: &str = include_str!("../../../tests/fixtures/manifests/kubectl-scalars.jsonl");

    #[derive(serde::Deserialize)]
    struct Decided {
        scalar: String,
        value: Option<String>,
        key: Option<String>,
    }

    fn as_value(text: &str) -> Option<serde_json::Value> {
        Some(match resolve(text) {
            Scalar::Null => serde_json::Value::Null,
            Scalar::Bool(value) => value.into(),
            Scalar::Int(value) => value.into(),
            Scalar::Uint(value) => value.into(),
            Scalar::Float(value) if value.is_finite() => value.into(),
            Scalar::Float(_) => return None,
            Scalar::Text => text.into(),
        })
    }

    fn as_key(text: &str) -> Option<String> {
        Some(match resolve(text) {
            Scalar::Bool(value) => value.to_string(),
            Scalar::Int(value) => value.to_string(),
            Scalar::Float(value) => float_key(value),
            Scalar::Text => text.to_owned(),
            Scalar::Null | Scalar::Uint(_) => return None,
        })
    }

    #[test]
    fn every_recorded_scalar_is_resolved_as_kubectl_does() {
        for line in DECIDED.lines() {
            let decided: Decided = serde_json::from_str(line).unwrap();
            assert_eq!(as_key(&decided.scalar), decided.key, "as a key: {line}");
            let value = decided.value.map(|json| serde_json::from_str::<serde_json::Value>(&json).unwrap());
            match (as_value(&decided.scalar), value) {
                // encoding/json writes 1e3 as 1000, which is the same number.
                (Some(ours), Some(theirs)) if ours.is_f64() => {
                    assert_eq!(ours.as_f64(), theirs.as_f64(), "as a value: {line}");
                }
                (ours, theirs) => assert_eq!(ours, theirs, "as a value: {line}"),
            }
        }
    }
}
