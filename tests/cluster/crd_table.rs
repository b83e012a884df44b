//! `docs/what-the-crd-lets-through.md`, written from the run of the bad manifests.

use std::path::Path;

use super::manifests::{Bad, difference, outcome};

const FILE: &str = "docs/what-the-crd-lets-through.md";

/// How many findings of one manifest the table shows; all of them are in the manifest's `.txt`.
const SHOWN: usize = 3;

const INTRODUCTION: &str = "\
# What the CRD lets through

`make cluster` sends every bad manifest of [tests/cluster/manifests/bad](../tests/cluster/manifests/bad) to a real
kube-apiserver twice: with only the CRD of whereabouts, and with the webhook registered. It compares this table with that run;
`UPDATE_EXPECTED=1 make cluster` writes the table anew. The file of the same name that ends in `.txt` has the whole text that
kubectl prints.

";

#[test]
fn the_table_in_the_docs_is_that_of_this_run() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let difference = difference(&file, &page(&outcome().bad));
    assert_eq!(difference, None, "run again with UPDATE_EXPECTED=1");
}

fn page(bad: &[Bad]) -> String {
    let accepted = bad.iter().filter(|it| it.crd_only.accepted()).count();
    let all = bad.len();
    let mut page = INTRODUCTION.to_owned();
    page.push_str(&format!(
        "Of {all} bad manifests, the CRD accepts {accepted}. With the webhook, none is stored.\n\n\
         | manifest | request | the CRD | the webhook |\n|---|---|---|---|\n"
    ));
    bad.iter().for_each(|it| page.push_str(&row(it)));
    page
}

fn row(bad: &Bad) -> String {
    let name = &bad.manifest.name;
    let (crd_only, says) = if bad.crd_only.accepted() {
        ("**accepts it**".to_owned(), findings(bad))
    } else {
        (
            format!("rejects it: {}", code(bad.crd_only.refusal())),
            "nothing: the apiserver rejects it first".to_owned(),
        )
    };
    let link = format!("[{name}](../tests/cluster/manifests/bad/{name}.yaml)");
    format!("| {link} | {} | {crd_only} | {says} |\n", bad.manifest.verb)
}

fn findings(bad: &Bad) -> String {
    let findings = bad.guarded.findings();
    let mut cells: Vec<_> = findings.iter().take(SHOWN).map(|it| code(it)).collect();
    if findings.len() > SHOWN {
        cells.push(format!("and {} more", findings.len() - SHOWN));
    }
    cells.join("<br>")
}

/// As code, so that nothing in it is taken for markup. A bar would end the cell even there.
fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', "\\|").replace('`', "'"))
}
