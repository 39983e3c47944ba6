//! What the service must wait for, as a drop-in beside its unit. It has no `ExecStart`, so what
//! packages write there stays theirs.

use camino::{Utf8Path, Utf8PathBuf};

use crate::machine::escaped;

const HEAD: &str = "# Written by wheelmill; `wheelmill host undo` takes it back.\n[Unit]\n";

/// Where the drop-in of a unit lies, below the system's root.
pub(super) fn drop_in(root: &Utf8Path, unit: &str) -> Utf8PathBuf {
    root.join("etc/systemd/system").join(format!("{unit}.d")).join("wheelmill.conf")
}

/// The lines that make a service wait for the disk of a folder.
pub(super) fn mounts_for(folder: &Utf8Path) -> Vec<String> {
    let folder = folder.as_str().replace('%', "%%");
    let quoted =
        if folder.contains(char::is_whitespace) { format!("\"{folder}\"") } else { folder };
    vec![format!("RequiresMountsFor={quoted}")]
}

/// The lines that make a service wait for a network device.
pub(super) fn after_device(device: &str) -> Vec<String> {
    let unit = format!("sys-subsystem-net-devices-{}.device", escaped(device));
    vec![format!("Wants={unit}"), format!("After={unit}")]
}

/// A drop-in with these lines; those that it has stay.
pub(super) fn with_lines(before: &[u8], lines: &[String]) -> Vec<u8> {
    let before = String::from_utf8_lossy(before);
    let mut text = if before.is_empty() { HEAD.to_owned() } else { before.into_owned() };
    for line in lines {
        if !text.lines().any(|known| known == line) {
            text.push_str(line);
            text.push('\n');
        }
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_added_once() {
        let mounts = mounts_for("/mnt/my disk/100%".into());
        let once = with_lines(b"", &mounts);
        let text = String::from_utf8(once.clone()).unwrap();
        assert_eq!(text, format!("{HEAD}RequiresMountsFor=\"/mnt/my disk/100%%\"\n"));
        assert_eq!(with_lines(&once, &mounts), once);
        let both = String::from_utf8(with_lines(&once, &after_device("br-x"))).unwrap();
        assert!(both.ends_with("After=sys-subsystem-net-devices-br\\x2dx.device\n"), "{both}");
        assert!(both.starts_with(&text));
    }
}
