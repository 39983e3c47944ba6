//! A bridge that is there after a reboot, as whoever looks after the network wants it.
//!
//! The files follow `systemd.netdev(5)` and `systemd.network(5)`, and NetworkManager's
//! `nm-settings-keyfile(5)`.

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_model::InterfaceAddress;

use crate::machine::BridgeKeeper;

/// The files and commands of a bridge.
pub(super) struct Bridge {
    /// Path, content and rights of each file.
    pub(super) files: Vec<(Utf8PathBuf, String, u32)>,
    pub(super) commands: Vec<Vec<String>>,
}

const HEAD: &str = "# Written by wheelmill; `wheelmill host undo` takes it back.\n";

/// A bridge, below the system's root.
pub(super) fn bridge(
    keeper: BridgeKeeper,
    root: &Utf8Path,
    name: &str,
    address: InterfaceAddress,
) -> Bridge {
    let command =
        |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>();
    match keeper {
        BridgeKeeper::Networkd => {
            let folder = root.join("etc/systemd/network");
            let device = format!("{HEAD}[NetDev]\nName={name}\nKind=bridge\n");
            let network = format!(
                "{HEAD}[Match]\nName={name}\n\n[Network]\nAddress={address}\n\
                 ConfigureWithoutCarrier=yes\nLinkLocalAddressing=no\n\n[Link]\n\
                 RequiredForOnline=no\n"
            );
            Bridge {
                files: vec![
                    (folder.join(format!("10-wheelmill-{name}.netdev")), device, 0o644),
                    (folder.join(format!("10-wheelmill-{name}.network")), network, 0o644),
                ],
                commands: vec![command(&["networkctl", "reload"])],
            }
        }
        BridgeKeeper::NetworkManager => {
            let file = root
                .join("etc/NetworkManager/system-connections")
                .join(format!("wheelmill-{name}.nmconnection"));
            let text = format!(
                "{HEAD}[connection]\nid=wheelmill-{name}\ntype=bridge\ninterface-name={name}\n\n\
                 [bridge]\nstp=false\n\n[ipv4]\nmethod=manual\naddress1={address}\n\n[ipv6]\n\
                 method=disabled\n"
            );
            let commands = vec![
                command(&["nmcli", "connection", "load", file.as_str()]),
                command(&["nmcli", "connection", "up", &format!("wheelmill-{name}")]),
            ];
            // Others' files are not read: they may hold passwords.
            Bridge { files: vec![(file, text, 0o600)], commands }
        }
    }
}
