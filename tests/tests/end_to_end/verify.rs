//! `erp-host call` and `erp-host verify`, as an operator runs them.

use test_support::http::Response;
use test_support::other_contract::OtherContract;
use test_support::proxy::{self, Proxy};
use test_support::{EXCEL, HELLO, Setup, TestHost, WORKBOOK};

/// What a command prints, and how it ends.
fn run(host: &TestHost, arguments: &[&str]) -> (String, String, Option<i32>) {
    let output = host.command(arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code())
}

#[test]
fn connectors_that_ship_with_the_host_keep_all_rules() {
    let host = Setup::new().plugin(EXCEL).plugin(HELLO).start();
    let url = host.address().to_string();
    let junit = host.folder().join("verify.xml");
    let json = host.folder().join("verify.json");
    let setting = format!("Filename={WORKBOOK}");
    let (out, err, code) = run(
        &host,
        &[
            "verify",
            &url,
            "--connector",
            "Excel",
            "--set",
            &setting,
            "--junit",
            junit.to_str().unwrap(),
            "--json",
            json.to_str().unwrap(),
        ],
    );
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains(" 0 failed, 0 warnings, "), "{out}");
    assert!(err.contains("checking rule 101 (1 of "), "{err}");
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert_eq!(report["failed"], 0);
    let skipped: Vec<u64> = report["rules"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|rule| rule["verdict"] == "skipped")
        .map(|rule| rule["rule"].as_u64().unwrap())
        .collect();
    // No setting of the Excel connector has a default or a list, and no command stops a workbook.
    assert_eq!(skipped, [403, 404, 1502, 1503, 1504, 1505], "{out}");
    assert!(std::fs::read_to_string(&junit).unwrap().contains("failures=\"0\""));
    assert!(run(&host, &["connections", "list"]).0.contains("no connections"), "it cleans up");

    let (out, err, code) = run(&host, &["verify", &url, "--connector", "Hello", "--read-only", "--quiet"]);
    assert_eq!((err.as_str(), code), ("", Some(0)), "{out}");
    // Nothing fails, so there is only the summary.
    let summary = out.trim_start().lines().next().unwrap();
    assert!(summary.contains(" passed, 0 failed, ") && !out.contains("  passed  "), "{out}");
    assert!(!out.contains('\x1b'), "a pipe gets no colours: {out:?}");
}

#[test]
fn verification_that_cannot_begin_says_why_in_a_sentence() {
    let host = Setup::new().plugin(EXCEL).start();
    let url = host.address().to_string();
    for (arguments, expected) in [
        (
            vec!["verify", url.as_str()],
            "erp-host: the service asks for settings that have no default: give --set Filename=..\n",
        ),
        (vec!["verify", "http://127.0.0.1:1/"], "nobody listens at 127.0.0.1:1: the connection was refused"),
        (vec!["verify", "ftp://example.com"], "http:// or https://"),
    ] {
        let (out, err, code) = run(&host, &arguments);
        assert_eq!((out.as_str(), code), ("", Some(2)), "{err}");
        assert!(err.contains(expected), "{err}");
    }
}

