//! What is renewed, and when.

use super::world::{DAY, World};
use crate::certs::plan::{Renew, Wish};

#[test]
fn a_first_run_stores_the_ca_publishes_it_and_only_then_stores_the_certificate() {
    let world = World::installation();
    let told = world.run(Wish::default()).unwrap();
    let verbs: Vec<_> =
        told.iter().map(|it| it.split_once(" CN=").map_or(&**it, |(before, _)| before)).collect();
    assert_eq!(
        verbs[..4],
        [
            "stored a new CA,",
            "published to MutatingWebhookConfiguration ippool-webhook: adds",
            "published to ValidatingWebhookConfiguration ippool-webhook: adds",
            "stored a certificate of",
        ]
    );
    assert_eq!(told[4], "the certificate is good until 2027-02-20 and renewed from 2027-01-21 on");
    assert_eq!(told[5], "its CA is good until 2028-11-21 and replaced from 2028-03-22 on");
    world.look().assert_well();
}

#[test]
fn in_five_years_of_daily_runs_nothing_ever_comes_near_its_end() {
    let world = World::installation();
    world.run(Wish::default()).unwrap();
    let (mut least, mut most) = (i64::MAX, 0);
    for day in 0..5 * 365 {
        world.change().now += DAY;
        let told = world.run(Wish::default()).unwrap();
        let look = world.look();
        look.assert_well();
        let keyring = look.keyring();
        least = least.min((keyring.leaf().unwrap().not_after() - look.now) / DAY);
        most = most.max(look.bundles().iter().map(Vec::len).max().unwrap());
        assert!(told.len() <= 7, "day {day}: {told:?}");
    }
    // Three CAs of two years each, each of which signs for sixteen months.
    assert_eq!(world.look().authorities.len(), 4);
    assert!(least >= 28, "the certificate was once {least} days from its end");
    assert_eq!(most, 2, "the CA that signs and the one before it, until that one has expired");
}

#[test]
fn a_certificate_is_renewed_at_two_thirds_of_its_life_under_the_same_ca() {
    let world = World::installation();
    world.run(Wish::default()).unwrap();
    let before = world.look().keyring();
    for (days, renewed) in [(59, false), (1, true)] {
        world.change().now += days * DAY;
        world.run(Wish::default()).unwrap();
        let after = world.look().keyring();
        assert_eq!(after.leaf() != before.leaf(), renewed, "{days} days later");
        assert_eq!(after.signing.unwrap().certificate, before.signing.as_ref().unwrap().certificate);
    }
}

#[test]
fn a_ca_is_published_beside_the_old_one_and_waited_for_before_it_signs() {
    let world = World::installation();
    world.run(Wish::default()).unwrap();
    world.change().now += DAY;
    let told = world.run(Wish { renew: Some(Renew::Ca), drop_others: false }).unwrap();
    let verbs: Vec<_> = told.iter().map(|it| it.split_whitespace().next().unwrap()).collect();
    assert_eq!(verbs, ["stored", "published", "published", "waiting", "stored", "the", "its"], "{told:#?}");
    assert_eq!(told[3], "waiting 60 s until every apiserver has seen it");
    for bundle in world.look().bundles() {
        assert_eq!(bundle.len(), 2, "old and new");
    }
}

#[test]
fn other_cas_are_dropped_when_asked_for_and_no_pod_can_need_them() {
    let world = World::installation();
    world.run(Wish::default()).unwrap();
    world.change().now += DAY;
    world.run(Wish { renew: Some(Renew::Ca), drop_others: false }).unwrap();
    let drop_others = Wish { renew: None, drop_others: true };
    let refused = world.run(drop_others).unwrap_err();
    assert!(refused.starts_with("the other CAs stay for now: the certificate is so young"), "{refused}");
    assert_eq!(world.look().bundles()[0].len(), 2);
    world.change().now += 3600;
    let told = world.run(drop_others).unwrap();
    assert!(
        told[0].starts_with("published to MutatingWebhookConfiguration ippool-webhook: drops CN="),
        "{told:?}"
    );
    let look = world.look();
    look.assert_well();
    assert!(look.bundles().iter().all(|it| it.len() == 1), "the one that signs");
    assert!(look.keyring().older.is_empty());
}
