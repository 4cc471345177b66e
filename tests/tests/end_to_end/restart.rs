//! Durability of settings: through a restart, a crash, and a crash during many concurrent saves.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use contract::{Call, Dialect, Envelope, Operation, Request, read_reply};
use test_support::exchange;
use test_support::{EXCEL, ROGUE, Setup, TestHost, WORKBOOK};
use values::{Guid, State, error_code};

use crate::operations::settings;

const GUID: &str = "bbbbbbbb-0000-4000-8000-000000000001";

#[test]
fn settings_survive_a_restart() {
    let mut host = TestHost::with_excel();
    let client = host.client(Dialect::Message).connection(GUID);
    client.ok(Request::SaveConnection { connection_info: settings(WORKBOOK) });
    let types = client.ok(Request::GetSupportedActorTypes).items;

    let (status, _) = host.stop();
    assert!(status.success(), "{status}");
    host.start();

    let client = host.client(Dialect::Plain).connection(GUID);
    assert_eq!(client.ok(Request::GetSupportedActorTypes).items, types);
}

#[test]
fn settings_survive_a_kill_right_after_the_reply() {
    let mut host = TestHost::with_excel();
    host.client(Dialect::Data)
        .connection(GUID)
        .ok(Request::SaveConnection { connection_info: settings(WORKBOOK) });
    host.kill();
    host.start();
    host.client(Dialect::Data).connection(GUID).ok(Request::TestConnection);
}

#[test]
fn deleted_connection_stays_deleted() {
    let mut host = TestHost::with_excel();
    let client = host.client(Dialect::Message).connection(GUID);
    client.ok(Request::SaveConnection { connection_info: settings(WORKBOOK) });
    client.ok(Request::DeleteConnection);
    host.kill();
    host.start();
    let answer = host.client(Dialect::Message).connection(GUID).call(Request::TestConnection);
    assert_eq!(answer.code, error_code::UNKNOWN_CONNECTION_ID);
}

#[test]
fn every_acknowledged_save_survives_a_kill() {
    let mut host = TestHost::with_excel();
    let address = host.address();
    let acknowledged = Mutex::new(BTreeSet::new());
    let next = AtomicU32::new(1);
    let save = || {
        loop {
            let guid = Guid::from_u128(u128::from(next.fetch_add(1, Ordering::Relaxed)));
            let call = Call {
                envelope: Envelope::new(Dialect::Message),
                connection_guid: Some(guid.to_string().into()),
                request: Request::SaveConnection { connection_info: settings(WORKBOOK) },
            };
            // Until the host is killed.
            let Ok(exchange) = exchange::exchange(address, exchange::PATH, &call) else { return };
            let answer = read_reply(&exchange.response.body, Operation::SaveConnection).expect("a reply");
            assert_eq!(answer.reply.outcome().map(|outcome| outcome.state), Some(State::Ok));
            acknowledged.lock().unwrap().insert(guid);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(save);
        }
        while acknowledged.lock().unwrap().len() < 40 {
            std::thread::yield_now();
        }
        host.kill();
    });

    host.start();
    for guid in acknowledged.into_inner().unwrap() {
        host.client(Dialect::Message).connection(&guid.to_string()).ok(Request::TestConnection);
    }
}

#[test]
fn no_new_key_is_created_for_stored_secrets() {
    let mut host = Setup::new().plugin(EXCEL).plugin(ROGUE).start();
    let secret = "correct horse battery staple";
    let client = host.client(Dialect::Message).connector("Rogue").connection(GUID);
    client.ok(Request::SaveConnection {
        connection_info: Some([("Server", Some("erp")), ("Password", Some(secret))].into_iter().collect()),
    });
    let (_, log) = host.stop();
    assert!(!log.contains(secret), "no secret in the log");
    for entry in std::fs::read_dir(host.data()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let content = std::fs::read(&path).unwrap();
            let found = content.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{} has the secret unencrypted", path.display());
        }
    }

    let key = host.data().join("erp-host.key");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let kept = host.folder().join("kept.key");
    std::fs::rename(&key, &kept).unwrap();
    let refusal = host.try_start().expect_err("without its key the host does not start").to_string();
    assert!(refusal.contains("key"), "{refusal}");
    assert!(!key.exists(), "and it creates no new one");

    std::fs::write(&key, "not a key").unwrap();
    let refusal = host.try_start().expect_err("nor with a wrong one").to_string();
    assert!(refusal.contains("key"), "{refusal}");

    std::fs::rename(&kept, &key).unwrap();
    host.start();
    host.client(Dialect::Message).connection(GUID).call(Request::TestConnection);
}
