//! Verification of services that break one rule each, and of one that keeps all.

#![allow(clippy::expect_used, clippy::unwrap_used)]

mod changes;
mod defects;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use contract::{Guid, MemberOrder, Profile};
use erp_host_client::{Client, Options, ProfileChoice};
use erp_host_conformance::{CannotBegin, ErpCommands, Report, Verdict, Verification, Weight};

use test_support::exchange::PATH;
use test_support::http::Response;
use test_support::http::server::Received;
use test_support::other_contract::OtherContract;
use test_support::proxy::{self, Proxy};
use test_support::{BROKEN, HELLO, Setup, TestHost};

use changes::{ChangeRequest, ChangeResponse};
use defects::{Defect, defects};

/// A host with the hello connector, which keeps all rules.
fn sound_host() -> TestHost {
    Setup::new().plugin(HELLO).configuration("[log]\nlevel = \"error\"\n").start()
}

/// The rules that the hello connector has nothing for; nobody stops its ERP system.
const WITH_NOTHING: [u16; 8] = [404, 803, 805, 1106, 1502, 1503, 1504, 1505];

fn url(address: SocketAddr) -> String {
    format!("http://{address}{PATH}")
}

/// A service in front of a host, with these changes of requests and responses.
fn changed(
    host: &TestHost,
    request: impl Fn(&mut Received) + Send + Sync + 'static,
    response: impl Fn(&Received, &mut Response) + Send + Sync + 'static,
) -> Proxy {
    Proxy::in_front_of(host.address(), move |mut received, host| {
        request(&mut received);
        let mut forwarded = proxy::forward(&received.request, host).expect("the host answers");
        response(&received, &mut forwarded);
        Some(forwarded)
    })
}

fn verification(url: &str) -> Verification {
    let client = Client::new(url.parse().unwrap(), &Options::default()).unwrap();
    let profile = ProfileChoice::Service;
    Verification {
        client,
        profile,
        settings: Vec::new(),
        read_only: false,
        connection: None,
        only: Vec::new(),
        rule_timeout: Verification::RULE_TIMEOUT,
        erp: None,
    }
}

fn verify(verification: Verification) -> Result<Report, CannotBegin> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(verification.run(std::future::pending(), |_| {}))
}

#[test]
fn sound_service_keeps_all_rules_in_every_dialect() {
    let host = sound_host();
    for &dialect in contract::Dialect::ALL {
        let profile = ProfileChoice::Given(Profile::builtin(dialect, MemberOrder::Name).clone());
        let report = verify(Verification { profile, ..verification(&url(host.address())) }).unwrap();
        assert_eq!(report.broken(), Vec::<u16>::new(), "{report}");
        assert_eq!(report.skipped().iter().map(|(rule, _)| *rule).collect::<Vec<_>>(), WITH_NOTHING);
        assert_eq!(report.counts().not_applicable, 4, "{report}");
        assert!(
            report.left_behind.iter().all(|one| one.starts_with("Customer") || one.starts_with("Person"))
        );
    }
    let stored = host.command(&["connections", "list"]).stdout;
    let stored = String::from_utf8_lossy(&stored);
    assert!(stored.contains("no connections"), "every connection that was made is deleted: {stored}");
}

#[test]
fn only_some_rules_are_checked_with_those_that_they_need() {
    let host = sound_host();
    let only =
        |rules: &[u16]| verify(Verification { only: rules.to_vec(), ..verification(&url(host.address())) });
    let numbers = |report: &Report| report.results.iter().map(|(rule, _)| rule.number).collect::<Vec<_>>();
    let whole = verify(verification(&url(host.address()))).unwrap();
    let report = only(&[801, 802]).unwrap();
    assert_eq!(numbers(&report), [401, 405, 502, 601, 602, 604, 701, 703, 801, 802]);
    assert!(report.requests < whole.requests / 3, "{} of {}", report.requests, whole.requests);
    assert_eq!((report.broken(), report.skipped()), (vec![], vec![]), "{report}");
    assert_eq!(
        only(&[801, 8011]).unwrap_err().to_string(),
        "there is no rule 8011; docs/verify.md lists them"
    );
    // A rule alone has the verdict that it has among all.
    for rule in [106, 406, 508, 709, 807, 811, 1002, 1004, 1104, 1108, 1203, 1301, 1410] {
        let verdict = |report: &Report| {
            let found = report.results.iter().find(|(one, _)| one.number == rule);
            format!("{:?}", found.map(|(_, verdict)| verdict))
        };
        assert_eq!(verdict(&whole), verdict(&only(&[rule]).unwrap()), "rule {rule}");
    }
}

