//! Starting a program without copying the daemon.
//!
//! `fork` copies the page tables of a process that may hold a hundred thousand real servers, and
//! std's way around it cannot set supplementary groups or a parent-death signal. So this is what
//! `posix_spawn` does inside: a child that borrows our memory, on a stack of its own, while we
//! stand still until it has become the script or has failed. It also tells the reason of a failure
//! without a pipe.
//!
//! The price: we stand still while the kernel opens the script, which is long if the script lies
//! on a file server that does not answer.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr;

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::resource::{Resource, rlim_t};
use nix::sys::signal::{SigSet, SigmaskHow, pthread_sigmask};

#[cfg(not(any(target_arch = "x86", target_arch = "arm")))]
use libc::{
    SYS_setgroups as SYS_SETGROUPS, SYS_setresgid as SYS_SETRESGID, SYS_setresuid as SYS_SETRESUID,
};
#[cfg(any(target_arch = "x86", target_arch = "arm"))]
use libc::{
    SYS_setgroups32 as SYS_SETGROUPS, SYS_setresgid32 as SYS_SETRESGID,
    SYS_setresuid32 as SYS_SETRESUID,
};

/// The child's stack. It makes a few dozen system calls from two small functions.
const STACK: usize = 64 * 1024;
/// Larger than every signal number.
const SIGNALS: c_int = 65;
const SHELL: &CStr = c"/bin/sh";

/// A program to start.
pub(crate) struct Program<'a> {
    /// Path, without a search.
    pub path: &'a CStr,
    /// Arguments, the program's name first.
    pub argv: &'a [CString],
    /// `NAME=value` each.
    pub environment: &'a [CString],
    /// Becomes standard input, output and error; its number is at least 3.
    pub null: BorrowedFd<'a>,
    /// Resource limits to set: number, soft, hard.
    pub limits: &'a [(Resource, rlim_t, rlim_t)],
    /// Who to become: user, group, supplementary groups. `None` stays who we are.
    pub identity: Option<(u32, u32, &'a [u32])>,
}

/// A started program.
pub(crate) struct Started {
    pub pid: i32,
    /// The kernel did not know how to run the file, so the shell does.
    pub by_shell: bool,
}

/// What parent and child share: all the child needs, made before it exists, and its answer.
struct Plan {
    path: *const c_char,
    argv: *const *const c_char,
    shell_argv: *const *const c_char,
    environment: *const *const c_char,
    null: RawFd,
    limits: *const (Resource, rlim_t, rlim_t),
    limit_count: usize,
    identity: Option<(u32, u32, *const u32, usize)>,
    parent: libc::pid_t,
    by_shell: bool,
    errno: c_int,
}

/// Starts `program` in a process group of its own, with SIGTERM as parent-death signal, default
/// signal actions, no signal blocked, and no descriptor but the three standard ones.
pub(crate) fn start(program: &Program<'_>) -> io::Result<Started> {
    let argv = pointers(program.argv.iter().map(|a| a.as_c_str()));
    let rest = program.argv.iter().skip(1).map(|a| a.as_c_str());
    let shell_argv = pointers([SHELL, program.path].into_iter().chain(rest));
    let environment = pointers(program.environment.iter().map(|e| e.as_c_str()));
    let mut plan = Plan {
        path: program.path.as_ptr(),
        argv: argv.as_ptr(),
        shell_argv: shell_argv.as_ptr(),
        environment: environment.as_ptr(),
        null: program.null.as_raw_fd(),
        limits: program.limits.as_ptr(),
        limit_count: program.limits.len(),
        identity: program.identity.map(|(uid, gid, g)| (uid, gid, g.as_ptr(), g.len())),
        parent: nix::unistd::getpid().as_raw(),
        by_shell: false,
        errno: 0,
    };
    let mut stack = Box::<[u8]>::new_uninit_slice(STACK);
    let mut before = SigSet::empty();
    // A handler of ours must not run in the child while it has our memory.
    pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before))?;
    let dumpable = prctl::get_dumpable();
    let pid = clone(&mut plan, &mut stack);
    let failure = Errno::last_raw();
    // A change of user clears the flag for the memory, which is ours too. That keeps that user's
    // debuggers away from it; afterwards the flag is again as the configuration wants it.
    if let Ok(true) = dumpable {
        prctl::set_dumpable(true).ok();
    }
    pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
    if pid < 0 {
        return Err(io::Error::from_raw_os_error(failure));
    }
    if plan.errno != 0 {
        nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(pid), None).ok();
        return Err(io::Error::from_raw_os_error(plan.errno));
    }
    Ok(Started { pid, by_shell: plan.by_shell })
}

