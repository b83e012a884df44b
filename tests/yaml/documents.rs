//! Ten families of documents, as people and programs write them, with and without mistakes.

use crate::source::Source;

type Family = fn(&mut Source) -> String;

/// Each with its name, which seeds its documents.
pub const FAMILIES: [(&str, Family); 10] = [
    ("values", values),
    ("keys", keys),
    ("quotes", quotes),
    ("blocks", blocks),
    ("anchors", anchors),
    ("merges", merges),
    ("duplicates", duplicates),
    ("streams", streams),
    ("whitespace", whitespace),
    ("collections", collections),
];

const WORDS: [&str; 44] = [
    "y", "Y", "yes", "Yes", "YES", "n", "N", "no", "No", "on", "On", "ON", "off", "OFF", "true", "True",
    "TRUE", "tRue", "false", "False", "null", "Null", "NULL", "nULL", "~", "", ".nan", ".NaN", ".inf",
    "-.inf", "+.Inf", ".Inf", "inf", "nan", "=", "<<", "0x", "0o", "0b", ".", "-.", "+", "-", "_",
];

const NUMBERS: [&str; 48] = [
    "0",
    "-0",
    "+0",
    "00",
    "007",
    "010",
    "08",
    "-010",
    "+010",
    "0o10",
    "0O10",
    "-0o10",
    "0x1F",
    "0XfF",
    "-0x1f",
    "0xg",
    "0b101",
    "-0b11",
    "+0b1",
    "0b2",
    "1_000",
    "_1",
    "1_",
    "1__0",
    "0x_f",
    "0_7",
    "1.0",
    "1.",
    ".5",
    "-.5",
    "1.5e3",
    "1e3",
    "1E-3",
    "1e+06",
    "1e",
    "1.e1",
    "1_0.5",
    "1._5",
    "1e400",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
    "190:20:30",
    "1:2",
    "0x1p4",
];

const TIMES: [&str; 10] = [
    "2001-12-14",
    "2001-12-14T21:59:43.10-05:00",
    "2001-12-14 21:59:43.10 -5",
    "2001-12-15 2:59:43.10",
    "2002-1-1",
    "2001-12-14t21:59:43Z",
    "20011214",
    "2001-13-45",
    "10:30",
    "2001-12-14T21:59:43",
];

const TEXTS: [&str; 20] = [
    "a",
    "10.0.0.0/24",
    "fd00::/64",
    "fd00:9::1",
    "default/web-0",
    "a b",
    "a: b",
    "a #b",
    "a#b",
    "- a",
    "é",
    "日本",
    "😀",
    "\u{a0}",
    "\u{85}",
    "\u{2028}",
    "@a",
    "`a",
    "%a",
    "!a",
];

/// A plain scalar of any kind.
fn scalar(s: &mut Source) -> String {
    match s.below(8) {
        0 | 1 => s.pick(&WORDS).to_owned(),
        2 | 3 => s.pick(&NUMBERS).to_owned(),
        4 => s.pick(&TIMES).to_owned(),
        5 => s.text(6, "0123456789.eE+-_xob:"),
        6 => s.text(5, "abAB019~.-:#,?!&*|>'\"%@`{}[] "),
        _ => s.pick(&TEXTS).to_owned(),
    }
}

/// A scalar without pitfalls.
fn tame(s: &mut Source) -> &'static str {
    s.pick(&["a", "b", "c", "1", "10.0.0.0/24", "default/web-0", "true", "\"\"", "{}", "[]", "net1"])
}

fn key(s: &mut Source) -> &'static str {
    s.pick(&["a", "b", "c", "d", "spec", "range", "1", "\"8\"", "'x'"])
}

fn values(s: &mut Source) -> String {
    let form = s.pick(&[
        "a: @\n",
        "- @\n",
        "@\n",
        "a: [@]\n",
        "a: {b: @}\n",
        "a: @ # c\n",
        "a:\n  - b: @\n",
        "a: !!str @\n",
    ]);
    form.replace('@', &scalar(s))
}

fn keys(s: &mut Source) -> String {
    let form = s.pick(&[
        "@: a\n",
        "{@: a}\n",
        "spec:\n  @: {id: a}\n",
        "? @\n: a\n",
        "@:\n  b: 1\n",
        "{@}\n",
        "\"@\": 1\n",
    ]);
    form.replace('@', &scalar(s))
}

