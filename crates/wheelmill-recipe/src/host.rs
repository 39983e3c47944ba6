//! The set-up of the machine, resolved.

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;
use toml::Spanned;
use wheelmill_model::InterfaceAddress;

use crate::RecipeError;
use crate::document::Document;
use crate::written::{AddressPool, HostTable, RuntimeWish, is_volume_name};

/// Where packages put NVIDIA's runtime.
pub const NVIDIA_RUNTIME: &str = "/usr/bin/nvidia-container-runtime";

/// The longest name of a network interface (`IFNAMSIZ` without the final zero).
const INTERFACE_NAME: usize = 15;

/// What the runtime `nvidia` is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NvidiaRuntime {
    /// This program, by its absolute path.
    Program(Utf8PathBuf),
    /// Not there.
    Absent,
}

/// What the machine's Docker is to be. What is absent is left as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct HostSection {
    /// What is registered as the runtime `nvidia`.
    pub nvidia_runtime: Option<NvidiaRuntime>,
    /// Whether containers may ask for devices by CDI.
    pub cdi: Option<bool>,
    /// The folder of images, containers and volumes; absolute.
    pub data_root: Option<Utf8PathBuf>,
    /// How images are kept.
    pub storage_driver: Option<String>,
    /// The address of the bridge.
    pub bridge_address: Option<InterfaceAddress>,
    /// Where users' networks are taken from; empty for Docker's own.
    pub address_pools: Option<Vec<AddressPool>>,
    /// A bridge of the user's own.
    pub bridge: Option<String>,
    /// The volume for wheels.
    pub build_volume: Option<String>,
    /// Sockets that the daemon should listen at; never granted.
    pub hosts: Option<Vec<String>>,
}

impl HostSection {
    /// Whether it asks for nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Checks a table that was read.
    pub(crate) fn resolve(document: &Document, table: &HostTable) -> Result<Self, RecipeError> {
        let nvidia_runtime = match &table.nvidia_runtime {
            None => None,
            Some(wish) => Some(match wish.get_ref() {
                RuntimeWish::Switch(true) => NvidiaRuntime::Program(NVIDIA_RUNTIME.into()),
                RuntimeWish::Switch(false) => NvidiaRuntime::Absent,
                RuntimeWish::Program(path) => {
                    let path = Spanned::new(wish.span(), path.clone());
                    NvidiaRuntime::Program(absolute(document, &path)?)
                }
            }),
        };
        let data_root = table.data_root.as_ref();
        let data_root = data_root.map(|path| absolute(document, path)).transpose()?;
        for pool in table.address_pools.iter().flatten() {
            check_pool(document, pool)?;
        }
        if let Some(bridge) = &table.bridge {
            check_bridge(document, bridge, table.bridge_address.is_some())?;
        }
        if let Some(volume) = &table.build_volume {
            check_volume(document, volume)?;
        }
        let plain = |text: &Spanned<String>| text.get_ref().clone();
        Ok(Self {
            nvidia_runtime,
            cdi: table.cdi,
            data_root,
            storage_driver: table.storage_driver.clone(),
            bridge_address: table.bridge_address.as_ref().map(|address| *address.get_ref()),
            address_pools: table
                .address_pools
                .as_ref()
                .map(|pools| pools.iter().map(|pool| *pool.get_ref()).collect()),
            bridge: table.bridge.as_ref().map(plain),
            build_volume: table.build_volume.as_ref().map(plain),
            hosts: table.hosts.clone(),
        })
    }
}

/// The daemon has another working folder than whoever wrote the file.
fn absolute(document: &Document, path: &Spanned<Utf8PathBuf>) -> Result<Utf8PathBuf, RecipeError> {
    let written: &Utf8Path = path.get_ref();
    let plain = written.components().all(|part| part.as_str() != "..");
    if written.is_absolute() && plain {
        return Ok(written.to_owned());
    }
    let message = format!("`{written}` is not an absolute path");
    let hint = "write the whole path, without `..`: the daemon has another working folder";
    Err(document.wrong_value(path.span(), message, Some(hint.to_owned())))
}

fn check_pool(document: &Document, pool: &Spanned<AddressPool>) -> Result<(), RecipeError> {
    let AddressPool { base, size } = *pool.get_ref();
    // A network of less than four addresses has no room for a container.
    if (base.prefix()..=30).contains(&size) {
        return Ok(());
    }
    Err(document.wrong_value(
        pool.span(),
        format!("networks of /{size} cannot be cut from `{base}`"),
        Some(format!("`size` is the prefix of each network: from {} to 30", base.prefix())),
    ))
}

fn check_bridge(
    document: &Document,
    bridge: &Spanned<String>,
    has_address: bool,
) -> Result<(), RecipeError> {
    let name = bridge.get_ref();
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let starts = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if !starts || name.len() > INTERFACE_NAME || !name.bytes().all(good) {
        return Err(document.wrong_value(
            bridge.span(),
            format!("`{name}` is not a name for a bridge"),
            Some(format!("use up to {INTERFACE_NAME} letters, digits, `-`, `_` and `.`")),
        ));
    }
    if name == "docker0" || name == "none" {
        return Err(document.wrong_value(
            bridge.span(),
            format!("`{name}` is not a bridge of your own"),
            Some("to move Docker's own bridge, write `bridge-address` alone".to_owned()),
        ));
    }
    if !has_address {
        return Err(document.combination(
            bridge.span(),
            format!("the bridge `{name}` has no address"),
            "this bridge",
            "add `bridge-address = \"192.168.5.1/24\"`",
        ));
    }
    Ok(())
}

fn check_volume(document: &Document, volume: &Spanned<String>) -> Result<(), RecipeError> {
    let name = volume.get_ref();
    if is_volume_name(name) {
        return Ok(());
    }
    Err(document.wrong_value(
        volume.span(),
        format!("`{name}` is not a name for a volume"),
        Some("use at least two letters, digits, `-`, `_` and `.`, a letter or digit first".into()),
    ))
}
