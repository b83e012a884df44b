//! Whether every subject validates, both invalid pools and those that are measured.

use serde_json::{Map, Value, json};

use super::plane::{Identity, Plane};
use super::process::awaited;
use super::{SIZES, SUBJECTS, allocation, path};

/// Lengths of a podref that are tried in a pool of the largest size.
const PODREFS: [usize; 5] = [25, 60, 100, 150, 260];

/// Waits until each subject but `nothing` denies an offset beyond the range, and the webhooks repair host bits.
pub fn await_all(plane: &Plane) {
    for (namespace, denies, repairs) in
        [("nothing", false, false), ("policy", true, false), ("peer", true, true), ("ours", true, true)]
    {
        awaited(&format!("{namespace} to validate"), || {
            let (code, answer) = create(plane, namespace, "10.1.0.0/24", &json!({ "256": allocation(1) }));
            (is_denied(code, &answer) == denies && (!denies || answer.to_string().contains("256")))
                .then_some(())
        });
        awaited(&format!("{namespace} to repair, or not"), || {
            let (_, answer) = create(plane, namespace, "10.1.0.1/24", &json!({}));
            ((answer["spec"]["range"] == "10.1.0.0/24") == repairs).then_some(())
        });
    }
}

/// Asserts that pools of the measured sizes are validated, too.
pub fn assert_that_sizes_are_judged(plane: &Plane) {
    let outside = json!([{ "op": "add", "path": "/spec/allocations/65536", "value": allocation(65_536) }]);
    for namespace in SUBJECTS {
        for allocations in SIZES {
            let path = path(namespace, allocations) + "?dryRun=All";
            let kind = "application/json-patch+json";
            let (code, answer) = plane.request("PATCH", &path, kind, &outside.to_string(), Identity::Admin);
            let is_validated = is_denied(code, &answer) && answer.to_string().contains("65536");
            assert_eq!(is_validated, namespace != "nothing", "{path}: {code} {}", answer["message"]);
        }
    }
}

/// Prints how many mistakes each subject names in one response.
pub fn report(plane: &Plane) {
    println!("\nmistakes named in one response\n");
    println!("| pool | made | {} |", SUBJECTS.join(" | "));
    println!("|---|---:|{}", "---:|".repeat(SUBJECTS.len()));
    for (what, made, range, entries) in wrong() {
        let named = SUBJECTS.map(|namespace| named(&create(plane, namespace, range, &entries)).to_string());
        println!("| {what} | {made} | {} |", named.join(" | "));
    }
}

/// Prints from which length of the podrefs on a subject rejects a valid pool of the largest size.
pub fn report_long_names(plane: &Plane) {
    let most = SIZES[SIZES.len() - 1];
    println!("\na valid pool of {most} allocations is allowed, by the length of each podref\n");
    println!("| podref | {} |", SUBJECTS.join(" | "));
    println!("|---:|{}", "---|".repeat(SUBJECTS.len()));
    for length in PODREFS {
        let entries = (1..=most).map(|number| (number.to_string(), named_at_length(number, length)));
        let entries = Value::Object(entries.collect());
        let taken = SUBJECTS.map(|namespace| {
            let (code, answer) = create(plane, namespace, "10.0.0.0/16", &entries);
            if code == 201 { "yes".into() } else { answer["message"].as_str().unwrap_or("no").to_owned() }
        });
        println!("| {length} | {} |", taken.join(" | "));
    }
}

fn named_at_length(number: usize, length: usize) -> Value {
    let mut allocation = allocation(number);
    let short = format!("workloads/worker-{number:05}-");
    allocation["podref"] = json!(format!("{short}{}", "x".repeat(length - short.len())));
    allocation
}

/// Invalid pools: the mistake, how often it occurs, the range and the allocations.
fn wrong() -> [(&'static str, usize, &'static str, Value); 4] {
    let mixed = json!({
        "one": allocation(1),
        "256": allocation(2),
        "7": { "id": "", "podref": "default/a" },
        "8": { "id": "b", "podref": "nobody" },
    });
    let outside = (256..356).map(|number| (number.to_string(), allocation(number))).collect::<Map<_, _>>();
    [
        ("an invalid range", 1, "10.1.0.0/33", json!({})),
        ("two spellings of an offset", 1, "10.1.0.0/24", json!({ "1": allocation(1), "01": allocation(2) })),
        ("one mistake of each of four kinds", 4, "10.1.0.0/24", mixed),
        ("a hundred offsets beyond the range", 100, "10.1.0.0/24", Value::Object(outside)),
    ]
}

/// The number of causes of a denial; 0 if it was allowed.
fn named((code, answer): &(u16, Value)) -> usize {
    let causes = answer["details"]["causes"].as_array().map_or(0, Vec::len);
    if is_denied(*code, answer) { causes.max(1) } else { 0 }
}

/// Whether admission denied it. Any other error is a failure of the measurement.
fn is_denied(code: u16, answer: &Value) -> bool {
    assert!([200, 201, 403, 422].contains(&code), "{code} {}", answer["message"]);
    code == 403 || code == 422
}

/// Creates a pool as a dry run. Returns the status code and the response.
fn create(plane: &Plane, namespace: &str, range: &str, allocations: &Value) -> (u16, Value) {
    let pool = json!({
        "apiVersion": "whereabouts.cni.cncf.io/v1alpha1",
        "kind": "IPPool",
        "metadata": { "name": "tried-out" },
        "spec": { "range": range, "allocations": allocations },
    });
    let path = format!("/apis/whereabouts.cni.cncf.io/v1alpha1/namespaces/{namespace}/ippools?dryRun=All");
    plane.request("POST", &path, "application/json", &pool.to_string(), Identity::Admin)
}
