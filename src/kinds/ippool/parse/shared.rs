//! The stored object repeats nearly all entries of the new one, so that an update is read in little more than half the
//! time: what both texts have in common is found in one comparison, and its entries are copied.

use std::fmt;
use std::ops::Range;

use crate::json::Cursor;

/// Where the entries of a pool are in its text.
#[derive(Clone, Default)]
pub(in crate::kinds::ippool) struct EntryTexts<'a> {
    /// From the first entry on.
    text: &'a str,
    /// The end of each entry; one comma is between two of them.
    ends: Vec<usize>,
}

/// Not a part of what was read: two pools are the same wherever their entries are.
impl fmt::Debug for EntryTexts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EntryTexts")
    }
}

impl<'a> EntryTexts<'a> {
    /// For the entries that begin at `cursor`.
    pub(super) fn at(cursor: Cursor<'a>) -> Self {
        Self { text: cursor.rest(), ends: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Notes that an entry ends at `cursor`; `capacity` of them are expected, once there is one.
    pub(super) fn push(&mut self, cursor: Cursor<'_>, capacity: usize) {
        if self.ends.is_empty() {
            self.ends.reserve(capacity);
        }
        self.ends.push(self.text.len().saturating_sub(cursor.rest().len()));
    }
}

/// The entries that have not been found in the other text yet.
pub(super) struct Shared<'t, 'a> {
    texts: &'t EntryTexts<'a>,
    next: usize,
}

impl<'t, 'a> Shared<'t, 'a> {
    pub(super) fn new(texts: &'t EntryTexts<'a>) -> Self {
        Self { texts, next: 0 }
    }

    /// Skips the entries at the cursor that are also the next ones here, at most `max` of them, and returns which they are.
    /// The last one may be longer there, such as 75 in place of 7: then neither a comma nor the end follows, and the
    /// text is not read as compact.
    pub(super) fn skip(&mut self, cursor: &mut Cursor<'_>, max: usize) -> Range<usize> {
        while let Some((rest, ends)) = self.rest() {
            let (here, there) = (rest.as_bytes(), cursor.rest().as_bytes());
            let (start, common) = (self.start(), common_bytes(here, there));
            let count = ends.partition_point(|end| *end <= start + common).min(max);
            let last = count.checked_sub(1).and_then(|last| ends.get(last));
            if last.is_some_and(|end| cursor.advance(end - start).is_some()) {
                self.next += count;
                return self.next - count..self.next;
            }
            // Keys are sorted: what comes before this entry there is missing there.
            if here.get(common) > there.get(common) {
                break;
            }
            self.next += 1;
        }
        self.next..self.next
    }

    /// The text of the entries that are left, and where each ends.
    fn rest(&self) -> Option<(&'a str, &'t [usize])> {
        let ends = self.texts.ends.get(self.next..)?;
        Some((self.texts.text.get(self.start()..*ends.last()?)?, ends))
    }

    fn start(&self) -> usize {
        let before = self.next.checked_sub(1).and_then(|before| self.texts.ends.get(before));
        before.map_or(0, |end| end + ",".len())
    }
}

/// The number of bytes that are the same, from the first on.
fn common_bytes(a: &[u8], b: &[u8]) -> usize {
    // In blocks, which the processor compares at once.
    const BLOCK: usize = 64;
    let blocks = a.as_chunks::<BLOCK>().0.iter().zip(b.as_chunks::<BLOCK>().0);
    // Every byte of a block is looked at: stopping at the first difference would take them one by one.
    let is_same = |(a, b): &(&[u8; BLOCK], &[u8; BLOCK])| {
        a.iter().zip(*b).fold(0, |differences, (a, b)| differences | (a ^ b)) == 0
    };
    let same = blocks.take_while(is_same).count() * BLOCK;
    let tails = a.iter().zip(b).skip(same);
    same + tails.take_while(|(a, b)| a == b).count()
}
