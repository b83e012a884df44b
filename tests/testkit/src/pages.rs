//! The pages of the documentation, and what they show.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// What a fence of a page says after the three backticks, and the text in it.
pub struct Fence<'a> {
    pub info: &'a str,
    pub text: &'a str,
}

/// Every page, as seen from the root of the repository.
pub fn pages() -> Vec<PathBuf> {
    let mut pages = markdown(Path::new("."), false);
    pages.extend(["certs", "deploy", "docs"].iter().flat_map(|it| markdown(Path::new(it), true)));
    pages
}

fn markdown(directory: &Path, recursive: bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && recursive {
            found.extend(markdown(&path, true));
        } else if path.extension().is_some_and(|it| it == "md") {
            found.push(path);
        }
    }
    found
}

/// The text below `## heading`.
pub fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let start = page.find(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    let body = &page[start + heading.len() + 5..];
    body.split("\n## ").next().unwrap_or_default()
}

/// The fences that are not indented.
pub fn fences(page: &str) -> Vec<Fence<'_>> {
    let inside = page.split("\n```").skip(1).step_by(2);
    inside
        .map(|fence| {
            let (info, text) = fence.split_once('\n').unwrap();
            Fence { info, text }
        })
        .collect()
}

/// The text of a file that the page shows.
pub fn shown<'a>(page: &'a str, name: &str) -> &'a str {
    let named = format!("yaml {name}");
    let fences = fences(page);
    let fence = fences.iter().find(|it| it.info == named).unwrap_or_else(|| panic!("no {name}"));
    fence.text
}

/// Copies the first allocation to the offsets 1 to `count`, each with an owner of its own.
pub fn fill(object: &mut Value, count: u32) {
    let entries = object["spec"]["allocations"].as_object_mut().unwrap();
    let first = entries.values().next().unwrap().clone();
    for offset in 1..=count {
        let mut entry = first.clone();
        entry["id"] = json!(format!("{offset:064x}"));
        entry["podref"] = json!(format!("default/web-{offset}"));
        entries.insert(offset.to_string(), entry);
    }
}
