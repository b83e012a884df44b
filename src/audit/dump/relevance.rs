//! Whether a file that cannot be parsed may have objects that an audit reads. The folder of a must-gather has many kinds of
//! files.

use std::io::{self, Read};
use std::path::Path;

use memchr::memmem::Finder;

use super::input::Input;
use crate::audit::collect::ObjectKind;

/// How much of a file is read at once, in bytes.
const BLOCK_BYTES: usize = 256 << 10;

/// The names of files and folders in which inspections keep the objects.
const PLACES: [&str; 6] = [
    "ippools",
    "overlappingrangeipreservations",
    "nodeslicepools",
    "network-attachment-definitions",
    "pods",
    "nodes",
];

/// The byte order marks of UTF-16, in which kinds are not searched.
const UTF_16: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

/// Whether the file may have such objects, as its path or its text shows.
pub fn may_have_objects(path: &Path, input: &mut Input) -> bool {
    let is_place = path.iter().any(|part| {
        let name = Path::new(part).file_stem().unwrap_or_default();
        PLACES.iter().any(|place| name == *place)
    });
    // A file that cannot be read may have any object.
    is_place || input.open().and_then(has_kind).unwrap_or(true)
}

/// Whether a text names a kind.
fn has_kind(mut text: impl Read) -> io::Result<bool> {
    let of_kind = |kind: &ObjectKind| {
        let kind = kind.as_str();
        [format!("kind: {kind}"), format!("\"kind\":\"{kind}"), format!("\"kind\": \"{kind}")]
    };
    let texts: Vec<_> = ObjectKind::ALL.iter().flat_map(of_kind).collect();
    let finders: Vec<_> = texts.iter().map(Finder::new).collect();
    let overlap = texts.iter().map(String::len).max().unwrap_or_default();
    let (mut block, mut is_start) = (Vec::new(), true);
    loop {
        let kept = block.len().saturating_sub(overlap);
        block.drain(..kept);
        let length = text.by_ref().take(BLOCK_BYTES as u64).read_to_end(&mut block)?;
        let is_utf_16 = std::mem::take(&mut is_start) && UTF_16.iter().any(|mark| block.starts_with(mark));
        if is_utf_16 || finders.iter().any(|finder| finder.find(&block).is_some()) {
            return Ok(true);
        }
        if length == 0 {
            return Ok(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_found_wherever_blocks_begin() {
        for before in [0, 1, BLOCK_BYTES - 7, BLOCK_BYTES - 1, BLOCK_BYTES, 2 * BLOCK_BYTES - 3] {
            let text = |kind: &str| format!("{}{kind}", "x".repeat(before));
            assert!(has_kind(text("kind: IPPool\n").as_bytes()).unwrap(), "{before}");
            assert!(has_kind(text(r#""kind": "PodList""#).as_bytes()).unwrap(), "{before}");
            assert!(!has_kind(text("kind: ConfigMap\n").as_bytes()).unwrap(), "{before}");
        }
        assert!(has_kind(b"\xff\xfek\0i\0".as_slice()).unwrap());
    }
}
