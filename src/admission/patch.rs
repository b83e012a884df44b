//! The one patch that admission returns.

use json_patch::jsonptr::PointerBuf;
use json_patch::{Patch, PatchOperation, ReplaceOperation};

use crate::kinds::Normalization;

/// The JSON patch (RFC 6902) that writes `normalization`.
pub(super) fn json_patch(normalization: &Normalization) -> Patch {
    let path = PointerBuf::from_tokens(normalization.path);
    let value = normalization.value.as_str().into();
    Patch(vec![PatchOperation::Replace(ReplaceOperation { path, value })])
}
