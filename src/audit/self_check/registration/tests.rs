use super::*;

/// The configurations as the manifests have them, with the optional webhook.
fn registered() -> Vec<Value> {
    let mut files: Vec<Value> = SHIPPED.iter().map(|text| serde_saphyr::from_str(text).unwrap()).collect();
    let observe = files.pop().unwrap()["webhooks"][0].clone();
    files[1]["webhooks"].as_array_mut().unwrap().push(observe);
    files
}

/// The findings after a change.
fn found(change: impl Fn(&mut Vec<Value>)) -> Vec<String> {
    let (mut configurations, mut findings) = (registered(), Vec::new());
    change(&mut configurations);
    check(&configurations, None, &mut findings);
    findings.iter().map(|it| format!("{}: {}", it.object, it.what)).collect()
}

fn set(pointer: &'static str, value: Value) -> impl Fn(&mut Vec<Value>) {
    move |configurations| *configurations[1].pointer_mut(pointer).unwrap() = value.clone()
}

const VALIDATE: &str =
    "ValidatingWebhookConfiguration ippool-webhook: webhooks[validate.ippools.whereabouts.cni.cncf.io]";

#[test]
fn the_shipped_registration_fits() {
    assert_eq!(found(|_| {}), Vec::<String>::new());
    let without_observe = |it: &mut Vec<Value>| drop(it[1]["webhooks"].as_array_mut().unwrap().pop());
    assert_eq!(found(without_observe), Vec::<String>::new());
}

#[test]
fn each_field_that_differs_is_named_with_what_is_right() {
    let cases = [
        (
            "/webhooks/0/clientConfig/service/path",
            json!("/mutate"),
            ".clientConfig: the path must be /validate",
        ),
        ("/webhooks/0/rules/0/operations", json!(["CREATE"]), ".rules: Invalid value: "),
        ("/webhooks/0/rules/0/resources", json!(["*"]), ".rules: Invalid value: "),
        (
            "/webhooks/0/failurePolicy",
            json!("Ignore"),
            ".failurePolicy: Invalid value: \"Ignore\": must be \"Fail\"",
        ),
        (
            "/webhooks/0/namespaceSelector",
            json!({ "matchLabels": { "a": "b" } }),
            ".namespaceSelector: Invalid value: ",
        ),
        ("/webhooks/0/timeoutSeconds", json!(30), ".timeoutSeconds: Invalid value: 30: must be at most 5"),
        ("/webhooks/0/admissionReviewVersions", json!(["v1beta1"]), ".admissionReviewVersions: must have v1"),
        (
            "/webhooks/0/matchConditions/1/expression",
            json!("true"),
            ".matchConditions[not-metadata-only]: must be as",
        ),
        (
            "/webhooks/0/matchConditions/1/name",
            json!("mine"),
            ".matchConditions[mine]: this release has no such",
        ),
    ];
    for (pointer, value, what) in cases {
        let found = found(set(pointer, value));
        assert!(found.iter().any(|it| it.starts_with(&format!("{VALIDATE}{what}"))), "{pointer}: {found:#?}");
    }
}

#[test]
fn a_shorter_timeout_and_another_order_fit() {
    assert_eq!(found(set("/webhooks/0/timeoutSeconds", json!(3))), Vec::<String>::new());
    assert_eq!(
        found(set("/webhooks/0/rules/0/operations", json!(["UPDATE", "CREATE"]))),
        Vec::<String>::new()
    );
}

#[test]
fn a_webhook_that_is_missing_twice_there_or_unknown_is_named() {
    let missing = found(|it| drop(it.remove(0)));
    assert_eq!(missing.len(), 1, "{missing:?}");
    assert!(missing[0].contains("has the webhook normalize.ippools.whereabouts.cni.cncf.io"), "{missing:?}");
    let twice = found(|it| {
        let copy = it[0].clone();
        it.push(copy);
    });
    assert!(twice.iter().any(|it| it.contains("is registered twice")), "{twice:?}");
    let unknown = found(set("/webhooks/1/name", json!("other.ippools.whereabouts.cni.cncf.io")));
    assert!(unknown.iter().any(|it| it.contains("this release has no webhook of this name")), "{unknown:?}");
}

#[test]
fn the_trusted_writers_do_not_count_in_a_condition() {
    let path = "/webhooks/0/matchConditions/0/expression";
    let narrow = "!(request.userInfo.username == 'system:serviceaccount:kube-system:whereabouts')";
    assert_eq!(found(set(path, json!(narrow))), Vec::<String>::new());
    let inverted = "(request.userInfo.username == 'system:serviceaccount:kube-system:whereabouts')";
    assert_eq!(found(set(path, json!(inverted))).len(), 1);
}

#[test]
fn the_target_is_the_service_that_the_webhooks_call() {
    let target = target(&registered(), None).unwrap();
    assert_eq!((target.namespace.as_str(), target.secret.as_str()), ("ippool-webhook", "ippool-webhook-tls"));
    assert_eq!(target.publish_to.len(), 2);
    assert_eq!(super::target(&registered(), Some("other")).unwrap().secret, "other");
    let url = |it: &mut Value| it["clientConfig"] = json!({ "url": "https://192.0.2.1/validate" });
    let mut configurations = registered();
    configurations.iter_mut().flat_map(|it| it["webhooks"].as_array_mut().unwrap()).for_each(url);
    assert!(super::target(&configurations, None).is_none());
}