#[test]
fn rule_that_takes_too_long_fails_with_the_call_that_took_it() {
    let host = sound_host();
    // A service that is silent from the first search on, until the client hangs up.
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = Mutex::new(held);
    let proxy = Proxy::in_front_of(host.address(), move |received, host| {
        if received.operation() == "WSSearchActors" {
            let _ = held.lock().unwrap().recv();
            return None;
        }
        Some(proxy::forward(&received.request, host).expect("the host answers"))
    });
    let rule_timeout = Duration::from_secs(1);
    let only = vec![809];
    let report = verify(Verification { only, rule_timeout, ..verification(&url(proxy.address())) }).unwrap();
    drop(release);
    assert_eq!(report.broken(), [809], "{report}");
    let text = report.to_string();
    assert!(
        text.contains("within its time limit of 1s: the longest of its 1 calls, WSSearchActors, took 1."),
        "{text}"
    );
}

#[test]
fn service_with_unique_names_of_one_line_and_persons_below_companies_keeps_all_rules() {
    let host = sound_host();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (names, refused) = (Arc::clone(&seen), Arc::new(Mutex::new(BTreeMap::new())));
    let refusals = Arc::clone(&refused);
    let proxy = changed(
        &host,
        |_| {},
        move |asked, answer| {
            // No person that is there has a parent, so that nothing shows that they need one.
            let parent = "<ParentActorType>Customer</ParentActorType><ParentErpKey>C1</ParentErpKey>";
            answer.replace(parent, "<ParentActorType i:nil=\"true\"/><ParentErpKey i:nil=\"true\"/>");
            let text = asked.text();
            let mut refuse = |why: &'static str| {
                *refusals.lock().unwrap().entry(why).or_insert(0) += 1;
                answer.fail(why);
            };
            let is_save = asked.operation() == "WSSaveActors";
            if is_save && ["\t", "&#x9;", "&#9;"].iter().any(|tab| text.contains(tab)) {
                refuse("a name has no tabs");
            }
            if asked.operation() != "WSCreateActor" {
                return;
            }
            if text.contains("<ActorType>Person<") && text.contains("<ParentErpKey i:nil") {
                return refuse("a person needs a company");
            }
            if let Some((_, name)) = text.split_once("erp-host verify ") {
                names.lock().unwrap().push(name.split('<').next().unwrap().to_owned());
            }
        },
    );
    let report = verify(verification(&url(proxy.address()))).unwrap();
    assert_eq!(report.broken(), Vec::<u16>::new(), "{report}");
    assert!(report.left_behind.iter().any(|one| one.starts_with("Person")), "{:?}", report.left_behind);
    let mut names = seen.lock().unwrap().clone();
    let count = names.len();
    names.sort();
    names.dedup();
    assert!(count > 10 && names.len() == count, "{count} names, {names:?}");
    let refused = refused.lock().unwrap();
    assert_eq!(refused["a person needs a company"], 1, "a parent is found once: {refused:?}");
    assert!(refused["a name has no tabs"] > 0, "{refused:?}");
}

