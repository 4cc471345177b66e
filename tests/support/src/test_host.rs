//! A host in folders of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::LazyLock;

use crate::build::{self, Built, PLUGINS, Profile, TEST_PLUGINS};
use crate::host_process::HostProcess;
use tempfile::TempDir;

use crate::soap::Client;

/// The Excel connector's package.
pub const EXCEL: &str = "excel-connector";
/// The tutorial connector's package.
pub const HELLO: &str = "hello-connector";
/// The package of the tutorial's connector over HTTP.
pub const HTTP: &str = "http-connector";
/// The package of the connector that does everything wrong.
pub const ROGUE: &str = "rogue-connector";
/// The package of the connector that breaks a conformance rule.
pub const BROKEN: &str = "broken-connector";
/// The package of the connector that gives back exactly what it was given.
pub const MIRROR: &str = "mirror-connector";
/// The package of the connector for Tryton.
pub const TRYTON: &str = "tryton-connector";
/// Two versions of a connector that says which one answers.
pub const VERSIONS: [&str; 2] = ["versioned-connector-first", "versioned-connector-second"];
/// The sample workbook's file name, in the Excel connector's folder.
pub const WORKBOOK: &str = "sample.xlsx";

/// Built once for all tests of a file. `cargo xtask test` has built everything already; this finds it, and keeps a
/// plain `cargo test` right.
static BUILT: LazyLock<Built> = LazyLock::new(|| {
    let packages: Vec<&str> = PLUGINS.iter().chain(TEST_PLUGINS).copied().collect();
    build::build(Profile::Dev, &packages).expect("the host and the plugins build")
});

impl Drop for TestHost {
    fn drop(&mut self) {
        if let Some(process) = self.process.as_ref().filter(|_| std::thread::panicking()) {
            eprintln!("the host's log:\n{}", process.log());
        }
    }
}

/// What a package's plugin file holds.
pub fn plugin_bytes(package: &str) -> Vec<u8> {
    let file = BUILT.plugin(package).unwrap_or_else(|| panic!("{package} was not built"));
    std::fs::read(file).expect("a plugin file is read")
}

/// The program `minimal-host`.
pub fn minimal_host() -> PathBuf {
    BUILT.minimal_host.clone().expect("minimal-host is built for developers")
}

/// How a test wants its host.
#[derive(Debug, Default)]
pub struct Setup {
    packages: Vec<&'static str>,
    files: Vec<(String, Vec<u8>)>,
    configuration: String,
}

/// A running host and its folders. Dropping it kills the host and removes the folders.
#[derive(Debug)]
pub struct TestHost {
    // Before the folder, so that it is dropped first.
    process: Option<HostProcess>,
    folder: TempDir,
}

impl Setup {
    /// No plugins yet.
    #[must_use]
    pub fn new() -> Self {
        Setup::default()
    }

    /// With this package's plugin file.
    #[must_use]
    pub fn plugin(mut self, package: &'static str) -> Self {
        self.packages.push(package);
        self
    }

    /// With another file in the plugins folder.
    #[must_use]
    pub fn plugin_file(mut self, name: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((name.to_owned(), content.into()));
        self
    }

    /// With these lines in the configuration; those that belong to no table first.
    #[must_use]
    pub fn configuration(mut self, toml: &str) -> Self {
        self.configuration.push_str(toml);
        self
    }

    /// Starts the host.
    pub fn start(self) -> TestHost {
        let mut host = self.prepare();
        host.start();
        host
    }

    /// Makes the folders, the sample workbook and the configuration, and starts nothing.
    pub fn prepare(self) -> TestHost {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let host = TestHost { process: None, folder };
        let _ = std::fs::create_dir_all(host.plugins());
        build::install(&BUILT, &self.packages, &host.plugins()).expect("plugin files are copied");
        for (name, content) in &self.files {
            let file = host.plugins().join(name);
            std::fs::write(&file, content).expect("a plugin file is written");
            build::not_for_others(&file).expect("it is not for others");
        }
        if self.packages.contains(&EXCEL) {
            std::fs::create_dir_all(host.data().join("excel")).expect("the connector's folder");
            sample_workbook::write_sample(&host.workbook()).expect("the sample workbook");
        }
        std::fs::write(host.configuration(), self.configuration).expect("the configuration is written");
        host
    }
}

