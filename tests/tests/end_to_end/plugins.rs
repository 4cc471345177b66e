//! Several connectors in one host, good ones beside bad ones.

use contract::{Dialect, Request};
use serde_json::Value;
use test_support::{EXCEL, HELLO, ROGUE, Setup, TestHost, WORKBOOK};
use values::{State, error_code};

use crate::operations::settings;

use crate::rogue::save;

fn guid(number: u8) -> String {
    format!("cccccccc-0000-4000-8000-0000000000{number:02}")
}

fn three_connectors() -> TestHost {
    Setup::new().plugin(EXCEL).plugin(HELLO).plugin(ROGUE).start()
}

#[test]
fn connectors_work_side_by_side() {
    let host = three_connectors();
    let form = |name| host.client(Dialect::Message).connector(name).ok(Request::GetConfigData).fields;
    assert_eq!(form("Excel")[0].key, "Filename");
    assert_eq!(form("Rogue")[0].key, "Server");
    let hello = form("Hello");
    assert_ne!(hello, form("Excel"));
    // Without a name the first one by name answers.
    assert_eq!(host.client(Dialect::Message).ok(Request::GetConfigData).fields, form("Excel"));

    let excel = host.client(Dialect::Message).connector("Excel").connection(&guid(1));
    excel.ok(Request::SaveConnection { connection_info: settings(WORKBOOK) });
    let rogue_client = host.client(Dialect::Data).connector("Rogue").connection(&guid(2));
    rogue_client.ok(save(&[]));

    // The GUID alone finds the connector.
    let by_guid =
        |number| host.client(Dialect::Message).connection(&guid(number)).ok(Request::GetSupportedActorTypes);
    assert!(by_guid(1).items.contains(&"Project".to_owned()));
    assert_eq!(by_guid(2).items, ["Customer", "Person"]);
}

#[test]
fn connections_belong_to_one_connector() {
    let host = three_connectors();
    host.client(Dialect::Message)
        .connector("Excel")
        .connection(&guid(3))
        .ok(Request::SaveConnection { connection_info: settings(WORKBOOK) });
    let answer =
        host.client(Dialect::Message).connector("Rogue").connection(&guid(3)).call(Request::TestConnection);
    assert_eq!(answer.state, State::Error);
    assert!(answer.user.contains("Excel") && answer.user.contains("Rogue"), "{answer:?}");

    let unknown = host.client(Dialect::Message).connector("Nobody").call(Request::GetConfigData);
    assert_eq!(unknown.state, State::Error);
    assert!(unknown.user.contains("Nobody"), "{unknown:?}");

    let unknown = host.client(Dialect::Message).connection(&guid(99)).call(Request::TestConnection);
    assert_eq!(unknown.code, error_code::UNKNOWN_CONNECTION_ID);
}

#[test]
fn connector_faults_affect_no_other_connector() {
    let host = three_connectors();
    let excel = host.client(Dialect::Message).connector("Excel").connection(&guid(4));
    excel.ok(Request::SaveConnection { connection_info: settings(WORKBOOK) });

    let actors = || Request::GetActors {
        actor_type: Some("Customer".into()),
        erp_keys: Some(vec![Some("1".into())]),
        field_keys: None,
    };
    for (number, fault) in
        ["panic", "panic-any", "panic-after:100", "panic-in-error", "error", "error-after:5000"]
            .into_iter()
            .enumerate()
    {
        let client = host.client(Dialect::Message).connector("Rogue");
        let client = client.connection(&guid(10 + u8::try_from(number).unwrap()));
        client.call(save(&[("get", fault), ("actor_types", fault)]));
        for request in [actors(), Request::GetSupportedActorTypes] {
            let answer = client.call(request);
            assert_eq!(answer.state, State::Error, "{fault}: {answer:?}");
            assert!(answer.actors.is_empty() && answer.items.is_empty(), "{fault}: no half answers");
            assert!(!answer.user.is_empty() || !answer.tech.is_empty(), "{fault}: says what happened");
        }
        // The connection that failed serves its other operations, and the others theirs.
        client.ok(Request::GetSupportedActorTypeFields { actor_type: Some("Customer".into()) });
        excel.ok(Request::GetSupportedActorTypes);
    }
}

#[test]
fn replies_of_many_rows_arrive_whole() {
    let host = three_connectors();
    let client = host.client(Dialect::Message).connector("Rogue").connection(&guid(5));
    client.ok(save(&[("get", "huge:5000")]));
    let answer = client.ok(Request::GetActors {
        actor_type: Some("Customer".into()),
        erp_keys: Some(vec![]),
        field_keys: None,
    });
    assert_eq!(answer.actors.len(), 5000);
    assert!(answer.response.body.len() > 1 << 20, "more than is kept in memory");
    assert!(answer.actors.iter().all(|actor| actor.fields.len() == 20));
}

#[test]
fn hanging_calls_are_answered_at_their_deadline() {
    let host = Setup::new()
        .plugin(EXCEL)
        .plugin(ROGUE)
        .configuration("[connectors.Rogue]\ncall_deadline = \"300ms\"\nconcurrent_calls = 2\n")
        .start();
    let client = host.client(Dialect::Message).connector("Rogue").connection(&guid(6));
    client.ok(save(&[("actor_types", "block")]));
    let answer = client.call(Request::GetSupportedActorTypes);
    assert_eq!(answer.state, State::Error);
    assert!(answer.user.contains("0.3 seconds"), "says how long it was given: {answer:?}");
    host.client(Dialect::Message).connector("Excel").ok(Request::GetConfigData);
}

#[test]
fn broken_plugin_files_do_not_stop_the_others() {
    let half = {
        let whole = Setup::new().plugin(ROGUE).prepare();
        let file = std::fs::read_dir(whole.plugins()).unwrap().next().unwrap().unwrap().path();
        let whole = std::fs::read(file).unwrap();
        whole[..whole.len() / 2].to_vec()
    };
    let host = Setup::new()
        .plugin(EXCEL)
        .plugin_file("a-text.so", "not a plugin\n")
        .plugin_file("b-empty.so", "")
        .plugin_file("c-garbage.so", (0..4096u32).map(|n| (n * 31 % 251) as u8).collect::<Vec<_>>())
        .plugin_file("d-half.so", half)
        .plugin_file("readme.txt", "no plugin file, and not looked at\n")
        .start();
    host.client(Dialect::Message).ok(Request::GetConfigData);
    for name in ["a-text.so", "b-empty.so", "c-garbage.so", "d-half.so"] {
        let lines = host.log().lines().filter(|line| line.contains(name)).count();
        assert_eq!(lines, 1, "one line about {name}:\n{}", host.log());
    }
    assert!(!host.log().contains("readme.txt"));

    let listed = host.command(&["plugins", "--json"]);
    let plugins: Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    let plugins = plugins.as_array().expect("an array");
    assert_eq!(plugins.len(), 5, "{plugins:#?}");
    let excel = plugins.iter().find(|plugin| plugin["connector"] == "Excel").expect("Excel is there");
    assert!(excel["file"].as_str().is_some_and(|file| file.contains("excel_connector")), "{excel}");
    let broken =
        plugins.iter().filter(|plugin| plugin["error"].as_str().is_some_and(|text| !text.is_empty()));
    assert_eq!(broken.count(), 4, "{plugins:#?}");

    let listed = String::from_utf8(host.command(&["plugins"]).stdout).unwrap();
    assert!(listed.contains("Excel") && listed.contains("a-text.so"), "{listed}");
}
