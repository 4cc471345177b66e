//! The connector for a real ERP system, Tryton, in a host: verified, and synchronised while Tryton is killed, stands still, and
//! changes the password.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use contract::{Dialect, Dictionary, Request};
use rustix::process::Signal;
use serde_json::Value;
use test_support::tryton::{self, Tryton};
use test_support::{Setup, TRYTON, TestHost, scale, wait_until};
use values::Guid;

/// The codes of calls while the ERP system does not answer: of those that read, and of those that write.
const AWAY: [&str; 2] = ["ERP_UNAVAILABLE", "UNKNOWN_OUTCOME"];

fn settings(tryton: &Tryton, password: &str) -> [(&'static str, String); 4] {
    [
        ("Server", format!("http://{}", tryton.address())),
        ("Database", tryton::DATABASE.to_owned()),
        ("User", tryton::USER.to_owned()),
        ("Password", password.to_owned()),
    ]
}

/// The arguments of a command that calls the connector on this host.
fn arguments(command: &str, host: &TestHost, tryton: &Tryton) -> Vec<String> {
    let mut all = vec![command.to_owned(), format!("http://{}", host.address())];
    all.extend(["--connector", "Tryton"].map(str::to_owned));
    for (key, value) in settings(tryton, tryton::PASSWORD) {
        all.extend(["--set".to_owned(), format!("{key}={value}")]);
    }
    all
}

fn keeps_all_rules(configuration: &str) {
    let Some(tryton) = Tryton::start() else { return };
    let host = Setup::new().plugin(TRYTON).configuration(configuration).start();
    let arguments = arguments("verify", &host, &tryton);
    let output = host.command(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{out}{err}");
    assert!(out.contains(" 0 failed, 0 warnings, "), "{out}");
    // Rules 405 and 406 try a wrong setting on purpose, and not a wrong password again and again.
    assert!(tryton.failed_logins() <= 1, "{} failed logins", tryton.failed_logins());
}

#[test]
fn tryton_connector_keeps_all_rules_in_the_process_of_the_host() {
    keeps_all_rules("");
}

#[test]
fn tryton_connector_keeps_all_rules_in_a_worker_process() {
    keeps_all_rules("[connectors.Tryton]\nisolation = \"process\"\n");
}

/// Waits until calls have failed with one of these codes, once more than before.
fn wait_for_another(host: &TestHost, codes: &[&str]) {
    let count = |log: String| codes.iter().map(|code| log.matches(code).count()).sum::<usize>();
    let before = count(host.log());
    wait_until(&format!("{codes:?}"), || count(host.log()) > before);
}

fn connections(host: &TestHost) -> Vec<Guid> {
    let output = host.command(&["connections", "list"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

fn save_settings(host: &TestHost, tryton: &Tryton, password: &str) {
    let settings = settings(tryton, password);
    for guid in connections(host) {
        let info: Dictionary<'_> = settings.iter().map(|(key, value)| (*key, Some(value.as_str()))).collect();
        let client = host.client(Dialect::Message).connector("Tryton").connection(&guid.to_string());
        client.ok(Request::SaveConnection { connection_info: Some(info) });
    }
}

#[test]
fn synchronisation_survives_a_killed_and_a_slow_erp_system_and_a_changed_password() {
    let Some(mut tryton) = Tryton::start() else { return };
    let host = Setup::new().plugin(TRYTON).configuration("call_deadline = \"3s\"\n").start();
    let report = host.folder().join("report.json");
    let mut command = host.program();
    command.args(arguments("simulate", &host, &tryton));
    command.args([
        "--rounds",
        "0",
        "--edits",
        "3",
        "--seed",
        "7",
        "--patience",
        "120",
        "--verbose",
        "--json",
    ]);
    command.arg(&report).stdout(Stdio::piped());
    let mut simulation = command.spawn().unwrap();
    let lines = BufReader::new(simulation.stdout.take().unwrap()).lines().map_while(Result::ok);
    let output = Arc::new(Mutex::new(String::new()));
    let reader = std::thread::spawn({
        let output = Arc::clone(&output);
        move || lines.for_each(|line| output.lock().unwrap().push_str(&format!("{line}\n")))
    });
    let wait_for_a_round = || {
        let rounds = || output.lock().unwrap().matches("\nround ").count();
        let before = rounds();
        // One may have been under way.
        wait_until("rounds go on", || rounds() >= before + 2);
    };

    let mut password = tryton::PASSWORD.to_owned();
    // Each of the three happens at least once.
    for disturbance in 0..scale(10).max(3) {
        wait_for_a_round();
        match disturbance % 3 {
            0 => {
                tryton.kill();
                wait_for_another(&host, &AWAY);
                tryton.start_again();
            }
            1 => {
                tryton.signal(Signal::STOP);
                wait_for_another(&host, &AWAY);
                tryton.signal(Signal::CONT);
            }
            _ => {
                let failed = tryton.failed_logins();
                password = format!("{password}+");
                tryton.change_password(&password);
                wait_for_another(&host, &["SETTINGS_INVALID"]);
                save_settings(&host, &tryton, &password);
                wait_for_a_round();
                // Each connection has tried the wrong password once, although it was called again and again.
                let failed = tryton.failed_logins() - failed;
                assert!((1..=connections(&host).len()).contains(&failed), "{failed} failed logins");
            }
        }
    }
    wait_for_a_round();
    // Ctrl-C: no more edits, and then the whole end.
    let id = rustix::process::Pid::from_raw(i32::try_from(simulation.id()).unwrap()).unwrap();
    rustix::process::kill_process(id, Signal::INT).unwrap();
    let code = simulation.wait().unwrap().code();
    reader.join().unwrap();
    let output = output.lock().unwrap();
    assert_eq!(code, Some(0), "{output}");
    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    assert!(report["converged"] == true && report["anomaly_count"] == 0, "{report:#}\n{output}");
    // No edit is taken back, but for a rule of Tryton: work that is done has its whole progress.
    let refused: Vec<&str> = output.lines().filter(|line| line.starts_with("refused ")).collect();
    assert!(refused.iter().all(|line| line.contains("you must increase its progress")), "{refused:#?}");
}
