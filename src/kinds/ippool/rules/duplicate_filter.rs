//! Which owners may be there twice: a Bloom filter that counts to two, before a hash map. The map is needed because nobody
//! may make the owners of a large pool collide; but hashing them so costs more than all other rules together, and most
//! owners differ in their last bytes already.

/// The podref and the ifname of an allocation.
pub(super) type Owner<'a> = (&'a str, &'a str);

/// Bits for each owner: enough that few of those that differ share one, and few enough to stay in the cache.
const BITS_EACH: usize = 16;

/// As a fraction of 2^64: its multiples are spread evenly.
const GOLDEN_RATIO: u64 = 0x9e37_79b9_7f4a_7c15;

/// The holders, in their order, whose owner may be that of another one; every one whose owner is, is among them. Owners
/// made to share their last bytes only make this list longer.
pub(super) fn possible_duplicates<'a, T: Copy>(
    holders: impl Iterator<Item = T>,
    owner: impl Fn(T) -> Owner<'a>,
) -> Vec<T> {
    let mut digests = Vec::with_capacity(holders.size_hint().1.unwrap_or_default());
    digests.extend(holders.map(|holder| (holder, digest(owner(holder)))));
    let mut filter = Filter::new(digests.len() * BITS_EACH);
    digests.iter().for_each(|(_, digest)| filter.insert(*digest));
    digests.into_iter().filter(|(_, digest)| filter.is_shared(*digest)).map(|(holder, _)| holder).collect()
}

struct Filter {
    /// The bits that are set, and those of them that were set more than once.
    words: Vec<(u64, u64)>,
    last: usize,
}

impl Filter {
    /// At least `count` bits.
    fn new(count: usize) -> Self {
        let count = count.next_power_of_two();
        Self { words: vec![(0, 0); count.div_ceil(u64::BITS as usize)], last: count - 1 }
    }

    fn insert(&mut self, digest: u64) {
        let (word, bit) = self.position(digest);
        if let Some((set, shared)) = self.words.get_mut(word) {
            *shared |= *set & bit;
            *set |= bit;
        }
    }

    /// Whether its bit was set more than once.
    fn is_shared(&self, digest: u64) -> bool {
        let (word, bit) = self.position(digest);
        self.words.get(word).is_some_and(|(_, shared)| shared & bit != 0)
    }

    fn position(&self, digest: u64) -> (usize, u64) {
        // Both halves together, so that every bit depends on all.
        let product = u128::from(digest) * u128::from(GOLDEN_RATIO);
        let position = ((product >> 64) ^ product) as usize & self.last;
        (position / u64::BITS as usize, 1 << (position % u64::BITS as usize))
    }
}

/// Differs for most owners that differ.
fn digest((podref, ifname): Owner<'_>) -> u64 {
    let of_interface = ifname.as_bytes().last().map_or(0, |last| u64::from(*last));
    last_bytes(podref).wrapping_add(of_interface.wrapping_mul(GOLDEN_RATIO))
}

/// The last eight bytes, or all where there are fewer.
fn last_bytes(text: &str) -> u64 {
    match text.as_bytes().last_chunk() {
        Some(last) => u64::from_le_bytes(*last),
        None => text.bytes().fold(0, |all, byte| all << 8 | u64::from(byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::possible_duplicates;

    fn possible(names: &[String]) -> usize {
        possible_duplicates(names.iter(), |name| (name.as_str(), "eth0")).len()
    }

    #[test]
    fn an_owner_that_is_there_twice_is_always_found() {
        for length in 0..20 {
            let mut names: Vec<_> = (0..300).map(|n| format!("{n:0length$}")).collect();
            names.extend_from_within(..);
            assert_eq!(possible(&names), names.len(), "{length}");
        }
        let many = vec!["a/b".to_owned(); 70_000];
        assert_eq!(possible(&many), many.len());
    }

    #[test]
    fn most_owners_that_differ_are_left_out() {
        let numbered: Vec<_> = (0..5_000).map(|n| format!("default/web-{n}")).collect();
        let random: Vec<_> =
            (0..5_000_u64).map(|n| format!("a/b-{:05x}", n.wrapping_mul(0x9e37_79b9) % 0xf_ffff)).collect();
        for names in [numbered, random] {
            let met = possible(&names);
            assert!(met < names.len() / 4, "{met} of {}", names.len());
        }
    }

    #[test]
    fn two_interfaces_of_one_pod_are_two_owners() {
        let pods: Vec<_> = (0..1_000).map(|n| format!("default/web-{n}")).collect();
        let owners: Vec<_> = pods.iter().flat_map(|pod| [(pod.as_str(), "net1"), (pod, "net2")]).collect();
        let met = possible_duplicates(owners.iter(), |owner| *owner).len();
        assert!(met < owners.len() / 4, "{met} of {}", owners.len());
    }
}
