//! The CNI plugin of whereabouts, working through the webhook: as its service account, with every write of its
//! observed, on a control plane where nothing else happens.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::thread;

use ipnet::IpNet;
use serde_json::{Value, json};

use super::numbers;
use super::plane::{Identity, Plane};
use super::plugin::{Network, Plugin};
use super::slices::cut_slices;
use super::tools::tools;
use super::webhook::{Hook, Webhook};

/// A network, what to do on it, and where its allocations belong.
struct Case<'a> {
    label: &'static str,
    network: Network<'a>,
    /// The pools that hold its allocations.
    pools: &'static [&'static str],
    /// This many containers; where fewer fit, that has to be the same everywhere.
    containers: usize,
}

/// A container that got addresses, and has not been detached.
struct Held {
    container: String,
    addresses: Vec<IpNet>,
    pools: &'static [&'static str],
}

/// One run of all cases on one control plane.
struct Run<'a> {
    plane: &'a Plane,
    held: Vec<Held>,
    /// What happened, in words that are the same in another run if the same happened.
    journal: Vec<String>,
    lost: usize,
}

fn cases(plugin: &Plugin) -> Vec<Case<'_>> {
    let case = |label, containers, pools, ipam: Value| Case {
        label,
        network: plugin.network(label, ipam),
        pools,
        containers,
    };
    let dual = json!({ "ipRanges": [{ "range": "10.51.0.0/24" }, { "range": "2001:db8:51::/64" }] });
    let excluding = json!({
        "range": "10.53.0.0/24",
        "range_start": "10.53.0.11",
        "range_end": "10.53.0.20",
        "exclude": ["10.53.0.12/30"],
    });
    let mut slices = case(
        "slices",
        12,
        &["node1-10.54.0.64-26"],
        json!({ "range": "10.54.0.0/24", "node_slice_size": "/26" }),
    );
    slices.network = slices.network.on_node("node1");
    let mut cases = vec![
        case("v4", 45, &["10.50.0.0-24"], json!({ "range": "10.50.0.0/24" })),
        case("v6", 18, &["2001-db8-50---64"], json!({ "range": "2001:db8:50::/64" })),
        case("dual", 12, &["10.51.0.0-24", "2001-db8-51---64"], dual),
        // The same range under a name is another pool.
        case("named", 12, &["blue-10.50.0.0-24"], json!({ "range": "10.50.0.0/24", "network_name": "blue" })),
        case("excluding", 8, &["10.53.0.0-24"], excluding),
        // Room for two.
        case("tiny", 3, &["10.55.0.0-30"], json!({ "range": "10.55.0.0/30" })),
    ];
    cases.extend(tools().has_node_slices().then_some(slices));
    cases
}

impl<'a> Run<'a> {
    fn of(plane: &'a Plane, plugin: &Plugin) -> Self {
        if tools().has_node_slices() {
            cut_slices(plane);
        }
        let mut run = Self { plane, held: Vec::new(), journal: Vec::new(), lost: 0 };
        for case in cases(plugin) {
            run.fill_and_empty(&case);
        }
        run.crowd(&plugin.network("crowd", json!({ "range": "10.56.0.0/24" })));
        run
    }

    /// Fills a network, frees every other address and takes it again, then empties the network.
    fn fill_and_empty(&mut self, case: &Case<'_>) {
        let all = || 0..case.containers;
        all().for_each(|number| self.attach(case, number));
        self.take_stock();
        all().step_by(2).for_each(|number| self.detach(case, number));
        self.take_stock();
        all().step_by(2).for_each(|number| self.attach(case, number));
        self.take_stock();
        all().for_each(|number| self.detach(case, number));
        self.take_stock();
    }

    fn attach(&mut self, case: &Case<'_>, number: usize) {
        let container = format!("{}-{number}", case.label);
        let added = case.network.add(&container, &container);
        self.journal.push(format!("ADD {container}: {added:?}"));
        if let Ok(addresses) = added {
            self.held.push(Held { container, addresses, pools: case.pools });
        }
    }

    fn detach(&mut self, case: &Case<'_>, number: usize) {
        let container = format!("{}-{number}", case.label);
        case.network.del(&container, &container);
        self.journal.push(format!("DEL {container}"));
        self.held.retain(|held| held.container != container);
    }

    /// Twice ten pods at once, which may get their addresses in any order; then all of them leave.
    fn crowd(&mut self, network: &Network<'_>) {
        let crowds =
            [0..10, 10..20].map(|range| range.map(|number| format!("crowd-{number}")).collect::<Vec<_>>());
        for crowd in &crowds {
            let added = at_once(crowd, |container| network.add(container, container).unwrap());
            let mut addresses = added.concat();
            addresses.sort();
            self.journal.push(format!("ADD ten at once: {addresses:?}"));
            let held = |(container, addresses): (&String, Vec<IpNet>)| Held {
                container: container.clone(),
                addresses,
                pools: &["10.56.0.0-24"],
            };
            self.held.extend(crowd.iter().zip(added).map(held));
            self.take_stock();
        }
        for crowd in &crowds {
            at_once(crowd, |container| network.del(container, container));
            self.held.retain(|held| !crowd.contains(&held.container));
            self.take_stock();
        }
    }

