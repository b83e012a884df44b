//! Foreign text in answers and logs: without control characters, and cut where it is long.

/// The beginning of `text`, at most `max` bytes as it is written, with control characters escaped.
pub fn shortened(text: &str, max: usize) -> String {
    const ELLIPSIS: char = '…';
    let (mut short, mut fits) = (String::with_capacity(text.len().min(max)), 0);
    for c in text.chars() {
        if needs_escape(c) {
            short.extend(c.escape_default());
        } else {
            short.push(c);
        }
        if short.len() <= max - ELLIPSIS.len_utf8() {
            fits = short.len();
        }
        if short.len() > max {
            short.truncate(fits);
            short.push(ELLIPSIS);
            break;
        }
    }
    short
}

/// Control characters, and the invisible ones that change how a line reads.
fn needs_escape(c: char) -> bool {
    let invisible = matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    invisible || c.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_stays_as_it_is() {
        assert_eq!(shortened("a \"name\"", 64), "a \"name\"");
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
}
