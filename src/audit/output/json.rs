//! Reports in JSON.

use std::io::{self, Write};
use std::net::IpAddr;

use serde::Serialize;

use crate::audit::report::{NotDone, Pool, Report};
use crate::finding::Severity;
use crate::output::{Diagnostic, ObjectName, json};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'r> {
    pools: Vec<WrittenPool<'r>>,
    findings: Vec<WrittenFinding<'r>>,
    not_done: Vec<WrittenReason<'r>>,
}

#[derive(Serialize)]
struct WrittenPool<'r> {
    namespace: &'r str,
    name: &'r str,
    range: &'r str,
    /// A string, because many JSON readers have 53 bits for a number.
    capacity: String,
    allocated: usize,
    reserved: usize,
    leaked: usize,
    conflicting: usize,
}

#[derive(Serialize)]
struct WrittenFinding<'r> {
    rule: &'static str,
    name: &'static str,
    severity: Severity,
    path: String,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<IpAddr>,
    object: WrittenObject<'r>,
}

#[derive(Serialize)]
struct WrittenObject<'r> {
    kind: &'static str,
    namespace: &'r str,
    name: &'r str,
}

#[derive(Serialize)]
struct WrittenReason<'r> {
    rules: &'r [&'static str],
    why: &'r str,
}

pub fn write(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let pools = report.pools.iter().map(WrittenPool::of).collect();
    let findings = report.findings.iter().map(WrittenFinding::of).collect();
    let not_done =
        report.not_done.iter().map(|NotDone { rules, why }| WrittenReason { rules, why }).collect();
    json::write(&Written { pools, findings, not_done }, out)
}

impl<'r> WrittenPool<'r> {
    fn of(pool: &'r Pool) -> Self {
        Self {
            namespace: &pool.namespace,
            name: &pool.name,
            range: &pool.range,
            capacity: pool.capacity.to_string(),
            allocated: pool.allocated,
            reserved: pool.reserved,
            leaked: pool.leaked,
            conflicting: pool.conflicting,
        }
    }
}

impl<'r> WrittenFinding<'r> {
    fn of(diagnostic: &'r Diagnostic) -> Self {
        let Diagnostic { finding, kind, object: ObjectName { namespace, name }, .. } = diagnostic;
        Self {
            rule: finding.rule.id,
            name: finding.rule.name,
            severity: finding.severity,
            path: finding.path.to_string(),
            message: finding.message(),
            address: finding.address,
            object: WrittenObject { kind, namespace, name },
        }
    }
}
