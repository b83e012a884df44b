//! The one patch that admission returns: another text of `spec.range`.

use json_patch::jsonptr::PointerBuf;
use json_patch::{Patch, PatchOperation, ReplaceOperation};

/// The JSON patch (RFC 6902) that writes `range`.
pub(super) fn json_patch(range: &str) -> Patch {
    let path = PointerBuf::from_tokens(["spec", "range"]);
    Patch(vec![PatchOperation::Replace(ReplaceOperation { path, value: range.into() })])
}
