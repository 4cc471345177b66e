//! The `erp-host connections` commands, run as an operator runs them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use erp_host_store::audit::Origin;
use erp_host_store::private_file::IfPresent;
use erp_host_store::{Connections, KEY_FILE, Lifetime, Live, STORE_FILE};
use plugin_api::Settings;
use serde_json::{Value, json};
use tempfile::TempDir;
use values::Guid;

const PASSPHRASE: &str = "a long enough passphrase";
const SECRET: &str = "hunter2-secret";

/// An open connection, as its settings.
struct Opened(Settings);

impl Live for Opened {
    fn lifetime(&self) -> Lifetime {
        Lifetime::UNLIMITED
    }

    fn refresh_every(&self) -> Option<std::time::Duration> {
        None
    }
}

/// A data folder, a running host on it, and commands beside it.
struct Host {
    folder: TempDir,
    connections: Connections<Opened, Infallible>,
}

impl Host {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let connections = Connections::open_store(&folder.path().join("data"), None).await.unwrap();
        Host { folder, connections }
    }

    async fn with_connections() -> Self {
        let host = Host::start().await;
        let settings: Settings = [
            ("Filename", Some("kunder\u{1b}[2J æøå.xlsx")),
            ("Password", Some(SECRET)),
            ("Empty", Some("")),
            ("Null", None),
        ]
        .into_iter()
        .collect();
        host.connections.save(guid(1), "Excel", &settings, &["Password"], &by()).await.unwrap();
        host.connections.save(guid(2), "Hello", &Settings::default(), &[], &by()).await.unwrap();
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_erp-host"));
        command.arg("connections").args(args).current_dir(self.folder.path());
        for variable in ["CONFIG", "DATA", "KEY_FILE", "PASSPHRASE"] {
            command.env_remove(format!("ERP_HOST_{variable}"));
        }
        command
    }

    fn run(&self, args: &[&str]) -> Run {
        Run::of(self.command(args).stdin(std::process::Stdio::null()).output().unwrap())
    }

    fn run_with_passphrase(&self, args: &[&str], passphrase: &str) -> Run {
        let mut command = self.command(args);
        command.env("ERP_HOST_PASSPHRASE", passphrase).stdin(std::process::Stdio::null());
        Run::of(command.output().unwrap())
    }

    /// Opens the connection as a call of SuperOffice does.
    async fn open(&self, guid: Guid) -> Option<Settings> {
        let open = self
            .connections
            .get_or_open(guid, |stored| async move { Ok(Opened(stored.settings)) })
            .await
            .unwrap();
        open.map(|open| open.connection().0.clone())
    }
}

#[derive(Debug)]
struct Run {
    code: Option<i32>,
    out: String,
    error: String,
}

impl Run {
    fn of(output: Output) -> Self {
        let run = Run {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            error: String::from_utf8(output.stderr).unwrap(),
        };
        assert!(
            !run.out.contains(SECRET) && !run.error.contains(SECRET),
            "no command shows a secret: {run:?}"
        );
        run
    }

    #[track_caller]
    fn ok(self) -> String {
        assert_eq!((self.code, self.error.as_str()), (Some(0), ""), "{}", self.out);
        self.out
    }

    #[track_caller]
    fn fails(self, code: i32, expected: &str) {
        assert_eq!((self.code, self.out.as_str()), (Some(code), ""), "{}", self.error);
        assert!(self.error.starts_with("erp-host: "), "{}", self.error);
        assert!(self.error.contains(expected), "{:?} in {}", expected, self.error);
        assert_eq!(self.error.lines().count(), 1, "one line: {}", self.error);
    }
}

fn by() -> Origin {
    Origin::Host { host: "a test" }
}

fn guid(number: u128) -> Guid {
    Guid::from_u128(number)
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[tokio::test]
async fn lists_all_connections() {
    let host = Host::with_connections().await;
    let out = host.run(&["list"]).ok();
    let lines: Vec<Vec<&str>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["GUID", "CONNECTOR", "SETTINGS", "SAVED", "AT", "(UTC)"]);
    assert_eq!(lines[1][..3], [guid(1).to_string().as_str(), "Excel", "4"]);
    assert_eq!(lines[2][..3], [guid(2).to_string().as_str(), "Hello", "0"]);
    assert!(lines[1][3].ends_with('Z') && lines[1][3].len() == 20, "{}", lines[1][3]);

    let json = json_of(&host.run(&["list", "--json"]).ok());
    assert_eq!(json.as_array().unwrap().len(), 2);
    let saved_at = &json[0]["saved_at"];
    assert_eq!(
        json[0],
        json!({ "guid": guid(1).to_string(), "connector": "Excel", "settings": 4, "saved_at": saved_at })
    );
    assert_eq!(saved_at, lines[1][3]);
}

#[tokio::test]
async fn list_of_an_empty_store() {
    let host = Host::start().await;
    assert!(host.run(&["list"]).ok().starts_with("no connections in "));
    assert_eq!(host.run(&["list", "--json"]).ok(), "[]\n");
}

