//! `erp-host simulate` against real hosts, and against services that are broken in one way.

mod defects;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::Value;
use sqlx::{Connection, SqliteConnection};
use test_support::{EXCEL, HELLO, Setup, TestHost, WORKBOOK};

use self::defects::Defect;

fn url(address: SocketAddr, connector: &str) -> String {
    format!("http://{address}{}?ConnectorName={connector}", test_support::exchange::PATH)
}

fn texts(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Simulates; gives the exit code, the report and what was printed.
fn simulate(host: &TestHost, arguments: &[&str]) -> (Option<i32>, Value, String) {
    let report = host.folder().join(format!("report-{}.json", arguments.len()));
    let mut all = vec!["simulate", "--json", report.to_str().unwrap(), "--edits", "3"];
    all.extend(arguments);
    let output = host.command(&all);
    let report = std::fs::read(&report).map_or(Value::Null, |json| serde_json::from_slice(&json).unwrap());
    (output.status.code(), report, texts(&output))
}

/// The same, where both sides are to be equal in the end.
fn converges(host: &TestHost, arguments: &[&str]) -> (Value, String) {
    let (code, report, text) = simulate(host, arguments);
    assert_eq!(code, Some(0), "{text}");
    assert!(report["converged"] == true && report["anomaly_count"] == 0, "{report:#}");
    assert!(text.contains("converged: both sides are equal"), "{text}");
    (report, text)
}

fn count(report: &Value, name: &str) -> u64 {
    report["counts"][name].as_u64().unwrap_or_default()
}

/// A number out of an SQLite file.
fn number(file: &Path, select: &'static str) -> i64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut file = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
        sqlx::query_scalar(select).fetch_one(&mut file).await.unwrap()
    })
}

