//! Reading a pool from JSON: two readers with one meaning. [`general`] has serde read any JSON. [`compact`] reads the text
//! that an apiserver sends, or leaves it to the other; what it costs is in `docs/performance.md`.

mod compact;
mod general;
mod shared;

pub(super) use compact::compact;
pub(super) use shared::EntryTexts;
