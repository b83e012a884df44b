//! The docs name exactly the releases of Kubernetes and whereabouts that are pinned and tested.

use std::collections::BTreeSet;
use std::process::Command;

use super::file;

/// The releases of `tool` that `tests/cluster/tools` pins, oldest first.
fn pinned(tool: &str) -> Vec<String> {
    let mut build = Command::new(file("../tests/cluster/tools/build"));
    let output = build.args(["releases", tool]).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn listed(releases: &[String]) -> String {
    let (last, rest) = releases.split_last().unwrap();
    format!("{} and {last}", rest.join(", "))
}

#[test]
fn the_readme_names_the_pinned_releases() {
    let readme = std::fs::read_to_string(file("../README.md")).unwrap();
    let wanted = format!(
        "It is tested on Kubernetes {}, and with whereabouts {}\n",
        listed(&pinned("kubernetes")),
        listed(&pinned("whereabouts"))
    );
    assert!(readme.contains(&wanted), "{wanted}");
}

#[test]
fn the_table_of_releases_has_every_part_of_each_passed() {
    let page = std::fs::read_to_string(file("../docs/versions.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| Kubernetes"));
    let cells = |row: &str| row.split('|').map(|it| it.trim().to_owned()).collect::<Vec<_>>();
    let rows: Vec<_> = rows.map(cells).collect();
    let found: BTreeSet<_> =
        rows.iter().map(|row| (row[1].clone(), row[2].clone(), row[3].clone())).collect();
    let (kubernetes, whereabouts) = (pinned("kubernetes"), pinned("whereabouts"));
    let newest = (kubernetes.last().unwrap(), whereabouts.last().unwrap());
    let on = |release: &String, part: &str| (release.clone(), newest.1.clone(), part.to_owned());
    let mut wanted: BTreeSet<_> =
        kubernetes.iter().flat_map(|it| ["registration", "kubectl"].map(|part| on(it, part))).collect();
    wanted.extend(whereabouts.iter().map(|it| (newest.0.clone(), it.clone(), "plugin".to_owned())));
    assert_eq!(found, wanted, "`make cluster-versions ARGS=--write` writes it anew");
    assert!(rows.iter().all(|row| row[5] == "0"), "{rows:?}");
}
