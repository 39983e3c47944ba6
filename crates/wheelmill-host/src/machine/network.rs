//! What keeps network devices over a reboot.

use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

/// What would make a bridge again after a reboot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BridgeKeeper {
    /// systemd-networkd.
    Networkd,
    /// NetworkManager.
    NetworkManager,
}

impl BridgeKeeper {
    /// The one that runs. Where both do, NetworkManager, which takes every device for its own.
    #[must_use]
    pub fn running() -> Option<Self> {
        let runs = |unit: &str| {
            let mut command = Command::new("systemctl");
            command.args(["is-active", "--quiet", unit]);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        };
        if runs("NetworkManager.service") {
            return Some(Self::NetworkManager);
        }
        runs("systemd-networkd.service").then_some(Self::Networkd)
    }
}
