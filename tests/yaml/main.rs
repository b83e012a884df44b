//! `check` reads 10,000 generated documents as kubectl does. Needs Go, for kubectl's own reader.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod documents;
mod exceptions;
mod kubectl;
mod source;

use std::collections::BTreeMap;

use documents::FAMILIES;
use exceptions::EXCEPTIONS;
use kubectl::Kubectl;
use serde_json::Value;
use source::Source;

/// Documents of each family.
const OF_EACH: u64 = 1_000;

/// The result of one reader: the documents up to the first that cannot be read, and why it cannot.
#[derive(Clone, Debug)]
pub struct Read {
    documents: Vec<Value>,
    error: Option<String>,
}

/// A text that the two read differently.
#[derive(Debug)]
pub struct Case {
    text: String,
    check: Read,
    kubectl: Read,
}

#[test]
fn every_generated_document_is_read_as_kubectl_reads_it() {
    let mut kubectl = Kubectl::start();
    let mut differing = Vec::new();
    let mut excused = BTreeMap::<&str, u32>::new();
    let (mut total, mut read) = (0, 0);
    for (name, family) in FAMILIES {
        for seed in 0..OF_EACH {
            let text = family(&mut Source::new(name, seed));
            let (check, theirs) = (check(&text), kubectl.read(&text));
            total += 1;
            read += u32::from(theirs.error.is_none());
            if agree(&check, &theirs) {
                continue;
            }
            let case = Case { text, check, kubectl: theirs };
            match EXCEPTIONS.iter().find(|it| (it.covers)(&case)) {
                Some(exception) => *excused.entry(exception.why).or_default() += 1,
                None => differing.push((name, seed, case)),
            }
        }
    }
    println!("{total} documents, {read} of them without an error; exceptions: {excused:#?}");
    assert!(total == 10_000 && read > total / 2, "{read} of {total}");
    let shown: Vec<_> = differing.iter().take(20).collect();
    assert!(differing.is_empty(), "{} differ, among them {shown:#?}", differing.len());
    let unused = EXCEPTIONS.iter().find(|it| !excused.contains_key(it.why));
    assert!(unused.is_none(), "no document meets this exception: {}", unused.unwrap().why);
}

fn check(text: &str) -> Read {
    let (documents, error) = ippool_webhook::documents(text);
    let documents = documents.iter().map(|it| serde_json::from_str(it).unwrap()).collect();
    Read { documents, error }
}

/// Where both fail, the documents before the error do not matter.
fn agree(check: &Read, kubectl: &Read) -> bool {
    match (&check.error, &kubectl.error) {
        (Some(_), Some(_)) => true,
        (None, None) => check.objects().len() == kubectl.objects().len() && kubectl.begins(check),
        _ => false,
    }
}

impl Read {
    /// The documents that can be objects; kubectl rejects the others, and `check` skips them.
    fn objects(&self) -> Vec<&Value> {
        self.documents.iter().filter(|it| it.is_object() || it.is_array()).collect()
    }

    /// Whether the documents of `other` begin with these.
    pub fn begins(&self, other: &Self) -> bool {
        let (these, others) = (self.objects(), other.objects());
        these.len() <= others.len() && these.iter().zip(others).all(|(a, b)| alike(a, b))
    }
}

/// Go writes the float 1e3 as 1000, which is the same number.
fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) if a.is_f64() || b.is_f64() => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| alike(a, b)))
        }
        (a, b) => a == b,
    }
}
