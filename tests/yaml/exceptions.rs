//! Where `check` and kubectl may differ, and why. Either `check` is stricter, so that it never reports on an object other than
//! the stored one; or YAML 1.1, which kubectl reads, and YAML 1.2, which `check` reads, differ in something that manifests
//! do not contain.

use crate::Case;

/// A known difference.
pub struct Exception {
    pub why: &'static str,
    pub covers: fn(&Case) -> bool,
}

/// The first that covers a case counts. Each must be met by a document.
pub const EXCEPTIONS: &[Exception] = &[
    Exception {
        why: "a key must be unique; kubectl accepts duplicates and keeps either",
        covers: |case| case.check_says(&["is already on line"]),
    },
    Exception {
        why: "NaN and infinity are rejected as keys; kubectl converts them to text",
        covers: |case| case.check_says(&["is a number that JSON cannot express"]),
    },
    Exception {
        why: "a tag without a type in JSON is rejected; kubectl ignores or decodes it",
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
        why: "a document of only `...` is empty; kubectl rejects it",
        covers: |case| {
            case.kubectl_says(&["did not find expected node content"]) && case.text.contains("...")
        },
    },
    Exception {
        why: "YAML 1.2 allows tabs where kubectl requires spaces",
        covers: |case| {
            let errors = ["found a tab character", "found character that cannot start any token"];
            case.text.contains('\t') && case.kubectl_says(&errors)
        },
    },
    Exception {
        why: "an anchor may have letters outside of ASCII",
        covers: |case| case.kubectl_says(&["did not find expected alphabetic or numeric character"]),
    },
    Exception {
        why: "YAML 1.2 has the escapes of JSON, the slash and pairs of surrogates",
        covers: |case| {
            let errors = ["unknown escape character", "invalid Unicode character escape code"];
            case.text.contains(['/', 'u']) && case.kubectl_says(&errors)
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
        why: "in a flow collection YAML 1.2 reads `?`, `-` and `:` next to text differently",
        covers: |case| {
            let punctuation = ["?", "-]", "-}", ":,", ":}", "::", ": :", "[:"];
            case.text.contains(['{', '[']) && punctuation.iter().any(|it| case.text.contains(it))
        },
    },
    Exception {
        why: "a comment must have whitespace before it",
        covers: |case| case.check_says(&["comments must be separated"]),
    },
    Exception {
        why: "a tag has only the characters that YAML 1.2 allows",
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

/// Whether kubectl read only the first of the documents that `check` reads, or would read without an error.
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
