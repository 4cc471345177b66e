//! The system user that a worker process runs as.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::{fs, io};

use nix::unistd::{Uid, User};

/// A user ID with its group ID.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ids {
    pub(super) user: u32,
    pub(super) group: u32,
}

/// Looks up a user by name or number. It must not be root.
///
/// # Errors
/// There is no such user, or the host may not start processes of other users. The text has what to do.
pub(super) fn look_up(name: &str) -> Result<Ids, String> {
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
    if !Uid::effective().is_root() && user.uid != Uid::effective() {
        return Err(format!(
            "its worker is to run as the user {name:?}, and only root may start processes of other users; run \
             erp-host as root, or leave the user out"
        ));
    }
    Ok(Ids { user: user.uid.as_raw(), group: user.gid.as_raw() })
}

/// Lets the user read the copy of the plugin, and makes it the owner of the connector's data folder.
///
/// # Errors
/// There is no such user, or the permissions cannot be set. The text has what to do.
pub(crate) fn grant_access(copy: &Path, folder: &Path, name: &str) -> Result<(), String> {
    let ids = look_up(name)?;
    let cannot = |path: &Path| {
        let path = path.display().to_string();
        move |error: io::Error| format!("{path} cannot be handed to the user {name:?} of its worker: {error}")
    };
    if let Some(cache) = copy.parent() {
        fs::set_permissions(cache, PermissionsExt::from_mode(0o711)).map_err(cannot(cache))?;
    }
    fs::set_permissions(copy, PermissionsExt::from_mode(0o644)).map_err(cannot(copy))?;
    let (user, group) = (Some(ids.user), Some(ids.group));
    std::os::unix::fs::chown(folder, user, group).map_err(cannot(folder))
}
