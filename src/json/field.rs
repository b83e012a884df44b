//! What there is in place of a string, of an object, and of fields that no rule looks at.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Where a string is expected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Field<'a> {
    /// The field is not there, or is `null`, which Kubernetes treats as absent.
    #[default]
    Absent,
    /// A string, as it should be.
    Text(Cow<'a, str>),
    /// Another JSON type.
    Other(JsonType),
}

/// Where an object is expected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// The field is not there, or is `null`.
    #[default]
    Absent,
    /// An object, as it should be.
    Object,
    /// Another JSON type.
    Other(JsonType),
    /// JSON that cannot be represented, such as a number past every range.
    Unreadable,
}

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

/// A digest of JSON text without the whitespace between its tokens, by which a change of it shows; 0 for none. A hostile
/// object can consist of unknown fields, which would take more memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest(u64);

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

impl Digest {
    /// The digest of a value; `null` and an empty string count as absent.
    pub(crate) fn of_value(value: &str) -> Self {
        let mut digest = Self::default();
        if !matches!(value, "null" | "\"\"") {
            digest.add("", value);
        }
        digest
    }

    /// Adds a member and the text of its value.
    pub(crate) fn add(&mut self, key: &str, value: &str) {
        let mut hasher = DefaultHasher::new();
        (self.0, key).hash(&mut hasher);
        hash_tokens(value, &mut hasher);
        // 0 is kept for no member at all.
        self.0 = hasher.finish() | 1;
    }

    /// Whether nothing was added.
    pub fn is_empty(self) -> bool {
        self == Self(0)
    }
}

fn hash_tokens(json: &str, hasher: &mut DefaultHasher) {
    let (mut quoted, mut escaped) = (false, false);
    let separates = |c: char| {
        let separates = !quoted && matches!(c, ' ' | '\t' | '\n' | '\r');
        quoted ^= c == '"' && !escaped;
        escaped = quoted && c == '\\' && !escaped;
        separates
    };
    // The hasher takes a stream of bytes: in how many parts makes no difference.
    json.split(separates).for_each(|tokens| hasher.write(tokens.as_bytes()));
}
