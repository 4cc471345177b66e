//! Contract profiles of the program: the order of members that requests show, through a restart; contract files, at the start
//! and at a reload.

use std::fs;

use contract::{ContractFile, Dialect, Envelope, MemberOrder, Profile, Request};
use test_support::{EXCEL, Setup, TestHost, WORKBOOK};

use crate::operations::settings;

const GUID: &str = "cccccccc-0000-4000-8000-000000000001";
const NOTICED: &str = "a request has its members in the order of declaration";

fn envelope(order: MemberOrder) -> Envelope {
    Profile::builtin(Dialect::Message, order).clone().into()
}

/// Makes a call that fits both orders; the client checks that the reply has this one.
fn is_answered(host: &TestHost, connector: Option<&str>, order: MemberOrder) {
    let client = host.client(Dialect::Message).connection(GUID).envelope(envelope(order));
    let client = connector.map_or(client.clone(), |connector| client.connector(connector));
    client.ok(Request::TestConnection);
}

#[test]
fn member_order_that_a_client_has_shown_survives_a_restart() {
    let mut host = TestHost::with_excel();
    let save = Request::SaveConnection { connection_info: settings(WORKBOOK) };
    host.client(Dialect::Message).connection(GUID).ok(save);
    is_answered(&host, None, MemberOrder::Name);

    let client = host.client(Dialect::Message).connection(GUID).envelope(envelope(MemberOrder::Declared));
    for _ in 0..3 {
        client.ok(Request::GetSupportedActorTypeFields { actor_type: Some("Customer".into()) });
    }
    is_answered(&host, None, MemberOrder::Declared);
    client.ok(Request::GetSupportedActorTypes);

    let (status, log) = host.stop();
    assert!(status.success(), "{status}");
    let lines: Vec<_> = log.lines().filter(|line| line.contains(NOTICED)).collect();
    let [line] = &lines[..] else { panic!("expected one line, found {lines:?}") };
    for part in
        [GUID, "operation=\"WSGetSupportedActorTypeFields\"", "caller=127.0.0.1", "without a ConnectorName"]
    {
        assert!(line.contains(part), "{line}");
    }

    host.start();
    is_answered(&host, None, MemberOrder::Declared);
    is_answered(&host, Some("Excel"), MemberOrder::Name);
    assert!(!host.log().contains(NOTICED));

    // Clients of both orders: a few lines, and one that names the remedy.
    for order in [MemberOrder::Name, MemberOrder::Declared].repeat(5) {
        let client = host.client(Dialect::Message).connection(GUID).envelope(envelope(order));
        client.ok(Request::GetSupportedActorTypeFields { actor_type: Some("Customer".into()) });
    }
    let (_, log) = host.stop();
    let count = |text: &str| log.matches(text).count();
    assert_eq!(
        (count("a request has its members"), count("with their members in both orders")),
        (4, 1),
        "{log}"
    );
}

/// A contract file with a profile like `message`, whose replies begin with this member.
fn contract_file(first: &str) -> String {
    let mut layout = Profile::builtin(Dialect::Message, MemberOrder::Name).layout().clone();
    layout.name = "of-our-service".to_owned();
    for operation in &mut layout.operations {
        operation.reply.members.sort_by_key(|member| member.element.local != first);
    }
    ContractFile { layout, source: None, documents: Vec::new() }.to_toml()
}

/// The first member of a reply.
fn first_member(host: &TestHost) -> String {
    let client = host.client(Dialect::Message).connection(GUID);
    let text = client.exchange(Request::TestConnection).response.text();
    let document = roxmltree::Document::parse(&text).unwrap();
    let body = document.root_element().first_element_child().unwrap();
    let member = body.first_element_child().unwrap().first_element_child().unwrap();
    member.tag_name().name().to_owned()
}

#[test]
fn contract_file_is_read_at_the_start_and_at_a_reload() {
    let mut host =
        Setup::new().plugin(EXCEL).configuration("[contract]\nprofiles = [\"contract.toml\"]").prepare();
    let path = host.folder().join("contract.toml");
    let good = contract_file("IsOk");
    let broken = good.replacen("[operations.WSGetActors]", "[operations.WSGetInvoices]", 1);
    let line = 1 + broken.lines().position(|line| line == "[operations.WSGetInvoices]").unwrap();

    // Broken at the start.
    fs::write(&path, &broken).unwrap();
    let refused = host.try_start().unwrap_err().to_string();
    let place = format!("erp-host: the contract file {}, line {line}: ", path.display());
    assert!(refused.contains(&place) && refused.contains("WSGetInvoices"), "{refused}");

    fs::write(&path, &good).unwrap();
    host.start();
    let save = Request::SaveConnection { connection_info: settings(WORKBOOK) };
    host.client(Dialect::Message).connection(GUID).exchange(save);
    assert_eq!(first_member(&host), "IsOk");

    // Broken at a reload.
    fs::write(&path, &broken).unwrap();
    let reload = host.command(&["reload"]);
    let report = String::from_utf8_lossy(&reload.stdout).into_owned();
    assert_eq!(reload.status.code(), Some(1), "{report}");
    assert!(
        report.contains("what was read before serves on") && report.contains(&format!("line {line}")),
        "{report}"
    );
    assert_eq!(first_member(&host), "IsOk");

    fs::write(&path, contract_file("State")).unwrap();
    let reload = host.command(&["reload"]);
    let report = String::from_utf8_lossy(&reload.stdout).into_owned();
    assert!(reload.status.success() && report.contains("contract.toml: read again"), "{report}");
    assert_eq!(first_member(&host), "State");
}

#[test]
fn contract_flag_counts_over_the_configuration() {
    let host =
        Setup::new().plugin(EXCEL).configuration("[contract]\nprofiles = [\"missing.toml\"]").prepare();
    fs::write(host.folder().join("contract.toml"), contract_file("IsOk")).unwrap();
    let mut command = host.program();
    command.args(["serve", "--listen", "127.0.0.1:0", "--contract", "contract.toml"]);
    let process = test_support::host_process::HostProcess::start(command).unwrap();
    let page =
        test_support::http::Request::get(test_support::exchange::PATH).send(process.address()).unwrap();
    assert!(page.text().contains("of-our-service"), "{}", page.text());
}
