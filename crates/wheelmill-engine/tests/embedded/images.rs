//! Containers over images.

use std::collections::BTreeSet;
use std::process::Command;

use camino::Utf8Path;
use wheelmill_engine::{Base, Cancel, Container, Engine as _, EngineError, Environment};

use crate::support::{Listener, Machine, everywhere, shell, step};

#[test]
fn a_tar_of_a_root_is_a_base() {
    everywhere("images::a_tar_of_a_root_is_a_base", tar_as_base);
}

fn tar_as_base(machine: &Machine) {
    let path = machine.state.join("root.tar");
    write_root(&path);
    let base = Base::Archive { path, digest: None };
    let mut environment = Environment {
        base: base.clone(),
        steps: vec![step("rm /usr/bin/env; mkdir /kit; chown 33:33 /kit; cat /etc/hosts")],
        folder: "/made".into(),
    };
    let digest = machine.engine.digest(&environment);
    assert!(matches!(digest, Err(EngineError::NotPinned(_))), "{digest:?}");
    environment.base = machine.engine.pin(&base).unwrap();
    let mut listener = Listener::default();
    let cancel = Cancel::new();
    let prepared = machine.engine.prepare(&environment, &mut listener, &cancel).unwrap();
    assert!(String::from_utf8_lossy(&listener.text.0).contains("localhost"));
    // Nothing of the host, and no place of a mount that the image does not have.
    let look = "echo /* /etc/* /usr/bin/* /root/* /home/*; echo > /root/x; test -w /etc";
    let seen = machine.run_in(&prepared, &shell(look)).text();
    let mut seen: BTreeSet<_> = seen.split_whitespace().collect();
    seen.retain(|path| !path.starts_with("/lib"));
    let wanted = "/bin /dev /etc /etc/hosts /etc/resolv.conf /home/me /kit /proc /root/* /root \
                  /home /run /sys /tmp /usr /usr/bin/cat /usr/bin/chown /usr/bin/mkdir \
                  /usr/bin/rm /usr/bin/sh /var";
    assert_eq!(seen, wanted.split_whitespace().collect());
    let network = Container { network: true, ..shell("cat /etc/resolv.conf") };
    let resolver = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    assert_eq!(machine.run_in(&prepared, &network).text(), resolver);
}

/// Writes a tar of a root in which a shell runs, with programs and libraries of this machine, a
/// home, and the link that many images have instead of a list of name servers.
fn write_root(path: &Utf8Path) {
    let script = r#"
        root="$1.folder"; mkdir -p "$root/usr/bin" "$root/etc" "$root/home/me" "$root/root"
        ln -s usr/bin "$root/bin"
        for program in cat chown env mkdir rm sh; do
            file=$(command -v "$program"); cp -L "$file" "$root/usr/bin/$program"
            for library in $(ldd "$file" | grep -o '/[^ ]*'); do
                mkdir -p "$root$(dirname "$library")"; cp -L "$library" "$root$library"
            done
        done
        ln -s ../run/resolver/stub.conf "$root/etc/resolv.conf"
        tar -C "$root" -cf "$1" .
    "#;
    let output = Command::new("sh").args(["-euc", script, "sh", path.as_str()]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}
