//! Stands in for compilers: asks for admission, runs the compiler that it was called as, and ends as
//! that ended.
//!
//! It is called by a link that bears a compiler's name, or as `gate COMPILER ARGUMENT…`. Whatever
//! goes wrong here, the compiler runs: without a server the program is as if it were not there.
//! `gate --behind` starts a build in which that is so, and `gate --tied` a compiler below ccache.
//!
//! `build.rs` of the library compiles it as a static program without any crates. It has no runtime
//! of Rust around `main`, which would change how signals are treated, and with them the compiler's.

#![cfg_attr(not(test), no_main)]
#![allow(unreachable_pub, reason = "one source is a part of the library, too")]

mod behind;
mod cache;
mod call;
mod connection;
mod descendants;
mod environment;
mod identity;
#[path = "../../protocol.rs"]
#[allow(dead_code, reason = "the other half is the server's")]
mod protocol;
mod supervisor;
mod sys;
mod work;

use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use cache::Cache;
use call::Call;
use connection::Connection;
use environment::Environment;
use supervisor::Supervisor;

/// What a shell returns when there is no such program.
const NOT_FOUND: i32 = 127;

#[cfg(not(test))]
#[allow(unsafe_code, reason = "the C library calls this")]
mod entry {
    use std::ffi::{c_char, c_int};

    /// Called by the C library.
    // SAFETY: nothing else has this name, since Rust makes no `main` here.
    #[unsafe(no_mangle)]
    extern "C" fn main(count: c_int, arguments: *const *const c_char) -> c_int {
        let count = usize::try_from(count).unwrap_or(0);
        // SAFETY: the C library passes as many pointers to texts, which live as long as the process.
        super::run(unsafe { super::sys::texts(arguments, count) })
    }
}

#[cfg_attr(test, allow(dead_code, reason = "tests have their own main"))]
fn run(arguments: Vec<&'static CStr>) -> i32 {
    if let [_, word, rest @ ..] = arguments.as_slice() {
        match word.to_bytes() {
            b"--behind" => return behind::run(rest),
            word if word == cache::TIED.as_bytes() => return cache::tied(rest),
            _ => {}
        }
    }
    let inherited = Environment::of_this_process();
    let Some(call) = Call::find(&arguments, &inherited) else {
        let name = arguments.first().map_or("gate".into(), |name| name.to_string_lossy());
        sys::say(&format!("gate: there is no `{name}` behind the gate on PATH\n"));
        return NOT_FOUND;
    };
    let environment = inherited.without_gate(&call.gates);
    let socket = inherited.get(protocol::SOCKET_VARIABLE).filter(|socket| !socket.is_empty());
    let connection = socket.and_then(|socket| {
        let wish = work::of(&call, &inherited)?;
        let socket = Path::new(std::ffi::OsStr::from_bytes(socket));
        Some((Connection::open(socket, wish.ask)?, wish.makes_object))
    });
    match connection {
        Some((connection, makes_object)) => {
            let told = inherited.get(protocol::CACHE_VARIABLE).filter(|_| makes_object);
            let cache = told.and_then(|told| Cache::of(told, &call, &environment));
            Supervisor::new(call, environment, connection, cache).run()
        }
        None => sys::exec(&call.program, &call.arguments, environment.texts()),
    }
}

fn path(text: &CStr) -> &Path {
    Path::new(std::ffi::OsStr::from_bytes(text.to_bytes()))
}

/// A text for the kernel. What came from the kernel has no zero bytes inside.
fn text(bytes: &[u8]) -> CString {
    CString::new(bytes).unwrap_or_default()
}
