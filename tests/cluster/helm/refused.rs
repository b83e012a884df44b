//! Values that make no sense, and what a cluster lacks, are named before anything is applied.

use super::{CHART, offline, template};

#[test]
fn a_value_that_makes_no_sense_is_refused_by_its_name() {
    for (set, wanted) in [
        ("replicas=two", "at '/replicas': got string, want integer"),
        ("replica=2", "additional properties 'replica' not allowed"),
        ("image.tagg=x", "at '/image': additional properties 'tagg' not allowed"),
        ("image.digest=sha256:12", "at '/image/digest': 'sha256:12' does not match pattern"),
        ("certificates.source=vault", "at '/certificates/source': value must be one of 'self-managed'"),
        (
            "certificates.issuerRef.name=x",
            "certificates.issuerRef is used only if certificates.source is cert-manager",
        ),
        ("policy.rules.IPP302=deny", "at '/policy/rules/IPP302': value must be one of 'warn', 'off'"),
        ("policy.rules.IPP999=off", "at '/policy/rules': additional properties 'IPP999' not allowed"),
        ("policy.enforcement=audit", "at '/policy/enforcement': value must be one of 'deny', 'warn'"),
        ("policy.trustedWriters={it's}", "at '/policy/trustedWriters/0': 'it\\'s' does not match pattern"),
        (
            "policy.trustedWriters={system:serviceaccount:*:*}",
            "policy.trustedWriters: \"system:serviceaccount:*:*\" would trust every service account",
        ),
        ("policy.trustedWriters={**:*}", "policy.trustedWriters: \"**:*\" would trust everyone"),
        (
            "policy.trustedWriters={system:*}",
            "policy.trustedWriters: \"system:*\" would trust requests without a user",
        ),
        ("ports.https=443", "at '/ports/https': minimum: got 443, want 1,024"),
        ("ports.https=8080", "ports.https and ports.admin are both 8080"),
        ("resources.limits.memory=lots", "at '/resources/limits/memory': 'lots' does not match pattern"),
    ] {
        let ran = template(&["--set", set]);
        assert!(ran.code == 1 && ran.stderr.contains(wanted), "{set}: {}", ran.stderr);
    }
    let ran = template(&["--set-json", "policy.trustedWriters=[]"]);
    assert!(ran.stderr.contains("at '/policy/trustedWriters': minItems: got 0, want 1"), "{}", ran.stderr);
}

#[test]
fn what_the_cluster_lacks_is_named_with_the_remedy() {
    for (set, missing, remedy) in [
        ("certificates.source=cert-manager", "cert-manager.io/v1", "--set certificates.source=self-managed"),
        (
            "certificates.source=openshift",
            "security.openshift.io/v1",
            "--set certificates.source=self-managed",
        ),
        ("monitoring.kind=PodMonitor", "monitoring.coreos.com/v1", "leave monitoring.kind empty"),
        ("monitoring.alerts=true", "monitoring.coreos.com/v1", "leave monitoring.alerts false"),
    ] {
        let ran = template(&["--set", set]);
        let wanted = format!("{}, but the cluster has no {missing}.\n", set.replace('=', " is "));
        assert!(ran.code == 1 && ran.stderr.contains(&wanted), "{set}: {}", ran.stderr);
        assert!(
            ran.stderr.contains(remedy) && ran.stderr.contains(&format!("-a {missing}")),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn a_release_that_begins_with_a_digit_needs_another_name() {
    let refused = offline(&["template", "1st", CHART]).stderr;
    assert!(refused.contains("begins with a letter, unlike 1st-ippool-webhook.\n"), "{refused}");
    let (_, remedy) = refused.trim_end().split_once("Choose one: ").unwrap();
    let arguments: Vec<_> = remedy.lines().next().unwrap().split(' ').collect();
    offline(&[&["template", "1st", CHART], &arguments[..]].concat()).ok();
}
