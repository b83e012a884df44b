use super::dump::file::{MAX_ERRORS, MAX_LISTS};
use super::json::MAX_OBJECT_BYTES;
use super::listen::MAX_WAITING_PAGES;
use super::live::list::{ATTEMPTS, MAX_RESTARTS, PAGE_OBJECTS};
use super::output::html;

#[test]
fn the_page_of_limits_lists_the_bounds_of_an_audit() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/limits.md");
    let page = std::fs::read_to_string(path).unwrap();
    let rows = [
        format!("| an object, or a document of YAML | {} MiB |", MAX_OBJECT_BYTES >> 20),
        format!("| lists within lists | {MAX_LISTS} |"),
        format!("| errors of one file | {MAX_ERRORS} |"),
        format!("| objects of one request to the apiserver | {PAGE_OBJECTS} |"),
        format!("| attempts at such a request | {ATTEMPTS} |"),
        format!("| times that a list is begun again because its token expired | {MAX_RESTARTS} |"),
        format!("| the HTML report | {} MB |", html::MAX_BYTES / 1_000_000),
        format!("| requests for the report of `--listen` that wait | {MAX_WAITING_PAGES} |"),
    ];
    for row in rows {
        assert!(page.contains(&row), "docs/limits.md lacks: {row}");
    }
}
