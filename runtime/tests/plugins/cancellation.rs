//! Callbacks for the cancellation of a call, in this process and in a worker process.

use std::thread;

use erp_host_runtime::{Isolation, Plugins, RuntimeConfig};
use plugin_api::Settings;
use plugin_api::abi::CallWatch;
use plugin_api::abi::client::ConnectionClient;
use test_support::plugins_folder::host_program;

use super::fixture::{FIRST, PluginsFolder};

fn check(isolation: Isolation) {
    let folder = PluginsFolder::new().with(FIRST, "versioned.so");
    let mut config = RuntimeConfig { isolation, ..RuntimeConfig::default() };
    config.worker.program = Some(host_program());
    let plugins = Plugins::load(&folder.plugins(), &folder.data(), &config).unwrap();
    let connector = &plugins.connector(None).unwrap().connector;
    assert_eq!(connector.is_in_process(), isolation == Isolation::InProcess);
    let connection = connector.connect(&Settings::default()).unwrap();

    // A call that ends normally, and is cancelled afterwards, which the router does with every call.
    let ended = CallWatch::new(None);
    assert_eq!(ended.during(|| callbacks(&connection)), ["0", "0"]);
    ended.cancel();
    // A later call on the same socket of a worker.
    let cancelled = CallWatch::new(None);
    let outcome = thread::scope(|scope| {
        scope.spawn(|| {
            while cancelled.progress().as_deref() != Some("waiting") {
                thread::yield_now();
            }
            cancelled.cancel();
        });
        cancelled.during(|| connection.list("until cancelled")).unwrap_err()
    });
    assert_eq!(outcome.user.as_deref(), Some("the callback has run"), "{outcome:?}");
    assert_eq!(callbacks(&connection), ["1", "0"], "that of the call that ended has not run, and is dropped");
}

/// How many callbacks have run, and how many are left of earlier calls.
fn callbacks(connection: &ConnectionClient) -> Vec<String> {
    let items = connection.list("callbacks").unwrap().unwrap();
    items.into_iter().map(|item| item.text).collect()
}

#[test]
fn on_cancel_runs_the_callback_of_a_cancelled_call_only() {
    check(Isolation::InProcess);
}

#[cfg(unix)]
#[test]
fn on_cancel_runs_the_callback_of_a_cancelled_call_only_in_a_worker() {
    check(Isolation::Process);
}
