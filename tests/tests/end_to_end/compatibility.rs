//! Old and new hosts and plugins together, from real files: what was built on the first day of plugin API 1.0 lies in
//! `fixtures/api-1.0.0`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use contract::{Actor, Dialect, Request};
use test_support::soap::Client;
use test_support::{HELLO, Setup, TestHost, VERSIONS, plugin_bytes};
use values::State;

use crate::replacing::wait_until;

/// What the fixtures were built for.
const IS_THEIRS: bool = cfg!(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"));

fn first(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "fixtures", "api-1.0.0", name].iter().collect()
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
fn a_plugin_of_the_first_api_is_served() {
    if !IS_THEIRS {
        return;
    }
    let bytes = std::fs::read(first("hello-connector.so")).unwrap();
    let host = Setup::new().plugin_file("hello.so", bytes).start();
    is_served(&host);
    let listed = host.command(&["plugins"]);
    let listed = String::from_utf8_lossy(&listed.stdout);
    assert!(listed.contains("hello.so  Hello      0.1.0    1.0.0  "), "{listed}");
}

#[test]
fn a_plugin_of_this_api_is_served() {
    let host = Setup::new().plugin_file("hello.so", plugin_bytes(HELLO)).start();
    is_served(&host);
}

/// Runs the first host on a plugin: what it says, without the versions.
fn in_first_host(plugin: &std::path::Path, text: &str) -> (Vec<String>, String) {
    let output = Command::new(first("host")).args([plugin.as_os_str(), text.as_ref()]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    let lines = said.lines().filter(|line| !line.starts_with("plugin:")).map(str::to_owned).collect();
    let plugin = said.lines().find(|line| line.starts_with("plugin:")).unwrap_or_default().to_owned();
    (lines, plugin)
}

#[test]
fn a_plugin_of_this_api_runs_in_the_first_host() {
    if !IS_THEIRS {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, package| {
        let path = folder.path().join(name);
        std::fs::write(&path, plugin_bytes(package)).unwrap();
        path
    };
    // Word for word as the plugin of its own day.
    let (then, _) = in_first_host(&first("hello-connector.so"), "fjord");
    let (now, plugin) = in_first_host(&file("hello.so", HELLO), "fjord");
    assert_eq!(now, then);
    assert!(now.len() > 20 && now[0] == "host: plugin API 1.0.0", "{now:#?}");
    // It says that it needs no more than 1.0.
    assert!(plugin.starts_with("plugin: Hello 0.1.0, plugin API 1.0."), "{plugin}");

    // What came later falls back to its default: somebody always waits, as long as it takes.
    let (lines, _) = in_first_host(&file("versioned.so", VERSIONS[0]), "while somebody waits");
    let lines: BTreeSet<_> = lines.iter().map(String::as_str).collect();
    let has = |part: &str| lines.iter().any(|line| line.contains(part));
    assert!(has("SearchText: 200 rows") && has("told\", \"false") && has("waits no more"), "{lines:#?}");
}

#[test]
fn a_call_that_takes_too_long_is_cancelled() {
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
fn a_call_whose_caller_has_gone_is_cancelled() {
    let host = Setup::new().plugin_file("versioned.so", plugin_bytes(VERSIONS[0])).start();
    let client = saved(&host, &[("Name", "test")]);
    let caller = client.send(search("while somebody waits"));
    wait_until("the call has begun", || host.log().contains("waits told="));
    drop(caller);
    wait_until("the connector notices", || host.log().contains("waits no more"));
}
