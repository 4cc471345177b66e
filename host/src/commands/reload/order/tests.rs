//! Orders and answers, in one process.

use super::*;

#[test]
fn a_host_is_found_for_as_long_as_it_runs() {
    let data = tempfile::tempdir().unwrap();
    assert!(!is_host_running(data.path()).unwrap(), "there is no lock file yet");
    let first = Running::tell(data.path());
    let second = Running::tell(data.path());
    assert!(is_host_running(data.path()).unwrap());
    drop(first);
    assert!(is_host_running(data.path()).unwrap(), "there is another one");
    drop(second);
    assert!(!is_host_running(data.path()).unwrap());
}

#[test]
fn an_order_is_taken_once_and_answered() {
    let data = tempfile::tempdir().unwrap();
    let _running = Running::tell(data.path());
    let (first, second) = (Order::place(data.path()).unwrap(), Order::place(data.path()).unwrap());
    assert!(!first.is_taken() && first.answer().unwrap().is_none());
    let taken = take(data.path());
    assert!(taken.len() == 2 && first.is_taken() && second.is_taken());
    assert!(take(data.path()).is_empty(), "another host finds nothing");

    let answer = Answer { changes: vec!["a".to_owned()], serving: Vec::new(), has_failed: true };
    taken.into_iter().for_each(|taken| taken.answer(&answer));
    let read = second.answer().unwrap().unwrap();
    assert_eq!((read.changes, read.has_failed), (vec!["a".to_owned()], true));
    drop((first, second));
    assert_eq!(fs::read_dir(data.path().join(FOLDER)).unwrap().count(), 0, "nothing is left behind");
}
