# Tries what a connector in a worker process must not be able to do, and what it must. Arguments: "own" or "same" (its user),
# the process ID of the host, those of the subreapers, the data folder, and files of the host.

import ctypes, mmap, os, socket, sys, tempfile

own_user = sys.argv[1] == "own"
host = int(sys.argv[2])
subreapers = [int(one) for one in sys.argv[3].split(",")]
data, files = sys.argv[4], sys.argv[5:]
libc = ctypes.CDLL(None, use_errno=True)
BUFFER = ctypes.create_string_buffer(4096)


def attempt(name, action):
    try:
        result = action()
        print(name, "SUCCEEDED", result)
    except OSError as error:
        print(name, "refused:", error.strerror)


def must_work(name, action):
    try:
        action()
    except OSError as error:
        print(name, "MUST WORK:", error)


def call(function, *arguments):
    result = function(*arguments)
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def syscall(number, *arguments):
    return lambda: call(libc.syscall, ctypes.c_long(number), *[ctypes.c_long(one) for one in arguments])


def create(path):
    with open(path, "w") as file:
        file.write("x")


for path in files:
    attempt(f"read {path}", lambda: open(path, "rb").read(1))
    attempt(f"write {path}", lambda: open(path, "r+b").close())
    attempt(f"truncate {path}", lambda: os.truncate(path, 0))
    attempt(f"delete {path}", lambda: os.unlink(path))
    attempt(f"rename {path}", lambda: os.rename(path, path + ".old"))
    attempt(f"link {path}", lambda: os.link(path, os.path.join(data, "rogue", "link")))
    attempt(f"mode of {path}", lambda: os.chmod(path, 0o666))
    attempt(f"owner of {path}", lambda: os.chown(path, os.getuid(), os.getgid()))
    attempt(f"times of {path}", lambda: os.utime(path, (0, 0)))
    attempt(f"attributes of {path}", lambda: os.setxattr(path, "user.x", b"x"))
attempt("list the data folder", lambda: os.listdir(data))
attempt("mode of the data folder", lambda: os.chmod(data, 0o777))
attempt("file in the data folder", lambda: create(os.path.join(data, "new")))
attempt("reload request", lambda: create(os.path.join(data, "erp-host.reload", "0.order")))
attempt("list another connector", lambda: os.listdir(os.path.join(data, "hello")))
attempt("file of another connector", lambda: create(os.path.join(data, "hello", "new")))
attempt("file in the cache", lambda: create(os.path.join(data, "plugins-cache", "new")))
attempt("plugin", lambda: create(os.path.join(os.path.dirname(data), "plugins", "new.so")))
attempt("passwords", lambda: open("/etc/shadow").read())
attempt("file in /tmp", lambda: create("/tmp/erp-host-worker"))
attempt("file in /dev/shm", lambda: create("/dev/shm/erp-host-worker"))
attempt("list of processes", lambda: os.listdir("/proc"))

for name, process in [("host", host)] + [("subreaper", one) for one in subreapers]:
    for file in ["environ", "mem", "maps", "cmdline"]:
        attempt(f"{file} of the {name}", lambda: open(f"/proc/{process}/{file}", "rb").read(1))
    attempt(f"descriptors of the {name}", lambda: os.listdir(f"/proc/{process}/fd"))
    # SIGCONT changes nothing.
    attempt(f"signal to the {name}", lambda: os.kill(process, 18))
    attempt(f"signal to the group of the {name}", lambda: os.killpg(process, 18))
    attempt(f"ptrace of the {name}", syscall(101, 16, process, 0, 0))
    attempt(f"process_vm_readv of the {name}", syscall(310, process, 0, 0, 0, 0, 0))
    attempt(f"limits of the {name}", syscall(302, process, 7, 0, ctypes.addressof(BUFFER)))
    attempt(f"processors of the {name}", lambda: os.sched_setaffinity(process, {0}))
    attempt(f"priority of the {name}", lambda: os.setpriority(os.PRIO_PROCESS, process, 19))
if not own_user:
    attempt("priority of the user", lambda: os.setpriority(os.PRIO_USER, 0, 19))

for name, number, arguments in [
    ("mount", 165, (0, 0, 0, 0, 0)),
    ("unshare", 272, (0x10000000,)),
    ("setns", 308, (0, 0)),
    ("chroot", 161, (ctypes.addressof(BUFFER),)),
    ("keyctl", 250, (0, -3, 0)),
    ("bpf", 321, (0, 0, 0)),
    ("perf_event_open", 298, (0, 0, 0, 0, 0)),
    ("userfaultfd", 323, (0,)),
    ("io_uring_setup", 425, (1, ctypes.addressof(BUFFER))),
    ("kexec_load", 246, (0, 0, 0, 0)),
    ("open_by_handle_at", 304, (0, 0, 0)),
    ("a call of the x32 ABI", 0x40000000 + 101, (16, host, 0, 0)),
    ("a call that does not exist", 600, ()),
    ("memfd_create", 319, (ctypes.addressof(BUFFER), 0)),
    ("shmget", 29, (0, 4096, 0o1600)),
    ("setuid", 105, (0,) if os.getuid() else (1,)),
    ("setgroups", 116, (0, 0)),
]:
    attempt(name, syscall(number, *arguments))
attempt("shared memory", lambda: mmap.mmap(-1, 4096))
attempt("raw socket", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
attempt("vsock", lambda: socket.socket(40, socket.SOCK_STREAM))
if own_user:
    must_work("Unix domain socket", lambda: socket.socket(socket.AF_UNIX))
else:
    attempt("Unix domain socket", lambda: socket.socket(socket.AF_UNIX))
os.umask(0o077)
must_work("its own folder", lambda: create(os.path.join(data, "rogue", "own")))
must_work("rename", lambda: os.rename(os.path.join(data, "rogue", "own"), os.path.join(data, "rogue", "own2")))
must_work("temporary file", lambda: tempfile.NamedTemporaryFile().close())
must_work("name resolution", lambda: open("/etc/nsswitch.conf").read())
must_work("host names", lambda: open("/etc/hosts").read())
must_work("random", lambda: open("/dev/urandom", "rb").read(1))
must_work("null", lambda: create("/dev/null"))
must_work("network", lambda: socket.socket(socket.AF_INET).close())
must_work("signal to itself", lambda: os.kill(os.getpid(), 0) if own_user else None)
must_work("child", lambda: os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0))
print("all attempts are made")
