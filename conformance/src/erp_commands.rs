//! Control of an ERP system by commands of the operating system.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use plugin_api::{Error, Result, ResultExt};

use crate::erp_control::{ErpControl, Offered};

/// How long a command may take.
const LIMIT: Duration = Duration::from_secs(120);

/// How often it is looked whether a command has ended.
const INTERVAL: Duration = Duration::from_millis(50);

/// Commands that stop and start an ERP system, each for the shell.
#[derive(Debug, Clone, Default)]
pub struct ErpCommands {
    /// Stops it.
    pub stop: Option<String>,
    /// Makes it slow, or halts it.
    pub slow: Option<String>,
    /// Starts it after one of the others, and ends when it answers.
    pub start: String,
}

impl ErpControl for ErpCommands {
    fn slow(&self) -> Result<Offered> {
        offered(self.slow.as_deref())
    }

    fn away(&self) -> Result<Offered> {
        offered(self.stop.as_deref())
    }

    fn back(&self) -> Result<()> {
        run(&self.start)
    }
}

fn offered(command: Option<&str>) -> Result<Offered> {
    let Some(command) = command else { return Ok(Offered::No) };
    run(command).map(|()| Offered::Yes)
}

/// Runs a command to its end. What it prints goes to standard error: the report is on standard output.
fn run(command: &str) -> Result<()> {
    let mut child = shell(command)
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .spawn()
        .user(format!("the command {command:?} cannot be run"))?;
    let started = Instant::now();
    loop {
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(Error::user(format!("the command {command:?} failed: {status}"))),
            None if started.elapsed() > LIMIT => {
                child.kill()?;
                child.wait()?;
                return Err(Error::user(format!("the command {command:?} did not end within {LIMIT:?}")));
            }
            None => thread::sleep(INTERVAL),
        }
    }
}

#[cfg(not(windows))]
fn shell(command: &str) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", command]);
    shell
}

#[cfg(windows)]
fn shell(command: &str) -> Command {
    let mut shell = Command::new("cmd");
    shell.args(["/C", command]);
    shell
}
