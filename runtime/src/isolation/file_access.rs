//! The files that a worker process may use (Landlock): what every program needs, the plugin, the connector's data folder, and
//! what the operator adds.

use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, LandlockStatus, PathBeneath, PathFd,
    RestrictionStatus, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, Scope,
};

use super::FileAccess;

/// The version of Landlock that the rules are written for. An older kernel enforces what it can.
const VERSION: ABI = ABI::V7;

/// Programs and shared libraries.
const PROGRAMS: &[&str] =
    &["/usr", "/lib", "/lib32", "/lib64", "/libx32", "/bin", "/sbin", "/nix/store", "/gnu/store"];

/// What libraries read to resolve names, verify certificates and show local time. Not all of `/etc`: it has configuration
/// files and private keys that are not for a connector.
const SYSTEM: &[&str] = &[
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/ca-certificates.conf",
    "/etc/crypto-policies",
    "/etc/fonts",
    "/etc/freetds",
    "/etc/gai.conf",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/krb5.conf",
    "/etc/krb5.conf.d",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/ld.so.preload",
    "/etc/locale.alias",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/odbc.ini",
    "/etc/odbcinst.ini",
    "/etc/os-release",
    "/etc/passwd",
    "/etc/pki/ca-trust",
    "/etc/pki/tls/cert.pem",
    "/etc/pki/tls/certs",
    "/etc/pki/tls/openssl.cnf",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl/cert.pem",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/timezone",
    "/run/NetworkManager/resolv.conf",
    "/run/resolvconf",
    "/run/systemd/resolve",
    "/dev/random",
    "/dev/urandom",
    "/proc/cpuinfo",
    "/proc/filesystems",
    "/proc/meminfo",
    "/proc/self",
    "/proc/stat",
    "/proc/sys/crypto",
    "/proc/sys/kernel/osrelease",
    "/proc/sys/kernel/random",
    "/proc/sys/vm/overcommit_memory",
    "/proc/version",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
    "/sys/kernel/mm/transparent_hugepage",
];

/// Devices that are read and written. `/dev/zero` is not one of them: mapped, it is shared memory.
const DEVICES: &[&str] = &["/dev/null", "/dev/full"];

/// How far the kernel restricts a worker.
#[derive(Debug)]
pub(super) struct Restriction {
    /// Whether access to files is restricted.
    pub(super) files: bool,
    /// Whether `truncate` is part of that.
    pub(super) truncation: bool,
    /// Whether signals and abstract sockets reach only processes of the same worker.
    pub(super) scope: bool,
    /// What was configured and cannot be allowed, in one line each.
    pub(super) problems: Vec<String>,
}

/// Restricts the calling thread, and the threads and processes that it starts.
///
/// # Errors
/// The kernel has Landlock and refuses the rules.
pub(super) fn restrict(access: &FileAccess) -> Result<Restriction, RulesetError> {
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(VERSION))?
        .scope(Scope::from_all(VERSION))?
        .create()?;
    let mut problems = Vec::new();
    let read = AccessFs::from_read(VERSION);
    let write = AccessFs::from_all(VERSION);
    // A path that does not exist is nothing that could be used.
    let program = std::env::current_exe().ok();
    for path in PROGRAMS.iter().chain(SYSTEM).map(Path::new).chain(program.as_deref()) {
        if let Ok(file) = PathFd::new(path) {
            ruleset = ruleset.add_rule(rule(file, path, read))?;
        }
    }
    let device = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::Truncate | AccessFs::IoctlDev;
    for path in DEVICES.iter().map(Path::new) {
        if let Ok(file) = PathFd::new(path) {
            ruleset = ruleset.add_rule(rule(file, path, device))?;
        }
    }
    let own = access.read.iter().map(|path| (path, read, "read"));
    for (path, rights, key) in own.chain(access.write.iter().map(|path| (path, write, "write"))) {
        match PathFd::new(path) {
            Ok(file) => ruleset = ruleset.add_rule(rule(file, path, rights))?,
            Err(error) => problems.push(format!(
                "{} ({key}) cannot be opened by the user of the worker, so the connector cannot use it: {error}",
                path.display()
            )),
        }
    }
    let RestrictionStatus { landlock, .. } = ruleset.restrict_self()?;
    let version = match landlock {
        LandlockStatus::Available { effective_abi, .. } => effective_abi,
        _ => ABI::Unsupported,
    };
    Ok(Restriction {
        files: version >= ABI::V1,
        truncation: version >= ABI::V3,
        scope: version >= ABI::V6,
        problems,
    })
}

/// A rule for a file or a folder; the rights of folders do not fit a file.
fn rule(file: PathFd, path: &Path, rights: BitFlags<AccessFs>) -> PathBeneath<PathFd> {
    let rights = if path.is_dir() { rights } else { rights & AccessFs::from_file(VERSION) };
    PathBeneath::new(file, rights)
}