#[test]
fn read_only_verification_writes_nothing() {
    let host = sound_host();
    let proxy = changed(
        &host,
        |_| {},
        |asked, _| {
            let operation = asked.operation();
            assert!(!["WSCreateActor", "WSSaveActors"].contains(&operation.as_str()), "{}", asked.text());
        },
    );
    let report = verify(Verification { read_only: true, ..verification(&url(proxy.address())) }).unwrap();
    assert_eq!(report.broken(), Vec::<u16>::new(), "{report}");
    assert_eq!(report.left_behind, Vec::<String>::new());
    let skipped = report.skipped();
    assert!(
        (1101..=1108).all(|rule| skipped.contains(&(rule, "nothing may be written: --read-only"))),
        "{skipped:?}"
    );
}

/// A service of another contract in front of a host, and what is found about it.
fn verified_in_contract(contract: &OtherContract, replies: Arc<Profile>, choice: ProfileChoice) -> Report {
    let host = sound_host();
    let service = contract.in_front_of(host.address(), replies);
    verify(Verification { profile: choice, ..verification(&url(service.address())) }).unwrap()
}

#[test]
fn service_of_another_contract_keeps_all_rules() {
    for (name, nearest, order, difference, unknown) in [
        (
            "reversed",
            "message-declared",
            "own",
            "replies of WSGetConfigData, WSGetSupportedActorTypeFields: UserExplanation comes first",
            None,
        ),
        (
            "quote-style",
            "message-by-operation-declared",
            "own",
            "requests of all operations but WSGetConfigData, WSTestConfigData, Authenticate: ConnectionGuid is a SOAP header",
            Some("replies: ServerVersion, of the type string"),
        ),
        (
            "split",
            "data",
            "name",
            "replies of all operations but Authenticate: Served",
            Some("the operation "),
        ),
    ] {
        let contract = OtherContract::new(name);
        let report = verified_in_contract(&contract, contract.profile().clone(), ProfileChoice::Service);
        assert_eq!(report.broken(), Vec::<u16>::new(), "{name}: {report}");
        assert_eq!(report.skipped().iter().map(|(rule, _)| *rule).collect::<Vec<_>>(), WITH_NOTHING);
        let (text, json, junit) = (report.to_string(), report.to_json(), report.to_junit());
        let json = &json["contract"];
        assert_eq!(
            (&json["profile"], &json["source"], &json["nearest"], &json["reply_order"]),
            (&"learned".into(), &"wsdl".into(), &nearest.into(), &order.into()),
            "{json:#}"
        );
        assert!(
            text.contains("contract: the profile learned, from the service's WSDL; members of replies"),
            "{text}"
        );
        assert!(text.contains(&format!("  - {difference}")), "{text}");
        assert!(json["differences"].to_string().contains(difference), "{json:#}");
        assert!(junit.contains("<property name=\"contract.profile\" value=\"learned\"/>"), "{junit}");
        assert!(junit.contains(&format!("name=\"contract.difference\" value=\"{difference}")), "{junit}");
        if let Some(unknown) = unknown {
            assert!(text.contains(&format!("  - {unknown}")), "{text}");
            assert!(json["unknown"].to_string().contains(unknown), "{json:#}");
        }
        roxmltree::Document::parse(&junit).unwrap();
    }
}

#[test]
fn host_keeps_all_rules_in_the_contract_that_it_is_configured_with() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["reversed", "quote-style", "split"] {
        let file = folder.path().join(format!("{name}.toml"));
        std::fs::write(&file, OtherContract::new(name).file()).unwrap();
        let configuration = format!("[contract]\nprofiles = [{file:?}]\n[log]\nlevel = \"error\"\n");
        let host = Setup::new().plugin(HELLO).configuration(&configuration).start();
        let report = verify(verification(&url(host.address()))).unwrap();
        assert_eq!(report.broken(), Vec::<u16>::new(), "{name}: {report}");
        let contract = &report.to_json()["contract"];
        assert_eq!((&contract["profile"], &contract["source"]), (&"learned".into(), &"wsdl".into()));
    }
    let configuration = "[contract]\nreply_order = \"declared\"\n[log]\nlevel = \"error\"\n";
    let host = Setup::new().plugin(HELLO).configuration(configuration).start();
    let report = verify(verification(&url(host.address()))).unwrap();
    assert_eq!(report.broken(), Vec::<u16>::new(), "{report}");
    let contract = &report.to_json()["contract"];
    assert_eq!(
        (&contract["profile"], &contract["reply_order"]),
        (&"message-declared".into(), &"declared".into())
    );
}

