//! Which objects of a cluster were read. A missing object is a finding only if it would have been read.

use std::collections::BTreeSet;

/// How much of each kind was read.
#[derive(Clone, Debug, Default)]
pub struct Read {
    /// IPPools.
    pub pools: Coverage,
    /// `OverlappingRangeIPReservations`.
    pub reservations: Coverage,
    /// `NetworkAttachmentDefinitions`.
    pub attachments: Coverage,
    /// `NodeSlicePools`.
    pub node_slices: Coverage,
    /// Pods.
    pub pods: Coverage,
    /// Nodes.
    pub nodes: Coverage,
    /// When they were read.
    pub moment: Moment,
}

/// How much of a kind was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// All objects.
    Complete,
    /// All objects of these namespaces.
    Namespaces(BTreeSet<String>),
    /// None, or not all of them, for this reason.
    Incomplete(String),
}

/// When the objects were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Moment {
    /// Now: momentary findings are checked a second time.
    #[default]
    Live,
    /// In the past, and each list possibly at another time.
    Dump,
}

impl Default for Coverage {
    fn default() -> Self {
        Self::Incomplete("they were not read".to_owned())
    }
}

impl Coverage {
    /// Whether every object of this namespace was read.
    pub fn has(&self, namespace: &str) -> bool {
        match self {
            Self::Complete => true,
            Self::Namespaces(namespaces) => namespaces.contains(namespace),
            Self::Incomplete(_) => false,
        }
    }

    /// Why not every object was read; `None` if every object was.
    pub fn gap(&self, kind: &str) -> Option<String> {
        match self {
            Self::Complete => None,
            Self::Namespaces(namespaces) => {
                let namespaces: Vec<_> = namespaces.iter().map(String::as_str).collect();
                Some(format!("only the {kind}s of these namespaces were read: {}", listed(&namespaces)))
            }
            Self::Incomplete(why) => Some(why.clone()),
        }
    }
}

/// The first of these, and how many are left out.
pub fn listed(items: &[&str]) -> String {
    const SHOWN: usize = 5;
    // A name has at most 253 characters, and the reason follows it.
    const MAX_BYTES: usize = 320;
    let (shown, rest) = items.split_at_checked(SHOWN).unwrap_or((items, &[]));
    let shown: Vec<_> = shown.iter().map(|it| crate::text::shortened(it, MAX_BYTES)).collect();
    match rest.len() {
        0 => shown.join(", "),
        rest => format!("{} and {rest} more", shown.join(", ")),
    }
}
