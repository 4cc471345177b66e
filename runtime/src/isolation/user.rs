//! The system user that a worker process runs as.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::{fs, io};

use nix::unistd::{Uid, User};

/// A user ID with its group ID.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ids {
    pub(super) user: u32,
    pub(super) group: u32,
}

/// Looks up a user by name or number. It must not be root. `None`: it is the user of the host.
///
/// # Errors
/// There is no such user, or the host may not start and end processes of other users. The text has what to do.
pub(super) fn look_up(name: &str) -> Result<Option<Ids>, String> {
    let user = match name.parse() {
        Ok(id) => User::from_uid(Uid::from_raw(id)),
        Err(_) => User::from_name(name),
    };
    let user = user
        .map_err(|error| format!("the user {name:?} of its worker cannot be looked up: {error}"))?
        .ok_or_else(|| {
            format!("the user {name:?} of its worker does not exist; make it, or name another one")
        })?;
    if user.uid.is_root() {
        return Err(format!("the user {name:?} of its worker is root; name one with fewer rights"));
    }
    if user.uid == Uid::effective() {
        return Ok(None);
    }
    if !may_use_other_users() {
        return Err(format!(
            "its worker is to run as the user {name:?}, and erp-host may not start and end processes of other users; run it as \
             root or with the capabilities CAP_SETUID, CAP_SETGID and CAP_KILL, or leave the user out"
        ));
    }
    Ok(Some(Ids { user: user.uid.as_raw(), group: user.gid.as_raw() }))
}

fn may_use_other_users() -> bool {
    #[cfg(target_os = "linux")]
    {
        use rustix::thread::{CapabilitySet, capabilities};
        let needed = CapabilitySet::SETUID | CapabilitySet::SETGID | CapabilitySet::KILL;
        capabilities(None).is_ok_and(|sets| sets.effective.contains(needed))
    }
    #[cfg(not(target_os = "linux"))]
    Uid::effective().is_root()
}

/// Lets the user read the copy of the plugin, and makes it the owner of the connector's data folder.
///
/// # Errors
/// There is no such user, or the permissions cannot be set. The text has what to do.
pub(crate) fn grant_access(copy: &Path, folder: &Path, name: &str) -> Result<(), String> {
    let Some(ids) = look_up(name)? else { return Ok(()) };
    let cannot = |path: &Path| {
        let path = path.display().to_string();
        move |error: io::Error| format!("{path} cannot be handed to the user {name:?} of its worker: {error}")
    };
    if let Some(cache) = copy.parent() {
        fs::set_permissions(cache, PermissionsExt::from_mode(0o711)).map_err(cannot(cache))?;
    }
    fs::set_permissions(copy, PermissionsExt::from_mode(0o644)).map_err(cannot(copy))?;
    if fs::metadata(folder).map_err(cannot(folder))?.uid() == ids.user {
        return Ok(());
    }
    std::os::unix::fs::chown(folder, Some(ids.user), Some(ids.group)).map_err(|error| {
        format!("{}; as root run: chown {name}: {}", cannot(folder)(error), folder.display())
    })
}
