//! Objects in JSON that arrives in pieces.

use super::*;

/// The parts of a text that is pushed in pieces of `size` bytes.
fn split(text: &str, size: usize) -> (Vec<String>, Result<(), Broken>) {
    let (mut parts, mut splitter) = (Vec::new(), Splitter::default());
    let mut each = |part: Part<'_>| {
        parts.push(match part {
            Part::Item(Object { text, line, list, .. }) => {
                format!("{line} {}: {}", list.kind, str::from_utf8(text).unwrap())
            }
            Part::Whole(Object { text, line, has_items, .. }) => {
                format!("{line} whole {has_items}: {}", str::from_utf8(text).unwrap())
            }
        });
    };
    for piece in text.as_bytes().chunks(size) {
        if let Err(error) = splitter.push(piece, &mut each) {
            return (parts, Err(error));
        }
    }
    (parts, splitter.finish())
}

const LIST: &str = r#"{"kind": "PodList", "metadata": {"items": [{"no": "item"}]},
 "items": [
  {"a": "}]\"{["},
  {"b": {"items": [{}]}}
 ], "x": "items"}
"#;

#[test]
fn the_items_of_a_list_are_found_in_pieces_of_any_size() {
    let (whole, end) = split(LIST, LIST.len());
    assert_eq!(end, Ok(()));
    assert_eq!(
        whole,
        [
            r#"3 PodList: {"a": "}]\"{["}"#,
            r#"4 PodList: {"b": {"items": [{}]}}"#,
            "1 whole true: {\"kind\": \"PodList\", \"metadata\": {\"items\": [{\"no\": \"item\"}]},\n \"items\": [], \"x\": \"items\"}",
        ]
    );
    for size in 1..20 {
        assert_eq!(split(LIST, size), (whole.clone(), Ok(())), "{size}");
    }
}

#[test]
fn objects_one_after_the_other_and_elements_of_an_array_are_found() {
    let (parts, end) = split("{\"a\":1}\n---\n{\"b\":2}\n[{\"c\":3}, {}]", 5);
    assert_eq!(end, Ok(()));
    assert_eq!(
        parts,
        [
            r#"1 whole false: {"a":1}"#,
            r#"3 whole false: {"b":2}"#,
            r#"4 : {"c":3}"#,
            "4 : {}",
            "4 whole true: []"
        ]
    );
}

#[test]
fn a_text_that_is_cut_is_broken_at_its_last_line() {
    for end in 1..LIST.trim_end().len() {
        let (_, broken) = split(&LIST[..end], 7);
        let line = LIST[..end].matches('\n').count() + 1;
        assert_eq!(broken.unwrap_err(), Broken { line, why: "ends in the middle of an object".to_owned() });
    }
    let (parts, _) = split(&LIST[..LIST.find("\n ],").unwrap()], 7);
    assert_eq!(parts.len(), 2, "the items before the cut are passed on");
}

#[test]
fn a_text_that_is_not_json_is_broken() {
    let (parts, broken) = split("{}\nno", 100);
    assert_eq!(parts.len(), 1);
    let why = "is not JSON here: an object must begin with {".to_owned();
    assert_eq!(broken.unwrap_err(), Broken { line: 2, why });
}

#[test]
fn what_is_between_items_is_broken() {
    for between in ["x", "\"x\"", "4", "[", "}"] {
        let (parts, broken) = split(&format!("{{\"items\": [{{}},\n{between} {{}}]}}"), 3);
        assert_eq!(parts.len(), 1);
        let why = "is not JSON here: an item of a list must begin with {".to_owned();
        assert_eq!(broken.unwrap_err(), Broken { line: 2, why });
    }
}
