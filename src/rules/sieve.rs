//! A sieve in front of a hash map. Nobody may make the owners of a large pool collide, and hashing them so
//! costs more than all other rules together. But most owners differ in their last letters already.

/// The podref and the ifname of an allocation.
pub(super) type Owner<'a> = (&'a str, &'a str);

/// Places for each owner: so many that few who differ meet by chance, so few that they stay at hand.
const PLACES_EACH: usize = 16;

/// As a fraction of 2^64: multiples of it stay far from each other.
const GOLDEN_RATIO: u64 = 0x9e37_79b9_7f4a_7c15;

/// Those of these holders, in their order, of which the owner may have an equal: whoever has one is among
/// them. Whoever makes all of them share their letters gains only that.
pub(super) fn with_like_letters<'a, T: Copy>(
    holders: impl Iterator<Item = T>,
    owner: impl Fn(T) -> Owner<'a>,
) -> Vec<T> {
    let mut lettered = Vec::with_capacity(holders.size_hint().1.unwrap_or_default());
    lettered.extend(holders.map(|holder| (holder, letters_of(owner(holder)))));
    let mut places = Places::of(lettered.len() * PLACES_EACH);
    lettered.iter().for_each(|(_, letters)| places.take(*letters));
    lettered.into_iter().filter(|(_, letters)| places.is_shared(*letters)).map(|(holder, _)| holder).collect()
}

/// One bit for each of many places.
struct Places {
    /// Those that are taken, and those of them that were taken more than once.
    words: Vec<(u64, u64)>,
    last: usize,
}

impl Places {
    /// At least so many, none of them taken.
    fn of(count: usize) -> Self {
        let count = count.next_power_of_two();
        Self { words: vec![(0, 0); count.div_ceil(u64::BITS as usize)], last: count - 1 }
    }

    /// Takes the place of these letters.
    fn take(&mut self, letters: u64) {
        let (word, bit) = self.place(letters);
        let (taken, shared) = &mut self.words[word];
        *shared |= *taken & bit;
        *taken |= bit;
    }

    /// Whether their place was taken more than once.
    fn is_shared(&self, letters: u64) -> bool {
        let (word, bit) = self.place(letters);
        self.words[word].1 & bit != 0
    }

    fn place(&self, letters: u64) -> (usize, u64) {
        // Both halves put together: then every bit depends on all.
        let product = u128::from(letters) * u128::from(GOLDEN_RATIO);
        let place = ((product >> 64) ^ product) as usize & self.last;
        (place / u64::BITS as usize, 1 << (place % u64::BITS as usize))
    }
}

/// What tells most owners apart.
fn letters_of((podref, ifname): Owner<'_>) -> u64 {
    let of_interface = ifname.as_bytes().last().map_or(0, |last| u64::from(*last));
    last_letters(podref).wrapping_add(of_interface.wrapping_mul(GOLDEN_RATIO))
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
    use super::with_like_letters;

    fn alike(names: &[String]) -> usize {
        with_like_letters(names.iter(), |name| (name.as_str(), "eth0")).len()
    }

    #[test]
    fn an_owner_that_stands_twice_is_always_among_them() {
        for length in 0..20 {
            let mut names: Vec<_> = (0..300).map(|n| format!("{n:0length$}")).collect();
            names.extend_from_within(..);
            assert_eq!(alike(&names), names.len(), "{length}");
        }
        let many = vec!["a/b".to_owned(); 70_000];
        assert_eq!(alike(&many), many.len());
    }

    #[test]
    fn most_owners_that_differ_are_not() {
        let numbered: Vec<_> = (0..5_000).map(|n| format!("default/web-{n}")).collect();
        let random: Vec<_> =
            (0..5_000_u64).map(|n| format!("a/b-{:05x}", n.wrapping_mul(0x9e37_79b9) % 0xf_ffff)).collect();
        for names in [numbered, random] {
            let met = alike(&names);
            assert!(met < names.len() / 4, "{met} of {}", names.len());
        }
    }

    #[test]
    fn two_interfaces_of_one_pod_are_two_owners() {
        let pods: Vec<_> = (0..1_000).map(|n| format!("default/web-{n}")).collect();
        let owners: Vec<_> = pods.iter().flat_map(|pod| [(pod.as_str(), "net1"), (pod, "net2")]).collect();
        let met = with_like_letters(owners.iter(), |owner| *owner).len();
        assert!(met < owners.len() / 4, "{met} of {}", owners.len());
    }
}
