//! An audit while the plugin works: what it finds is not of the moment.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{EXPECTED, LIVE, Plugin, attach, audit, break_everything, found, json};
use crate::numbers;

/// The networks on which the plugin works at the same time: one that is broken, and three that are not.
const RANGES: [&str; 4] = ["10.80.0.0/24", "10.90.0.0/24", "10.91.0.0/24", "10.92.0.0/24"];

#[test]
fn what_is_found_during_300_operations_is_there_a_minute_later() {
    let plane = break_everything("audit-busy");
    let plugin = Plugin::new(&plane);
    let before = plugin.operations();
    let is_done = AtomicBool::new(false);
    let during = std::thread::scope(|scope| {
        for (number, range) in RANGES.iter().enumerate() {
            attach(&plane, &format!("busy-{number}"), json!({ "range": range }));
            let network = plugin.network(&format!("busy-{number}"), json!({ "range": range }));
            let is_done = &is_done;
            scope.spawn(move || {
                let pod = format!("churn-{number}");
                for container in 0.. {
                    let container = format!("c-{container}");
                    network.add(&container, &pod).unwrap();
                    network.del(&container, &pod);
                    if is_done.load(Ordering::Relaxed) {
                        break;
                    }
                }
            });
        }
        let during = audit(&plane, &["--kubeconfig=admin.kubeconfig", "-A", "--fail-on=warn"]);
        is_done.store(true, Ordering::Relaxed);
        during
    });
    let operations = plugin.operations() - before;
    assert!(operations >= 300, "{operations} operations");
    numbers::record("operations of the plugin during an audit", operations);
    assert_eq!(found(&during), EXPECTED, "{}", during.stderr);
    // The grace period is a minute.
    let after = audit(&plane, &["--kubeconfig=admin.kubeconfig", "-A", "--fail-on=warn"]);
    assert_eq!(found(&after), EXPECTED, "{}", after.stderr);
    assert_eq!(found(&audit(&plane, &LIVE)), EXPECTED);
}
