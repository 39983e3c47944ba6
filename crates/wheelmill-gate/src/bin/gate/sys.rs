//! Calls of the C library. The program has no crates, so they are declared here, as the 64-bit Linux
//! C libraries (glibc, musl) have them.

#![allow(unsafe_code, reason = "this is where the C library is called")]

use std::ffi::{CStr, CString, c_char, c_int, c_short, c_ulong};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd as _, OwnedFd};

use crate::protocol::Ending;

pub(crate) const SIGKILL: c_int = 9;
const SIGHUP: c_int = 1;
const SIGINT: c_int = 2;
const SIGQUIT: c_int = 3;
const SIGUSR1: c_int = 10;
const SIGUSR2: c_int = 12;
const SIGALRM: c_int = 14;
const SIGTERM: c_int = 15;
const SIGCHLD: c_int = 17;

/// What is passed on to the compiler. Stopping and going on are not: they reach whole groups of
/// processes.
const PASSED_ON: [c_int; 7] = [SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGTERM];

const SIG_SETMASK: c_int = 2;
const SFD_CLOEXEC: c_int = 0o2_000_000;
const POLLIN: c_short = 1;
const PR_SET_PDEATHSIG: c_int = 1;
const PR_SET_DUMPABLE: c_int = 4;
const PR_SET_CHILD_SUBREAPER: c_int = 36;
/// `SI_KERNEL`.
const FROM_KERNEL: i32 = 0x80;

type SignalSet = [u64; 16];
type Handler = usize;

#[repr(C)]
struct PollFd {
    fd: c_int,
    events: c_short,
    revents: c_short,
}

unsafe extern "C" {
    static environ: *const *const c_char;
    fn fork() -> c_int;
    fn execve(path: *const c_char, argv: *const *const c_char, envp: *const *const c_char)
    -> c_int;
    fn _exit(code: c_int) -> !;
    fn wait4(pid: c_int, status: *mut c_int, options: c_int, usage: *mut i64) -> c_int;
    fn kill(pid: c_int, signal: c_int) -> c_int;
    fn getpid() -> c_int;
    fn getppid() -> c_int;
    fn prctl(option: c_int, ...) -> c_int;
    fn signal(number: c_int, handler: Handler) -> Handler;
    fn sigemptyset(set: *mut SignalSet) -> c_int;
    fn sigaddset(set: *mut SignalSet, signal: c_int) -> c_int;
    fn sigprocmask(how: c_int, set: *const SignalSet, old: *mut SignalSet) -> c_int;
    fn signalfd(fd: c_int, set: *const SignalSet, flags: c_int) -> c_int;
    fn poll(fds: *mut PollFd, count: c_ulong, timeout: c_int) -> c_int;
    fn getauxval(kind: c_ulong) -> c_ulong;
    fn access(path: *const c_char, mode: c_int) -> c_int;
}

/// As many texts as there are pointers.
///
/// # Safety
///
/// `first` points to `count` pointers to texts that live as long as the process.
pub(crate) unsafe fn texts(first: *const *const c_char, count: usize) -> Vec<&'static CStr> {
    // SAFETY: as the caller promises.
    (0..count).map(|index| unsafe { CStr::from_ptr(*first.add(index)) }).collect()
}

/// The environment, as it was given to this process: also what is no variable.
pub(crate) fn environment() -> Vec<&'static CStr> {
    // SAFETY: the C library keeps a list that ends with a null; nobody here changes it.
    unsafe {
        if environ.is_null() {
            return Vec::new();
        }
        let count = (0..).take_while(|&index| !(*environ.add(index)).is_null()).count();
        texts(environ, count)
    }
}

/// The path by which this program was started, for where there is no `/proc`.
pub(crate) fn own_path() -> Option<&'static [u8]> {
    const AT_EXECFN: c_ulong = 31;
    // SAFETY: the kernel's answer is zero, or the address of a text that lives as long as the process.
    unsafe {
        let path = getauxval(AT_EXECFN) as *const c_char;
        (!path.is_null()).then(|| CStr::from_ptr(path).to_bytes())
    }
}

pub(crate) fn is_executable(path: &CStr) -> bool {
    const X_OK: c_int = 1;
    // SAFETY: the text ends with a zero byte.
    unsafe { access(path.as_ptr(), X_OK) == 0 }
}

