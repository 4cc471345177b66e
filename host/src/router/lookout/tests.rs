//! That nobody waits for a call that holds up its I/O thread.

use std::sync::mpsc;

use contract::Operation;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use super::super::pace::Paces;
use super::*;

/// So many I/O threads, of which all but one may be held up.
const IO_THREADS: usize = 3;

fn pace() -> Arc<Pace> {
    Arc::clone(Paces::default().of(Operation::GetActors))
}

#[test]
fn all_but_one_may_hang_and_the_others_are_served() {
    let runtime = Builder::new_multi_thread().worker_threads(IO_THREADS).enable_all().build().unwrap();
    runtime.block_on(async {
        let lookout = Arc::new(Lookout::start());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // A service that is on the same threads as the calls.
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

        let mut ends = Vec::new();
        let mut begun = Vec::new();
        let mut calls = Vec::new();
        for _ in 1..IO_THREADS {
            let place = lookout.place().expect("a place is free");
            let (end, ended) = mpsc::channel::<()>();
            let (began, beginning) = oneshot::channel();
            ends.push(end);
            begun.push(beginning);
            // It ends when it is told to: only after what follows, which waits for the service.
            calls.push(tokio::spawn(async move {
                place.run(&pace(), || {
                    let _ = began.send(());
                    ended.recv()
                })
            }));
        }
        assert!(lookout.place().is_none(), "one I/O thread is always left");
        for beginning in begun {
            beginning.await.unwrap();
        }
        // Another one may be the one that works on this test: so the requests are tasks of their own, too.
        let requests = (0..16u8).map(|number| {
            tokio::spawn(async move {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(&[number]).await.unwrap();
                let mut answer = [0];
                stream.read_exact(&mut answer).await.unwrap();
                assert_eq!(answer, [number]);
            })
        });
        for request in requests.collect::<Vec<_>>() {
            request.await.unwrap();
        }
        drop(ends);
        for call in calls {
            let _ = call.await.unwrap();
        }
        assert!(lookout.place().is_some(), "who is done leaves the place");
    });
}

#[test]
fn a_task_behind_a_call_that_hangs_is_taken_over() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let lookout = Arc::new(Lookout::start());
        for _ in 0..20 {
            let place = lookout.place().expect("a place is free");
            let (end, ended) = mpsc::channel::<()>();
            // On one thread: the call, and behind it, in the queue of the same thread, what ends it. Without another thread
            // that takes over, neither would ever end.
            let call = tokio::spawn(async move {
                tokio::spawn(async move { drop(end) });
                tokio::spawn(async {});
                tokio::task::yield_now().await;
                place.run(&pace(), || ended.recv())
            });
            assert!(call.await.unwrap().is_err());
        }
    });
}

#[test]
fn what_is_late_is_told_once_and_slows_its_pace() {
    let runtime = Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let _context = runtime.enter();
    let watch = Watch {
        posts: [Post::default()].into(),
        runtime: Handle::current(),
        asleep: AtomicBool::new(false),
        thread: OnceLock::new(),
    };
    let (pace, began) = (pace(), Instant::now());
    while !pace.is_quick() {
        pace.measure(|| ());
    }
    let is_late = || watch.posts[0].call().as_ref().map(|call| call.is_late);
    assert!(!watch.look(began), "nothing runs");
    *watch.posts[0].call() = Some(Running { since: began, pace: Arc::clone(&pace), is_late: false });

    assert!(watch.look(began + PATIENCE - Duration::from_nanos(1)));
    assert_eq!((is_late(), pace.is_quick()), (Some(false), true), "not late yet");
    // The look after that comes LOOK_EVERY later at most: it is seen within a millisecond.
    assert!(watch.look(began + PATIENCE));
    assert_eq!(is_late(), Some(true));
    watch.look(began + PATIENCE + LOOK_EVERY);
    assert!(!pace.is_quick(), "others do not follow it");
}

#[test]
fn one_io_thread_takes_no_calls() {
    let one = Builder::new_multi_thread().worker_threads(1).build().unwrap();
    assert!(one.block_on(async { Lookout::start() }).place().is_none());
    let current = Builder::new_current_thread().build().unwrap();
    assert!(current.block_on(async { Lookout::start() }).place().is_none());
    assert!(Lookout::start().place().is_none(), "outside of any runtime");
}