impl TestHost {
    /// A host with the Excel connector on the sample workbook.
    pub fn with_excel() -> Self {
        Setup::new().plugin(EXCEL).start()
    }

    /// Starts the host again, on the same folders.
    pub fn start(&mut self) {
        self.process = None;
        self.process = Some(self.try_start().unwrap_or_else(|error| panic!("{error}")));
    }

    /// Starts the host again where it listened before.
    pub fn start_at(&mut self, address: SocketAddr) {
        self.process = None;
        self.process = Some(self.try_start_at(address).unwrap_or_else(|error| panic!("{error}")));
    }

    /// Starts the host, where that may fail; the error holds its log.
    pub fn try_start(&self) -> Result<HostProcess, Box<dyn std::error::Error>> {
        self.try_start_at(([127, 0, 0, 1], 0).into())
    }

    fn try_start_at(&self, address: SocketAddr) -> Result<HostProcess, Box<dyn std::error::Error>> {
        let mut command = self.program();
        command.args(["serve", "--listen", &address.to_string()]);
        HostProcess::start(command)
    }

    /// Runs another command of the program on the same folders.
    pub fn command(&self, arguments: &[&str]) -> Output {
        self.command_with(arguments, &[])
    }

    /// Runs another command with these environment variables.
    pub fn command_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        let mut command = self.program();
        command.args(arguments).envs(environment.iter().copied()).stdin(Stdio::null());
        command.output().expect("the program runs")
    }

    /// Starts another command and does not wait for it; nobody reads what it says.
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = self.program();
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("the program runs")
    }

    /// The program with the same folders, to be run in the test's own way.
    pub fn program(&self) -> Command {
        let mut command = Command::new(&BUILT.host);
        // What the developer has set for a host of their own.
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ERP_HOST_"))
        {
            command.env_remove(name);
        }
        command
            .current_dir(self.folder.path())
            .env("ERP_HOST_CONFIG", self.configuration())
            .env("ERP_HOST_PLUGINS", self.plugins())
            .env("ERP_HOST_DATA", self.data());
        command
    }

    /// The running host.
    pub fn process(&mut self) -> &mut HostProcess {
        self.process.as_mut().expect("the host runs")
    }

    /// Asks the host to stop, and waits until it has; gives its log, too.
    pub fn stop(&mut self) -> (ExitStatus, String) {
        let mut process = self.process.take().expect("the host runs");
        process.ask_to_stop().expect("a signal");
        let status = process.wait().expect("the host ends");
        (status, process.log())
    }

    /// Ends the host as a crash would.
    pub fn kill(&mut self) {
        self.process.take().expect("the host runs").kill().expect("the host is killed");
    }

    /// Where the host listens.
    pub fn address(&self) -> SocketAddr {
        self.process.as_ref().expect("the host runs").address()
    }

    /// What the host has logged.
    pub fn log(&self) -> String {
        self.process.as_ref().expect("the host runs").log()
    }

    /// A client of this host.
    pub fn client(&self, dialect: contract::Dialect) -> Client {
        Client::new(self.address(), dialect)
    }

    /// The address of the WSDL in this dialect.
    pub fn wsdl_url(&self, dialect: &str) -> String {
        format!("http://{}{}?singleWsdl&dialect={dialect}", self.address(), crate::exchange::PATH)
    }

    /// The plugins folder.
    pub fn plugins(&self) -> PathBuf {
        self.folder.path().join("plugins")
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The sample workbook.
    pub fn workbook(&self) -> PathBuf {
        self.data().join("excel").join(WORKBOOK)
    }

    /// The configuration file.
    pub fn configuration(&self) -> PathBuf {
        self.folder.path().join("host.toml")
    }

    /// The folder that holds all others.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}