    /// Holds the pools to what the containers hold: each address recorded once, in its pool, for its pod.
    fn take_stock(&mut self) {
        let recorded = recorded(self.plane);
        let mut addresses = 0;
        for held in &self.held {
            for address in &held.addresses {
                let entry = |pool: &&str| {
                    let owner = format!("default/{}", held.container);
                    recorded.contains(&(pool.to_string(), address.addr(), held.container.clone(), owner))
                };
                addresses += 1;
                self.lost += usize::from(!held.pools.iter().any(entry));
            }
        }
        assert_eq!(self.lost, 0, "{recorded:#?} does not hold what was given out\n{:#?}", self.journal);
        assert_eq!(recorded.len(), addresses, "{recorded:#?} holds what nobody was given or was freed");
        self.journal.extend(recorded.iter().map(|(pool, address, ..)| format!("{pool} holds {address}")));
        self.journal.push(format!("reservations: {:?}", reservations(self.plane)));
    }
}

/// Does `work` with each of `items` at the same time; the results in the items' order.
fn at_once<T: Send>(items: &[String], work: impl Fn(&str) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let work = &work;
        let running: Vec<_> = items.iter().map(|item| scope.spawn(move || work(item))).collect();
        running.into_iter().map(|it| it.join().unwrap()).collect()
    })
}

fn list(plane: &Plane, resource: &str) -> Vec<Value> {
    let path = format!("/apis/whereabouts.cni.cncf.io/v1alpha1/{resource}");
    let (code, list) = plane.request("GET", &path, "application/json", "", Identity::Admin);
    assert_eq!(code, 200, "{list}");
    list["items"].as_array().unwrap().clone()
}

/// The addresses taken across all pools, which the plugin keeps besides them.
fn reservations(plane: &Plane) -> BTreeSet<String> {
    let name = |it: &Value| it["metadata"]["name"].as_str().unwrap().to_owned();
    list(plane, "overlappingrangeipreservations").iter().map(name).collect()
}

/// Pool, address, container and pod of every allocation there is.
fn recorded(plane: &Plane) -> BTreeSet<(String, IpAddr, String, String)> {
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    let entries = |pool: &Value| {
        let range: IpNet = text(&pool["spec"]["range"]).parse().unwrap();
        let name = text(&pool["metadata"]["name"]);
        let entry = |(offset, it): (&String, &Value)| {
            (name.clone(), at(range.addr(), offset.parse().unwrap()), text(&it["id"]), text(&it["podref"]))
        };
        pool["spec"]["allocations"].as_object().unwrap().iter().map(entry).collect::<Vec<_>>()
    };
    list(plane, "ippools").iter().flat_map(entries).collect()
}

/// The address `offset` past `base`.
fn at(base: IpAddr, offset: u32) -> IpAddr {
    match base {
        IpAddr::V4(base) => IpAddr::V4((u32::from(base) + offset).into()),
        IpAddr::V6(base) => IpAddr::V6((u128::from(base) + u128::from(offset)).into()),
    }
}

#[test]
fn three_hundred_operations_of_the_plugin_end_as_without_the_webhook() {
    let without = thread::spawn(|| {
        let plane = Plane::start("cni-without-webhook");
        let plugin = Plugin::new(&plane);
        (Run::of(&plane, &plugin).journal, plugin.operations())
    });
    let plane = Plane::start("cni-with-webhook");
    let webhook = Webhook::serve(&plane, &[]);
    webhook.register(&plane, &Hook::ALL);
    let (plugin, before) = (Plugin::new(&plane), webhook.observed());
    let run = Run::of(&plane, &plugin);
    let (operations, observed) = (plugin.operations(), webhook.observed() - before);
    assert!(operations >= 300, "{operations} are not enough to prove much");
    // Each that changes a pool writes it once at least; a few find no room, or nothing to free.
    assert!(observed >= 300, "the webhook saw {observed} writes in {operations} operations");
    assert_eq!(webhook.refusals_of_trusted(), 0, "{}", webhook.log());
    // Nor would anything have been refused if its writer were not trusted.
    let series = "ippool_webhook_reviews_would_deny_total{endpoint=\"validate\"}";
    assert_eq!(webhook.metric(series), 0.0, "{}", webhook.log());
    assert_eq!((run.journal, operations), without.join().unwrap());
    numbers::record("CNI operations without the webhook", operations);
    numbers::record("CNI operations with the webhook", operations);
    numbers::record("refusals of trusted writers", webhook.refusals_of_trusted());
    numbers::record("lost allocations", run.lost);
    if !tools().has_node_slices() {
        numbers::record("left out, node slices (they came with whereabouts 0.9.0)", 1);
    }
}
