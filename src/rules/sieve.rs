//! A sieve in front of a hash map. Nobody may make the owners of a large pool collide, and hashing them so
//! costs more than all other rules together. But most owners differ in their last letters already.

/// The podref and the ifname of an allocation.
pub(super) type Owner<'a> = (&'a str, &'a str);

/// Counts owners by their last letters. An owner that is counted alone has no equal; the others have to be
/// compared. Whoever makes all of them share a count gains only that.
pub(super) struct Sieve {
    counts: Vec<u8>,
}

impl Sieve {
    /// Counts `owners`.
    pub(super) fn of<'a>(owners: impl Iterator<Item = Owner<'a>> + Clone) -> Self {
        // Eight places for each, so that few that differ meet by chance.
        let places = owners.clone().count().next_power_of_two() * 8;
        let mut sieve = Self { counts: vec![0; places] };
        for owner in owners {
            let place = sieve.place(owner);
            sieve.counts[place] = sieve.counts[place].saturating_add(1);
        }
        sieve
    }

    /// Whether no other of the owners is the same.
    pub(super) fn is_alone(&self, owner: Owner<'_>) -> bool {
        self.counts[self.place(owner)] == 1
    }

    fn place(&self, (podref, ifname): Owner<'_>) -> usize {
        // Multiplied by the golden ratio, and both halves put together: then every bit depends on all.
        let letters = last_letters(podref) ^ last_letters(ifname).rotate_left(7);
        let product = u128::from(letters) * 0x9e37_79b9_7f4a_7c15;
        ((product >> 64) ^ product) as usize & (self.counts.len() - 1)
    }
}

/// The last eight bytes, or all where there are fewer.
fn last_letters(text: &str) -> u64 {
    match text.as_bytes().last_chunk() {
        Some(last) => u64::from_le_bytes(*last),
        None => text.bytes().fold(0, |all, byte| all << 8 | u64::from(byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Owner, Sieve};

    fn pods(names: &[String]) -> impl Iterator<Item = Owner<'_>> + Clone {
        names.iter().map(|name| (name.as_str(), "eth0"))
    }

    #[test]
    fn an_owner_that_stands_twice_is_never_alone() {
        for length in 0..20 {
            let mut names: Vec<_> = (0..300).map(|n| format!("{n:0length$}")).collect();
            names.extend_from_within(..);
            let sieve = Sieve::of(pods(&names));
            assert!(!pods(&names).any(|owner| sieve.is_alone(owner)), "{length}");
        }
        let many = vec!["a/b".to_owned(); 70_000];
        assert!(!Sieve::of(pods(&many)).is_alone(("a/b", "eth0")), "a count does not begin anew");
    }

    #[test]
    fn most_owners_that_differ_are_alone() {
        let numbered: Vec<_> = (0..5_000).map(|n| format!("default/web-{n}")).collect();
        let random: Vec<_> =
            (0..5_000_u64).map(|n| format!("a/b-{:05x}", n.wrapping_mul(0x9e37_79b9) % 0xf_ffff)).collect();
        for names in [numbered, random] {
            let sieve = Sieve::of(pods(&names));
            let met = pods(&names).filter(|owner| !sieve.is_alone(*owner)).count();
            assert!(met < names.len() / 4, "{met} of {}", names.len());
        }
    }

    #[test]
    fn two_interfaces_of_one_pod_are_two_owners() {
        let sieve = Sieve::of([("default/web-0", "net1"), ("default/web-0", "net2")].into_iter());
        assert!(sieve.is_alone(("default/web-0", "net1")) && sieve.is_alone(("default/web-0", "net2")));
    }
}
