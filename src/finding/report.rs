//! Where a rule reports what it finds.

use std::borrow::Cow;
use std::net::IpAddr;

use super::{ErrorType, FieldPath, Finding, RuleInfo, Severity};

/// Takes the findings of one rule, and stamps the rule and its severity. A rule can neither read nor change what
/// another found. A finding is passed on as soon as the next one comes: a large pool may have very many.
pub struct Report<'r, 'a> {
    rule: &'static RuleInfo,
    severity: Severity,
    last: Option<Finding<'a>>,
    sink: &'r mut dyn FnMut(Finding<'a>),
}

impl<'r, 'a> Report<'r, 'a> {
    /// A report of `rule` with this severity, which passes findings on to `sink`.
    pub fn of(rule: &'static RuleInfo, severity: Severity, sink: &'r mut dyn FnMut(Finding<'a>)) -> Self {
        Self { rule, severity, last: None, sink }
    }

    /// Has `check` report findings about `address`, unless they say another.
    pub(crate) fn about(
        &mut self,
        address: impl Fn() -> Option<IpAddr>,
        check: impl FnOnce(&mut Report<'_, 'a>),
    ) {
        let mut sink = |mut finding: Finding<'a>| {
            finding.address = finding.address.or_else(&address);
            (self.sink)(finding);
        };
        check(&mut Report::of(self.rule, self.severity, &mut sink));
    }

    /// A field that has to be there is not.
    pub fn required(
        &mut self,
        path: FieldPath<'a>,
        detail: impl Into<Cow<'static, str>>,
    ) -> &mut Finding<'a> {
        self.push(path, ErrorType::Required, Cow::Borrowed(""), detail.into())
    }

    /// A value that is wrong in itself.
    pub fn invalid(
        &mut self,
        path: FieldPath<'a>,
        value: impl Into<Cow<'a, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> &mut Finding<'a> {
        self.push(path, ErrorType::Invalid, value.into(), detail.into())
    }

    /// A value of another JSON type; Kubernetes names the type in place of the value.
    pub fn wrong_type(
        &mut self,
        path: FieldPath<'a>,
        found: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> &mut Finding<'a> {
        self.push(path, ErrorType::TypeInvalid, Cow::Borrowed(found), detail.into())
    }

    /// A value that is already elsewhere.
    pub fn duplicate(
        &mut self,
        path: FieldPath<'a>,
        value: impl Into<Cow<'a, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> &mut Finding<'a> {
        self.push(path, ErrorType::Duplicate, value.into(), detail.into())
    }

    /// More items, or more bytes, than can be stored.
    pub fn too_large(
        &mut self,
        path: FieldPath<'a>,
        error_type: ErrorType,
        detail: impl Into<Cow<'static, str>>,
    ) -> &mut Finding<'a> {
        self.push(path, error_type, Cow::Borrowed(""), detail.into())
    }

    /// A change or deletion that goes through and loses something: a warning, whatever the severity of the rule.
    pub fn notice(&mut self, path: FieldPath<'a>, detail: impl Into<Cow<'static, str>>) -> &mut Finding<'a> {
        self.push(path, ErrorType::Notice, Cow::Borrowed(""), detail.into()).as_warning()
    }

    fn push(
        &mut self,
        path: FieldPath<'a>,
        error_type: ErrorType,
        value: Cow<'a, str>,
        detail: Cow<'static, str>,
    ) -> &mut Finding<'a> {
        self.flush();
        let Self { rule, severity, .. } = *self;
        let (list, address, preexisting, would_deny) = (None, None, false, false);
        self.last.insert(Finding {
            rule,
            path,
            error_type,
            value,
            detail,
            list,
            address,
            severity,
            preexisting,
            would_deny,
        })
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
