//! The same JSON in another form. All of these work on tokens, so that text which is not JSON stays what it is.

use std::fmt;

use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

/// What JSON takes for whitespace.
const WHITESPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// With whitespace around everything that may have it.
pub fn spaced(text: &str) -> String {
    let mut spaced = String::with_capacity(2 * text.len());
    for token in tokens(text) {
        match token {
            Token::Structural(c) => spaced.extend([' ', '\t', c, '\r', '\n']),
            Token::Whitespace => spaced.push('\n'),
            Token::Other(text) => spaced.push_str(text),
        }
    }
    spaced
}

/// Without the whitespace that means nothing.
pub fn compact(text: &str) -> String {
    let mut compact = String::with_capacity(text.len());
    let (mut joins, mut waiting) = (true, false);
    for token in tokens(text) {
        match token {
            Token::Structural(c) => compact.push(c),
            Token::Whitespace => waiting = !joins,
            Token::Other(text) => {
                compact.extend(waiting.then_some(' '));
                compact.push_str(text);
            }
        }
        if !matches!(token, Token::Whitespace) {
            joins = matches!(token, Token::Structural(_));
            waiting = false;
        }
    }
    compact
}

/// The members of the review and of its request in reverse; `None` where the order says something.
pub fn reversed(text: &str) -> Option<String> {
    let review = members(text)?;
    let written = review.iter().rev().map(|(key, value)| match key.as_str() {
        "request" => Some((key, object(members(value.get())?.iter().rev().map(|(key, it)| (key, it.get()))))),
        _ => Some((key, value.get().to_owned())),
    });
    let written = written.collect::<Option<Vec<_>>>()?;
    Some(object(written.iter().map(|(key, value)| (*key, value.as_str()))))
}

/// `text` without the places that messages of serde_json give: they move with the whitespace.
pub fn without_places(text: &str) -> String {
    let mut parts = text.split(" at line ");
    let mut rest = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_place = |c: char| c.is_ascii_digit();
        let part = part.trim_start_matches(is_place);
        rest += part.strip_prefix(" column ").unwrap_or(part).trim_start_matches(is_place);
    }
    rest
}

fn object<'a>(members: impl Iterator<Item = (&'a String, &'a str)>) -> String {
    let members: Vec<_> = members.map(|(key, value)| format!("{}:{value}", serde_json::json!(key))).collect();
    format!("{{{}}}", members.join(","))
}

/// The members of an object, `None` where one of them occurs twice.
fn members(text: &str) -> Option<Vec<(String, &RawValue)>> {
    struct Members;
    impl<'de> Visitor<'de> for Members {
        type Value = Vec<(String, &'de RawValue)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
            std::iter::from_fn(|| map.next_entry().transpose()).collect()
        }
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let members = deserializer.deserialize_map(Members).ok()?;
    deserializer.end().ok()?;
    let mut keys: Vec<_> = members.iter().map(|(key, _)| key).collect();
    keys.sort();
    keys.is_sorted_by(|a, b| a < b).then_some(members)
}

enum Token<'t> {
    Structural(char),
    Whitespace,
    /// A string, or whatever else is between the others.
    Other(&'t str),
}

fn tokens(text: &str) -> impl Iterator<Item = Token<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let (length, is_whitespace) = match first {
            '{' | '}' | '[' | ']' | ':' | ',' => (1, false),
            '"' => (string_length(rest), false),
            c if WHITESPACE.contains(&c) => (rest.len() - rest.trim_start_matches(WHITESPACE).len(), true),
            _ => (rest.find(is_delimiter).unwrap_or(rest.len()), false),
        };
        let (token, after) = rest.split_at(length);
        rest = after;
        Some(match first {
            _ if is_whitespace => Token::Whitespace,
            '{' | '}' | '[' | ']' | ':' | ',' => Token::Structural(first),
            _ => Token::Other(token),
        })
    })
}

fn is_delimiter(c: char) -> bool {
    "{}[]:,\"".contains(c) || WHITESPACE.contains(&c)
}

/// How long the string is that `text` begins with, its quotes included.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    let end = text.char_indices().skip(1).find(|(_, c)| {
        let ends = *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |(at, _)| at + 1)
}
