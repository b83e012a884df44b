//! The vocabulary of answers: severities, field paths, findings, and how each reads as text.
//!
//! Nothing here knows what an IPPool is; another kind of object would report through the same types.

mod list;
mod rule;

pub use list::List;
pub use rule::{Denial, Rule};

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::path::{FieldPath, Place};
use crate::text::Quoted;

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

/// How much a finding weighs. Ordered: `Off < Warn < Deny`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Not reported at all.
    Off,
    /// Reported; the request goes through.
    Warn,
    /// Reported; the request is refused.
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

/// What is wrong at a path, in the categories of Kubernetes' own `field.Error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Problem {
    /// The field has to be there.
    Required,
    /// The value is there and wrong.
    Invalid,
    /// The value is of another JSON type.
    TypeInvalid,
    /// The value may stand in one place only.
    Duplicate,
    /// The request goes through and is worth a word: `field.Error` has no category for that.
    Notice,
}

impl Problem {
    /// The `reason` of a `StatusCause`.
    pub const fn cause(self) -> &'static str {
        match self {
            Self::Required => "FieldValueRequired",
            Self::Invalid => "FieldValueInvalid",
            Self::TypeInvalid => "FieldValueTypeInvalid",
            Self::Duplicate => "FieldValueDuplicate",
            Self::Notice => "FieldValueInvalid",
        }
    }

    /// The words Kubernetes opens such a message with; `value` follows where they have one.
    fn opening(self, value: &str) -> String {
        match self {
            Self::Required => "Required value: ".to_owned(),
            Self::Invalid | Self::TypeInvalid => format!("Invalid value: {}: ", Quoted(value)),
            Self::Duplicate => format!("Duplicate value: {}: ", Quoted(value)),
            Self::Notice => String::new(),
        }
    }
}

/// One thing a rule found in one object.
#[derive(Clone, Debug)]
pub struct Finding<'a> {
    /// The rule that spoke.
    pub rule: &'static Rule,
    /// Where.
    pub path: FieldPath<'a>,
    /// In which way it is wrong.
    pub problem: Problem,
    /// The value found there, which also tells this finding from another at the same path.
    pub value: Cow<'a, str>,
    /// What would be right.
    pub detail: Cow<'static, str>,
    /// What `detail` lists at its end, if anything.
    pub list: Option<Box<List>>,
    /// The address it is about, where there is one.
    pub address: Option<IpAddr>,
    /// How much it weighs in this request.
    pub severity: Severity,
    /// Whether the object as stored has it already.
    pub preexisting: bool,
}

/// What makes two findings of one rule the same defect: same place, same value.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Identity<'a> {
    place: Place<'a>,
    value: Cow<'a, str>,
}

impl Finding<'_> {
    /// The text after the path, as a `StatusCause` carries it.
    pub fn message(&self) -> String {
        self.opening() + &self.remedy(List::MAX_KEPT)
    }

    /// The words Kubernetes opens such a message with, and the value.
    pub fn opening(&self) -> String {
        self.problem.opening(&self.value)
    }

    /// What would be right, with so many items of the list, the address and the rule.
    pub fn remedy(&self, max_listed: usize) -> String {
        let address = self.address.map(|address| format!(" ({address})")).unwrap_or_default();
        let before = if self.preexisting { ", stored before" } else { "" };
        format!("{}{address} [{}{before}]", self.advice(max_listed), self.rule.id)
    }

    /// What would be right, with so many items of the list.
    pub fn advice(&self, max_listed: usize) -> String {
        let list = self.list.as_ref().map(|list| list.text(max_listed)).unwrap_or_default();
        format!("{}{list}", self.detail)
    }

    pub(crate) fn identity(&self) -> Identity<'_> {
        Identity { place: self.path.place(), value: Cow::Borrowed(&self.value) }
    }

    /// Detaches the finding from the request it was found in.
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

    /// Ends its text with a list, unless that is empty.
    pub fn listing(&mut self, list: List) -> &mut Self {
        self.list = (list.total() > 0).then(|| Box::new(list));
        self
    }
}

impl<'a> Finding<'a> {
    pub(crate) fn into_identity(self) -> Identity<'a> {
        Identity { place: self.path.into_place(), value: self.value }
    }
}

/// `path: message`, one line without control characters.
impl fmt::Display for Finding<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message())
    }
}

/// Takes the findings of one rule, and stamps the rule and its severity. A rule can neither read nor change what
/// another found. A finding is passed on as soon as the next one comes: a large pool may have very many.
pub struct Report<'r, 'a> {
    rule: &'static Rule,
    severity: Severity,
    address: Option<IpAddr>,
    last: Option<Finding<'a>>,
    sink: &'r mut dyn FnMut(Finding<'a>),
}

impl<'r, 'a> Report<'r, 'a> {
    /// A report of `rule` with this severity, which passes findings on to `sink`.
    pub fn of(rule: &'static Rule, severity: Severity, sink: &'r mut dyn FnMut(Finding<'a>)) -> Self {
        Self { rule, severity, address: None, last: None, sink }
    }

    /// The address that the next findings are about, unless they say another.
    pub(crate) fn set_address(&mut self, address: Option<IpAddr>) {
        self.address = address;
    }

    /// A field that has to be there is not.
    pub fn required(
        &mut self,
        path: FieldPath<'a>,
        detail: impl Into<Cow<'static, str>>,
    ) -> &mut Finding<'a> {
        self.push(path, Problem::Required, Cow::Borrowed(""), detail.into())
    }

    /// A value that is wrong in itself.
    pub fn invalid(
        &mut self,
        path: FieldPath<'a>,
        value: impl Into<Cow<'a, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> &mut Finding<'a> {
        self.push(path, Problem::Invalid, value.into(), detail.into())
    }

    /// A value of another JSON type; Kubernetes names the type in place of the value.
    pub fn wrong_type(
        &mut self,
        path: FieldPath<'a>,
        found: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> &mut Finding<'a> {
        self.push(path, Problem::TypeInvalid, Cow::Borrowed(found), detail.into())
    }

    /// A value that is already elsewhere.
    pub fn duplicate(
        &mut self,
        path: FieldPath<'a>,
        value: impl Into<Cow<'a, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> &mut Finding<'a> {
        self.push(path, Problem::Duplicate, value.into(), detail.into())
    }

    /// A change or deletion that goes through and loses something: a warning, whatever the severity of the rule.
    pub fn notice(&mut self, path: FieldPath<'a>, detail: impl Into<Cow<'static, str>>) -> &mut Finding<'a> {
        self.push(path, Problem::Notice, Cow::Borrowed(""), detail.into()).as_warning()
    }

    fn push(
        &mut self,
        path: FieldPath<'a>,
        problem: Problem,
        value: Cow<'a, str>,
        detail: Cow<'static, str>,
    ) -> &mut Finding<'a> {
        self.flush();
        let Self { rule, severity, address, .. } = *self;
        let (list, preexisting) = (None, false);
        self.last.insert(Finding { rule, path, problem, value, detail, list, address, severity, preexisting })
    }

    fn flush(&mut self) {
        if let Some(finding) = self.last.take() {
            (self.sink)(finding);
        }
    }
}

impl Drop for Report<'_, '_> {
    fn drop(&mut self) {
        self.flush();
    }
}
