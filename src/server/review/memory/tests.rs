#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::server::metrics::ConnectionGauges;
use crate::server::review::rejection::Rejection;

const KIB: usize = 1024;
const LONG: Duration = Duration::from_secs(20);

/// 128 KiB, of which 8 are kept for requests of up to 4, and a share of 64.
fn budget() -> Arc<MemoryBudget> {
    let limits = Limits {
        max_in_flight_bytes: 128 * KIB,
        max_body_bytes: 64 * KIB,
        small_bytes: 4 * KIB,
        stall: Duration::from_millis(50),
        ..Limits::default()
    };
    MemoryBudget::new(&limits, &Metrics::default())
}

fn peer(usage: &Arc<ClientUsage>) -> Peer {
    let activity = Activity::new(ConnectionGauges::default());
    activity.established(usage.authenticated);
    Peer { activity, usage: Arc::clone(usage) }
}

/// A request of a connection of its own, which holds `kib`.
async fn holder(budget: &Arc<MemoryBudget>, kib: usize) -> MemoryPermit {
    let mut held = budget.permit(peer(&budget.usage(None)));
    acquire(&mut held, kib).await.unwrap();
    held
}

async fn acquire(permit: &mut MemoryPermit, kib: usize) -> Result<(), Rejection> {
    permit.acquire(kib * KIB, &mut LONG.clone()).await
}

/// A request that waits for `kib` more.
async fn waiter(
    budget: &Arc<MemoryBudget>,
    mut permit: MemoryPermit,
    kib: usize,
) -> tokio::task::JoinHandle<Result<MemoryPermit, Rejection>> {
    let before = budget.state().waiters.len();
    let waiting = tokio::spawn(async move { acquire(&mut permit, kib).await.map(|()| permit) });
    while budget.state().waiters.len() == before && !waiting.is_finished() {
        tokio::task::yield_now().await;
    }
    waiting
}

#[tokio::test]
async fn a_small_request_never_waits_for_a_large_one() {
    let budget = budget();
    let _busy = holder(&budget, 60).await;
    let first = holder(&budget, 60).await;
    let _large = waiter(&budget, first, 60).await;
    tokio::time::timeout(LONG, holder(&budget, 4)).await.unwrap();
    tokio::time::timeout(LONG, holder(&budget, 4)).await.unwrap();
}

#[tokio::test]
async fn released_memory_goes_to_the_waiter_that_holds_least() {
    let budget = budget();
    let busy = holder(&budget, 60).await;
    let more = holder(&budget, 20).await;
    let large = waiter(&budget, more, 60).await;
    let less = holder(&budget, 10).await;
    let small = waiter(&budget, less, 50).await;
    drop(busy);
    let _small = small.await.unwrap().unwrap();
    assert!(!large.is_finished());
}

#[tokio::test]
async fn an_authenticated_client_is_granted_memory_first() {
    let budget = budget();
    let busy = holder(&budget, 60).await;
    let mut own = budget.permit(peer(&budget.usage(Some("kube-apiserver"))));
    acquire(&mut own, 20).await.unwrap();
    let authenticated = waiter(&budget, own, 44).await;
    let less = holder(&budget, 10).await;
    let other = waiter(&budget, less, 54).await;
    drop(busy);
    let _authenticated = authenticated.await.unwrap().unwrap();
    assert!(!other.is_finished());
}

#[tokio::test]
async fn one_client_holds_at_most_its_share_while_others_wait() {
    let budget = budget();
    let client = budget.usage(Some("one"));
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut own = budget.permit(peer(&client));
        acquire(&mut own, 50).await.unwrap();
        held.push(own);
    }
    let another = holder(&budget, 10).await;
    let another = waiter(&budget, another, 30).await;
    let third = waiter(&budget, budget.permit(peer(&budget.usage(Some("one")))), 15).await;
    held.pop();
    let another = another.await.unwrap().unwrap();
    assert!(third.await.unwrap().is_ok(), "no other client waits");
    drop(another);
}

#[tokio::test]
async fn when_all_holders_wait_the_newest_is_rejected() {
    let budget = budget();
    let (first, second) = (holder(&budget, 60).await, holder(&budget, 60).await);
    let first = waiter(&budget, first, 30).await;
    let second = waiter(&budget, second, 30).await;
    assert_eq!(second.await.unwrap().unwrap_err().reason, "memory");
    first.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_longest_stalled_holder_is_dropped_for_a_waiter() {
    let budget = budget();
    let (mut holders, mut requests) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let peer = peer(&budget.usage(None));
        requests.push(peer.activity.begin_request());
        let mut held = budget.permit(peer.clone());
        acquire(&mut held, 60).await.unwrap();
        holders.push((peer, held));
    }
    let waiting = waiter(&budget, budget.permit(peer(&budget.usage(None))), 30).await;
    let (longest, held) = holders.remove(0);
    tokio::time::timeout(LONG, longest.activity.stalled()).await.unwrap();
    drop(held);
    waiting.await.unwrap().unwrap();
    assert!(holders[0].0.activity.waits_for_peer().is_some(), "the other one was not dropped");
}

#[tokio::test]
async fn a_waiter_that_times_out_gets_503_and_its_memory_is_released() {
    let budget = budget();
    let busy = [holder(&budget, 60).await, holder(&budget, 60).await];
    let mut late = budget.permit(peer(&budget.usage(None)));
    let rejected = late.acquire(50 * KIB, &mut Duration::from_millis(20)).await.unwrap_err();
    assert_eq!((rejected.reason, rejected.status.as_u16()), ("memory", 503));
    assert_eq!(budget.state().waiters.len(), 0);
    drop((busy, late));
    assert_eq!(budget.state().used, 0);
    assert_eq!(budget.state().holders.len(), 0);
}
