//! Hosts and plugins of different versions of the plugin API together, from real files.
//!
//! A version that is released leaves a folder `fixtures/api-VERSION` with two files that are never built again: the program
//! `minimal-host` and the plugin file `hello-connector.so`. No version is released yet; until then the tests pair
//! what the workspace builds.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use contract::{Actor, Dialect, Request};
use test_support::soap::Client;
use test_support::{HELLO, Setup, TestHost, VERSIONS, minimal_host, plugin_bytes, wait_until};
use values::State;

/// A host program and a plugin file of one version of the plugin API.
struct Generation {
    host: PathBuf,
    plugin: Vec<u8>,
}

/// What the workspace builds, and every released version.
fn generations() -> Vec<Generation> {
    let mut all = vec![Generation { host: minimal_host(), plugin: plugin_bytes(HELLO) }];
    // Released files are for this platform.
    if cfg!(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu")) {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        let folders = std::fs::read_dir(fixtures).unwrap().map(|entry| entry.unwrap().path());
        let is_released = |folder: &PathBuf| {
            folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with("api-"))
        };
        all.extend(folders.filter(is_released).map(|folder| Generation {
            host: folder.join("minimal-host"),
            plugin: std::fs::read(folder.join("hello-connector.so")).unwrap(),
        }));
    }
    all
}

fn search(text: &str) -> Request<'_> {
    Request::SearchActors {
        actor_type: Some("Customer".into()),
        search_text: Some(text.into()),
        field_keys: None,
    }
}

fn saved(host: &TestHost, settings: &[(&'static str, &'static str)]) -> Client {
    let client = host.client(Dialect::Message).connection("abababab-0000-4000-8000-000000000001");
    let settings = settings.iter().map(|(key, value)| (*key, Some(*value))).collect();
    client.ok(Request::SaveConnection { connection_info: Some(settings) });
    client
}

/// Calls everything that the hello connector can do.
fn is_served(host: &TestHost) {
    let client = saved(host, &[("Prefix", "X")]);
    client.ok(Request::TestConnection);
    assert_eq!(client.ok(Request::GetSupportedActorTypes).items, ["Customer", "Person"]);
    let customer = || Some("Customer".into());
    assert_eq!(client.ok(Request::GetSupportedActorTypeFields { actor_type: customer() }).fields.len(), 3);
    assert_eq!(client.ok(Request::GetSearchableFields { actor_type: customer() }).items.len(), 3);
    assert_eq!(client.ok(Request::GetList { list_name: Some("Categories".into()) }).list.len(), 2);
    let actor = Actor {
        actor_type: customer(),
        field_values: Some([("NAME", Some("Brygga"))].into_iter().collect()),
        ..Actor::default()
    };
    assert_eq!(client.ok(Request::CreateActor { actor: Some(actor) }).actors[0].key, "X4");
    let get = Request::GetActors {
        actor_type: customer(),
        erp_keys: Some(vec![Some("C1".into()), Some("X4".into())]),
        field_keys: None,
    };
    let names: Vec<_> = client.ok(get).actors.iter().map(|actor| actor.field("NAME").to_owned()).collect();
    assert_eq!(names, ["Fjord & Fjell AS", "Brygga"]);
    let names = client.ok(search("nord")).actors.len();
    assert_eq!(names, 1);
    let since =
        Request::GetActorsByTimestamp { updated_on_or_after: None, actor_type: customer(), field_keys: None };
    assert_eq!(client.ok(since).actors.len(), 3);
}

#[test]
fn plugins_of_every_released_api_are_served() {
    for Generation { plugin, .. } in generations() {
        let host = Setup::new().plugin_file("hello.so", plugin).start();
        is_served(&host);
    }
}

/// Runs a plugin in a `minimal-host`: the line about the plugin, and all others.
fn run_in(host: &Path, plugin: &[u8], text: &str) -> (String, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plugin.so");
    std::fs::write(&file, plugin).unwrap();
    let output = Command::new(host).args([file.as_os_str(), text.as_ref()]).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{printed}");
    let (about, others): (Vec<_>, Vec<_>) =
        printed.lines().map(str::to_owned).partition(|line| line.starts_with("plugin:"));
    (about.concat(), others)
}

#[test]
fn plugins_of_this_api_run_in_hosts_of_every_released_one() {
    for Generation { host, plugin } in generations() {
        // Word for word as the plugin of the host's own version.
        let (_, then) = run_in(&host, &plugin, "fjord");
        let (about, now) = run_in(&host, &plugin_bytes(HELLO), "fjord");
        assert_eq!(now, then);
        assert!(now.len() > 20 && now[0].starts_with("host: plugin API "), "{now:#?}");
        assert!(about.starts_with("plugin: Hello 0.1.0, plugin API "), "{about}");

        // A host that gives no limit and cancels no call: a caller always waits.
        let (_, lines) = run_in(&host, &plugin_bytes(VERSIONS[0]), "while somebody waits");
        let lines: BTreeSet<_> = lines.iter().map(String::as_str).collect();
        let has = |part: &str| lines.iter().any(|line| line.contains(part));
        assert!(has("SearchText: 200 rows") && has("waits no more"), "{lines:#?}");
    }
}

#[test]
fn calls_that_take_too_long_are_cancelled() {
    let host = Setup::new()
        .plugin_file("versioned.so", plugin_bytes(VERSIONS[0]))
        .configuration("[connectors.Versioned]\ncall_deadline = \"1s\"\n")
        .start();
    let client = saved(&host, &[("Name", "test")]);
    let answer = client.call(search("while somebody waits"));
    assert_eq!(answer.state, State::Error);
    assert!(answer.user.contains("did not answer within 1 seconds"), "{answer:?}");
    assert!(answer.tech.ends_with("; it said last: waiting"), "{answer:?}");
    wait_until("the connector notices", || host.log().contains("waits no more"));
}

#[test]
fn calls_whose_caller_has_gone_are_cancelled() {
    let host = Setup::new().plugin_file("versioned.so", plugin_bytes(VERSIONS[0])).start();
    let client = saved(&host, &[("Name", "test")]);
    let caller = client.send(search("while somebody waits"));
    wait_until("the call has begun", || host.log().contains("has_deadline="));
    drop(caller);
    wait_until("the connector notices", || host.log().contains("waits no more"));
}
