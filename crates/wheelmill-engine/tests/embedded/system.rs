//! Packages of the distribution, installed in a layer.

use std::fs;
use std::path::Path;

use wheelmill_engine::Step;

use crate::support::{Machine, cannot, everywhere_in_memory, shell, step};

/// Makes a package as small as one can be, that does what packages do: files and folders of its
/// own, an account, a file of another owner, a command that is run when others are installed.
const PACKAGE: &str = r#"
mkdir -p /tmp/p/DEBIAN /tmp/p/usr/bin /tmp/p/usr/share/wheelmill-test /tmp/p/etc /tmp/p/var/lib/wheelmill-test
cat > /tmp/p/DEBIAN/control <<.
Package: wheelmill-test
Version: 1.0
Architecture: all
Maintainer: nobody <nobody@example.org>
Description: a test
.
cat > /tmp/p/DEBIAN/postinst <<.
#!/bin/sh
set -e
groupadd --system wheelmill-pkg
useradd --system --gid wheelmill-pkg --no-create-home wheelmill-pkg
chown wheelmill-pkg:wheelmill-pkg /var/lib/wheelmill-test
ldconfig
update-alternatives --install /usr/bin/wheelmill-alternative wheelmill-alternative /usr/bin/wheelmill-test 1
echo configured >> /etc/wheelmill-test.conf
.
chmod 755 /tmp/p/DEBIAN/postinst
echo 'echo it works' > /tmp/p/usr/bin/wheelmill-test
chmod 755 /tmp/p/usr/bin/wheelmill-test
echo 'key = value' > /tmp/p/etc/wheelmill-test.conf
chown -R 33:33 /tmp/p/usr/share/wheelmill-test
dpkg-deb --build /tmp/p /tmp/wheelmill-test.deb
apt-get install -y --no-install-recommends /tmp/wheelmill-test.deb
"#;

#[test]
fn a_package_is_installed_and_the_host_does_not_know() {
    if !Path::new("/usr/bin/apt-get").exists() {
        cannot("packages: this is not a Debian or a relative of it");
        return;
    }
    everywhere_in_memory("system::a_package_is_installed_and_the_host_does_not_know", install);
}

fn install(machine: &Machine) {
    let before = fs::read("/var/lib/dpkg/status").unwrap();
    let install = Step { system: true, ..step(PACKAGE) };
    // Editing in place, and what package managers do before they replace a file.
    let edit = "echo edited >> /etc/environment; mkdir /usr/lib/new; ln /usr/bin/env /usr/bin/env.old; \
                cmp /usr/bin/env /usr/bin/env.old; cd /usr/bin; ln env ../lib/new/env; \
                cp env.old new; mv new env; ! ln /usr/bin/no-such /usr/bin/other; ! ln /usr/bin/env /usr/bin/cmp";
    let edit = Step { system: true, ..step(edit) };
    let prepared = machine.prepare(vec![install, edit]).unwrap_or_else(|error| {
        panic!("{error}: {error:?}");
    });
    let look = "wheelmill-test; wheelmill-alternative; cat /etc/wheelmill-test.conf; \
                dpkg-query --show -f '${Status}\n' wheelmill-test; id -gn wheelmill-pkg; \
                tail -n1 /etc/environment; test -d /usr/lib/new";
    assert_eq!(
        machine.run_in(&prepared, &shell(look)).text(),
        "it works\nit works\nkey = value\nconfigured\ninstall ok installed\nwheelmill-pkg\nedited\n"
    );
    assert_eq!(fs::read("/var/lib/dpkg/status").unwrap(), before);
    assert!(!Path::new("/usr/bin/wheelmill-test").exists());
}
