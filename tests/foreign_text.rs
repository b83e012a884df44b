//! Text from outside is cut and escaped before it is repeated.

use ippool_webhook::text::{printable, shortened, without_middle};

#[test]
fn a_short_text_stays_as_it_is() {
    assert_eq!(shortened("a \"name\"", 64), "a \"name\"");
    assert_eq!(shortened(&"x".repeat(16), 16), "x".repeat(16));
}

#[test]
fn a_long_text_is_cut_between_characters() {
    assert_eq!(shortened(&"ä".repeat(200), 16), format!("{}…", "ä".repeat(6)));
    assert_eq!(shortened(&format!("x{}", "ä".repeat(200)), 16), format!("x{}…", "ä".repeat(6)));
}

#[test]
fn escapes_count_as_they_are_written() {
    assert_eq!(shortened("a\n\u{7f}b", 64), "a\\n\\u{7f}b");
    assert!(shortened(&"\u{7f}".repeat(9000), 1024).len() <= 1024);
}

#[test]
fn every_character_that_moves_the_cursor_takes_one_column() {
    assert_eq!(printable("a\tb\x1b[2J\u{202e}c\u{feff}"), "a b\u{fffd}[2J\u{fffd}c\u{fffd}");
}

#[test]
fn a_text_without_its_middle_keeps_both_ends() {
    let text = "must be at most 255, the last offset in 10.0.9.0/24, counted from 10.0.9.5";
    assert_eq!(without_middle(text, 74), text);
    assert_eq!(without_middle(text, 40), "must be at most 255, the l…from 10.0.9.5");
    assert_eq!(without_middle(text, 0).chars().count(), 32);
}