#[test]
fn replies_are_held_to_the_order_of_the_services_own_wsdl() {
    let reversed = OtherContract::new("reversed");
    let message = Profile::builtin(contract::Dialect::Message, MemberOrder::Name);
    // Members ordered by name are wrong for this service, whatever the built-in dialects have.
    let report = verified_in_contract(&reversed, message.clone(), ProfileChoice::Service);
    assert!(report.broken().contains(&1404), "{report}");
    let text = report.to_string();
    let expected = "WSGetConfigData: FieldMetadataInfoArrayPluginResponseWS: FieldMetaDataObjects comes after ErrorCode, expected before it";
    assert!(text.contains(expected), "{text}");

    let split = OtherContract::new("split");
    let report = verified_in_contract(&split, message.clone(), ProfileChoice::Service);
    assert!(report.broken().contains(&1402), "{report}");
}

#[test]
fn operation_that_the_wsdl_does_not_have_is_found_and_not_called() {
    let contract = OtherContract::new("quote-style");
    for operation in ["WSGetList", "WSGetConfigData"] {
        let host = sound_host();
        let service = contract.in_front_of(host.address(), contract.profile().clone());
        let (quoted, other) = (format!("\"{operation}\""), format!("\"{operation}2\""));
        let proxy = Proxy::in_front_of(service.address(), move |received, service| {
            assert_ne!(received.operation(), operation);
            let mut response = proxy::forward(&received.request, service).expect("the service answers");
            if received.request.method == "GET" {
                response.replace(&quoted, &other);
            }
            Some(response)
        });
        let report = verify(verification(&url(proxy.address()))).unwrap();
        assert_eq!(report.broken(), [104], "{report}");
        let reason = format!("the WSDL has no operation {operation}: see rule 104");
        assert!(report.skipped().iter().any(|(_, why)| *why == reason), "{report}");
        let text = report.to_string();
        assert!(text.contains(&format!("  - the operation {operation} is not described")), "{text}");
        assert!(text.contains(&format!("  - the operation {operation}2")), "{text}");
    }
}

#[test]
fn given_profile_is_compared_with_the_wsdl() {
    let reversed = OtherContract::new("reversed");
    let choice = ProfileChoice::Given(reversed.profile().clone());
    let report = verified_in_contract(&reversed, reversed.profile().clone(), choice);
    assert_eq!(report.to_json()["contract"]["source"], "given");
    assert!(!report.broken().contains(&105), "{report}");

    let plain = Profile::builtin(contract::Dialect::Plain, MemberOrder::Name);
    let host = sound_host();
    let proxy = changed(
        &host,
        |_| {},
        |asked, answer| {
            if asked.request.method == "GET" && asked.target().1.contains("wsdl") {
                let wsdl = contract::wsdl(contract::Dialect::Data, MemberOrder::Name, "http://localhost/");
                answer.body = wsdl.into_bytes();
            }
        },
    );
    let profile = ProfileChoice::Given(plain.clone());
    let report = verify(Verification { profile, ..verification(&url(proxy.address())) }).unwrap();
    let text = report.to_string();
    assert!(text.contains("the WSDL is that of data, but the service is called in plain"), "{text}");
}

#[test]
fn service_without_a_usable_wsdl_is_verified_in_the_dialect_that_it_answers_in() {
    let host = sound_host();
    let proxy = changed(
        &host,
        |_| {},
        |asked, answer| {
            if asked.request.method == "GET" {
                answer.refuse(403);
            }
        },
    );
    let report = verify(verification(&url(proxy.address()))).unwrap();
    assert_eq!(report.broken(), [101, 202], "{report}");
    let contract = &report.to_json()["contract"];
    assert_eq!((&contract["profile"], &contract["source"]), (&"message".into(), &"detected".into()));
    let text = report.to_string();
    assert!(
        text.contains("  the WSDL is not used: the WSDL http://") && text.contains("status 403"),
        "{text}"
    );
}

