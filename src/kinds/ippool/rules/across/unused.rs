//! IPP506: pools that whereabouts does not look at.

use super::facts::Facts;
use super::pool_facts::{PoolFacts, Usage};
use super::{AUDIT, Across, Object};
use crate::finding::{FieldPath, RuleInfo};
use crate::kinds::ippool::cluster::listed;
use crate::kinds::ippool::rules::{Check, Rule};

/// Whereabouts hands out what it reserves.
pub static POOL_UNUSED: Rule = Rule {
    info: RuleInfo {
        id: "IPP506",
        name: "pool-unused",
        summary: "no whereabouts runs in this namespace, or no attachment leads to this name",
        page: include_str!("../IPP506-pool-unused.md"),
        ..AUDIT
    },
    check: Check::Across(Across {
        kind: "NetworkAttachmentDefinition",
        is_momentary: false,
        check: |facts, findings| {
            for PoolFacts { pool, usage, .. } in &facts.pools {
                let (path, value, detail) = match usage {
                    Usage::Used => continue,
                    Usage::OtherNamespace => {
                        let detail = format!("must be where whereabouts runs: {}", namespaces(facts));
                        ("metadata.namespace", &pool.meta.namespace, detail)
                    }
                    Usage::OtherName => {
                        let detail = "must be a name to which a NetworkAttachmentDefinition leads".to_owned();
                        ("metadata.name", &pool.meta.name, detail)
                    }
                };
                findings.on(&Object::pool(pool), 0, |report| {
                    report.invalid(FieldPath::of(path), value.as_str(), detail);
                });
            }
            if facts.pools.is_empty() {
                return;
            }
            let is_unknown =
                |it: &PoolFacts<'_>| facts.is_without_whereabouts(&it.pool.meta.namespace).is_none();
            if facts.pools.iter().any(is_unknown) {
                findings.not_done(
                    "nothing shows in which namespaces whereabouts runs; name them with --whereabouts-namespace",
                );
            }
            facts.leads.gaps.iter().for_each(|gap| findings.not_done(gap));
        },
    }),
};

fn namespaces(facts: &Facts<'_>) -> String {
    let namespaces: Vec<_> =
        facts.cluster.whereabouts_namespaces.iter().flatten().map(String::as_str).collect();
    listed(&namespaces)
}
