//! The set-up of the machine as written.

use std::fmt;

use camino::Utf8PathBuf;
use schemars::JsonSchema;
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};
use toml::Spanned;
use wheelmill_model::{InterfaceAddress, Subnet};

/// What the machine's Docker is to be. `wheelmill host plan` shows what that changes, and
/// `wheelmill host apply` does it. A key that is not given leaves the machine as it is.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct HostTable {
    /// Registers NVIDIA's runtime as `nvidia`: `true`, or the absolute path of the program, which
    /// by default is `/usr/bin/nvidia-container-runtime`. `false` takes the registration away.
    #[schemars(with = "RuntimeValue")]
    pub(crate) nvidia_runtime: Option<Spanned<RuntimeWish>>,
    /// Whether containers may ask for GPUs by the Container Device Interface. Needs Docker 25, and
    /// is on by default from 28.3.
    #[schemars(with = "bool")]
    pub(crate) cdi: Option<bool>,
    /// The folder of images, containers and volumes. What is in the present one is not moved.
    #[schemars(with = "String")]
    pub(crate) data_root: Option<Spanned<Utf8PathBuf>>,
    /// How images are kept. Docker chooses well by itself, and another driver sees none of the
    /// images of the present one.
    #[schemars(with = "String")]
    pub(crate) storage_driver: Option<String>,
    /// The address of the bridge that containers are connected to, with its network, as
    /// `192.168.5.1/24`.
    #[schemars(with = "String")]
    pub(crate) bridge_address: Option<Spanned<InterfaceAddress>>,
    /// Where the networks of users are taken from. An empty list takes the key away: then it is
    /// where Docker takes them by itself.
    #[schemars(with = "Vec<AddressPool>")]
    pub(crate) address_pools: Option<Vec<Spanned<AddressPool>>>,
    /// The name of a bridge of your own in place of Docker's `docker0`. It is made so that it is
    /// there after a reboot; needs `bridge-address`.
    #[schemars(with = "String")]
    pub(crate) bridge: Option<Spanned<String>>,
    /// The volume that installers leave their wheels in. It is made when it is missing.
    #[schemars(with = "String")]
    pub(crate) build_volume: Option<Spanned<String>>,
    /// Sockets that the daemon listens at. Known so that it can be refused with the reason: sockets
    /// belong to the service, and one of TCP makes everybody who reaches it root.
    #[schemars(with = "Vec<String>")]
    pub(crate) hosts: Option<Vec<String>>,
}

/// A range of addresses, and how it is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AddressPool {
    /// All of it: `10.201.0.0/16`.
    #[schemars(with = "String")]
    pub base: Subnet,
    /// The prefix of each network: `24` for networks of 256 addresses.
    pub size: u8,
}

/// `nvidia-runtime` as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RuntimeWish {
    Switch(bool),
    Program(Utf8PathBuf),
}

/// The shapes of `RuntimeWish`, for the JSON schema.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) enum RuntimeValue {
    /// Whether it is registered.
    Switch(bool),
    /// Its program.
    Program(String),
}

impl<'de> Deserialize<'de> for RuntimeWish {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape;

        impl Visitor<'_> for Shape {
            type Value = RuntimeWish;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("`true`, or the path of a program")
            }

            fn visit_bool<E: de::Error>(self, switch: bool) -> Result<RuntimeWish, E> {
                Ok(RuntimeWish::Switch(switch))
            }

            fn visit_str<E: de::Error>(self, path: &str) -> Result<RuntimeWish, E> {
                Ok(RuntimeWish::Program(path.into()))
            }
        }

        deserializer.deserialize_any(Shape)
    }
}
