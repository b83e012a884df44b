//! What a finding lists at the end of its text.

/// What a finding lists: the first items, and how many there are.
#[derive(Clone, Debug, Default)]
pub struct List {
    items: Vec<String>,
    total: usize,
}

impl List {
    /// How many items are kept; the others are only counted.
    pub const MAX_KEPT: usize = 20;

    /// How many there are.
    pub fn total(&self) -> usize {
        self.total
    }

    /// Adds an item, which is written only where it is kept.
    pub fn push(&mut self, item: impl FnOnce() -> String) {
        if self.total < Self::MAX_KEPT {
            self.items.push(item());
        }
        self.total += 1;
    }

    /// The first `max` of them, then the number left out.
    pub(super) fn text(&self, max: usize) -> String {
        let shown = self.items.get(..max).unwrap_or(&self.items);
        match self.total - shown.len() {
            0 => shown.join(", "),
            left_out => format!("{} and {left_out} more", shown.join(", ")),
        }
    }
}
