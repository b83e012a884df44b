//! What stands where a string, an object or nothing known is expected.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Where a string is expected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Field<'a> {
    /// The field is not there.
    #[default]
    Absent,
    /// It is `null`, which Kubernetes treats as absent.
    Null,
    /// A string, as it should be.
    Text(Cow<'a, str>),
    /// Another JSON type.
    Other(JsonType),
}

/// Where an object is expected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// The field is not there.
    #[default]
    Absent,
    /// It is `null`.
    Null,
    /// An object, as it should be.
    Object,
    /// Another JSON type.
    Other(JsonType),
    /// JSON, but nothing that could be read: a number past every range, for example.
    Unreadable,
}

/// A digest of the fields that no rule looks at, by which a change of them shows. Kept so small because
/// a hostile object can consist of nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unknown(u64);

/// A digest of a claim for a persistent address. 0 where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claim(u32);

/// The types of JSON, by the names OpenAPI gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each variant is the type it names")]
pub enum JsonType {
    Array,
    Boolean,
    Number,
    Object,
    String,
}

impl Field<'_> {
    /// The string, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl JsonType {
    /// The name of the type in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Array => "array",
            Self::Boolean => "boolean",
            Self::Number => "number",
            Self::Object => "object",
            Self::String => "string",
        }
    }
}

impl Unknown {
    /// Adds a field and the text of its value.
    pub(super) fn add(&mut self, key: &str, value: &str) {
        let mut hasher = DefaultHasher::new();
        (self.0, key).hash(&mut hasher);
        hash_tokens(value, &mut hasher);
        self.0 = hasher.finish();
    }
}

impl Claim {
    /// The claim of which this is the JSON text; absent, `null` and empty are the same.
    pub(super) fn of(value: &str) -> Self {
        if matches!(value, "null" | "\"\"") {
            return Self(0);
        }
        let mut hasher = DefaultHasher::new();
        hash_tokens(value, &mut hasher);
        // The lowest bit marks it as present. Half of the digest fits where an entry would be padded.
        Self(hasher.finish() as u32 | 1)
    }

    /// Whether it is there.
    pub fn is_some(self) -> bool {
        self != Self(0)
    }
}

/// Adds JSON to a digest less the whitespace between its tokens, which says nothing.
fn hash_tokens(json: &str, hasher: &mut DefaultHasher) {
    let (mut quoted, mut escaped) = (false, false);
    let separates = |c: char| {
        let separates = !quoted && matches!(c, ' ' | '\t' | '\n' | '\r');
        quoted ^= c == '"' && !escaped;
        escaped = quoted && c == '\\' && !escaped;
        separates
    };
    // The hasher takes a stream of bytes; in how many parts makes no difference.
    json.split(separates).for_each(|tokens| hasher.write(tokens.as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown(value: &str) -> Unknown {
        let mut unknown = Unknown::default();
        unknown.add("x", value);
        unknown
    }

    #[test]
    fn whitespace_between_tokens_does_not_change_the_digest() {
        let (compact, spaced) = (r#"{"a b":[1,"\\\" c"]}"#, " {\n\"a b\" :\t[ 1,\r\n\"\\\\\\\" c\" ] } ");
        assert_eq!(unknown(compact), unknown(spaced));
        assert_eq!(Claim::of(compact), Claim::of(spaced));
    }

    #[test]
    fn whitespace_within_a_string_changes_the_digest() {
        for (one, other) in
            [(r#""a b""#, r#""ab""#), (r#""\" b""#, r#""\"b""#), (r#"["a ","b"]"#, r#"["a","b"]"#)]
        {
            assert_ne!(unknown(one), unknown(other));
            assert_ne!(Claim::of(one), Claim::of(other));
        }
    }
}