fn clone(plan: &mut Plan, stack: &mut [MaybeUninit<u8>]) -> libc::pid_t {
    let top = stack.as_mut_ptr_range().end;
    let top = top.wrapping_sub(top.addr() % 16);
    // SAFETY: `top` is the aligned end of a buffer that outlives the child's use of it, because
    // CLONE_VFORK holds this thread until the child has given up our memory. `child` touches
    // nothing but the plan, its stack, and what the plan points to, all of which live in `start`.
    unsafe {
        libc::clone(
            child,
            top.cast(),
            libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD,
            (&raw mut *plan).cast(),
        )
    }
}

/// A null-terminated array of pointers, valid as long as what it points to.
fn pointers<'a>(texts: impl Iterator<Item = &'a CStr>) -> Vec<*const c_char> {
    texts.map(CStr::as_ptr).chain([ptr::null()]).collect()
}

/// The child. It never returns to our code: the return value is its exit status.
extern "C" fn child(plan: *mut c_void) -> c_int {
    // SAFETY: the pointer is the plan that `clone` was given; the parent stands still, so nobody
    // else has it.
    let plan = unsafe { &mut *plan.cast::<Plan>() };
    // SAFETY: we are the child, on our own stack, with a valid plan.
    plan.errno = unsafe { become_script(plan) };
    127
}

/// Turns this process into the script; returns only with an error number.
///
/// # Safety
/// Only for the child. It shares memory with the parent, so it may make system calls and write to
/// the plan, and nothing else: no allocation, no lock, no library function with state.
unsafe fn become_script(plan: &mut Plan) -> c_int {
    // SAFETY: system calls with numbers and with pointers that the plan vouches for. The changes
    // of identity go around the C library, which would carry them to all threads of the parent.
    unsafe {
        for signal in 1..SIGNALS {
            libc::signal(signal, libc::SIG_DFL);
        }
        if libc::setpgid(0, 0) < 0 {
            return Errno::last_raw();
        }
        for standard in 0..=2 {
            if libc::dup2(plan.null, standard) < 0 {
                return Errno::last_raw();
            }
        }
        // Ours all close on exec; this is for those that a library opened. Linux 5.9.
        libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0);
        // Scripts are not to be as urgent as the daemon. A real-time policy is not inherited if it
        // was set with SCHED_RESET_ON_FORK; this is for any other.
        if libc::sched_getscheduler(0) != libc::SCHED_OTHER {
            let param: libc::sched_param = std::mem::zeroed();
            libc::sched_setscheduler(0, libc::SCHED_OTHER, &raw const param);
        }
        if libc::getpriority(libc::PRIO_PROCESS, 0) < 0 {
            libc::setpriority(libc::PRIO_PROCESS, 0, 0);
        }
        for n in 0..plan.limit_count {
            let (resource, rlim_cur, rlim_max) = *plan.limits.add(n);
            let limit = libc::rlimit { rlim_cur, rlim_max };
            libc::setrlimit(resource as _, &raw const limit);
        }
        if let Some((uid, gid, groups, count)) = plan.identity
            && (libc::syscall(SYS_SETGROUPS, count, groups) < 0
                || libc::syscall(SYS_SETRESGID, gid, gid, gid) < 0
                || libc::syscall(SYS_SETRESUID, uid, uid, uid) < 0)
        {
            return Errno::last_raw();
        }
        // After the change of user, which would clear it.
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
        if libc::getppid() != plan.parent {
            return libc::ECHILD;
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
        libc::execve(plan.path, plan.argv, plan.environment);
        if Errno::last_raw() == libc::ENOEXEC {
            plan.by_shell = true;
            libc::execve(SHELL.as_ptr(), plan.shell_argv, plan.environment);
        }
        Errno::last_raw()
    }
}
