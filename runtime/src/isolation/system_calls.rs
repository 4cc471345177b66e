//! The system calls that a worker process may not make (seccomp).
//!
//! A list of what is denied, not of what is allowed: a plugin may bring any runtime with it. Calls that are newer than the
//! list do not exist for a worker.

use std::collections::BTreeMap;

use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter, sock_filter,
};

/// The last system call that the list was written with (`removexattrat`, Linux 6.13). From 424 on the numbers are the same on
/// all processors.
const LAST_KNOWN: u32 = 466;

/// Denied in every worker: what reaches into other processes, changes the system, or leaves the filters behind.
const ALWAYS: &[i64] = &[
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
    // Keys.
    libc::SYS_add_key,
    libc::SYS_keyctl,
    libc::SYS_request_key,
    // Mounts and namespaces.
    libc::SYS_chroot,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_pivot_root,
    libc::SYS_setns,
    libc::SYS_umount2,
    libc::SYS_unshare,
    // Files by handle, past their folders.
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    // System calls that this filter does not see.
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    // Large parts of the kernel that no connector needs.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_lookup_dcookie,
    libc::SYS_vhangup,
    libc::SYS_personality,
    // The system as a whole.
    libc::SYS_acct,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_finit_module,
    libc::SYS_init_module,
    libc::SYS_kexec_load,
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
    libc::SYS_kexec_file_load,
    libc::SYS_nfsservctl,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_reboot,
    libc::SYS_setdomainname,
    libc::SYS_sethostname,
    libc::SYS_settimeofday,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
];

/// Denied where memory is limited by adding up what processes use: memory that belongs to no process.
const SHARED_MEMORY: &[i64] = &[
    libc::SYS_memfd_create,
    libc::SYS_memfd_secret,
    libc::SYS_mq_open,
    libc::SYS_msgget,
    libc::SYS_semget,
    libc::SYS_shmat,
    libc::SYS_shmget,
];

/// Denied in a worker with the host's user: changes to files by their path that Landlock does not restrict, and objects of
/// the same user.
const OF_THE_SAME_USER: &[i64] = &[
    libc::SYS_fchmodat,
    libc::SYS_fchmodat2,
    libc::SYS_fchownat,
    libc::SYS_lremovexattr,
    libc::SYS_lsetxattr,
    libc::SYS_removexattr,
    libc::SYS_setxattr,
    463, // setxattrat
    466, // removexattrat
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    libc::SYS_msgget,
    libc::SYS_semget,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_shmget,
    libc::SYS_ioprio_set,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chmod,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lchown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_utime,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_utimes,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_futimesat,
];

/// Without effect: all that a worker starts stays in its process group, which can be ended in one step. The calls report
/// success, because programs that become daemons end otherwise.
const LEAVING_THE_GROUP: &[i64] = &[libc::SYS_setsid, libc::SYS_setpgid];

/// What the list depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Denial {
    /// Whether the worker has another user than the host.
    pub(super) has_own_user: bool,
    /// Whether shared memory is denied.
    pub(super) shared_memory: bool,
    /// Whether `truncate` is denied, because Landlock does not restrict it.
    pub(super) truncation: bool,
    /// Whether signals to other processes are denied, because Landlock does not restrict them.
    pub(super) signals: bool,
}

/// Denies system calls to the calling thread, and to the threads and processes that it starts.
///
/// # Errors
/// The kernel has no seccomp, or this processor is not supported.
pub(super) fn deny(denial: Denial) -> Result<(), seccompiler::Error> {
    // As if the kernel did not have them: the C library uses what it used before them. `clone3` takes its flags in memory,
    // where no filter sees them.
    apply_filter(&unknown_calls())?;
    apply_filter(&filter(BTreeMap::from([(libc::SYS_clone3, Vec::new())]), libc::ENOSYS)?)?;
    apply_filter(&filter(LEAVING_THE_GROUP.iter().map(|call| (*call, Vec::new())).collect(), 0)?)?;
    apply_filter(&filter(denied(denial)?, libc::EPERM)?)
}

fn filter(rules: BTreeMap<i64, Vec<SeccompRule>>, error: i32) -> Result<BpfProgram, seccompiler::Error> {
    let action = SeccompAction::Errno(error.unsigned_abs());
    let architecture = std::env::consts::ARCH.try_into()?;
    Ok(SeccompFilter::new(rules, SeccompAction::Allow, action, architecture)?.try_into()?)
}

/// A filter for numbers beyond the last known system call, which those of the x32 ABI are too.
fn unknown_calls() -> BpfProgram {
    // The opcodes of classic BPF: load a word of `seccomp_data`, whose first is the number; jump if greater; return.
    let step = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    let refused = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs();
    vec![
        step(0x20, 0, 0, 0),
        step(0x25, 0, 1, LAST_KNOWN),
        step(0x06, 0, 0, refused),
        step(0x06, 0, 0, libc::SECCOMP_RET_ALLOW),
    ]
}

