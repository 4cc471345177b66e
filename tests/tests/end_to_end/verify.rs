//! `erp-host call` and `erp-host verify`, as an operator runs them.

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
    // No setting of the Excel connector has a default or a list.
    assert_eq!(skipped, [403, 404], "{out}");
    assert!(std::fs::read_to_string(&junit).unwrap().contains("failures=\"0\""));
    assert!(run(&host, &["connections", "list"]).0.contains("no connections"), "it cleans up");

    let (out, _, code) = run(&host, &["verify", &url, "--connector", "Hello", "--read-only", "--quiet"]);
    assert_eq!(code, Some(0), "{out}");
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
    let raw = ok(&["getactors", "-c", GUID, "-t", "Person", "-k", "P1", "--xml", "--dialect", "plain"]);
    assert!(raw.contains("SOAPAction: \"http") && raw.contains("<ErpKey>P1</ErpKey>"), "{raw}");

    let unknown = "00000000-0000-4000-8000-00000000abcd";
    let (_, err, code) = run(&host, &["call", &url, "testconnection", "-c", unknown]);
    assert_eq!(code, Some(1));
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
