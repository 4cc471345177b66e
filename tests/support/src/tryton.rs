//! A Tryton server with a database of its own: a real ERP system for the connector of `examples/tryton-connector`.

use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::Request;
use crate::{build, tools, wait_until};

/// The name of the database.
pub const DATABASE: &str = "erp";
/// The user of the connector.
pub const USER: &str = "superoffice";
/// Their password, and that of the administrator, until it is changed.
pub const PASSWORD: &str = "fjord-and-fjell";

/// A server that runs. Dropping it kills the server and removes its database.
#[derive(Debug)]
pub struct Tryton {
    child: Child,
    python: PathBuf,
    address: SocketAddr,
    folder: TempDir,
}

impl Tryton {
    /// Starts a server on a copy of the prepared database; `None` where Tryton cannot be installed. The first start installs
    /// Tryton and prepares the database.
    ///
    /// # Panics
    /// The database cannot be prepared, or the server does not start.
    pub fn start() -> Option<Self> {
        let python = tools::python_with_tryton()?;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let address = free_address();
        std::fs::copy(prepared(&python), folder.path().join(format!("{DATABASE}.sqlite")))
            .expect("the prepared database is copied");
        // The database is there, so only the configuration is written.
        prepare(&python, folder.path(), address.port());
        let child = serve(&python, folder.path(), address);
        Some(Tryton { child, python, address, folder })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it at once (SIGKILL), as a crash or a power cut would.
    ///
    /// # Panics
    /// The system refuses.
    pub fn kill(&mut self) {
        self.child.kill().expect("Tryton is killed");
        self.child.wait().expect("Tryton has ended");
    }

    /// Starts it again after it was killed, where it listened before.
    ///
    /// # Panics
    /// It does not start.
    pub fn start_again(&mut self) {
        self.child = serve(&self.python, self.folder.path(), self.address);
    }

    /// Sends it a signal, such as SIGSTOP.
    ///
    /// # Panics
    /// The system refuses.
    #[cfg(unix)]
    pub fn signal(&self, signal: rustix::process::Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(id.expect("a process ID"), signal).expect("a signal");
    }

    /// Changes the password of the connector's user, as the administrator does.
    ///
    /// # Panics
    /// Tryton refuses.
    pub fn change_password(&self, password: &str) {
        let login = self.call("common.db.login", json!(["admin", {"password": PASSWORD}, "en"]), None);
        let session = format!("admin:{}:{}", login[0], login[1].as_str().expect("a session"));
        let session = Some(session.as_str());
        let users = self.call("model.res.user.search", json!([[["login", "=", USER]], {}]), session);
        self.call("model.res.user.write", json!([users, {"password": password}, {}]), session);
    }

    /// How often somebody tried to log in as the connector's user with a wrong password.
    ///
    /// # Panics
    /// The log cannot be read.
    pub fn failed_logins(&self) -> usize {
        let log = std::fs::read_to_string(self.log()).expect("the log is read");
        log.matches(&format!("login failed for '{USER}'")).count()
    }

    /// The file of its log.
    pub fn log(&self) -> PathBuf {
        self.folder.path().join(LOG)
    }

    fn call(&self, method: &str, params: Value, session: Option<&str>) -> Value {
        let body = json!({"id": 1, "method": method, "params": params});
        let mut request = Request::new("POST", &format!("/{DATABASE}/rpc/"))
            .header("Content-Type", "application/json")
            .body(body.to_string());
        if let Some(session) = session {
            request =
                request.header("Authorization", &format!("Session {}", BASE64_STANDARD.encode(session)));
        }
        let response = request.send(self.address).expect("Tryton answers");
        let answer: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        answer.get("result").cloned().unwrap_or_else(|| panic!("{method}: {response:?}"))
    }
}

impl Drop for Tryton {
    fn drop(&mut self) {
        // Nothing to be done about a process that has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.log()).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("the end of Tryton's log:\n{}", lines[lines.len().saturating_sub(40)..].join("\n"));
        }
    }
}

const LOG: &str = "trytond.log";

/// The script that makes a database. It writes only the configuration where there is one.
fn script() -> PathBuf {
    build::workspace().join("tests").join("tryton").join("prepare.py")
}

/// A database as the script makes it, below the target folder: made anew when the script has changed.
fn prepared(python: &Path) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _lock = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let parent = build::target().join("tryton");
    let script = std::fs::read(script()).expect("the script is read");
    let folder = parent.join(format!("prepared-{:08x}", crc(&script)));
    let database = folder.join(format!("{DATABASE}.sqlite"));
    if !database.exists() {
        let new = tempfile::tempdir_in(&parent).expect("a folder below the target folder");
        prepare(python, new.path(), 0);
        // Another process may have been quicker.
        let _ = std::fs::rename(new.path(), &folder);
    }
    database
}

fn prepare(python: &Path, folder: &Path, port: u16) {
    let mut command = Command::new(python);
    command.arg(script()).arg(folder).arg(port.to_string());
    let output = command.output().expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Runs the server until it answers.
fn serve(python: &Path, folder: &Path, address: SocketAddr) -> Child {
    let log: File = OpenOptions::new().create(true).append(true).open(folder.join(LOG)).expect("a log");
    let mut command = Command::new(python.with_file_name("trytond"));
    command.arg("-c").arg(folder.join("trytond.conf")).args(["-d", DATABASE]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let mut child = command.spawn().expect("trytond runs");
    let version = json!({"id": 1, "method": "common.server.version", "params": []}).to_string();
    let request = Request::new("POST", "/rpc/").header("Content-Type", "application/json").body(version);
    wait_until("Tryton answers", || {
        let ended = child.try_wait().expect("the state of trytond");
        assert!(
            ended.is_none(),
            "trytond ended: {}",
            std::fs::read_to_string(folder.join(LOG)).unwrap_or_default()
        );
        request.send(address).is_ok_and(|response| response.status == 200)
    });
    child
}

/// An address that nobody uses at the moment.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("an address")
}

/// A checksum, to find out whether a file has changed.
fn crc(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}