/// The denied calls, with the conditions under which they are; none: always.
fn denied(denial: Denial) -> Result<BTreeMap<i64, Vec<SeccompRule>>, seccompiler::BackendError> {
    use SeccompCmpOp::{Eq, MaskedEq, Ne};
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = ALWAYS.iter().map(|&call| (call, Vec::new())).collect();
    let mut deny_all = |calls: &[i64]| rules.extend(calls.iter().map(|&call| (call, Vec::new())));
    if denial.shared_memory {
        deny_all(SHARED_MEMORY);
    }
    if !denial.has_own_user {
        deny_all(OF_THE_SAME_USER);
    }
    if denial.truncation {
        deny_all(&[libc::SYS_truncate]);
    }
    let own = u64::from(std::process::id());
    let word =
        |argument, operator, value| SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value);
    let none_of = |argument, values: &[u64]| {
        values.iter().map(|&value| word(argument, Ne, value)).collect::<Result<Vec<_>, _>>()
    };
    let number = |number: i32| u64::from(number.cast_unsigned());
    let mut deny_if =
        |call: i64, conditions: Vec<SeccompCondition>| -> Result<(), seccompiler::BackendError> {
            rules.entry(call).or_default().push(SeccompRule::new(conditions)?);
            Ok(())
        };

    // New namespaces give capabilities within them.
    for flag in [
        libc::CLONE_NEWCGROUP,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWNET,
        libc::CLONE_NEWNS,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWUTS,
    ] {
        deny_if(libc::SYS_clone, vec![word(0, MaskedEq(number(flag)), number(flag))?])?;
    }
    // Input for a terminal that the host was started from.
    for request in [libc::TIOCSTI, libc::TIOCLINUX] {
        deny_if(libc::SYS_ioctl, vec![word(1, Eq, request & u64::from(u32::MAX))?])?;
    }
    let mut families = vec![number(libc::AF_INET), number(libc::AF_INET6), number(libc::AF_NETLINK)];
    if denial.has_own_user {
        families.push(number(libc::AF_UNIX));
    }
    deny_if(libc::SYS_socket, none_of(0, &families)?)?;
    // Of netlink only what lists addresses and routes.
    let netlink = vec![word(0, Eq, number(libc::AF_NETLINK))?, word(2, Ne, number(libc::NETLINK_ROUTE))?];
    deny_if(libc::SYS_socket, netlink)?;
    if denial.shared_memory {
        let shared = number(libc::MAP_SHARED | libc::MAP_ANONYMOUS);
        let kind = number(libc::MAP_TYPE | libc::MAP_ANONYMOUS);
        deny_if(libc::SYS_mmap, vec![word(3, MaskedEq(kind), shared)?])?;
    }
    if !denial.has_own_user {
        // The times of an open file may be set, which has no path.
        deny_if(libc::SYS_utimensat, vec![SeccompCondition::new(1, SeccompCmpArgLen::Qword, Ne, 0)?])?;
        for call in [
            libc::SYS_prlimit64,
            libc::SYS_sched_setaffinity,
            libc::SYS_sched_setattr,
            libc::SYS_sched_setparam,
            libc::SYS_sched_setscheduler,
        ] {
            deny_if(call, none_of(0, &[0, own])?)?;
        }
        deny_if(libc::SYS_setpriority, none_of(0, &[u64::from(libc::PRIO_PROCESS)])?)?;
        deny_if(libc::SYS_setpriority, none_of(1, &[0, own])?)?;
    }
    if denial.signals {
        // Itself, and its process group, whose number is its own.
        let group = own.wrapping_neg() & u64::from(u32::MAX);
        deny_if(libc::SYS_kill, none_of(0, &[0, own, group])?)?;
        for call in [libc::SYS_tgkill, libc::SYS_rt_sigqueueinfo, libc::SYS_rt_tgsigqueueinfo] {
            deny_if(call, none_of(0, &[own])?)?;
        }
        // The owner of a file, who gets its signals. 15 is F_SETOWN_EX.
        for command in [number(libc::F_SETOWN), 15] {
            deny_if(libc::SYS_fcntl, vec![word(1, Eq, command)?])?;
        }
        rules.extend([libc::SYS_tkill, libc::SYS_pidfd_send_signal].map(|call| (call, Vec::new())));
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;
    use rustix::process::{Signal, getpid, getppid, kill_process, test_kill_process};

    use super::*;

    /// In a thread of its own, which alone is restricted.
    fn with_denial<T: Send>(denial: Denial, test: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let restricted = scope.spawn(|| {
                deny(denial).unwrap();
                test()
            });
            restricted.join().unwrap()
        })
    }

    const NOTHING: Denial =
        Denial { has_own_user: true, shared_memory: false, truncation: false, signals: false };

    #[test]
    fn signals_reach_only_the_process_itself_where_landlock_does_not_restrict_them() {
        let parent = getppid().unwrap();
        let results = |denial| {
            with_denial(denial, || (test_kill_process(getpid()), kill_process(parent, Signal::CONT)))
        };
        assert_eq!(results(NOTHING), (Ok(()), Ok(())));
        assert_eq!(results(Denial { signals: true, ..NOTHING }), (Ok(()), Err(Errno::PERM)));
    }

    #[test]
    fn files_are_truncated_only_when_they_are_open_where_landlock_does_not_restrict_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        with_denial(Denial { truncation: true, ..NOTHING }, || {
            file.as_file().set_len(0).unwrap();
            assert_eq!(nix_truncate(file.path()), Err(nix::errno::Errno::EPERM));
        });
        assert_eq!(nix_truncate(file.path()), Ok(()));
    }

    fn nix_truncate(path: &std::path::Path) -> nix::Result<()> {
        nix::unistd::truncate(path, 0)
    }

    #[test]
    fn unix_domain_sockets_are_denied_only_with_the_user_of_the_host() {
        use rustix::net::{AddressFamily, SocketType, socket};
        let open = |denial| {
            with_denial(denial, || {
                let pair = std::os::unix::net::UnixStream::pair().is_ok();
                let network = socket(AddressFamily::INET, SocketType::STREAM, None).is_ok();
                (pair, network, socket(AddressFamily::UNIX, SocketType::STREAM, None).map(drop))
            })
        };
        assert_eq!(open(NOTHING), (true, true, Ok(())));
        assert_eq!(open(Denial { has_own_user: false, ..NOTHING }), (true, true, Err(Errno::PERM)));
    }
}
