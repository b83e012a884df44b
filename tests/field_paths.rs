//! Where in an object a finding is: how paths are compared, ordered and written.

use ippool_webhook::finding::FieldPath;

fn entry(key: &str, number: Option<i64>) -> FieldPath<'_> {
    FieldPath::entry("spec.allocations", key, number)
}

#[test]
fn two_spellings_of_a_number_are_one_path() {
    assert_eq!(entry("01", Some(1)), entry("1", Some(1)));
    assert_ne!(entry("1", Some(1)), entry("2", Some(2)));
    assert_ne!(entry("one", None), entry("two", None));
    assert_ne!(entry("1", Some(1)), entry("1", Some(1)).field("id"));
}

#[test]
fn keys_that_are_numbers_come_first_and_in_numeric_order() {
    let mut paths = [
        FieldPath::of("spec.range"),
        entry("one", None),
        entry("10", Some(10)).field("podref"),
        entry("10", Some(10)).field("id"),
        entry("9", Some(9)),
        entry("-1", Some(-1)),
        FieldPath::of("spec.allocations"),
    ];
    paths.sort();
    let written = [
        "spec.allocations",
        "spec.allocations[-1]",
        "spec.allocations[9]",
        "spec.allocations[10].id",
        "spec.allocations[10].podref",
        "spec.allocations[one]",
        "spec.range",
    ];
    assert_eq!(paths.map(|path| path.to_string()), written);
}
