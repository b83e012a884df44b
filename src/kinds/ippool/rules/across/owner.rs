//! IPP504: entries of pods that are gone.

use std::collections::BTreeSet;

use super::{AUDIT, Across, Object, entry_path};
use crate::finding::RuleInfo;
use crate::kinds::ippool::cluster::{Coverage, listed};
use crate::kinds::ippool::rules::{Check, Rule};

/// Nobody has the address, and nobody can get it.
pub static OWNER_GONE: Rule = Rule {
    info: RuleInfo {
        id: super::OWNER_GONE_ID,
        name: "owner-gone",
        summary: "the pod that an entry names does not exist or has finished",
        page: include_str!("../IPP504-owner-gone.md"),
        ..AUDIT
    },
    check: Check::Across(Across {
        kind: "",
        is_momentary: true,
        check: |facts, findings| {
            let mut unread = BTreeSet::new();
            for pool in facts.pools.iter().map(|it| it.pool) {
                for (index, entry) in pool.entries.iter().enumerate() {
                    let owner = facts.owner(entry);
                    match facts.owner_is_gone(entry) {
                        Some(false) => {}
                        None => drop(unread.insert(owner.split('/').next().unwrap_or_default())),
                        Some(true) => findings.on(&Object::pool(pool), entry.id, |report| {
                            let detail = match facts.pod(entry) {
                                Some(_) => "must be a pod that has not finished",
                                None => "must be a pod that exists",
                            };
                            let path = entry_path(pool, index).field("podref");
                            report.invalid(path, owner, detail).at(pool.address(entry));
                        }),
                    }
                }
            }
            match &facts.cluster.read.pods {
                _ if unread.is_empty() => {}
                Coverage::Incomplete(why) => findings.not_done(why),
                _ => {
                    let unread: Vec<_> = unread.into_iter().collect();
                    let namespaces = listed(&unread);
                    findings.not_done(format!("pods of these namespaces were not read: {namespaces}"));
                }
            }
        },
    }),
};
