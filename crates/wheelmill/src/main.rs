//! The wheelmill program: arguments, settings, output, exit codes. What it does is in the libraries
//! below it.

mod base;
mod cli;
mod commands;
mod environment;
mod error;
mod logging;
mod manual;
mod output;
mod reference;
mod settings;
mod signals;
mod sockets;
mod suggestion;

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    // The embedded engine starts this very program again to be the first process of a container.
    if let Some(code) = wheelmill_engine::helper_main(env::args_os()) {
        return code;
    }
    cli::run(env::args_os()).into()
}
