//! Unit tests of the concurrency limit.

use super::*;

fn limit(running: usize, running_per_share: usize, queued: usize) -> Arc<ConcurrencyLimit> {
    let queue_timeout = Duration::from_secs(30);
    ConcurrencyLimit::new(Limits { running, running_per_share, queued, queue_timeout })
}

fn share(number: u8) -> Share {
    Share::Connection(format!("{number:08x}-0000-4000-8000-000000000000").parse().unwrap())
}

fn deadline() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// A permit, if there is one without waiting.
async fn now(limit: &Arc<ConcurrencyLimit>, share: Share) -> Option<Permit> {
    timeout_at(Instant::now(), limit.acquire(share, deadline())).await.ok()?.ok()
}

/// The permits that a share gets without waiting, up to so many.
async fn all_now(limit: &Arc<ConcurrencyLimit>, share: Share, most: usize) -> Vec<Permit> {
    let mut permits = Vec::new();
    while permits.len() < most
        && let Some(permit) = now(limit, share).await
    {
        permits.push(permit);
    }
    permits
}

fn is_empty(limit: &ConcurrencyLimit) -> bool {
    let state = limit.state();
    state.running == 0 && state.queued == 0 && state.shares.is_empty() && state.turns.is_empty()
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn concurrency_limit_queues_and_then_rejects() {
    let limit = limit(1, 1, 1);
    let first = limit.acquire(share(1), deadline()).await.unwrap();
    let mut second = std::pin::pin!(limit.acquire(share(1), deadline()));
    assert!(timeout_at(Instant::now(), second.as_mut()).await.is_err());
    assert_eq!(limit.acquire(share(1), deadline()).await.unwrap_err(), QueueFull::Connector);
    drop(first);
    let second = second.await.unwrap();
    // The queue is empty again, so this one waits for the queue timeout.
    assert_eq!(limit.acquire(share(1), deadline()).await.unwrap_err(), QueueFull::Connector);
    drop(second);
    limit.wait_until_idle().await;
    assert!(is_empty(&limit));
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn concurrency_limit_ends_the_wait_at_the_queue_timeout_or_the_deadline() {
    let limit = limit(1, 1, 1);
    let _first = limit.acquire(share(1), deadline()).await.unwrap();
    let start = Instant::now();
    assert_eq!(limit.acquire(share(2), deadline()).await.unwrap_err(), QueueFull::Connector);
    assert_eq!(start.elapsed(), Duration::from_secs(30));
    let at_deadline = limit.acquire(share(2), start + Duration::from_secs(31)).await;
    assert_eq!(at_deadline.unwrap_err(), QueueFull::Connector);
    assert_eq!(start.elapsed(), Duration::from_secs(31), "its own deadline comes first");
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn concurrency_limit_frees_the_queue_entry_of_a_caller_that_disconnects() {
    let limit = limit(1, 1, 1);
    let first = limit.acquire(share(1), deadline()).await.unwrap();
    for _ in 0..3 {
        // With the entry of an earlier round the queue would be full at once.
        assert!(timeout_at(Instant::now(), limit.acquire(share(1), deadline())).await.is_err());
    }
    // A permit that is granted as its caller disconnects is free again.
    let mut waiting = Box::pin(limit.acquire(share(2), deadline()));
    assert!(timeout_at(Instant::now(), waiting.as_mut()).await.is_err());
    drop(first);
    drop(waiting);
    assert!(is_empty(&limit));
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn concurrency_limit_leaves_places_for_shares_that_have_none() {
    for (running, per_share, expected) in [
        // Each new share gets as many places as it leaves free.
        (32, 16, vec![16, 8, 4, 2, 1, 1, 0]),
        (32, 8, vec![8, 6, 5, 4, 3, 2, 1, 1, 1, 1, 0]),
        (4, 2, vec![2, 1, 1, 0]),
        (3, 2, vec![2, 1, 0]),
        (2, 1, vec![1, 1, 0]),
        (1, 1, vec![1, 0]),
        // As configured: one connection may have all.
        (4, 4, vec![4, 0]),
        (4, 9, vec![4, 0]),
    ] {
        let limit = limit(running, per_share, 0);
        let (mut held, mut taken) = (Vec::new(), Vec::new());
        for number in 0..expected.len() {
            let permits = all_now(&limit, share(u8::try_from(number).unwrap()), running).await;
            taken.push(permits.len());
            held.push(permits);
        }
        assert_eq!(taken, expected, "{running} places, {per_share} for one");
        drop(held);
        assert!(is_empty(&limit));
    }
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn concurrency_limit_names_the_share_that_has_too_many_calls() {
    let limit = limit(4, 2, 0);
    let mut permits = all_now(&limit, share(1), 4).await;
    assert_eq!(limit.acquire(share(1), deadline()).await.unwrap_err(), QueueFull::Share(share(1)));
    permits.extend(all_now(&limit, share(2), 4).await);
    permits.extend(all_now(&limit, share(3), 4).await);
    assert_eq!(limit.acquire(share(1), deadline()).await.unwrap_err(), QueueFull::Connector);
    assert_eq!(limit.acquire(share(4), deadline()).await.unwrap_err(), QueueFull::Connector);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn concurrency_limit_divides_the_queue_and_serves_it_in_turns() {
    let limit = limit(2, 1, 8);
    // One call of each runs, and the first one fills its part of the queue.
    let (first, second) = (now(&limit, share(1)).await.unwrap(), now(&limit, share(2)).await.unwrap());
    let order = Arc::new(Mutex::new(Vec::new()));
    let wait = |number: u8| {
        let (limit, order) = (Arc::clone(&limit), Arc::clone(&order));
        tokio::spawn(async move {
            let permit = limit.acquire(share(number), deadline()).await;
            order.lock().unwrap().push((number, permit.is_ok()));
            // Ends its call at once.
            drop(permit);
        })
    };
    let mut calls: Vec<_> = (0..6).map(|_| wait(1)).collect();
    tokio::task::yield_now().await;
    assert_eq!(*order.lock().unwrap(), [(1, false), (1, false)], "four of eight places are one share's");
    calls.extend([wait(2), wait(3)]);
    tokio::task::yield_now().await;
    order.lock().unwrap().clear();
    drop((first, second));
    for call in calls {
        call.await.unwrap();
    }
    assert_eq!(
        order.lock().unwrap().iter().map(|(number, _)| *number).collect::<Vec<_>>(),
        [1, 2, 3, 1, 1, 1],
        "those that came later do not wait for all that came before"
    );
    assert!(is_empty(&limit));
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn concurrency_limit_gives_way_to_calls_with_callers() {
    let all = limit(8, 8, 4);
    let background: Vec<_> =
        (1..=8).filter_map(|number| all.try_acquire_in_background(share(number))).collect();
    assert_eq!(background.len(), 2, "a quarter");
    let mut calls = all_now(&all, share(9), 5).await;
    drop(background);
    calls.extend(all_now(&all, share(9), 2).await);
    assert_eq!(calls.len(), 7);
    assert!(all.try_acquire_in_background(share(1)).is_none(), "one place stays free");
    calls.extend(all_now(&all, share(9), 1).await);
    let mut waits = std::pin::pin!(all.acquire(share(9), deadline()));
    assert!(timeout_at(Instant::now(), waits.as_mut()).await.is_err());
    calls.truncate(4);
    drop(waits.await.unwrap());
    assert!(all.try_acquire_in_background(share(1)).is_some());
    drop(calls);
    assert!(is_empty(&all) && all.state().background == 0);
    // With a single place: while nothing else runs.
    let one = limit(1, 1, 1);
    let call = now(&one, share(1)).await.unwrap();
    assert!(one.try_acquire_in_background(share(2)).is_none());
    drop(call);
    assert!(one.try_acquire_in_background(share(2)).is_some());
    // A call that finds one there waits for it, also where there is no queue; a second one does not.
    let one = limit(1, 1, 0);
    let background = one.try_acquire_in_background(share(2)).unwrap();
    let mut waits = std::pin::pin!(one.acquire(share(1), deadline()));
    assert!(timeout_at(Instant::now(), waits.as_mut()).await.is_err());
    let second = timeout_at(Instant::now(), one.acquire(share(3), deadline())).await;
    assert!(second.is_ok_and(|refused| refused.is_err()));
    drop(background);
    drop(waits.await.unwrap());
    assert!(is_empty(&one));
}