/// Verifies services with these defects: each report must have the rule that is broken, and no rule of another group.
fn try_defects(of: impl Fn(&Defect) -> bool) {
    let host = sound_host();
    let mut wrong = String::new();
    let mut tried = 0;
    for defect in defects().into_iter().filter(|defect| of(defect)) {
        tried += 1;
        let proxy = changed(&host, defect.asked, defect.answered);
        // Rules that do not write are checked without writing, which takes less time.
        let read_only = defect.rule / 100 != 11;
        let report = match verify(Verification { read_only, ..verification(&url(proxy.address())) }) {
            Ok(report) => report,
            Err(error) => {
                let _ = writeln!(wrong, "{}: rule {}: cannot begin: {error}", defect.what, defect.rule);
                continue;
            }
        };
        let broken = report.broken();
        let strangers: Vec<&u16> = broken.iter().filter(|rule| **rule / 100 != defect.rule / 100).collect();
        if !broken.contains(&defect.rule) || !strangers.is_empty() {
            let failed: BTreeMap<u16, String> = report
                .results
                .iter()
                .filter_map(|(rule, verdict)| match verdict {
                    Verdict::Failed(found) => Some((rule.number, found[0].text.clone())),
                    _ => None,
                })
                .collect();
            let why = report.skipped().into_iter().find(|(rule, _)| *rule == defect.rule);
            let _ = writeln!(
                wrong,
                "{}: expected rule {} to be broken, not {failed:#?} {why:?}",
                defect.what, defect.rule
            );
        }
    }
    assert!(tried > 0);
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn defects_around_the_messages_are_found() {
    try_defects(|defect| defect.rule < 400);
}

#[test]
fn defects_of_settings_connections_and_fields_are_found() {
    try_defects(|defect| (400..700).contains(&defect.rule));
}

#[test]
fn defects_of_actors_and_searching_are_found() {
    try_defects(|defect| (700..900).contains(&defect.rule));
}

#[test]
fn defects_of_lists_stamps_and_writing_are_found() {
    try_defects(|defect| (900..1300).contains(&defect.rule));
}

#[test]
fn defects_for_odd_requests_are_found() {
    try_defects(|defect| (1300..1400).contains(&defect.rule));
}

#[test]
fn losses_of_a_wcf_client_are_found() {
    try_defects(|defect| defect.rule >= 1400);
}

/// Rules that the broken connector breaks over SOAP as it does in process. Of the others that it breaks in process, the host
/// catches the panics, a form or settings that are refused (401, 405) end it before it begins, and the rest are promises of the plugin API that
/// the contract does not have.
const BY_CONNECTOR: [u16; 44] = [
    402, 403, 404, 406, 502, 601, 602, 603, 604, 607, 701, 702, 703, 704, 705, 706, 707, 708, 709, 801, 802,
    803, 804, 805, 806, 808, 809, 810, 811, 812, 901, 902, 903, 1001, 1003, 1101, 1102, 1103, 1104, 1105,
    1106, 1109, 1110, 1202,
];

#[test]
fn broken_connectors_break_the_same_rules_over_soap() {
    let mut wrong = String::new();
    for rule in BY_CONNECTOR {
        let options = format!("[connectors.Broken.options]\nrule = \"{rule}\"\n[log]\nlevel = \"error\"\n");
        let host = Setup::new().plugin(BROKEN).configuration(&options).start();
        let settings = vec![("Server".to_owned(), Some("test".to_owned()))];
        let read_only = rule / 100 != 11;
        let verification = Verification { settings, read_only, ..verification(&url(host.address())) };
        let report = verify(verification).unwrap();
        if !report.broken().contains(&rule) {
            let _ = writeln!(wrong, "rule {rule}: broken are {:?}", report.broken());
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Rules of an ERP system that fails, which the broken connector breaks over SOAP.
const BY_OUTAGE: [u16; 3] = [1503, 1504, 1505];

#[test]
fn erp_system_that_is_stopped_and_started_by_commands_shows_what_a_service_does_meanwhile() {
    thread::scope(|scope| {
        for rule in [0].into_iter().chain(BY_OUTAGE) {
            scope.spawn(move || {
                let folder = tempfile::tempdir().unwrap();
                let erp = folder.path().join("erp");
                let options = format!(
                    "call_deadline = \"3s\"\n[connectors.Broken.options]\nrule = \"{rule}\"\nerp = {:?}\n[log]\nlevel = \"error\"\n",
                    erp.display().to_string()
                );
                let host = Setup::new().plugin(BROKEN).configuration(&options).start();
                let command = |state: &str| format!("echo {state} > '{}'", erp.display());
                let erp = Some(ErpCommands {
                    stop: Some(command("away")),
                    slow: Some(command("slow")),
                    start: command("working"),
                });
                let settings = vec![("Server".to_owned(), Some("test".to_owned()))];
                let only = vec![1502, 1503, 1504, 1505];
                let verification = Verification { settings, only, erp, ..verification(&url(host.address())) };
                let report = verify(verification).unwrap();
                let expected = if rule == 0 { vec![] } else { vec![rule] };
                assert_eq!((report.broken(), report.skipped()), (expected, vec![]), "rule {rule}: {report}");
            });
        }
    });
}

/// Rules that are not tried, with the reason.
const UNTRIED: [(u16, &str); 6] = [
    (310, "a service that is gone answers no other rule either"),
    (505, "needs a service that remembers"),
    (507, "needs a service that remembers"),
    (508, "needs a service that remembers"),
    (1201, "needs calls that meet for certain"),
    (1502, "the host answers at its deadline"),
];

#[test]
fn rules_are_each_broken_by_some_service() {
    let host = sound_host();
    let report = verify(verification(&url(host.address()))).unwrap();
    let tried: Vec<u16> =
        defects().iter().map(|defect| defect.rule).chain(BY_CONNECTOR).chain(BY_OUTAGE).collect();
    let applicable = report.results.iter().filter(|(_, verdict)| !matches!(verdict, Verdict::NotApplicable));
    for (rule, _) in applicable {
        let reason = UNTRIED.iter().find(|(untried, _)| *untried == rule.number);
        assert_ne!(
            tried.contains(&rule.number),
            reason.is_some(),
            "rule {} is tried, or named with a reason",
            rule.number
        );
    }
    assert!(report.results.iter().any(|(rule, _)| rule.weight == Weight::Should));
}

#[test]
fn verification_that_cannot_begin_says_why_in_one_sentence() {
    let host = sound_host();
    let with = |settings: &[(&str, &str)]| {
        let settings =
            settings.iter().map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned()))).collect();
        verify(Verification { settings, ..verification(&url(host.address())) }).unwrap_err().to_string()
    };
    assert_eq!(with(&[("Server", "x")]), "the service has no setting \"Server\", only Prefix");
    let of = |connection: Option<Guid>, name: &str| {
        let url = format!("{}{name}", url(host.address()));
        verify(Verification { connection, ..verification(&url) }).unwrap_err().to_string()
    };
    let error = of(None, "?ConnectorName=Visma");
    assert!(error.starts_with("the service does not show the settings of this connector: "), "{error}");
    assert!(error.contains("Visma"), "{error}");
    let error = of(Some(Guid::from_u128(1)), "");
    assert!(
        error.starts_with(
            "the connection 00000000-0000-0000-0000-000000000001 does not work (WSTestConnection): "
        ),
        "{error}"
    );

    let no_default = changed(
        &host,
        |_| {},
        |_, answer| {
            answer.replace("<DefaultValue>N</DefaultValue>", "<DefaultValue/>");
        },
    );
    let error = verify(verification(&url(no_default.address()))).unwrap_err().to_string();
    assert_eq!(error, "the service asks for settings that have no default: give --set Prefix=..");

    let page = changed(
        &host,
        |_| {},
        |_, answer| {
            answer.set_header("content-type", "text/html");
            answer.body = b"<html><title>Welcome</title></html>".to_vec();
        },
    );
    let error = verify(verification(&url(page.address()))).unwrap_err().to_string();
    assert!(error.contains("there is no connector at this address") && error.contains("Welcome"), "{error}");
}

#[test]
fn settings_that_are_refused_are_tried_once_and_no_rule_is_checked() {
    let host = sound_host();
    // The operations that settings came with.
    let tried = Arc::new(Mutex::new(Vec::new()));
    let refusing = |refused: &'static str, fault: bool| {
        let tried = Arc::clone(&tried);
        changed(
            &host,
            |_| {},
            move |asked, answer| {
                if asked.text().contains(">qwe<") {
                    tried.lock().unwrap().push(asked.operation());
                    if asked.operation() == refused {
                        if fault { answer.fault() } else { answer.fail("the user or the password is wrong") }
                    }
                }
            },
        )
    };
    let settings = vec![("Prefix".to_owned(), Some("qwe".to_owned()))];
    let try_with = |proxy: &Proxy| {
        tried.lock().unwrap().clear();
        verify(Verification { settings: settings.clone(), ..verification(&url(proxy.address())) })
    };
    let error = try_with(&refusing("WSTestConfigData", false)).unwrap_err().to_string();
    let expected =
        "the settings do not pass the test (WSTestConfigData): the user or the password is wrong; nothing";
    assert!(error.starts_with(expected) && !error.contains('\n'), "{error}");
    assert_eq!(*tried.lock().unwrap(), ["WSTestConfigData"]);

    // A fault breaks the rule; nothing more is tried all the same.
    let report = try_with(&refusing("WSTestConfigData", true)).unwrap();
    assert_eq!(report.broken(), [405], "{report}");
    assert_eq!(*tried.lock().unwrap(), ["WSTestConfigData"]);
    assert!(report.skipped().contains(&(502, "needs rule 405, which is not kept")), "{report}");

    let report = try_with(&refusing("WSSaveConnection", false)).unwrap();
    assert_eq!(report.broken(), [502], "{report}");
    assert_eq!(*tried.lock().unwrap(), ["WSTestConfigData", "WSSaveConnection"]);
}

