//! Where the members of an object stand in its text, so that they are found again in a text that is nearly
//! the same: as many as two texts have in common are passed in one comparison.

use std::ops::Range;

use super::walk::Walk;

/// The members of an object: each key and its value, with nothing but a comma between two of them.
#[derive(Default)]
pub(super) struct Landmarks<'a> {
    /// From the first member on.
    text: &'a str,
    /// Where each member ends.
    ends: Vec<usize>,
    expected: usize,
}

impl<'a> Landmarks<'a> {
    /// For the object whose first member comes next, with room for so many, once there are any.
    pub(super) fn from(walk: Walk<'a>, expected: usize) -> Self {
        Self { text: walk.ahead(), ends: Vec::new(), expected }
    }

    /// Notes that a member ends where the walk stands.
    pub(super) fn add(&mut self, walk: Walk<'a>) {
        if self.ends.is_empty() {
            self.ends.reserve(self.expected);
        }
        self.ends.push(self.text.len().saturating_sub(walk.ahead().len()));
    }
}

/// The members that may be found again.
pub(super) struct Known<'l, 'a> {
    landmarks: Option<&'l Landmarks<'a>>,
    next: usize,
}

impl<'l, 'a> Known<'l, 'a> {
    /// All of them.
    pub(super) fn of(landmarks: Option<&'l Landmarks<'a>>) -> Self {
        Self { landmarks, next: 0 }
    }

    /// Goes past the members that come next both here and there, and says which these are. Whoever sends
    /// other text behind them than belongs there finds that the walk does not go on.
    pub(super) fn pass(&mut self, walk: &mut Walk<'_>, at_most: usize) -> Range<usize> {
        while let Some((rest, ends)) = self.rest() {
            let (there, here) = (rest.as_bytes(), walk.ahead().as_bytes());
            let common = common_bytes(there, here);
            let start = self.start();
            let count = ends.partition_point(|end| *end <= start + common).min(at_most);
            if let Some(last) = count.checked_sub(1)
                && walk.advance(ends[last] - start)
            {
                self.next += count;
                return self.next - count..self.next;
            }
            // Where both are in the order of the apiserver, what comes before this member is not here.
            if there.get(common) > here.get(common) {
                break;
            }
            self.next += 1;
        }
        self.next..self.next
    }

    /// The text of those that are left, and where each ends.
    fn rest(&self) -> Option<(&'a str, &'l [usize])> {
        let landmarks = self.landmarks?;
        let ends = landmarks.ends.get(self.next..)?;
        Some((landmarks.text.get(self.start()..*ends.last()?)?, ends))
    }

    fn start(&self) -> usize {
        let before = self.next.checked_sub(1).and_then(|before| self.landmarks?.ends.get(before));
        before.map_or(0, |end| end + ",".len())
    }
}

/// How many bytes are the same from the first on.
fn common_bytes(a: &[u8], b: &[u8]) -> usize {
    // In blocks, which the processor compares at once.
    const BLOCK: usize = 64;
    let blocks = a.as_chunks::<BLOCK>().0.iter().zip(b.as_chunks::<BLOCK>().0);
    // Every byte of a block is looked at: asking after each whether to go on would take them one by one.
    let is_same = |(a, b): &(&[u8; BLOCK], &[u8; BLOCK])| {
        a.iter().zip(*b).fold(0, |differences, (a, b)| differences | (a ^ b)) == 0
    };
    let same = blocks.take_while(is_same).count() * BLOCK;
    same + a[same..].iter().zip(&b[same..]).take_while(|(a, b)| a == b).count()
}
