//! Whether every subject judges: what it says to pools that are wrong, and to those that are measured.

use serde_json::{Map, Value, json};

use super::plane::{Identity, Plane};
use super::process::awaited;
use super::{SIZES, SUBJECTS, allocation, path};

/// Lengths of a podref that are tried in a pool of the largest size.
const PODREFS: [usize; 5] = [25, 60, 100, 150, 260];

/// Waits until each subject but `nothing` refuses an offset past the end and the webhooks repair host bits.
pub fn await_all(plane: &Plane) {
    for (namespace, refuses, repairs) in
        [("nothing", false, false), ("policy", true, false), ("peer", true, true), ("ours", true, true)]
    {
        awaited(&format!("{namespace} to judge"), || {
            let (code, answer) = create(plane, namespace, "10.1.0.0/24", &json!({ "256": allocation(1) }));
            (refused(code, &answer) == refuses && (!refuses || answer.to_string().contains("256")))
                .then_some(())
        });
        awaited(&format!("{namespace} to repair, or not"), || {
            let (_, answer) = create(plane, namespace, "10.1.0.1/24", &json!({}));
            ((answer["spec"]["range"] == "10.1.0.0/24") == repairs).then_some(())
        });
    }
}

/// Asserts that pools of the sizes measured are judged as well, and not waved through.
pub fn assert_that_sizes_are_judged(plane: &Plane) {
    let outside = json!([{ "op": "add", "path": "/spec/allocations/65536", "value": allocation(65_536) }]);
    for namespace in SUBJECTS {
        for allocations in SIZES {
            let path = path(namespace, allocations) + "?dryRun=All";
            let kind = "application/json-patch+json";
            let (code, answer) = plane.request("PATCH", &path, kind, &outside.to_string(), Identity::Admin);
            let judged = refused(code, &answer) && answer.to_string().contains("65536");
            assert_eq!(judged, namespace != "nothing", "{path}: {code} {}", answer["message"]);
        }
    }
}

/// Prints how many mistakes each subject names in one answer.
pub fn report(plane: &Plane) {
    println!("\nmistakes named in one answer\n");
    println!("| pool | made | {} |", SUBJECTS.join(" | "));
    println!("|---|---:|{}", "---:|".repeat(SUBJECTS.len()));
    for (what, made, range, entries) in wrong() {
        let named = SUBJECTS.map(|namespace| named(&create(plane, namespace, range, &entries)).to_string());
        println!("| {what} | {made} | {} |", named.join(" | "));
    }
}

/// Prints at which length of the podrefs a subject does not take a good pool of the largest size any more.
pub fn report_long_names(plane: &Plane) {
    let most = SIZES[SIZES.len() - 1];
    println!("\na good pool of {most} allocations is taken, by the length of each podref\n");
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

/// Pools that are wrong: what is, how often, their range and allocations.
fn wrong() -> [(&'static str, usize, &'static str, Value); 4] {
    let mixed = json!({
        "one": allocation(1),
        "256": allocation(2),
        "7": { "id": "", "podref": "default/a" },
        "8": { "id": "b", "podref": "nobody" },
    });
    let outside = (256..356).map(|number| (number.to_string(), allocation(number))).collect::<Map<_, _>>();
    [
        ("a range that is none", 1, "10.1.0.0/33", json!({})),
        ("two spellings of an offset", 1, "10.1.0.0/24", json!({ "1": allocation(1), "01": allocation(2) })),
        ("one mistake of each of four kinds", 4, "10.1.0.0/24", mixed),
        ("a hundred offsets past the end", 100, "10.1.0.0/24", Value::Object(outside)),
    ]
}

/// The causes of a refusal; 0 where there is none.
fn named((code, answer): &(u16, Value)) -> usize {
    let causes = answer["details"]["causes"].as_array().map_or(0, Vec::len);
    if refused(*code, answer) { causes.max(1) } else { 0 }
}

/// Whether it was; anything but a refusal by admission is no answer.
fn refused(code: u16, answer: &Value) -> bool {
    assert!([200, 201, 403, 422].contains(&code), "{code} {}", answer["message"]);
    code == 403 || code == 422
}

/// Creates a pool without storing it: the code and the answer.
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