#[test]
fn simulation_converges_and_its_crm_database_can_be_queried() {
    let host = TestHost::with_excel();
    let url = url(host.address(), "Excel");
    let crm = host.folder().join("crm.db");
    let filename = format!("Filename={WORKBOOK}");
    let arguments =
        [&url, "--set", &filename, "--rounds", "3", "--seed", "3", "--language", "NO", "--verbose", "--crm"];
    let (report, text) = converges(&host, &[&arguments[..], &[crm.to_str().unwrap()]].concat());

    for part in [
        "Filnavn = sample.xlsx",
        "NAME -> contact/name (by its key)",
        "LIMIT -> contact/extra/limit (by hand)",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    assert!(text.contains("ERP user  works through a connection of its own"), "{text}");
    assert_eq!(count(&report, "actors_imported"), 460);
    for done in ["edits_in_the_crm", "changes_fetched_from_the_erp", "changes_written_to_the_erp"] {
        assert!(count(&report, done) > 0, "{done}: {report:#}");
    }
    assert_eq!(count(&report, "own_writes_that_came_back"), count(&report, "changes_written_to_the_erp"));

    let cards = count(&report, "actors_compared");
    assert_eq!(u64::try_from(number(&crm, "SELECT count(*) FROM card")).unwrap(), cards);
    let selects = [
        (
            "SELECT count(*) FROM card_in_words WHERE crm_field = 'contact/name' AND value = erp_value",
            "names",
        ),
        ("SELECT count(*) FROM card_in_words WHERE list_text = 'Nøkkelkunde'", "list items in the language"),
        (
            "SELECT count(*) FROM event WHERE side = 'crm' AND what = 'edited' AND before IS NOT after",
            "edits",
        ),
        ("SELECT count(*) FROM connection WHERE deleted_at IS NOT NULL", "the deleted connection"),
    ];
    for (select, what) in selects {
        assert!(number(&crm, select) > 0, "{what}");
    }
    assert_eq!(number(&crm, "SELECT count(*) FROM anomaly"), 0);
    assert!(
        String::from_utf8_lossy(&host.command(&["connections", "list"]).stdout).contains("no connections")
    );
}

#[test]
fn seed_determines_what_a_simulation_does() {
    let host = Setup::new().plugin(HELLO).prepare();
    let story = |seed: &str| {
        let (_, text) = converges(&host, &["--demo=hello", "--seed", seed, "--rounds", "4", "--verbose"]);
        let topics = ["CRM ", "ERP user  ", "<- ERP", "-> ERP", "round"];
        let is_event = |line: &&str| topics.iter().any(|topic| line.starts_with(topic));
        text.lines().filter(is_event).map(str::to_owned).collect::<Vec<_>>()
    };
    let first = story("11");
    assert!(first.len() > 20, "{first:#?}");
    assert_eq!(first, story("11"));
    assert_ne!(first, story("12"));
}

#[test]
fn demo_survives_restarts_and_the_loss_of_the_hosts_store() {
    let host = Setup::new().plugin(EXCEL).plugin(HELLO).prepare();
    let (report, text) =
        converges(&host, &["--demo", "--restart-every", "2", "--lose-store-every", "3", "--rounds", "3"]);
    assert!(text.contains("ConnectorName=Excel") && text.contains("its data folder removed"), "{text}");
    // The CRM's connection and the ERP user's.
    assert_eq!(count(&report, "settings_sent_again"), 2, "{report:#}");
}

/// A host that dies in the middle of a call, and comes back without its data.
#[test]
fn killed_host_without_data_gets_the_settings_again() {
    let outside = tempfile::tempdir().unwrap();
    let workbook = outside.path().join("erp.xlsx");
    sample_workbook::write_sample(&workbook).unwrap();
    let roots = format!("[connectors.Excel.options]\nroots = [{:?}]\n", outside.path().to_str().unwrap());
    let mut host = Setup::new().plugin(EXCEL).configuration(&roots).start();
    let address = host.address();

    let filename = format!("Filename={}", workbook.display());
    let report = host.folder().join("report.json");
    let mut command = host.program();
    command.args(["simulate", &url(address, "Excel"), "--set", &filename, "--rounds", "0", "--edits", "2"]);
    command.args(["--json", report.to_str().unwrap()]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut simulation = command.spawn().unwrap();
    let mut lines = BufReader::new(simulation.stdout.take().unwrap()).lines().map_while(Result::ok);
    lines.find(|line| line.starts_with("round 1")).expect("a first round");
    host.kill();
    std::fs::remove_dir_all(host.data()).unwrap();
    host.start_at(address);
    // One may have been under way.
    lines.find(|line| line.starts_with("round 3")).expect("it goes on");

    // Ctrl-C: no more edits, and then the whole end.
    let id = rustix::process::Pid::from_raw(i32::try_from(simulation.id()).unwrap()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    let rest: Vec<String> = lines.collect();
    assert_eq!(simulation.wait().unwrap().code(), Some(0), "{rest:#?}");
    assert!(rest.last().unwrap().contains("stopped early"), "{rest:#?}");
    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    assert!(report["interrupted"] == true && report["converged"] == true, "{report:#}");
    assert_eq!(count(&report, "settings_sent_again"), 2, "{report:#}");
}

#[test]
fn read_only_connections_get_no_writes() {
    let host = TestHost::with_excel();
    let url = url(host.address(), "Excel");
    let filename = format!("Filename={WORKBOOK}");
    let before = std::fs::read(host.workbook()).unwrap();

    let read_only = [&url, "--set", &filename, "--set", "ReadOnly=true", "--rounds", "6", "--seed", "5"];
    let (report, text) = converges(&host, &read_only);
    assert!(
        count(&report, "writes_refused") > 0 && count(&report, "changes_written_to_the_erp") == 0,
        "{report:#}"
    );
    assert!(text.contains("takes no changes: no more are made up"), "{text}");

    let (report, _) = converges(&host, &[&url, "--set", &filename, "--read-only", "--rounds", "2"]);
    assert_eq!(count(&report, "edits_in_the_crm") + count(&report, "writes_refused"), 0);
    assert!(before == std::fs::read(host.workbook()).unwrap(), "the workbook is as it was");
}

#[test]
fn simulation_of_several_connections_converges() {
    let host = TestHost::with_excel();
    let url = url(host.address(), "Excel");
    let filename = format!("Filename={WORKBOOK}");
    let many =
        ["--connections", "3", "--rounds", "2", "--winner", "crm", "--rate", "500", "--dialect", "plain"];
    let (report, text) = converges(&host, &[&[url.as_str(), "--set", &filename][..], &many].concat());
    assert!(text.contains("[3] round 2"), "{text}");
    assert_eq!(count(&report, "rounds"), 6);
    let saves =
        report["latencies"].as_array().unwrap().iter().find(|of| of["operation"] == "WSSaveActors").unwrap();
    assert!(
        saves["p50_ms"].as_f64() > Some(0.0) && saves["max_ms"].as_f64() >= saves["p50_ms"].as_f64(),
        "{saves}"
    );
}

#[test]
fn simulation_finds_every_defect() {
    let host = Setup::new().plugin(HELLO).start();
    let simulate = |defect: Defect| {
        let proxy = defects::broken(host.address(), defect);
        let url = url(proxy.address(), "Hello");
        simulate(&host, &[&url, "--rounds", "6", "--seed", "4", "--quiet"])
    };
    let (code, report, text) = simulate(Defect::None);
    assert_eq!(code, Some(0), "the proxy alone does no harm: {text} {report:#}");
    let (code, report, text) = simulate(Defect::DropsAnswers);
    assert_eq!(code, Some(0), "what was created is recognised, and not created twice: {text} {report:#}");
    let defects = [
        (Defect::LosesSaves, "lost-change"),
        (Defect::ExclusiveStamps, "stamp"),
        (Defect::OldStamps, "stamp"),
        (Defect::ChangesTexts, "changed-value"),
        (Defect::GivesTwice, "reply"),
        (Defect::CreatesWithoutKey, "reply"),
        (Defect::KeepsConnections, "lifecycle"),
        (Defect::Faults, "broken"),
        (Defect::HidesCreated, "lost-change"),
        (Defect::ForgetsSettings, "lifecycle"),
    ];
    for (defect, kind) in defects {
        let (code, report, text) = simulate(defect);
        assert_eq!(code, Some(1), "{defect:?}: {text}");
        let kinds: Vec<_> =
            report["anomalies"].as_array().unwrap().iter().map(|of| of["kind"].as_str()).collect();
        assert!(kinds.contains(&Some(kind)), "{defect:?}: {kinds:?}");
        assert!(text.contains("ANOMALY") && text.contains(kind), "{defect:?}: {text}");
    }
}

#[test]
fn simulation_errors_are_one_sentence() {
    let host = TestHost::with_excel();
    let service = url(host.address(), "Excel");
    let help = format!("http://{}/nothing/here", host.address());
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let other = host.folder().join("host.toml");
    std::fs::write(&other, "# something").unwrap();
    let other = other.to_str().unwrap();
    let cases: [(&[&str], &str); 9] = [
        (&[&service], "mandatory settings are missing: Filename (File name)"),
        (&[&service, "--set", "Filename=none.xlsx"], "testing the settings does not work"),
        (&[&service, "--set", "File=sample.xlsx"], "no setting \"File\""),
        (&[&service, "--set", "Filename=sample.xlsx", "--crm", other], "no CRM file"),
        (&[&help], "no connector at this address"),
        (&[&free], "nobody listens"),
        (&["http://erp.example.com/"], "--yes"),
        (&["--demo=Nobody"], "only Excel"),
        (&["--demo", "--plugins", "no-such-folder"], "no-such-folder"),
    ];
    for (arguments, expected) in cases {
        let output = host.command(&[&["simulate", "--patience", "0"], arguments].concat());
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(error.contains(expected), "{arguments:?}: no {expected:?} in {error}");
        assert_eq!(error.trim_end().lines().count(), 1, "{error}");
    }
    assert_eq!(host.command(&["simulate"]).status.code(), Some(2), "a URL or --demo");
    let listed = host.command(&["connections", "list"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains("no connections"), "nothing is left behind");
}
