use super::*;
use crate::audit::report::{Entry, Pool, State, sample};
use crate::kinds::ippool::Range;

fn html(report: &Report) -> String {
    let mut out = Vec::new();
    write(report, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn foreign_text_means_nothing_in_html() {
    let mut report = sample();
    report.pools[0].name = "</td><script>alert('1')</script>\u{202e}&".to_owned();
    let html = html(&report);
    assert!(
        html.contains("&lt;/td&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;\\u{202e}&amp;"),
        "{html}"
    );
    assert!(html.contains(r#""2":"default/\u003cscript>alert(1)\u003c/script>""#), "{html}");
    assert_eq!(html.matches("<script").count(), 2, "the data and the script");
}

#[test]
fn the_policy_allows_only_the_script_and_the_style_of_the_file() {
    let html = html(&sample());
    let between =
        |start: &str, end: &str| html.split(start).nth(1).unwrap().split(end).next().unwrap().to_owned();
    let (script, style) = (hash(&between("<script>", "</script>")), hash(&between("<style>", "</style>")));
    assert_eq!(
        between("http-equiv=\"Content-Security-Policy\" content=\"", "\""),
        format!(
            "default-src 'none'; script-src '{script}'; style-src '{style}'; base-uri 'none'; form-action 'none'"
        )
    );
}

#[test]
fn the_file_has_no_address_of_anything_else() {
    let html = html(&sample());
    for part in ["://", "href", "src=", "url(", "@import", "fetch", "xmlns"] {
        assert!(!html.contains(part), "{part}");
    }
}

/// A pool with an entry at each of these offsets, of owners with long names.
fn pool(report: &mut Report, number: usize, offsets: impl Iterator<Item = i64>) -> Pool {
    let owner = |offset| format!("namespace-of-a-team/deployment-with-a-long-name-{number}-{offset}");
    let range = format!("10.{}.{}.0/16", number / 256, number % 256);
    let entries: Box<[_]> = offsets
        .map(|offset| Entry {
            offset,
            owner: report.owners.add(&owner(offset)),
            state: if offset % 30_000 == 0 { State::Leaked } else { State::Used },
        })
        .collect();
    let parsed_range = Range::parse(&format!("10.{}.0.0/16", number % 256)).ok();
    let name = format!("pool-{number}");
    Pool { name, range, capacity: 65_534, allocated: entries.len(), entries, parsed_range, ..Pool::default() }
}

#[test]
fn a_report_of_a_million_entries_has_less_than_20_mb() {
    let mut report = Report::default();
    let pools = (0..5_000).map(|number| pool(&mut report, number, (1..=200).map(|it| it * 300))).collect();
    report.pools = pools;
    let html = html(&report);
    assert!(html.len() < MAX_BYTES, "{}", html.len());
    assert!(html.contains("Only owners of leaked addresses and of those in conflict are shown"));
    assert!(!html.contains("The picture is left out"));
    assert!(
        html.contains("\"namespace-of-a-team/deployment-with-a-long-name-4999-"),
        "owners of leaked addresses"
    );
}

#[test]
fn what_does_not_fit_is_said() {
    let mut report = Report::default();
    report.pools = (0..60).map(|number| pool(&mut report, number, 1..=60_000)).collect();
    let html = html(&report);
    assert!(html.len() < MAX_BYTES, "{}", html.len());
    assert!(html.contains("The picture is left out: this file would be larger than 20 MB."));
}

#[test]
fn positions_count_from_the_network_and_not_from_the_base() {
    let mut report = sample();
    report.pools[0].parsed_range = Range::parse("10.0.9.5/24").ok();
    let html = html(&report);
    // The first entry has the offset 1, so that its address is 10.0.9.6.
    assert!(
        html.contains(
            r#""base":"167774464","size":"256","ipv6":false},"positions":"7 1 1 1","states":"urlc""#
        ),
        "{html}"
    );
    assert!(html.contains(r#""positions":"100000001","states":"u""#), "{html}");
}
