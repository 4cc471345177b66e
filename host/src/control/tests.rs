//! Requests and reports, in one process.

use super::*;

#[test]
fn host_lock_shows_a_host_for_as_long_as_it_runs() {
    let data = tempfile::tempdir().unwrap();
    assert!(!is_host_running(data.path()).unwrap(), "there is no lock file yet");
    let first = HostLock::acquire(data.path());
    let second = HostLock::acquire(data.path());
    assert!(is_host_running(data.path()).unwrap());
    drop(first);
    assert!(is_host_running(data.path()).unwrap(), "there is another one");
    drop(second);
    assert!(!is_host_running(data.path()).unwrap());
}

#[test]
fn reload_request_is_taken_once_and_answered() {
    let data = tempfile::tempdir().unwrap();
    let _lock = HostLock::acquire(data.path());
    let send = || ReloadRequest::send(data.path()).unwrap();
    let (first, second) = (send(), send());
    assert!(!first.is_taken() && first.report().unwrap().is_none());
    let received = receive(data.path());
    assert!(received.len() == 2 && first.is_taken() && second.is_taken());
    assert!(receive(data.path()).is_empty(), "another host finds nothing");

    let report = ReloadReport { changes: vec!["a".to_owned()], serving: Vec::new(), has_failed: true };
    received.into_iter().for_each(|request| request.reply(&report));
    let read = second.report().unwrap().unwrap();
    assert_eq!((read.changes, read.has_failed), (vec!["a".to_owned()], true));
    drop((first, second));
    assert_eq!(fs::read_dir(data.path().join(FOLDER)).unwrap().count(), 0, "nothing is left behind");
}
