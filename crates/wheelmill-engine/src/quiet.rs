//! Whether anything of an earlier container still works in a folder.
//!
//! A program that is killed leaves its containers to others: its helper ends them a moment later,
//! a daemon does not. Until then their processes write. Moving the folder away does not stop them,
//! since they have it mounted, or files of it open. So nobody may use what lies in it before they
//! are gone, which only the kernel can tell: a process that can reach the folder has a mount of it
//! in its list of mounts until its last file is closed.

use std::thread;
use std::time::{Duration, Instant};

use camino::Utf8Path;

use crate::{Cancel, EngineError};

/// How long processes that were killed have to end. One that waits for a slow disk takes seconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// How long apart it is looked again.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A process that may write into a folder.
#[derive(Debug)]
struct Writer {
    process: u32,
    program: String,
}

/// Waits until no process of a container can reach a folder. The last part of its path must be a
/// name that no other folder has.
///
/// # Errors
/// One does not end, or the caller cancelled.
pub(crate) fn wait(folder: &Utf8Path, cancel: &Cancel) -> Result<(), EngineError> {
    let begun = Instant::now();
    let mut quiet = 0;
    // Twice: a process may be started, under a number that was looked at already, by one that ends
    // before its own turn.
    while quiet < 2 {
        match writer(folder) {
            None => quiet += 1,
            Some(writer) if begun.elapsed() > PATIENCE => {
                return Err(busy(
                    folder,
                    &format!("process {} (`{}`) of it still runs", writer.process, writer.program),
                    format!("end it: `kill -9 {}`", writer.process),
                ));
            }
            Some(_) => quiet = 0,
        }
        if cancel.is_cancelled() {
            return Err(EngineError::Cancelled);
        }
        if quiet < 2 {
            thread::sleep(LOOK_AGAIN);
        }
    }
    Ok(())
}

/// A folder that cannot be used, since an earlier build still does.
pub(crate) fn busy(folder: &Utf8Path, why: &str, fix: String) -> EngineError {
    EngineError::Unable {
        what: format!("the folder `{folder}` of an earlier build"),
        why: why.to_owned(),
        fix,
    }
}

fn writer(folder: &Utf8Path) -> Option<Writer> {
    let own = fs_err::read_link("/proc/self/ns/mnt").ok();
    let processes = fs_err::read_dir("/proc").into_iter().flatten().flatten();
    for entry in processes {
        let name = entry.file_name();
        let Some(process) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        if process == std::process::id() {
            continue;
        }
        let place = Utf8Path::new("/proc").join(process.to_string());
        // Of processes of others nothing can be read; nor can these write into our folders.
        let namespace = fs_err::read_link(place.join("ns/mnt")).ok();
        let reaches = if namespace.is_some() && namespace == own {
            is_told(&place, folder)
        } else {
            let mounts = fs_err::read(place.join("mountinfo")).unwrap_or_default();
            is_mounted(&String::from_utf8_lossy(&mounts), folder)
        };
        if reaches {
            let program = fs_err::read_to_string(place.join("comm")).unwrap_or_default();
            return Some(Writer { process, program: program.trim_end().to_owned() });
        }
    }
    None
}

/// Whether a list of mounts, proc_pid_mountinfo(5), has one of what lies in a folder. Its fourth
/// field is the path within the file system, whose beginning may differ from what is seen here.
fn is_mounted(mounts: &str, folder: &Utf8Path) -> bool {
    let name = folder.file_name().unwrap_or_default();
    mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(3))
        .any(|root| root.split('/').any(|part| part == name))
}

/// Whether a process outside of all containers was told to work in a folder: the helper of one, from
/// its first moment, and what runs where there are no namespaces, whose `HOME` is there. Where a
/// person's shell has gone says nothing.
fn is_told(process: &Utf8Path, folder: &Utf8Path) -> bool {
    let environment = fs_err::read(process.join("environ")).unwrap_or_default();
    let folder = folder.file_name().unwrap_or_default().as_bytes();
    environment.split(|byte| *byte == 0).any(|variable| {
        let mut parts = variable.splitn(2, |byte| *byte == b'=');
        let (name, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        !matches!(name, b"PWD" | b"OLDPWD")
            && value.windows(folder.len()).any(|window| window == folder)
    })
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn mounts_of_a_folder_are_told_from_those_of_others() {
        let line = |root: &str| {
            format!("36 35 98:0 {root} /build/src rw,noatime master:1 - ext4 /dev/sda rw\n")
        };
        let folder = Utf8Path::new("/home/ann/work/0123abcd");
        assert!(is_mounted(&line("/ann/work/0123abcd/src"), folder));
        assert!(is_mounted(&line("/ann/work/0123abcd/src//deleted"), folder));
        assert!(!is_mounted(&line("/ann/work/0123abcd.lock"), folder));
        assert!(!is_mounted(&line("/ann/work"), folder));
    }

    #[test]
    fn who_has_a_variable_that_names_the_folder_works_in_it_and_a_shell_in_it_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap();
        let start = |variable: &str| {
            let value = path.join("home");
            let mut sleeper = Command::new("sleep");
            sleeper.arg("600").env(variable, value.as_str()).stdout(Stdio::null());
            sleeper.spawn().unwrap()
        };
        let mut shell = start("PWD");
        wait(path, &Cancel::new()).unwrap();
        let mut build = start("HOME");
        while writer(path).is_none() {
            // Between fork and exec it has our variables.
            thread::sleep(LOOK_AGAIN);
        }
        let found = writer(path).unwrap();
        assert_eq!((found.process, found.program.as_str()), (build.id(), "sleep"));
        let soon = Cancel::new().until(Instant::now() + LOOK_AGAIN);
        assert!(matches!(wait(path, &soon), Err(EngineError::Cancelled)));
        for child in [&mut build, &mut shell] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        wait(path, &Cancel::new()).unwrap();
    }
}
