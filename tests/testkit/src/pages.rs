//! The pages of the documentation, and what they show.

use std::path::{Path, PathBuf};

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