#[tokio::test]
async fn shows_settings_with_secrets_masked() {
    let host = Host::with_connections().await;
    // Every form of a GUID.
    let forms = [
        "00000000-0000-0000-0000-000000000001",
        "{00000000-0000-0000-0000-000000000001}",
        "00000000000000000000000000000001",
    ];
    for form in forms {
        let out = host.run(&["show", form]).ok();
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines[0], "GUID       00000000-0000-0000-0000-000000000001");
        assert_eq!(lines[1], "connector  Excel");
        let settings = lines.iter().position(|line| line.starts_with("settings ")).unwrap();
        assert_eq!(
            lines[settings + 1..settings + 5],
            [
                "  Filename  kunder\\u001b[2J æøå.xlsx",
                "  Password  ********",
                "  Empty     ",
                "  Null      (null)"
            ],
            "control characters are escaped, secrets are not shown"
        );
    }
    let json = json_of(&host.run(&["show", &guid(1).to_string(), "--json"]).ok());
    assert_eq!(
        json["settings"][0],
        json!({ "key": "Filename", "value": "kunder\u{1b}[2J æøå.xlsx", "secret": false })
    );
    assert_eq!(json["settings"][1], json!({ "key": "Password", "value": "********", "secret": true }));
}

#[tokio::test]
async fn missing_connections_and_files_are_reported() {
    let host = Host::with_connections().await;
    let missing = guid(9).to_string();
    for args in [&["show", missing.as_str()][..], &["delete", &missing, "--yes"]] {
        host.run(args).fails(1, &format!("there is no connection {missing} in "));
    }
    host.run(&["list", "--data", "elsewhere"])
        .fails(1, "does not exist; give the data folder of the host with --data");
    assert!(!host.path("elsewhere").exists());
    host.run(&["list", "--config", "none.toml"]).fails(1, "none.toml");
    host.run(&["import", "none.erpx"]).fails(1, "the file none.erpx cannot be imported");
}

#[tokio::test]
async fn wrong_usage_ends_with_2() {
    let host = Host::with_connections().await;
    host.run(&["delete", &guid(1).to_string()]).fails(2, "add --yes");
    host.run(&["export", "x"]).fails(2, "give --passphrase-file or set ERP_HOST_PASSPHRASE");
    assert!(!host.path("x").exists());
    for args in
        [&["show", "not-a-guid"][..], &["show"], &[], &["export", "x", "--masked", "--passphrase-file", "y"]]
    {
        let run = host.run(args);
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{}", run.error);
    }
    assert!(host.run(&["show", "not-a-guid"]).error.contains("is not a GUID, expected a form like"));
    assert!(host.open(guid(1)).await.is_some());
}

#[tokio::test]
async fn running_host_applies_a_delete() {
    let host = Host::with_connections().await;
    assert!(host.open(guid(1)).await.is_some());
    assert_eq!(host.run(&["delete", &guid(1).to_string(), "--yes"]).ok(), format!("deleted {}\n", guid(1)));
    host.connections.poll_changes().await.unwrap();
    assert!(host.open(guid(1)).await.is_none());
    assert!(host.open(guid(2)).await.is_some());
}

#[tokio::test]
async fn data_folder_may_come_from_the_configuration_or_the_environment() {
    let host = Host::with_connections().await;
    fs::rename(host.path("data"), host.path("other")).unwrap();
    fs::write(host.path("host.toml"), "data = \"other\"\n").unwrap();
    let expected = host.run(&["list", "--data", "other"]).ok();
    assert_eq!(host.run(&["list", "--config", "host.toml"]).ok(), expected);
    let output = host.command(&["list"]).env("ERP_HOST_DATA", "other").output().unwrap();
    assert_eq!(Run::of(output).ok(), expected);
}

#[tokio::test]
async fn export_can_be_imported_by_another_host() {
    let (from, to) = (Host::with_connections().await, Host::start().await);
    let file = from.path("all.erpx");
    let file_name = file.to_str().unwrap();
    let out = from.run_with_passphrase(&["export", file_name], PASSPHRASE).ok();
    assert_eq!(out, format!("wrote 2 connections to {file_name}, encrypted\n"));
    only_for_its_owner(&file);
    let text = fs::read_to_string(&file).unwrap();
    assert!(!text.contains(SECRET) && !text.contains("kunder"));

    let out = to.run_with_passphrase(&["import", file_name], PASSPHRASE).ok();
    assert_eq!(out, "imported 2 connections: 2 new, 0 replaced\n");
    for number in [1, 2] {
        assert!(to.open(guid(number)).await.unwrap() == from.open(guid(number)).await.unwrap());
    }
    // A second import would replace them, and is refused.
    let again = to.run_with_passphrase(&["import", file_name], PASSPHRASE);
    again.fails(1, &format!("it would replace 2 connections: {}, {}; add --replace", guid(1), guid(2)));
    let out = to.run_with_passphrase(&["import", file_name, "--replace"], PASSPHRASE).ok();
    assert_eq!(out, "imported 2 connections: 0 new, 2 replaced\n");
}