/// Becomes another program. Returns the exit code of a shell when that cannot be.
pub(crate) fn exec<A: AsRef<CStr>, E: AsRef<CStr>>(
    program: &CStr,
    arguments: &[A],
    environment: &[E],
) -> i32 {
    const ENOENT: i32 = 2;
    const ENOEXEC: i32 = 8;
    let environment = pointers(environment.iter().map(AsRef::as_ref));
    let list = pointers(arguments.iter().map(AsRef::as_ref));
    // SAFETY: both lists end with a null, and all texts outlive the call.
    unsafe { execve(program.as_ptr(), list.as_ptr(), environment.as_ptr()) };
    let error = io::Error::last_os_error();
    if error.raw_os_error() == Some(ENOEXEC) {
        // A script that does not say by what: the shell runs it, as `execvp` would have it.
        let rest = arguments.iter().skip(1).map(AsRef::as_ref);
        let list = pointers([c"/bin/sh", program].into_iter().chain(rest));
        // SAFETY: as above.
        unsafe { execve(c"/bin/sh".as_ptr(), list.as_ptr(), environment.as_ptr()) };
    }
    say(&format!("gate: cannot run `{}`: {error}\n", program.to_string_lossy()));
    if error.raw_os_error() == Some(ENOENT) { 127 } else { 126 }
}

fn pointers<'a>(texts: impl Iterator<Item = &'a CStr>) -> Vec<*const c_char> {
    texts.map(CStr::as_ptr).chain([std::ptr::null()]).collect()
}

/// Says something to the user; where standard error is closed, to nobody.
pub(crate) fn say(text: &str) {
    drop(io::stderr().write_all(text.as_bytes()));
}

/// Signals as a file, and how they were treated before.
pub(crate) struct Signals {
    file: File,
    mask: SignalSet,
    child_handler: Handler,
}

/// A signal that came.
pub(crate) struct Caught {
    pub(crate) number: c_int,
    /// From a terminal, which sends it to the compiler, too.
    pub(crate) from_terminal: bool,
}

/// What happened.
pub(crate) struct Happened {
    /// A signal came, other than that a child ended.
    pub(crate) signal: Option<Caught>,
    /// The server said something, or is gone.
    pub(crate) server: bool,
    /// Nothing happened for all that time.
    pub(crate) silence: bool,
}

impl Signals {
    /// From here on, signals that end processes wait to be read.
    pub(crate) fn hold() -> Option<Self> {
        let mut wanted: SignalSet = [0; 16];
        let mut mask: SignalSet = [0; 16];
        // SAFETY: both sets are as large as the C library's; a handler of zero is the default, which
        // matters where SIGCHLD is ignored, since children would vanish unseen.
        unsafe {
            let child_handler = signal(SIGCHLD, 0);
            sigemptyset(&raw mut wanted);
            for number in PASSED_ON.into_iter().chain([SIGCHLD]) {
                sigaddset(&raw mut wanted, number);
            }
            // Those that were blocked before stay so.
            sigprocmask(0, &raw const wanted, &raw mut mask);
            let fd = signalfd(-1, &raw const wanted, SFD_CLOEXEC);
            if fd < 0 {
                sigprocmask(SIG_SETMASK, &raw const mask, std::ptr::null_mut());
                signal(SIGCHLD, child_handler);
                return None;
            }
            Some(Self { file: File::from(OwnedFd::from_raw_fd(fd)), mask, child_handler })
        }
    }

    /// Waits for a signal, or a word of the server, for so long.
    pub(crate) fn wait(
        &mut self,
        server: Option<BorrowedFd<'_>>,
        milliseconds: Option<c_int>,
    ) -> Happened {
        // A negative descriptor is passed over.
        let server = server.map_or(-1, |server| server.as_raw_fd());
        let mut fds =
            [self.file.as_raw_fd(), server].map(|fd| PollFd { fd, events: POLLIN, revents: 0 });
        // SAFETY: the list is as long as is said.
        let count = unsafe { poll(fds.as_mut_ptr(), 2, milliseconds.unwrap_or(-1)) };
        let mut happened = Happened {
            signal: None,
            server: count > 0 && fds[1].revents != 0,
            silence: count == 0,
        };
        if count > 0 && fds[0].revents != 0 {
            // signalfd_siginfo: the number, an error, the code, and more.
            let mut siginfo = [0_u8; 128];
            if self.file.read(&mut siginfo).is_ok_and(|length| length == siginfo.len()) {
                let field = |at: usize| {
                    let bytes: [u8; 4] = siginfo[at..at + 4].try_into().unwrap_or_default();
                    i32::from_ne_bytes(bytes)
                };
                let caught = Caught { number: field(0), from_terminal: field(8) == FROM_KERNEL };
                happened.signal = (caught.number != SIGCHLD).then_some(caught);
            }
        }
        happened
    }

