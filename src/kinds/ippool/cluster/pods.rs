//! The pods of a cluster, by the number of their name.

use super::{Name, Pod};

/// Pods by name. Owners are looked up a million times, in the order in which they were first named.
#[derive(Clone, Debug, Default)]
pub struct Pods {
    pods: Vec<(Name, Pod)>,
    /// The position of the pod of each name, from 1; 0 for none.
    positions: Vec<u32>,
}

impl Pods {
    /// The pod of this name.
    pub fn get(&self, name: Name) -> Option<&Pod> {
        let position = self.positions.get(name.index()).copied()?.checked_sub(1)?;
        self.pods.get(position as usize).map(|(_, pod)| pod)
    }

    /// Sets the pod of this name.
    pub fn insert(&mut self, name: Name, pod: Pod) {
        if self.positions.len() <= name.index() {
            self.positions.resize(name.index() + 1, 0);
        }
        let Some(position) = self.positions.get_mut(name.index()) else { return };
        match position.checked_sub(1).and_then(|at| self.pods.get_mut(at as usize)) {
            Some((_, kept)) => *kept = pod,
            None => {
                self.pods.push((name, pod));
                *position = u32::try_from(self.pods.len()).unwrap_or_default();
            }
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (Name, &Pod)> {
        self.pods.iter().map(|(name, pod)| (*name, pod))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.pods.is_empty()
    }
}
