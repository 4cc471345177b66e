//! By whom a change came.

use serde::Serialize;

use super::shortened;

/// By whom a change came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Origin {
    /// A call over HTTP.
    Call {
        /// The name that the caller proved to have.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// The client's address; `unknown` where a proxy tells it in a way that cannot be relied on.
        client: String,
        /// The proxy's address, where the client came through a trusted one.
        #[serde(skip_serializing_if = "Option::is_none")]
        via: Option<String>,
    },
    /// A command of this program.
    Command {
        /// Which.
        command: &'static str,
        /// The user of the operating system that ran it, by name.
        user: String,
        /// The same by number, where users have one.
        #[serde(skip_serializing_if = "Option::is_none")]
        uid: Option<u32>,
        /// Who ran it through sudo, as sudo says; whoever may run it without sudo may say anything here.
        #[serde(skip_serializing_if = "Option::is_none")]
        sudo_user: Option<String>,
    },
    /// The running host itself: what it found in the plugins folder, or in its store.
    Host {
        /// What it was doing.
        host: &'static str,
    },
}

impl Origin {
    /// A command of this program, run by the user of this process.
    pub fn command(command: &'static str) -> Self {
        let (user, uid) = user();
        Origin::Command { command, user, uid, sudo_user: environment("SUDO_USER") }
    }
}

/// The environment's word, which its user may have chosen at will.
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty()).map(|value| shortened(&value))
}

/// The number is what counts; its name is looked up where most systems keep it.
#[cfg(unix)]
fn user() -> (String, Option<u32>) {
    let uid = rustix::process::getuid().as_raw();
    let names = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = names.lines().find_map(|line| {
        let mut parts = line.split(':');
        let name = parts.next()?;
        (parts.nth(1)?.parse() == Ok(uid)).then(|| shortened(name))
    });
    (name.or_else(|| environment("USER")).unwrap_or_else(|| uid.to_string()), Some(uid))
}

#[cfg(not(unix))]
fn user() -> (String, Option<u32>) {
    let name = environment("USERNAME").unwrap_or_else(|| "unknown".to_owned());
    (environment("USERDOMAIN").map_or(name.clone(), |domain| format!("{domain}\\{name}")), None)
}
