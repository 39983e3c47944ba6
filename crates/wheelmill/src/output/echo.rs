//! Keeps the terminal from writing `^C` into the moving lines.
//!
//! The cursor rests at the right margin of the last moving line, so the two characters would wrap,
//! and every line would be redrawn one too low.

use std::io;
use std::sync::Mutex;

use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::{getpgrp, tcgetpgrp};

use super::lock;

/// How the terminal was, while it is changed.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// Asks the terminal behind stderr not to echo control characters.
pub(super) fn mute() {
    if !in_foreground() {
        return;
    }
    let Ok(before) = tcgetattr(io::stderr()) else { return };
    if before.local_flags.contains(LocalFlags::ECHOCTL) {
        let mut muted = before.clone();
        muted.local_flags.remove(LocalFlags::ECHOCTL);
        if tcsetattr(io::stderr(), SetArg::TCSANOW, &muted).is_ok() {
            *lock(&BEFORE) = Some(before);
        }
    }
}

/// Puts the terminal back as it was.
pub(super) fn restore() {
    let before = lock(&BEFORE).take();
    if let Some(before) = before.filter(|_| in_foreground()) {
        // A terminal that went away needs no settings.
        let _: nix::Result<()> = tcsetattr(io::stderr(), SetArg::TCSANOW, &before);
    }
}

/// Whether this process may change the terminal: one in the background would be stopped for it.
fn in_foreground() -> bool {
    tcgetpgrp(io::stderr()).is_ok_and(|group| group == getpgrp())
}
