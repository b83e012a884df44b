//! What is common to every kind of object that is reviewed: [`Kind`] is all that the review and the admission handler
//! know of one. A new kind is a folder here, its implementation of the trait, and its line in [`rules`] and in
//! [`crate::admission::respond`].

pub mod ippool;

use std::fmt::Debug;

use crate::finding::{Report, Rule, RuleInfo};
use crate::json::Cursor;

/// A kind of object.
pub trait Kind: Sized + 'static {
    /// An object, borrowed from its JSON. The default is one that is not there.
    type Object<'a>: Debug + Default;
    /// What the rules check in one request.
    type Subject<'a>;
    /// How a rule checks it.
    type Check: 'static;

    /// The API group.
    const GROUP: &'static str;
    /// Its version.
    const VERSION: &'static str;
    /// The kind.
    const KIND: &'static str;
    /// The resource, as in URLs.
    const RESOURCE: &'static str;

    /// Every rule, in the order of the ids.
    fn rules() -> &'static [&'static Rule<Self::Check>];

    /// Reads an object from any JSON.
    ///
    /// # Errors
    /// Where the text is not JSON, or cannot be represented. A field of the wrong type is not an error.
    fn parse(json: &str) -> Result<Self::Object<'_>, serde_json::Error>;

    /// Reads the object at the cursor if it is in the compact form of an apiserver and somebody wrote a reader for that;
    /// it reads what [`Kind::parse`] would. `base` is an object that probably has most of its text in common.
    fn parse_compact<'a>(
        _cursor: &mut Cursor<'a>,
        _base: Option<&Self::Object<'a>>,
    ) -> Option<Self::Object<'a>> {
        None
    }

    /// An object of which is known only why it cannot be read.
    fn unreadable<'a>(why: &str) -> Self::Object<'a>;

    /// `object`, with the one that it replaces; the rules about updates check it only where `is_update`.
    fn subject<'s, 'a>(
        object: &'s Self::Object<'a>,
        stored: Option<&'s Self::Object<'a>>,
        is_update: bool,
    ) -> Self::Subject<'s>;

    /// Runs one rule.
    fn check<'s>(check: &Self::Check, subject: &Self::Subject<'s>, report: &mut Report<'_, 's>);

    /// The stored entries as they would be in `object`, where a change of another field makes each of them look
    /// changed: their defects are preexisting.
    fn rebase<'a>(_stored: &Self::Object<'a>, _object: &Self::Object<'a>) -> Option<Self::Object<'a>> {
        None
    }

    /// Whether `object` is `stored` with other metadata, or with less in it: then it is never denied.
    fn is_reduction(stored: &Self::Object<'_>, object: &Self::Object<'_>) -> bool;

    /// What the mutating webhook writes, if anything.
    fn normalize(_stored: Option<&Self::Object<'_>>, _object: &Self::Object<'_>) -> Option<Normalization> {
        None
    }

    /// What to rewrite in a file so that the object is canonical, its entries included; a person reads it first.
    fn file_edits(_object: &Self::Object<'_>) -> Vec<FileEdit> {
        Vec::new()
    }

    /// Whether the CNI plugin writes like this.
    fn is_plugin_write(_stored: &Self::Object<'_>, _object: &Self::Object<'_>) -> bool {
        false
    }
}

/// One text that the mutating webhook writes in place of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Normalization {
    /// The field, from the root of the object.
    pub path: [&'static str; 2],
    /// What is written there.
    pub value: String,
    /// What to write instead, for the author.
    pub message: String,
}

/// One text to rewrite in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEdit {
    /// The value, or the map of the key, from the root of the object.
    pub path: [&'static str; 2],
    /// The key to rewrite; `None` for the value itself.
    pub key: Option<String>,
    /// What to write.
    pub text: String,
}

/// Every rule of every kind, in the order of the ids.
pub fn rules() -> impl ExactSizeIterator<Item = &'static RuleInfo> + Clone {
    ippool::rules::ALL.iter().map(|rule| &rule.info)
}

/// The rule of this id or name, in any case.
pub fn find_rule(id_or_name: &str) -> Option<&'static RuleInfo> {
    rules().find(|rule| [rule.id, rule.name].iter().any(|it| it.eq_ignore_ascii_case(id_or_name)))
}