#[test]
fn reports_show_the_exchange_and_hide_passwords() {
    let host = sound_host();
    // The only setting becomes a password, and saving it fails.
    let proxy = changed(
        &host,
        |_| {},
        |asked, answer| {
            answer.replace(
                "<FieldType>Text</FieldType><ListName i:nil=\"true\"/><MaxLength>5",
                "<FieldType>Password</FieldType><ListName i:nil=\"true\"/><MaxLength>5",
            );
            if asked.operation() == "WSSaveConnection" {
                answer.fail("no such user");
            }
        },
    );
    let settings = vec![("Prefix".to_owned(), Some("q<&9".to_owned()))];
    let report = verify(Verification { settings, ..verification(&url(proxy.address())) }).unwrap();
    let (text, json, junit) = (report.to_string(), report.to_json().to_string(), report.to_junit());
    for report in [&text, &json] {
        assert!(
            report.contains("no such user") && report.contains("********") && !report.contains("hunter2"),
            "{report}"
        );
    }
    assert!(text.contains("rule 502 FAILED: A connection that was saved works."), "{text}");
    assert!(text.contains("  < status 200, text/xml; charset=utf-8\n"), "{text}");
    let document = roxmltree::Document::parse(&junit).unwrap();
    let failures = document.descendants().filter(|node| node.has_tag_name("failure")).count();
    assert_eq!(failures, report.counts().failed, "{junit}");
    assert_eq!(
        document.descendants().filter(|node| node.has_tag_name("testcase")).count(),
        report.results.len() - report.counts().not_applicable
    );
}