    /// Before the compiler takes over: everything as it was before.
    pub(crate) fn release(&self) {
        // SAFETY: the mask and the handler were given by the same calls.
        unsafe {
            signal(SIGCHLD, self.child_handler);
            sigprocmask(SIG_SETMASK, &raw const self.mask, std::ptr::null_mut());
        }
    }

    /// Ends this process as the signal would have ended it. Returns when it is ignored.
    pub(crate) fn die(&self, number: c_int) {
        // SAFETY: plain system calls on this process.
        unsafe {
            // The compiler's own core dump is the one that is wanted.
            prctl(PR_SET_DUMPABLE, 0);
            self.release();
            kill(getpid(), number);
            prctl(PR_SET_DUMPABLE, 1);
        }
    }
}

/// Starts a program in a child that dies with this process, and that the kernel kills first when
/// memory runs out.
pub(crate) fn spawn(
    signals: &Signals,
    program: &CStr,
    arguments: &[CString],
    environment: &[CString],
) -> Option<c_int> {
    // SAFETY: this process has one thread, so the child may do anything.
    let (parent, child) = unsafe { (getpid(), fork()) };
    if child != 0 {
        return (child > 0).then_some(child);
    }
    prefer_for_kill();
    signals.release();
    // SAFETY: plain system calls; the child does not go on with what is its parent's.
    unsafe {
        prctl(PR_SET_PDEATHSIG, SIGKILL as c_ulong);
        if getppid() != parent {
            _exit(1);
        }
        _exit(exec(program, arguments, environment))
    }
}

/// From here on this process, and what it becomes, is killed when its parent ends.
pub(crate) fn die_with_parent() {
    // SAFETY: a plain system call.
    unsafe { prctl(PR_SET_PDEATHSIG, SIGKILL as c_ulong) };
}

/// How much sooner than others a compiler is killed: half of all memory, in thousandths.
const PREFERENCE: i32 = 500;

fn prefer_for_kill() {
    const FILE: &str = "/proc/self/oom_score_adj";
    let current = std::fs::read_to_string(FILE).ok().and_then(|text| text.trim().parse().ok());
    let wanted: i32 = current.map_or(PREFERENCE, |current: i32| current.saturating_add(PREFERENCE));
    // Where that is refused, the kernel chooses by size alone.
    drop(std::fs::write(FILE, wanted.min(1000).to_string()));
}

/// How a child ended, if it did.
pub(crate) fn reap(child: c_int) -> Option<Ending> {
    const WNOHANG: c_int = 1;
    wait(child, WNOHANG)
}

/// Waits until a child has ended.
pub(crate) fn reap_surely(child: c_int) -> Ending {
    loop {
        if let Some(ending) = wait(child, 0) {
            return ending;
        }
        if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return Ending::default();
        }
    }
}

fn wait(child: c_int, options: c_int) -> Option<Ending> {
    let mut status = 0;
    // struct rusage: two times of two longs, then the largest process in KiB; 36 longs in musl.
    let mut usage = [0_i64; 36];
    // SAFETY: both are as large as the call wants them.
    let found = unsafe { wait4(child, &raw mut status, options, usage.as_mut_ptr()) };
    if found != child {
        return None;
    }
    let time = |at: usize| usage[at].saturating_mul(1_000_000).saturating_add(usage[at + 1]);
    Some(Ending {
        status,
        cpu_microseconds: u64::try_from(time(0).saturating_add(time(2))).unwrap_or(0),
        largest_process: u64::try_from(usage[4].saturating_mul(1024)).unwrap_or(0),
        cache: None,
    })
}

/// Sends a signal; a process that is gone needs none.
pub(crate) fn send(process: c_int, number: c_int) {
    if process > 0 {
        // SAFETY: a plain system call.
        unsafe { kill(process, number) };
    }
}

/// From here on, processes whose parent dies become this one's children; or no longer.
pub(crate) fn adopt_orphans(adopt: bool) {
    // SAFETY: a plain system call.
    unsafe { prctl(PR_SET_CHILD_SUBREAPER, c_ulong::from(adopt)) };
}

/// Reaps any child. False when there is none.
pub(crate) fn reap_any() -> bool {
    let mut status = 0;
    // SAFETY: no usage is asked for.
    unsafe { wait4(-1, &raw mut status, 0, std::ptr::null_mut()) > 0 }
}