#[tokio::test]
async fn passphrase_can_come_from_a_file() {
    let host = Host::with_connections().await;
    let write = |name: &str, text: &str| {
        erp_host_store::private_file::write(&host.path(name), text.as_bytes(), IfPresent::Replace).unwrap();
    };
    write("pass", &format!("{PASSPHRASE}\r\nsecond line\n"));
    host.run(&["export", "all.erpx", "--passphrase-file", "pass"]).ok();
    host.run_with_passphrase(&["import", "all.erpx", "--replace"], PASSPHRASE).ok();
    write("empty", "\n");
    host.run(&["export", "b.erpx", "--passphrase-file", "empty"])
        .fails(1, "the first line of the passphrase file empty is empty");
    host.run(&["export", "b.erpx", "--passphrase-file", "none"])
        .fails(1, "the passphrase file none: it cannot be read");
    host.run_with_passphrase(&["export", "b.erpx"], "too short").fails(1, "at least 12 characters");
    assert!(!host.path("b.erpx").exists());
}

#[tokio::test]
async fn import_with_a_wrong_passphrase_fails() {
    let (from, to) = (Host::with_connections().await, Host::start().await);
    let file = from.path("all.erpx");
    from.run_with_passphrase(&["export", file.to_str().unwrap()], PASSPHRASE).ok();
    let run = to.run_with_passphrase(&["import", file.to_str().unwrap()], "another passphrase");
    run.fails(1, "the passphrase is wrong, or the file was changed after it was written");
    assert!(to.open(guid(1)).await.is_none());
}

#[tokio::test]
async fn export_overwrites_only_with_force() {
    let host = Host::with_connections().await;
    fs::write(host.path("kept"), "precious").unwrap();
    host.run(&["export", "kept", "--masked"]).fails(1, "the file kept exists; name another, or add --force");
    assert_eq!(fs::read_to_string(host.path("kept")).unwrap(), "precious");
    host.run(&["export", "kept", "--masked", "--force"]).ok();
    assert_eq!(
        json_of(&fs::read_to_string(host.path("kept")).unwrap())["connections"][0]["connector"],
        "Excel"
    );
    only_for_its_owner(&host.path("kept"));
    let files = fs::read_dir(host.folder.path()).unwrap().count();
    assert_eq!(files, 2, "the data folder and the export, no temporary file");
}

#[tokio::test]
async fn masked_secrets_keep_their_stored_value_or_are_refused() {
    let host = Host::with_connections().await;
    assert_eq!(
        host.run(&["export", "m.json", "--masked"]).ok(),
        "wrote 2 connections to m.json, secrets masked\n"
    );
    host.run(&["import", "m.json", "--replace"]).ok();
    assert_eq!(host.open(guid(1)).await.unwrap().get("Password"), Some(SECRET));

    host.connections.delete(guid(1), &by()).await.unwrap();
    host.connections.delete(guid(2), &by()).await.unwrap();
    let refused = host.run(&["import", "m.json"]);
    refused.fails(1, &format!("masked in the file and not stored here either: Password of {};", guid(1)));
    assert_eq!(host.run(&["list", "--json"]).ok(), "[]\n", "all or nothing");
}

#[tokio::test]
async fn only_secrets_and_changes_need_the_key() {
    let host = Host::with_connections().await;
    fs::remove_file(host.path("data").join(KEY_FILE)).unwrap();
    host.run(&["list"]).ok();
    host.run(&["show", &guid(1).to_string()]).ok();
    host.run(&["export", "m.json", "--masked"]).ok();
    host.run_with_passphrase(&["export", "all.erpx"], PASSPHRASE)
        .fails(1, "is missing, and the stored secrets cannot be read without it");
    host.run(&["import", "m.json", "--replace"]).fails(1, "is missing");
    // A change is signed in the audit log.
    host.run(&["delete", &guid(1).to_string(), "--yes"]).fails(1, "is missing");
    host.run(&["rekey"]).fails(1, "is missing");
    assert!(!host.path("data").join(KEY_FILE).exists(), "no new key is made");
}

#[tokio::test]
async fn damaged_store_is_reported() {
    let host = Host::with_connections().await;
    fs::create_dir(host.path("damaged")).unwrap();
    fs::write(host.path("damaged").join(STORE_FILE), "no database".repeat(1000)).unwrap();
    for command in [&["list"][..], &["import", "x.json"]] {
        fs::write(host.path("x.json"), r#"{"format":"erp-host connections","version":1,"connections":[]}"#)
            .unwrap();
        host.run(&[command, &["--data", "damaged"]].concat())
            .fails(1, "is not an SQLite database; restore it from a backup");
    }
}

#[tokio::test]
async fn help_of_every_command_has_an_example() {
    let host = Host::start().await;
    for command in ["list", "show", "delete", "export", "import", "rekey"] {
        let help = host.run(&[command, "--help"]).ok();
        assert!(help.contains(&format!("erp-host connections {command} ")), "an example in {help}");
        assert!(help.contains("--data <DIR>") && help.contains("--config <FILE>"), "{help}");
    }
}

#[cfg(unix)]
fn only_for_its_owner(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[cfg(not(unix))]
fn only_for_its_owner(_file: &Path) {}
