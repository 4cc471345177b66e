//! Who made a change: a caller over HTTP, a command, or the host itself.

use serde::Serialize;

use super::event::shortened;

/// Who made a change. The names of the members are part of the file format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Origin {
    /// A call over HTTP.
    Call {
        /// The authenticated name of the caller, if the host requires authentication.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// The address of the client; `unknown` if a trusted proxy sends it in a form that cannot be relied on.
        client: String,
        /// The address of the trusted proxy that the call came through, if any.
        #[serde(skip_serializing_if = "Option::is_none")]
        via: Option<String>,
    },
    /// A command of this program.
    Command {
        /// The name of the command.
        command: &'static str,
        /// The name of the operating system user who ran it.
        user: String,
        /// The number of that user, on systems that number users.
        #[serde(skip_serializing_if = "Option::is_none")]
        uid: Option<u32>,
        /// The user who ran it through sudo, from `SUDO_USER`. A user who can run the command without sudo can put
        /// anything here.
        #[serde(skip_serializing_if = "Option::is_none")]
        sudo_user: Option<String>,
    },
    /// The running host itself, for example after a change in the plugins folder.
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

/// A variable of the environment. The user controls it, so it proves nothing.
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty()).map(|value| shortened(&value))
}

/// The user of this process. The number is the identity; the name comes from `/etc/passwd`.
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
