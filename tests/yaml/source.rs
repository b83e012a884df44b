//! Choices out of a seed, the same on every machine.

/// A stream of choices.
pub struct Source(u64);

impl Source {
    /// The stream of one document of a family.
    pub fn new(family: &str, seed: u64) -> Self {
        let start = family.bytes().fold(seed + 1, |state, byte| mixed(state ^ u64::from(byte)));
        Self(start)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        (mixed(self.0) >> 32) as usize % limit
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// Whether the one case of `n` is met.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// Up to `most` of what `part` makes, one after the other.
    pub fn repeat(&mut self, most: usize, mut part: impl FnMut(&mut Self) -> String) -> String {
        (0..=self.below(most)).map(|_| part(self)).collect()
    }

    /// Some characters of `from`.
    pub fn text(&mut self, most: usize, from: &str) -> String {
        let from: Vec<_> = from.chars().collect();
        self.repeat(most, |it| it.pick(&from).to_string())
    }
}

/// The finalizer of SplitMix64.
fn mixed(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}
