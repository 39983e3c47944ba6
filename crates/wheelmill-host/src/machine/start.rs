//! What is mounted at every start of the machine.

use camino::Utf8Path;

use super::filesystem::unescaped;

/// Folders of units, below the system's root (`systemd.unit(5)`). What is in their folders of wants
/// and requirements is started.
const UNITS: [&str; 6] = [
    "etc/systemd/system",
    "run/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
    "run/systemd/generator",
    "run/systemd/generator.late",
];

/// Whether a place is mounted at every start: by a line of `/etc/fstab`, or by a unit of systemd that
/// something wants.
pub(super) fn is_mounted(root: &Utf8Path, mounted_at: &Utf8Path) -> bool {
    let table = fs_err::read_to_string(root.join("etc/fstab")).unwrap_or_default();
    mounted_at == "/" || is_in_table(&table, mounted_at) || is_wanted(root, mounted_at)
}

fn is_in_table(table: &str, mounted_at: &Utf8Path) -> bool {
    let lines = table.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines
        .filter_map(|line| {
            let mut words = line.split_whitespace().skip(1);
            Some((words.next()?, words.nth(1)?))
        })
        .any(|(place, options)| {
            unescaped(place) == mounted_at.as_str()
                && !options.split(',').any(|option| option == "noauto")
        })
}

fn is_wanted(root: &Utf8Path, mounted_at: &Utf8Path) -> bool {
    let unit = escaped(mounted_at.as_str().trim_matches('/'));
    let names = [format!("{unit}.mount"), format!("{unit}.automount")];
    let folders = UNITS.iter().flat_map(|folder| root.join(folder).read_dir_utf8());
    let mut wants = folders
        .flatten()
        .flatten()
        .filter(|entry| matches!(entry.path().extension(), Some("wants" | "requires")));
    // A link that leads nowhere from here is one all the same.
    wants.any(|entry| names.iter().any(|name| entry.path().join(name).symlink_metadata().is_ok()))
}

/// A path or a name as systemd writes it in the name of a unit (`systemd-escape(1)`).
pub(crate) fn escaped(name: &str) -> String {
    name.bytes()
        .enumerate()
        .map(|(position, byte)| match byte {
            b'/' => "-".to_owned(),
            b'.' if position == 0 => "\\x2e".to_owned(),
            b':' | b'_' | b'.' => char::from(byte).to_string(),
            byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            byte => format!("\\x{byte:02x}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_says_what_is_mounted_at_start() {
        let table = "# /mnt\nUUID=1 / ext4 defaults 0 1\nUUID=2 /my\\040disk ext4 defaults 0 2\n\
                     UUID=3 /usb ext4 noauto,user 0 0\n";
        assert!(is_in_table(table, "/my disk".into()));
        assert!(!is_in_table(table, "/mnt".into()) && !is_in_table(table, "/usb".into()));
    }

    #[test]
    fn a_unit_that_is_wanted_is_mounted_at_start() {
        let root = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(root.path()).unwrap();
        let units = root.join("etc/systemd/system");
        fs_err::create_dir_all(units.join("local-fs.target.wants")).unwrap();
        let unit = "mnt-my\\x20disk.mount";
        fs_err::write(units.join(unit), "[Mount]\n").unwrap();
        assert!(!is_mounted(root, "/mnt/my disk".into()));
        let link = units.join("local-fs.target.wants").join(unit);
        std::os::unix::fs::symlink(format!("/etc/systemd/system/{unit}"), link).unwrap();
        assert!(is_mounted(root, "/mnt/my disk".into()));
        assert!(!is_mounted(root, "/mnt/my".into()));
    }

    #[test]
    fn names_are_those_of_systemd() {
        assert_eq!(escaped("mnt/data-1"), "mnt-data\\x2d1");
        assert_eq!(escaped(".x/ü"), "\\x2ex-\\xc3\\xbc");
    }
}