fn quotes(s: &mut Source) -> String {
    let content = s.repeat(5, |s| {
        let escapes = [
            "\\n",
            "\\t",
            "\\\"",
            "\\\\",
            "\\/",
            "\\x41",
            "\\u00e9",
            "\\U0001F600",
            "\\ud83d\\ude00",
            "\\e",
            "\\0",
            "\\N",
            "\\_",
            "\\L",
            "\\q",
            "\\ ",
            "\\\n  ",
            "''",
            "\"\"",
            "'",
        ];
        let plain = [
            "a", " ", "\n ", "\n\n  ", "  ", "\t", ":", " #", "b", "é", "\u{85}", "\u{2028}", "\r\n ", "{",
            "\\",
        ];
        if s.one_in(3) { s.pick(&escapes) } else { s.pick(&plain) }.to_owned()
    });
    let quote = s.pick(&["\"", "'"]);
    let form = s.pick(&[
        "a: @\n",
        "@: a\n",
        "- @\n",
        "@",
        "[@, b]\n",
        "a: @ # c\n",
        "a: @b\n",
        "{@: 1}\n",
        "{@:1}\n",
    ]);
    form.replace('@', &format!("{quote}{content}{quote}"))
}

fn blocks(s: &mut Source) -> String {
    let header =
        s.pick(&["|", ">", "|-", ">-", "|+", ">+", "|2", ">1-", "|+1", "|0", "| # c", "|#", "|x", "|- "]);
    let lines = s.repeat(5, |s| {
        let indent = s.pick(&["  ", "  ", "  ", " ", "   ", "", "\t", "  \t"]);
        let text = s.pick(&["a", "b c", "", "# d", "- e", " f", "g: h", "é ", "\t", "---", "..."]);
        let end = s.pick(&["\n", "\n", "\n", "\n", "\r\n", "\n\n", ""]);
        format!("{indent}{text}{end}")
    });
    let form = s.pick(&["a: @", "- @", "a: @", "a:\n - @", "a: &x @b: *x\n", "a: @b: 1\n", "a: !!str @"]);
    form.replace('@', &format!("{header}\n{lines}"))
}

fn anchors(s: &mut Source) -> String {
    s.repeat(6, |s| {
        let (name, key) = (s.pick(&["x", "y", "1", "x-y", "é"]), key(s));
        match s.below(8) {
            0 | 1 => format!("{key}{}: &{name} {}\n", s.below(99), tame(s)),
            2 => format!("{key}{}: &{name}\n  b: {}\n", s.below(99), tame(s)),
            3 => format!("{key}{}: [&{name} {}, *{name}]\n", s.below(99), tame(s)),
            4 => format!("*{name} : {}\n", tame(s)),
            5 => format!("&{name} {key}{}: {}\n", s.below(99), tame(s)),
            6 => format!("{key}{}: &{name} {{b: *{name}}}\n", s.below(99)),
            _ => format!("{key}{}: *{name}\n", s.below(99)),
        }
    })
}

fn merges(s: &mut Source) -> String {
    let bases = "x: &x {a: 1, b: 2}\ny: &y\n  b: 3\n  c: {d: 4}\nz: &z [*x, *y]\ns: &s text\n";
    let into = s.repeat(3, |s| {
        let value = s.pick(&[
            "*x", "*y", "*z", "*s", "[*x, *y]", "[*y, *x]", "{e: 5}", "[*x, *s]", "", "[]", "[[*x]]", "1",
        ]);
        let merge = s.pick(&["<<", "<<", "<<", "\"<<\"", "'<<'", "!!merge <<", "? <<\n  "]);
        let own = [format!("  {}: 9\n", key(s)), String::new()];
        let (before, after) = (s.below(2), s.below(2));
        format!("{}  {merge}: {value}\n{}", own[before], own[after])
    });
    match s.below(4) {
        0 => format!("{bases}m: {{<<: *x, a: 7}}\n"),
        1 => format!("{bases}m:\n{}", into.replace("  a: 9\n", "")),
        _ => format!("{bases}m:\n{into}"),
    }
}

fn duplicates(s: &mut Source) -> String {
    let keys = [
        "a", "\"a\"", "'a'", "8", "\"8\"", "010", "0x8", "8.0", "true", "yes", "\"true\"", "b", "c", "d", "e",
    ];
    let flow = s.one_in(3);
    let entries = s.repeat(4, |s| {
        let (key, value) = (s.pick(&keys), tame(s));
        if flow { format!("{key} : {value}, ") } else { format!("  {key}: {value}\n") }
    });
    if flow { format!("m: {{{entries}}}\n") } else { format!("m:\n{entries}") }
}

