//! What an administrator may set: the severity of each rule, who is trusted, whether to normalize.

mod user_pattern;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

pub use user_pattern::{UserPattern, condition};

use crate::finding::{Denies, RuleInfo, Severity};
use crate::kinds;

/// Who writes pools in common installations: upstream's manifests and charts, operators and other charts, each in
/// a namespace of its own, and OpenShift's.
pub const TRUSTED_WRITERS: [&str; 2] = [
    "system:serviceaccount:*:*whereabouts*",
    "system:serviceaccount:openshift-multus:multus-ancillary-tools",
];

/// What an administrator may set. The default is what runs without a policy file.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Policy {
    /// The severity of rules by id, where it is not their default.
    #[serde(rename = "rules", deserialize_with = "known_rules")]
    severities: BTreeMap<&'static str, Severity>,
    /// Whose UPDATE is never denied.
    #[serde(deserialize_with = "patterns")]
    trusted_writers: Vec<UserPattern>,
    /// Whether the mutating webhook repairs what can be repaired without moving an address.
    pub normalize: bool,
    /// Whether what a rule denies is denied.
    pub enforcement: Enforcement,
    /// The section that the server reads.
    #[serde(rename = "limits")]
    _limits: IgnoredAny,
}

/// Whether what a rule denies is denied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Enforcement {
    /// What a rule denies is denied.
    #[default]
    Deny,
    /// It is a warning, except for a rule that always denies.
    Warn,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            severities: BTreeMap::new(),
            trusted_writers: TRUSTED_WRITERS.map(UserPattern::known).to_vec(),
            normalize: true,
            enforcement: Enforcement::default(),
            _limits: IgnoredAny,
        }
    }
}

impl Policy {
    /// The severity of `rule`.
    pub fn severity(&self, rule: &RuleInfo) -> Severity {
        self.severities.get(rule.id).copied().unwrap_or(rule.severity)
    }

    /// Whether this user is one of the trusted writers.
    pub fn trusts(&self, username: &str) -> bool {
        self.trusted_writers.iter().any(|pattern| pattern.matches(username))
    }

    /// The patterns of the trusted writers, as written.
    pub fn trusted_writers(&self) -> impl Iterator<Item = String> + '_ {
        self.trusted_writers.iter().map(ToString::to_string)
    }
}

fn known_rules<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<&'static str, Severity>, D::Error> {
    let by_name = BTreeMap::<String, Severity>::deserialize(deserializer)?;
    let mut by_id = BTreeMap::new();
    for (name, severity) in by_name {
        let Some(rule) = kinds::find_rule(&name) else {
            let message = format!("no rule is called {name:?}; `ippool-webhook rules` lists them");
            return Err(serde::de::Error::custom(message));
        };
        if let (Denies::Never(why), Severity::Deny) = (rule.denies, severity) {
            let message = format!("{} can be warn or off, not deny: {why}", rule.id);
            return Err(serde::de::Error::custom(message));
        }
        if by_id.insert(rule.id, severity).is_some() {
            return Err(serde::de::Error::custom(format!("{} is set twice, by id and by name", rule.id)));
        }
    }
    Ok(by_id)
}

fn patterns<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<UserPattern>, D::Error> {
    let patterns = Vec::<String>::deserialize(deserializer)?;
    patterns.iter().map(|pattern| UserPattern::parse(pattern).map_err(serde::de::Error::custom)).collect()
}
