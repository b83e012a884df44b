#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::server::activity::Gauges;
use crate::server::rejection::Rejection;

const KIB: usize = 1024;
const LONG: Duration = Duration::from_secs(20);

/// 128 KiB, of which 8 are kept for requests of up to 4, and a share of 64.
fn account() -> Arc<Account> {
    let limits = Limits {
        max_in_flight_bytes: 128 * KIB,
        max_body_bytes: 64 * KIB,
        small_bytes: 4 * KIB,
        stall: Duration::from_millis(50),
        ..Limits::default()
    };
    Account::new(&limits, &Metrics::default())
}

fn peer(caller: &Arc<Caller>) -> Peer {
    let activity = Activity::new(Gauges::default());
    activity.established(caller.known);
    Peer { activity, caller: Arc::clone(caller) }
}

/// A request of a connection of its own, which holds `kib`.
async fn holder(account: &Arc<Account>, kib: usize) -> Held {
    let mut held = account.open(peer(&account.caller(None)));
    take(&mut held, kib).await.unwrap();
    held
}

async fn take(held: &mut Held, kib: usize) -> Result<(), Rejection> {
    held.take(kib * KIB, &mut LONG.clone()).await
}

/// A request that waits for `kib` more.
async fn waiter(
    account: &Arc<Account>,
    mut held: Held,
    kib: usize,
) -> tokio::task::JoinHandle<Result<Held, Rejection>> {
    let before = account.state().waiting.len();
    let waiting = tokio::spawn(async move { take(&mut held, kib).await.map(|()| held) });
    while account.state().waiting.len() == before && !waiting.is_finished() {
        tokio::task::yield_now().await;
    }
    waiting
}

#[tokio::test]
async fn a_small_request_never_waits_for_a_large_one() {
    let account = account();
    let _busy = holder(&account, 60).await;
    let first = holder(&account, 60).await;
    let _large = waiter(&account, first, 60).await;
    tokio::time::timeout(LONG, holder(&account, 4)).await.unwrap();
    tokio::time::timeout(LONG, holder(&account, 4)).await.unwrap();
}

#[tokio::test]
async fn what_is_given_back_goes_to_who_holds_least() {
    let account = account();
    let busy = holder(&account, 60).await;
    let more = holder(&account, 20).await;
    let large = waiter(&account, more, 60).await;
    let less = holder(&account, 10).await;
    let small = waiter(&account, less, 50).await;
    drop(busy);
    let _small = small.await.unwrap().unwrap();
    assert!(!large.is_finished());
}

#[tokio::test]
async fn the_apiserver_known_by_its_certificate_comes_first() {
    let account = account();
    let busy = holder(&account, 60).await;
    let mut own = account.open(peer(&account.caller(Some("kube-apiserver"))));
    take(&mut own, 20).await.unwrap();
    let known = waiter(&account, own, 44).await;
    let less = holder(&account, 10).await;
    let other = waiter(&account, less, 54).await;
    drop(busy);
    let _known = known.await.unwrap().unwrap();
    assert!(!other.is_finished());
}

#[tokio::test]
async fn one_name_holds_no_more_than_a_share_while_others_wait() {
    let account = account();
    let name = account.caller(Some("one"));
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut own = account.open(peer(&name));
        take(&mut own, 50).await.unwrap();
        held.push(own);
    }
    let another = holder(&account, 10).await;
    let another = waiter(&account, another, 30).await;
    let third = waiter(&account, account.open(peer(&account.caller(Some("one")))), 15).await;
    held.pop();
    let another = another.await.unwrap().unwrap();
    assert!(third.await.unwrap().is_ok(), "nobody else waits any more");
    drop(another);
}

#[tokio::test]
async fn where_all_wait_for_each_other_the_last_to_come_gives_way() {
    let account = account();
    let (first, second) = (holder(&account, 60).await, holder(&account, 60).await);
    let first = waiter(&account, first, 30).await;
    let second = waiter(&account, second, 30).await;
    assert_eq!(second.await.unwrap().unwrap_err().reason, "memory");
    first.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_holder_without_progress_for_longest_is_dropped_for_others() {
    let account = account();
    let (mut holders, mut requests) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let peer = peer(&account.caller(None));
        requests.push(peer.activity.request());
        let mut held = account.open(peer.clone());
        take(&mut held, 60).await.unwrap();
        holders.push((peer, held));
    }
    let waiting = waiter(&account, account.open(peer(&account.caller(None))), 30).await;
    let (longest, held) = holders.remove(0);
    tokio::time::timeout(LONG, longest.activity.stalled()).await.unwrap();
    drop(held);
    waiting.await.unwrap().unwrap();
    assert!(holders[0].0.activity.waits_for_peer().is_some(), "the other one was not dropped");
}

#[tokio::test]
async fn who_waits_in_vain_is_sent_elsewhere_and_nothing_is_lost() {
    let account = account();
    let busy = [holder(&account, 60).await, holder(&account, 60).await];
    let mut late = account.open(peer(&account.caller(None)));
    let refused = late.take(50 * KIB, &mut Duration::from_millis(20)).await.unwrap_err();
    assert_eq!((refused.reason, refused.status.as_u16()), ("memory", 503));
    assert_eq!(account.state().waiting.len(), 0);
    drop((busy, late));
    assert_eq!(account.state().used, 0);
    assert_eq!(account.state().holders.len(), 0);
}
