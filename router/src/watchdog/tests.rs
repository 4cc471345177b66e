//! Tasks do not wait for a call that blocks their I/O thread.

use std::sync::mpsc;

use contract::Operation;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use super::super::latency_estimate::LatencyEstimates;
use super::*;

/// All I/O threads but one may be blocked.
const IO_THREADS: usize = 3;

fn estimate() -> Arc<LatencyEstimate> {
    Arc::clone(LatencyEstimates::default().of(Operation::GetActors))
}

#[test]
fn watchdog_keeps_sockets_served_while_all_slots_hang() {
    let runtime = Builder::new_multi_thread().worker_threads(IO_THREADS).enable_all().build().unwrap();
    runtime.block_on(async {
        let watchdog = Arc::new(Watchdog::start());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // An echo service on the same threads as the calls.
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let mut byte = [0];
                    while stream.read_exact(&mut byte).await.is_ok() {
                        stream.write_all(&byte).await.unwrap();
                    }
                });
            }
        });

        let mut releases = Vec::new();
        let mut starts = Vec::new();
        let mut calls = Vec::new();
        for _ in 1..IO_THREADS {
            let slot = watchdog.slot().expect("a free slot");
            let (release, released) = mpsc::channel::<()>();
            let (start, started) = oneshot::channel();
            releases.push(release);
            starts.push(started);
            // It hangs until the echo service has answered everything below.
            calls.push(tokio::spawn(async move {
                slot.run(&estimate(), || {
                    let _ = start.send(());
                    released.recv()
                })
            }));
        }
        assert!(watchdog.slot().is_none(), "one I/O thread is always free");
        for started in starts {
            started.await.unwrap();
        }
        // Tasks of their own, because the task of this test may be in the queue of a blocked thread.
        let requests = (0..16u8).map(|number| {
            tokio::spawn(async move {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(&[number]).await.unwrap();
                let mut reply = [0];
                stream.read_exact(&mut reply).await.unwrap();
                assert_eq!(reply, [number]);
            })
        });
        for request in requests.collect::<Vec<_>>() {
            request.await.unwrap();
        }
        drop(releases);
        for call in calls {
            let _ = call.await.unwrap();
        }
        assert!(watchdog.slot().is_some(), "a call that has ended frees its slot");
    });
}

#[test]
fn watchdog_keeps_sockets_polled_while_the_polling_thread_hangs() {
    use std::io::{Read, Write};

    // Idle I/O threads sleep, all but the one that polls the sockets. If that one starts a call that hangs, nobody polls them
    // until the watchdog wakes another thread.
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let _context = runtime.enter();
    let watchdog = Arc::new(Watchdog::start());
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let (start, started) = mpsc::channel();
    let (end, ended) = mpsc::channel();
    // An echo service; the byte 0 starts a call that hangs until its sender of releases is dropped.
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (watchdog, start, end) = (Arc::clone(&watchdog), start.clone(), end.clone());
            tokio::spawn(async move {
                let mut byte = [0];
                while stream.read_exact(&mut byte).await.is_ok() {
                    if byte == [0] {
                        let slot = watchdog.slot().expect("a free slot");
                        let (release, released) = mpsc::channel::<()>();
                        let start = start.clone();
                        let end = end.clone();
                        tokio::spawn(async move {
                            slot.run(&estimate(), || {
                                start.send(release).unwrap();
                                let _ = released.recv();
                            });
                            end.send(()).unwrap();
                        });
                    } else {
                        stream.write_all(&byte).await.unwrap();
                    }
                }
            });
        }
    });
    // The client is outside of the runtime, as callers are: nothing but its bytes wakes an I/O thread.
    let connect = || {
        let stream = std::net::TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    };
    let echo = |stream: &mut std::net::TcpStream| {
        stream.write_all(&[1]).unwrap();
        stream.read_exact(&mut [0]).expect("the echo service answers");
    };
    let mut caller = connect();
    let mut other = connect();
    for _ in 0..20 {
        echo(&mut other);
        echo(&mut caller);
        caller.write_all(&[0]).unwrap();
        let release = started.recv().unwrap();
        echo(&mut other);
        echo(&mut connect());
        drop(release);
        // Its slot must be free before the next call.
        ended.recv().unwrap();
    }
}

#[test]
fn watchdog_hands_the_tasks_behind_a_hanging_call_to_another_thread() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let watchdog = Arc::new(Watchdog::start());
        for _ in 0..20 {
            let slot = watchdog.slot().expect("a free slot");
            let (release, released) = mpsc::channel::<()>();
            // In the queue of one thread: the call, and behind it the task that releases it. Both end only if another thread
            // takes the second one.
            let call = tokio::spawn(async move {
                tokio::spawn(async move { drop(release) });
                tokio::spawn(async {});
                tokio::task::yield_now().await;
                slot.run(&estimate(), || released.recv())
            });
            assert!(call.await.unwrap().is_err());
        }
    });
}

#[test]
fn watchdog_finds_a_slow_call_once_and_raises_its_estimate() {
    let runtime = Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let _context = runtime.enter();
    let shared = Shared {
        slots: [Slot::default()].into(),
        runtime: Handle::current(),
        is_asleep: AtomicBool::new(false),
        thread: OnceLock::new(),
    };
    let (estimate, started) = (estimate(), Instant::now());
    while !estimate.is_quick() {
        estimate.measure(|| ());
    }
    let is_slow = || shared.slots[0].call().as_ref().map(|call| call.is_slow);
    assert!(!shared.check(started), "no call runs");
    let call = RunningCall { started, estimate: Arc::clone(&estimate), is_slow: false };
    *shared.slots[0].call() = Some(call);

    assert!(shared.check(started + SLOW_CALL_THRESHOLD - Duration::from_nanos(1)));
    assert_eq!((is_slow(), estimate.is_quick()), (Some(false), true), "not slow yet");
    assert!(shared.check(started + SLOW_CALL_THRESHOLD));
    assert_eq!(is_slow(), Some(true));
    shared.check(started + SLOW_CALL_THRESHOLD + CHECK_INTERVAL);
    assert!(!estimate.is_quick(), "later calls run on blocking threads");
}

#[test]
fn watchdog_has_no_slots_where_no_other_io_thread_is() {
    let one = Builder::new_multi_thread().worker_threads(1).build().unwrap();
    assert!(one.block_on(async { Watchdog::start() }).slot().is_none());
    let current = Builder::new_current_thread().build().unwrap();
    assert!(current.block_on(async { Watchdog::start() }).slot().is_none());
    assert!(Watchdog::start().slot().is_none(), "outside of any runtime");
}
