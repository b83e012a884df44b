//! Findings: what a rule found where, how severe it is, and how it reads as text. Nothing here knows a kind of object.

mod list;
mod path;
mod report;
mod rule;

pub use list::List;
pub use path::FieldPath;
pub use report::Report;
pub use rule::{Denies, Rule, RuleInfo};

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::text::{Quoted, without_middle};

/// What the apiserver was asked to do with the object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// POST.
    #[default]
    Create,
    /// PUT and PATCH.
    Update,
    /// DELETE; only the old object exists.
    Delete,
    /// A connection to a subresource; it carries no pool.
    Connect,
}

impl Operation {
    /// The word the apiserver uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
        }
    }
}

/// How severe a finding is. Ordered: `Off < Warn < Deny`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Not reported at all.
    Off,
    /// Reported; the request goes through.
    Warn,
    /// Reported; the request is denied.
    Deny,
}

impl Severity {
    /// As it is written in the policy file and in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Warn => "warn",
            Self::Deny => "deny",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What is wrong at a path: the types of Kubernetes' `field.Error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorType {
    /// The field has to be there.
    Required,
    /// The value is there and wrong.
    Invalid,
    /// The value is of another JSON type.
    TypeInvalid,
    /// The value may be there only once.
    Duplicate,
    /// There are more items than can be stored.
    TooMany,
    /// The value takes more bytes than it may.
    TooLong,
    /// The request is allowed and worth a warning: `field.Error` has no type for that.
    Notice,
}

impl ErrorType {
    /// The `reason` of a `StatusCause`.
    pub const fn cause(self) -> &'static str {
        match self {
            Self::Required => "FieldValueRequired",
            Self::Invalid | Self::Notice => "FieldValueInvalid",
            Self::TypeInvalid => "FieldValueTypeInvalid",
            Self::Duplicate => "FieldValueDuplicate",
            Self::TooMany => "FieldValueTooMany",
            Self::TooLong => "FieldValueTooLong",
        }
    }

    /// The words with which Kubernetes begins such a message; `value` follows where they have one.
    fn opening(self, value: &str) -> String {
        match self {
            Self::Required => "Required value: ".to_owned(),
            Self::Invalid | Self::TypeInvalid => format!("Invalid value: {}: ", Quoted(value)),
            Self::Duplicate => format!("Duplicate value: {}: ", Quoted(value)),
            Self::TooMany => "Too many: ".to_owned(),
            Self::TooLong => "Too long: ".to_owned(),
            Self::Notice => String::new(),
        }
    }
}

/// One thing a rule found in one object.
#[derive(Clone, Debug)]
pub struct Finding<'a> {
    /// The rule that found it.
    pub rule: &'static RuleInfo,
    /// Where.
    pub path: FieldPath<'a>,
    /// What is wrong there.
    pub error_type: ErrorType,
    /// The value there, which also tells this finding from another at the same path.
    pub value: Cow<'a, str>,
    /// What would be right.
    pub detail: Cow<'static, str>,
    /// What `detail` lists at its end, if anything.
    pub list: Option<Box<List>>,
    /// The address it is about, where there is one.
    pub address: Option<IpAddr>,
    /// How severe it is in this request.
    pub severity: Severity,
    /// Whether the object as stored has it already.
    pub preexisting: bool,
    /// Whether it would deny the request, if denials were enforced.
    pub would_deny: bool,
}

impl Finding<'_> {
    /// The text after the path, as a `StatusCause` carries it.
    pub fn message(&self) -> String {
        self.opening() + &self.remedy(List::MAX_KEPT)
    }

    /// The words with which Kubernetes begins such a message, and the value.
    pub fn opening(&self) -> String {
        self.error_type.opening(&self.value)
    }

    /// What would be right, with the first `max_listed` items of the list, the address and the rule.
    pub fn remedy(&self, max_listed: usize) -> String {
        self.advice(max_listed) + &self.trailer()
    }

    /// The same in at most `max` characters if it can be: the middle of the advice is left out.
    pub fn remedy_within(&self, max: usize) -> String {
        let trailer = self.trailer();
        without_middle(&self.advice(0), max.saturating_sub(trailer.chars().count())) + &trailer
    }

    fn trailer(&self) -> String {
        let before = if self.preexisting { ", preexisting" } else { "" };
        format!("{} [{}{before}]", self.located(), self.rule.id)
    }

    /// What would be right, with the first `max_listed` items of the list and the address.
    pub fn located_advice(&self, max_listed: usize) -> String {
        self.advice(max_listed) + &self.located()
    }

    fn located(&self) -> String {
        self.address.map(|address| format!(" ({address})")).unwrap_or_default()
    }

    /// What would be right, with the first `max_listed` items of the list.
    pub fn advice(&self, max_listed: usize) -> String {
        let list = self.list.as_ref().map(|list| list.text(max_listed)).unwrap_or_default();
        format!("{}{list}", self.detail)
    }

    /// Detaches the finding from the object it was found in.
    pub fn into_owned(self) -> Finding<'static> {
        Finding { path: self.path.into_owned(), value: Cow::Owned(self.value.into_owned()), ..self }
    }

    /// The address it is about.
    pub fn at(&mut self, address: Option<IpAddr>) -> &mut Self {
        self.address = address;
        self
    }

    /// Lowers it to a warning: worth saying, but never a reason to deny.
    pub fn as_warning(&mut self) -> &mut Self {
        self.severity = self.severity.min(Severity::Warn);
        self
    }

    /// Ends its text with a list.
    pub fn listing(&mut self, list: List) -> &mut Self {
        self.list = Some(Box::new(list));
        self
    }
}

/// `path: message`, one line without control characters.
impl fmt::Display for Finding<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message())
    }
}