#[test]
fn targets_of_the_configuration_are_called_verified_and_simulated() {
    let host = Setup::new().plugin(HELLO).plugin(EXCEL).start();
    let url = host.address().to_string();
    let written = |name: &str, text: &str| {
        let path = host.folder().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let settings = written("hello.settings", "Prefix=FILE\n");
    let file = written(
        "targets.toml",
        &format!(
            "[targets.hello]\nurl = \"http://{url}\"\nconnector = \"Hello\"\nsettings_file = {settings:?}\ndialect = \"plain\"\n\
             [targets.wrong]\nurl = \"{url}\"\nconnector = \"Visma\"\n[targets.other]\nurl = \"ftp://erp\"\n"
        ),
    );
    let call = |arguments: &[&str]| run(&host, &[arguments, &["--config", &file]].concat());
    const GUID: &str = "3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf";
    let created = |arguments: &[&str]| {
        let (out, err, code) = call(&[&["call", "@hello", "saveconnection", "-c", GUID], arguments].concat());
        assert_eq!((code, out.contains("profile plain")), (Some(0), true), "{out}{err}");
        call(&["call", "@hello", "createactor", "-c", GUID, "-t", "Customer", "--set", "NAME=A", "--json"]).0
    };
    assert!(
        created(&[]).contains("\"FILE"),
        "the settings of the target are saved, and are no fields of an actor"
    );
    assert!(created(&["--set", "Prefix=FLAG"]).contains("\"FLAG"), "a flag counts over the target");
    assert_eq!(call(&["call", "@hello", "deleteconnection", "-c", GUID]).2, Some(0));
    let (out, err, code) = call(&["verify", "@hello", "--read-only", "--quiet"]);
    assert_eq!(code, Some(0), "{out}{err}");
    let (out, err, code) = call(&["simulate", "@hello", "--rounds", "1", "--quiet"]);
    assert_eq!(code, Some(0), "{out}{err}");

    for command in
        [&["verify", "@nobody"][..], &["call", "@nobody", "getconfigdata"], &["simulate", "@nobody"]]
    {
        let (out, err, code) = call(command);
        let expected =
            format!("erp-host: there is no target @nobody in {file}, only @hello, @other, @wrong\n");
        assert_eq!((out.as_str(), err.as_str(), code), ("", expected.as_str(), Some(2)), "{command:?}");
    }
    let (_, err, code) = call(&["verify", "@wrong"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("does not show the settings of this connector: ") && err.contains("Visma"), "{err}");
    let (_, err, code) = call(&["verify", "@other"]);
    assert_eq!(code, Some(2));
    assert!(
        err.starts_with("erp-host: the url of [targets.other]: \"ftp://erp\" is not an address to call"),
        "{err}"
    );
    let (_, err, code) = run(&host, &["call", "@hello", "getconfigdata"]);
    assert_eq!(code, Some(2));
    assert!(
        err.contains("there is no target @hello: ") && err.contains("has no section [targets.hello]"),
        "{err}"
    );
}

#[test]
fn simulate_takes_some_types_and_waits_for_an_erp_system_that_is_away() {
    let host = Setup::new().plugin(HELLO).start();
    let saves = std::sync::atomic::AtomicUsize::new(0);
    // Every second save is refused, as the ERP system is away. Changes are answered with a margin: everything, always.
    let proxy = Proxy::in_front_of(host.address(), move |mut received, host| {
        let text = String::from_utf8_lossy(&received.request.body).into_owned();
        let is_save = text.contains("<SaveActorsRequestWS");
        if is_save && saves.fetch_add(1, std::sync::atomic::Ordering::Relaxed).is_multiple_of(2) {
            received.request.body = text.replace("<ErpKey>", "<ErpKey>nobody").into_bytes();
            let mut answer = proxy::forward(&received.request, host).ok()?;
            let refusal = answer.text();
            assert!(refusal.contains("<State>Error</State>"), "{refusal}");
            let (start, rest) = refusal.split_once("<TechExplanation>")?;
            let (_, end) = rest.split_once("</TechExplanation>")?;
            let away = "<TechExplanation>unavailable: it restarts</TechExplanation>";
            answer.body = format!("{start}{away}{end}").into_bytes();
            return Some(answer);
        }
        if let Some((start, rest)) = text.split_once("<UpdatedOnOrAfter>")
            && let Some((_, end)) = rest.split_once("</UpdatedOnOrAfter>")
        {
            received.request.body = format!("{start}<UpdatedOnOrAfter></UpdatedOnOrAfter>{end}").into_bytes();
        }
        proxy::forward(&received.request, host).ok()
    });
    let url = proxy.address().to_string();
    let json = host.folder().join("simulate.json");
    let simulate = ["simulate", &url, "--only", "Customer", "--rounds", "3", "--seed", "7", "--verbose"];
    let (out, err, code) = run(&host, &[&simulate[..], &["--json", json.to_str().unwrap()]].concat());
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(!out.contains("Person") && out.contains("converged: both sides are equal"), "{out}");
    assert!(!out.contains("it restarts"), "no change is taken back: {out}");
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert!(report["counts"]["calls_tried_again"].as_u64() > Some(0), "{report}");

    let (_, err, code) = run(&host, &["simulate", &url, "--only", "Companies"]);
    assert_eq!(code, Some(2));
    assert_eq!(err, "erp-host: the connector has no actor type \"Companies\", only Customer, Person\n");

    // Nobody reads what it prints.
    for arguments in [&["simulate", &url, "--rounds", "1"][..], &["simulate", "127.0.0.1:1"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = host.program();
        command.args(arguments).stdin(std::process::Stdio::null());
        command.stdout(writer.try_clone().unwrap()).stderr(writer);
        let expected = if arguments.len() > 2 { 0 } else { 2 };
        assert_eq!(command.status().unwrap().code(), Some(expected), "{arguments:?}");
    }
}

#[test]
fn calls_show_their_answer_and_end_with_its_state() {
    let host = Setup::new().plugin(HELLO).start();
    let url = host.address().to_string();
    const GUID: &str = "{3AEF3AF6-8642-4FC1-8DC9-4E08BD76A6BF}";
    let ok = |arguments: &[&str]| {
        let (out, err, code) = run(&host, &[&["call", url.as_str()], arguments].concat());
        assert_eq!(code, Some(0), "{arguments:?}: {out}{err}");
        out
    };
    ok(&["saveconnection", "-c", GUID, "--set", "Prefix=X"]);
    let created =
        ok(&["CreateActor", "-c", GUID, "-t", "Customer", "--set", "NAME=Ærlig & Sønner", "--json"]);
    let created: serde_json::Value = serde_json::from_str(&created).unwrap();
    assert_eq!(created["Actor"]["ErpKey"], "X4", "{created}");
    let found =
        ok(&["searchactorsadvanced", "-c", GUID, "-t", "Customer", "-w", "NAME ends SØNNER", "-f", "NAME"]);
    assert!(found.contains("X4   Ærlig & Sønner") && found.contains("1 actor\nstate Ok\n"), "{found}");
    let credit = ["--set", "CREDIT=[F:1234.5]"];
    ok(&[&["createactor", "-c", GUID, "-t", "Customer", "--set", "NAME=B"], &credit[..]].concat());
    let table =
        |more: &[&str]| ok(&[&["getactors", "-c", GUID, "-t", "Customer", "-k", "X5"], more].concat());
    assert!(table(&[]).contains(" 1234.5 ") && !table(&[]).contains("[F:"), "{}", table(&[]));
    assert!(table(&["--raw"]).contains(" [F:1234.5] "), "{}", table(&["--raw"]));
    let narrow = ["call", &url, "getactors", "-c", GUID, "-t", "Customer", "-k", "X5"];
    let narrow = host.command_with(&narrow, &[("COLUMNS", "40")]).stdout;
    let narrow = String::from_utf8(narrow).unwrap();
    let mut rows = narrow.lines().take_while(|line| *line != "1 actor");
    assert!(rows.clone().count() > 2 && rows.all(|row| row.chars().count() <= 40), "{narrow}");
    let raw = ok(&["getactors", "-c", GUID, "-t", "Person", "-k", "P1", "--xml", "--dialect", "plain"]);
    assert!(raw.contains("SOAPAction: \"http") && raw.contains("<ErpKey>P1</ErpKey>"), "{raw}");

    let unknown = "00000000-0000-4000-8000-00000000abcd";
    let (out, err, code) = run(&host, &["call", &url, "testconnection", "-c", unknown]);
    assert_eq!(code, Some(1));
    assert!(
        out.starts_with("WSTestConnection in ") && out.lines().count() == 1,
        "the error is shown once: {out}"
    );
    assert!(
        err.starts_with("erp-host: WSTestConnection: ") && err.contains("[UNKNOWN_CONNECTION_ID]"),
        "{err}"
    );
    let (_, err, code) = run(&host, &["call", &url, "getactors"]);
    assert_eq!(
        (err.as_str(), code),
        ("erp-host: WSGetActors needs --connection; see erp-host call --help\n", Some(2))
    );
}

#[test]
fn services_of_another_contract_are_called_verified_and_simulated() {
    let host = Setup::new().plugin(HELLO).start();
    let contract = OtherContract::new("quote-style");
    let service = contract.in_front_of(host.address(), contract.profile().clone());
    let url = service.address().to_string();
    const GUID: &str = "3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf";
    let ok = |arguments: &[&str]| {
        let (out, err, code) = run(&host, arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {out}{err}");
        assert!(!err.contains("note: "), "{err}");
        out
    };
    ok(&["call", &url, "saveconnection", "-c", GUID, "--set", "Prefix=X"]);
    let found = ok(&["call", &url, "getactors", "-c", GUID, "-t", "Person", "-k", "P1"]);
    assert!(found.contains("1 actor\nstate Ok\n") && found.ends_with(" bytes, profile learned\n"), "{found}");
    let raw = ok(&["call", &url, "getactors", "-c", GUID, "-t", "Person", "-k", "P1", "--xml"]);
    assert!(raw.contains("<s:Header>") && raw.contains("Result>"), "{raw}");

    // By a contract file, without the WSDL.
    let file = host.folder().join("contract.toml");
    let file = file.to_str().unwrap();
    ok(&["contract", "learn", &format!("http://{url}"), "--out", file]);
    let by_file =
        ok(&["call", &url, "getactors", "-c", GUID, "-t", "Person", "-k", "P1", "--contract", file]);
    assert!(by_file.ends_with(" bytes, profile contract\n"), "{by_file}");
    let (_, err, code) = run(&host, &["call", &url, "getconfigdata", "--contract", "none.toml"]);
    assert_eq!(code, Some(2));
    assert!(err.starts_with("erp-host: none.toml: it cannot be read"), "{err}");
    let (_, _, code) = run(&host, &["call", &url, "getconfigdata", "--contract", file, "--dialect", "plain"]);
    assert_eq!(code, Some(2));
    ok(&["call", &url, "deleteconnection", "-c", GUID]);

    let verified = ok(&["verify", &url, "--quiet"]);
    assert!(verified.contains("contract: the profile learned, from the service's WSDL"), "{verified}");
    assert!(
        verified.contains("  - requests of WSGetActors: ErpKeys comes first, ActorType last"),
        "{verified}"
    );
    let simulated = ok(&["simulate", &url, "--rounds", "2", "--seed", "7"]);
    assert!(simulated.contains(" in profile learned, seed 7"), "{simulated}");
    assert!(simulated.contains("converged: both sides are equal"), "{simulated}");
}

#[test]
fn services_without_a_wsdl_are_called_in_a_dialect_with_a_note() {
    let host = Setup::new().plugin(HELLO).start();
    let proxy = Proxy::in_front_of(host.address(), |received, host| match received.request.method.as_str() {
        "GET" => Some(Response::new(403, "text/plain", "not from here")),
        _ => proxy::forward(&received.request, host).ok(),
    });
    let url = proxy.address().to_string();
    let (out, err, code) = run(&host, &["call", &url, "getconfigdata"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.ends_with(" bytes, profile message\n"), "{out}");
    assert!(err.starts_with("erp-host: note: the WSDL http://") && err.matches('\n').count() == 1, "{err}");
    assert!(err.contains("status 403") && err.contains("--dialect"), "{err}");
    let (_, err, code) = run(&host, &["call", &url, "getconfigdata", "--dialect", "message"]);
    assert_eq!((err.as_str(), code), ("", Some(0)));
}