fn streams(s: &mut Source) -> String {
    let parts = s.repeat(7, |s| {
        s.pick(&[
            "a: 1\n",
            "b: [1]\n",
            "# c\n",
            "\n",
            " \n",
            "---\n",
            "---\n",
            "--- # c\n",
            "--- a\n",
            "---  \n",
            "...\n",
            "%YAML 1.1\n",
            "%TAG ! x\n",
            "{\"a\": 1}\n",
            "{\"b\": 2}",
            "null\n",
            "~\n",
            "text\n",
            "- 1\n",
            "---\r\n",
            "--- |\n",
            " ---\n",
            "---\t\n",
            "----\n",
            "--- {a: 1}\n",
            "\"x\n---\ny\"\n",
        ])
        .to_owned()
    });
    let first = s.pick(&["", "", "", "", "\u{feff}", "\n", " "]);
    format!("{first}{parts}")
}

/// A valid document with a few characters inserted or removed.
fn whitespace(s: &mut Source) -> String {
    let start = s.pick(&[
        "a: 1\nb:\n  - c\n  - d: e\n    f: g\n",
        "spec:\n  range: 10.0.0.0/24\n  allocations: {}\n",
        "a: {b: c, d: [e, f]}\n",
        "- - a\n  - b\n-\n  - c\n",
        "a:\n- b\n- c\n",
        "a: b c\n  d\ne: f\n",
        "? a\n: b\n",
        "{\n  \"a\": \"b\",\n  \"c\": [1,\n 2]\n}\n",
    ]);
    let mut text: Vec<_> = start.chars().collect();
    for _ in 0..s.below(4) {
        let at = s.below(text.len());
        match s.below(5) {
            0 => drop(text.remove(at)),
            1 => text[at] = s.pick(&[' ', '\t', '\n', ':', '-']),
            _ => text.insert(at, s.pick(&[' ', '\t', '\n', '\r', ' ', '#', ',', '\u{a0}'])),
        }
    }
    let text: String = text.into_iter().collect();
    if s.one_in(5) { text.replace('\n', "\r\n") } else { text }
}

fn collections(s: &mut Source) -> String {
    let tag = s.pick(&[
        "",
        "",
        "",
        "",
        "!!map ",
        "!!seq ",
        "!!str ",
        "!!int ",
        "!!float ",
        "!!null ",
        "!!bool ",
        "!!binary ",
        "!!timestamp ",
        "!x ",
        "!!set ",
        "! ",
    ]);
    match s.below(3) {
        0 => format!("a: {tag}{}\n", flow(s, 3)),
        1 => format!("a: {tag}{}\n", scalar(s)),
        _ => block(s, 0, 3),
    }
}

fn flow(s: &mut Source, depth: usize) -> String {
    match s.below(if depth == 0 { 2 } else { 4 }) {
        0 => tame(s).to_owned(),
        1 => {
            if s.one_in(4) {
                scalar(s)
            } else {
                tame(s).to_owned()
            }
        }
        2 => format!(
            "[{}]",
            s.repeat(3, |s| format!("{}{}", flow(s, depth - 1), s.pick(&[", ", ",", ",\n   "])))
        ),
        _ => format!(
            "{{{}}}",
            s.repeat(3, |s| {
                let (key, colon) = (key(s), s.pick(&[": ", ": ", ":", " : "]));
                format!("{key}{}{colon}{}{}", s.below(99), flow(s, depth - 1), s.pick(&[", ", ","]))
            })
        ),
    }
}

fn block(s: &mut Source, indent: usize, depth: usize) -> String {
    let (is_list, margin) = (s.one_in(3), " ".repeat(indent));
    s.repeat(3, |s| {
        let deeper = indent + s.pick(&[2, 2, 2, 1, 4, 0]);
        let head = if is_list { "-".to_owned() } else { format!("{}{}:", key(s), s.below(99)) };
        match depth > 0 && s.one_in(2) {
            true => format!("{margin}{head}\n{}", block(s, deeper, depth - 1)),
            false => format!("{margin}{head} {}\n", flow(s, 1)),
        }
    })
}
