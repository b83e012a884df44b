//! Cut off, or met by another, it ends where it should; the law holds on the way there ([`super::world`]).

use super::runner::Shared;
use super::world::{DAY, World};
use crate::certs::authority::Authority;
use crate::certs::certificate::Bundle;
use crate::certs::cluster::Observed;
use crate::certs::plan::{Renew, Wish};

/// More writes than any run takes.
const MAX_WRITES: usize = 12;

fn wish(renew: Option<Renew>) -> Wish {
    Wish { renew, drop_others: false }
}

fn installed() -> Shared {
    let world = World::installation();
    world.run(Wish::default()).unwrap();
    world
}

fn damaged(change: impl FnOnce(&mut Observed)) -> Shared {
    let world = installed();
    world.change().tamper(change);
    world
}

fn without(key: &'static str) -> Shared {
    damaged(|it| drop(it.secret.as_mut().unwrap().data.remove(key)))
}

fn with(key: &str, text: &str) -> Shared {
    damaged(|it| drop(it.secret.as_mut().unwrap().data.insert(key.to_owned(), text.as_bytes().to_vec())))
}

/// So many days after everything was fine.
fn neglected(days: i64) -> Shared {
    let world = installed();
    world.change().now += days * DAY;
    world.change().tamper(|_| ());
    world
}

fn by_another_issuer() -> Shared {
    let world = World::installation();
    let now = world.look().now;
    let theirs = Authority::new(now).unwrap();
    let issued = theirs.issue(&super::world::target().names(), now).unwrap();
    world.change().tamper(|it| {
        let data = &mut it.secret.as_mut().unwrap().data;
        data.insert("tls.crt".to_owned(), issued.certificate.into_bytes());
        data.insert("tls.key".to_owned(), issued.key.into_bytes());
        data.insert("ca.crt".to_owned(), theirs.certificate.pem().into_bytes());
        for webhook in it.configurations.iter_mut().flat_map(|it| &mut it.webhooks) {
            webhook.bundle = Bundle::read(theirs.certificate.pem().as_bytes());
        }
    });
    world
}

fn starts() -> Vec<(&'static str, Shared)> {
    let garbage = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
    vec![
        ("an empty Secret", World::installation()),
        ("no Secret", damaged(|it| it.secret = None)),
        ("all is well", installed()),
        ("no tls.key", without("tls.key")),
        ("no tls.crt", without("tls.crt")),
        ("no ca.crt", without("ca.crt")),
        ("no ca.key", without("ca.key")),
        ("garbage in tls.crt", with("tls.crt", garbage)),
        ("garbage in tls.key", with("tls.key", "no key")),
        ("garbage in ca.crt", with("ca.crt", garbage)),
        ("garbage in ca.key", with("ca.key", "no key")),
        ("half a next CA", with("next-ca.crt", garbage)),
        ("an empty bundle", damaged(|it| it.configurations[0].webhooks[0].bundle = Bundle::default())),
        (
            "garbage in a bundle",
            damaged(|it| it.configurations[1].webhooks[1].bundle = Bundle::read(garbage.as_bytes())),
        ),
        ("a certificate that is due", neglected(61)),
        ("a certificate that has expired", neglected(100)),
        ("a CA that is due", neglected(490)),
        ("a CA that has expired", neglected(800)),
        ("another issuer", by_another_issuer()),
    ]
}

#[test]
fn wherever_it_starts_and_is_cut_off_the_next_run_finishes_and_the_one_after_has_nothing_to_do() {
    for renew in [None, Some(Renew::Leaf), Some(Renew::Ca)] {
        for writes in 0..MAX_WRITES {
            for (start, world) in starts() {
                let cut_off = world.cut_off(wish(renew), writes);
                assert!(cut_off.as_ref().err().is_none_or(|it| it == "cut off"), "{start}: {cut_off:?}");
                let finished = world.run_with(Wish::default(), true);
                assert!(finished.is_ok(), "{start}, {renew:?}, {writes} writes: {finished:?}");
                world.look().assert_well();
                let written = world.look().writes;
                world.run(Wish::default()).unwrap();
                assert_eq!(world.look().writes, written, "{start}, {renew:?}: nothing is left to do");
            }
        }
    }
}

/// A sequence that is different for each seed and the same for each run.
fn shuffled(mut seed: u64) -> impl FnMut() -> usize {
    move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 40).unwrap()
    }
}

#[test]
fn two_at_once_agree_on_one_ca() {
    for seed in 0..150 {
        let world = World::installation();
        for ran in world.race(&[(Wish::default(), false); 2], shuffled(seed)) {
            assert!(ran.is_ok(), "seed {seed}: {ran:?}");
        }
        world.look().assert_well();
        assert_eq!(world.look().authorities.len(), 1, "seed {seed}");
    }
}

#[test]
fn three_at_once_who_are_all_asked_for_a_new_ca_make_one() {
    for seed in 0..60 {
        let world = installed();
        world.change().now += DAY;
        for ran in world.race(&[(wish(Some(Renew::Ca)), false); 3], shuffled(seed)) {
            assert!(ran.is_ok(), "seed {seed}: {ran:?}");
        }
        world.look().assert_well();
        assert_eq!(world.look().authorities.len(), 2, "seed {seed}: the old one and one new one");
    }
}

#[test]
fn one_who_renews_the_ca_and_one_who_renews_the_certificate_do_not_disturb_each_other() {
    for seed in 0..60 {
        let world = installed();
        world.change().now += DAY;
        let runs = [(wish(Some(Renew::Ca)), false), (wish(Some(Renew::Leaf)), false)];
        for ran in world.race(&runs, shuffled(seed)) {
            assert!(ran.is_ok(), "seed {seed}: {ran:?}");
        }
        world.look().assert_well();
        assert_eq!(world.look().authorities.len(), 2, "seed {seed}");
    }
}

#[test]
fn a_bundle_that_somebody_resets_while_it_is_waited_for_is_published_and_waited_for_again() {
    let world = installed();
    world.change().now += DAY;
    let (meddling, mut resets) = (world.clone(), 0);
    let told = world.race(&[(wish(Some(Renew::Ca)), false)], || {
        let mut world = meddling.change();
        let waited = world.published_since(super::world::SETTLE / 2);
        if resets < 2 && waited && world.take_next_out().is_some() {
            resets += 1;
        }
        0
    });
    let told = told[0].as_ref().unwrap();
    assert_eq!(resets, 2);
    assert_eq!(told.iter().filter(|it| it.starts_with("waiting ")).count(), 2, "{told:#?}");
    world.look().assert_well();
}
