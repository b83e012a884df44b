//! The trusted writers: in the conditions of the webhooks, in the policy, and in the cluster.

use std::collections::BTreeSet;

use super::SelfCheck;
use super::read::Objects;
use super::registration::Registered;
use crate::certs::Problem;
use crate::policy::{Policy, condition};

/// The beginning of a condition about a user.
const USERNAME: &str = "request.userInfo.username";

/// The field managers of whereabouts and of people; any other one is reported.
const KNOWN_MANAGERS: [&str; 6] =
    ["whereabouts", "ip-control-loop", "node-slice-controller", "kubectl", "helm", "before-first-apply"];

/// A CEL expression whose trusted writers are left out, without whitespace.
pub fn without_writers(expression: &str) -> String {
    let text: String = expression.split_whitespace().collect();
    let rest = writers(expression).into_iter().fold(text, |text, writer| {
        let writer: String = writer.split_whitespace().collect();
        text.replace(&writer, "")
    });
    // The operators between them.
    rest.replace("||||", "||").replace("(||", "(").replace("||)", ")").trim_matches('|').to_owned()
}

/// The conditions about users in a CEL expression, as the policy would write them.
fn writers(expression: &str) -> BTreeSet<String> {
    let mut parts = expression.split(USERNAME);
    parts.next();
    let writer = |part: &str| {
        let part = part.trim_start();
        let opening = part.find('\'')?;
        let closing = part.get(opening + 1..)?.find('\'')? + opening + 1;
        let name = part.get(opening + 1..closing)?;
        let is_pattern = part.starts_with(".matches(");
        Some(if is_pattern {
            format!("{USERNAME}.matches('{name}')")
        } else {
            format!("{USERNAME} == '{name}'")
        })
    };
    parts.filter_map(writer).collect()
}

pub fn check(objects: &Objects, policy: &Policy, check: &mut SelfCheck) {
    let patterns: Vec<_> = policy.trusted_writers().collect();
    let wanted: BTreeSet<_> = patterns.iter().filter_map(|pattern| condition(pattern)).collect();
    if wanted.len() < patterns.len() {
        check
            .not_done
            .push("trusted writers: some patterns of the policy have no known form in CEL".to_owned());
    }
    for it in Registered::ours(&objects.configurations) {
        let conditions = it.webhook["matchConditions"].as_array().into_iter().flatten();
        for condition in conditions {
            let text = |key: &str| condition[key].as_str().unwrap_or_default();
            let (name, found) = (text("name"), writers(text("expression")));
            if found.is_empty() {
                continue;
            }
            let path = format!(".matchConditions[{name}]");
            let missing = wanted.difference(&found);
            check
                .findings
                .extend(missing.map(|writer| {
                    it.problem(format!("{path}: must have {writer}, which the policy trusts"))
                }));
            let foreign = found.difference(&wanted);
            check.findings.extend(
                foreign.map(|writer| {
                    it.problem(format!("{path}: has {writer}, which the policy does not trust"))
                }),
            );
        }
    }
    check_accounts(objects, policy, check);
}

/// Whether whereabouts is trusted under the accounts that it runs as, and who else wrote pools.
fn check_accounts(objects: &Objects, policy: &Policy, check: &mut SelfCheck) {
    for account in objects.accounts.iter().filter(|account| !policy.trusts(account)) {
        check.findings.push(Problem {
            object: format!("user {account}"),
            what: "whereabouts runs as this service account, which neither the policy nor the conditions trust: its writes \
                   can be denied; add it to both"
                .to_owned(),
            command: "kubectl get pods -A -o wide".to_owned(),
        });
    }
    let is_plugin = objects.managers.contains("whereabouts");
    if objects.accounts.is_empty() && is_plugin {
        let why = "whereabouts writes pools, and no pod shows under which service account";
        check.not_done.push(format!("trusted writers: {why}"));
    }
    let is_known = |it: &&String| KNOWN_MANAGERS.iter().any(|known| it.starts_with(known));
    let others: Vec<_> = objects.managers.iter().filter(|it| !is_known(it)).map(String::as_str).collect();
    if !others.is_empty() {
        let why =
            "also wrote pools, and managedFields does not say under which account; its writes are reviewed";
        check.not_done.push(format!("trusted writers: {} {why}", others.join(", ")));
    }
}
