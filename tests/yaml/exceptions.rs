//! Where `check` and kubectl may differ, and why. Two kinds: where `check` asks for more, so that nobody is told of an
//! object that is not the stored one; and where kubectl's YAML 1.1 and the YAML 1.2 of `check` are not the same
//! language, and what differs is no part of a manifest that anybody writes.

use crate::Case;

/// A difference that is known.
pub struct Exception {
    pub why: &'static str,
    pub covers: fn(&Case) -> bool,
}

/// The first that covers a case counts. Each is met by some document; any other has to go.
pub const EXCEPTIONS: &[Exception] = &[
    Exception {
        why: "a key occurs once; kubectl takes it twice and keeps either",
        covers: |case| case.check_says(&["is already on line"]),
    },
    Exception {
        why: "NaN and infinity are no keys, which kubectl turns into text",
        covers: |case| case.check_says(&["is a number that JSON cannot express"]),
    },
    Exception {
        why: "a tag that names no type of JSON is refused, which kubectl passes over or decodes",
        covers: |case| case.check_says(&["has no meaning in a Kubernetes object"]),
    },
    Exception {
        why: "U+0085, U+2028 and U+2029 break lines for kubectl, and are text for YAML 1.2",
        covers: |case| case.text.contains(['\u{85}', '\u{2028}', '\u{2029}']),
    },
    Exception {
        why: "a byte order mark hides the `---` after it from kubectl",
        covers: |case| case.text.starts_with("\u{feff}---"),
    },
    Exception {
        why: "kubectl drops what follows the first document between two `---` lines, and `check` reads on",
        covers: drops_the_rest,
    },
    Exception {
        why: "kubectl reads JSON and what follows on its line one after the other",
        covers: |case| {
            case.check.error.is_some() && case.text.contains('}') && !case.kubectl.documents.is_empty()
        },
    },
    Exception {
        why: "a document of nothing but `...` is empty, which kubectl refuses",
        covers: |case| {
            case.kubectl_says(&["did not find expected node content"]) && case.text.contains("...")
        },
    },
    Exception {
        why: "YAML 1.2 lets tabs stand where kubectl wants spaces",
        covers: |case| {
            let refused = ["found a tab character", "found character that cannot start any token"];
            case.text.contains('\t') && case.kubectl_says(&refused)
        },
    },
    Exception {
        why: "an anchor may have other letters than those of ASCII",
        covers: |case| case.kubectl_says(&["did not find expected alphabetic or numeric character"]),
    },
    Exception {
        why: "YAML 1.2 has the escapes of JSON, the slash and pairs of surrogates",
        covers: |case| {
            let refused = ["unknown escape character", "invalid Unicode character escape code"];
            case.text.contains(['/', 'u']) && case.kubectl_says(&refused)
        },
    },
    Exception {
        why: "a single quote needs no escape in YAML 1.2",
        covers: |case| case.check_says(&["found unknown escape character"]),
    },
    Exception {
        why: "a flow map that is not JSON may have quoted keys with the colon directly after them",
        covers: |case| case.text.trim_start().starts_with('{') && case.kubectl_says(&["json: offset"]),
    },
    Exception {
        why: "in a flow collection `?`, `-` and `:` directly beside text are read otherwise by YAML 1.2",
        covers: |case| {
            let punctuation = ["?", "-]", "-}", ":,", ":}", "::", ": :", "[:"];
            case.text.contains(['{', '[']) && punctuation.iter().any(|it| case.text.contains(it))
        },
    },
    Exception {
        why: "a comment has whitespace before it",
        covers: |case| case.check_says(&["comments must be separated"]),
    },
    Exception {
        why: "a tag has no other characters than YAML 1.2 allows",
        covers: |case| case.text.contains('!') && case.check.error.is_some(),
    },
];

impl Case {
    fn check_says(&self, texts: &[&str]) -> bool {
        self.check.error.as_ref().is_some_and(|it| texts.iter().any(|text| it.contains(text)))
    }

    fn kubectl_says(&self, texts: &[&str]) -> bool {
        self.kubectl.error.as_ref().is_some_and(|it| texts.iter().any(|text| it.contains(text)))
    }
}

/// What kubectl read is the beginning of what `check` reads, or would if it went on.
fn drops_the_rest(case: &Case) -> bool {
    let second = [
        "did not find expected <document start>",
        "missing explicit document end marker",
        "invalid trailing content",
        "comment intercepting the multiline text",
    ];
    case.kubectl.error.is_none()
        && (case.check.error.is_none() && case.kubectl.begins(&case.check)
            || case.check_says(&second)
            || case.check.error.is_some() && case.text.contains("\n..."))
}
