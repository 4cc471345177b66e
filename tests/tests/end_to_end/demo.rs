//! The README's first command, and the commands that it prints.

#![cfg(unix)]

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use test_support::build::workspace;
use test_support::tools;
use xtask::commands::demo::CONNECTION;

fn demo(folder: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command
        .current_dir(workspace())
        .args(["xtask", "demo", "--listen", "127.0.0.1:0", "--folder"])
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

#[test]
fn demo_commands_give_the_answers_shown() {
    if tools::curl().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // What the demo changes is changed already when it runs again: so its answers stay what they are.
    assert!(demo(folder.path()).arg("--once").output().expect("cargo runs").status.success());
    let mut running = demo(folder.path()).spawn().expect("cargo runs");
    let mut lines = BufReader::new(running.stdout.take().unwrap()).lines();
    let shown: Vec<String> = lines
        .by_ref()
        .map(Result::unwrap)
        .take_while(|line| !line.starts_with("The host runs until"))
        .collect();
    let shown = shown.join("\n");
    assert!(shown.contains(CONNECTION) && shown.contains("/Services/ErpConnectorWS.svc"), "{shown}");

    // Each is pasted into a shell, and must answer what was shown below it, but for stamps of what it changed.
    let mut commands = 0;
    for part in shown.split("\n# ").skip(1) {
        let start = part.find("curl ").expect("a command");
        let (command, answer) = part[start..].split_once("\n\n").expect("an answer below it");
        let output = Command::new("sh").args(["-c", command]).output().unwrap();
        assert!(output.status.success(), "{command}\n{}", String::from_utf8_lossy(&output.stderr));
        let now = String::from_utf8(output.stdout).unwrap();
        let words = |text: &str| {
            let stampless = text.split("LastModified>").enumerate().filter(|(at, _)| at % 2 == 0);
            stampless.flat_map(|(_, text)| text.split_whitespace()).collect::<String>()
        };
        assert_eq!(words(&now), words(answer), "{command}");
        commands += 1;
    }
    assert_eq!(commands, 4);

    let id = rustix::process::Pid::from_raw(i32::try_from(running.id()).unwrap()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    let mut rest = String::new();
    running.stderr.take().unwrap().read_to_string(&mut rest).unwrap();
    assert!(running.wait().unwrap().success(), "{rest}");
}

#[test]
fn demo_once_ends_and_keeps_changes() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let output = demo(folder.path()).arg("--once").output().expect("cargo runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stdout).contains("Longyearbyen"));
    }
    let workbook = std::fs::read(folder.path().join("data/excel/sample.xlsx")).unwrap();
    let fresh = folder.path().join("fresh.xlsx");
    sample_workbook::write_sample(&fresh).unwrap();
    assert!(workbook != std::fs::read(fresh).unwrap(), "the change is in the workbook");
}
