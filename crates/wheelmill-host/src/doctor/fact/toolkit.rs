//! NVIDIA's container toolkit.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use wheelmill_engine::program::Programs;

/// What of the toolkit is installed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Toolkit {
    /// Its programs that are there, by name.
    pub programs: BTreeMap<&'static str, Utf8PathBuf>,
    /// Its version, as `nvidia-ctk` tells it: `1.17.4`.
    pub version: Option<String>,
}

/// Its tool, which writes settings and specifications.
pub(crate) const TOOL: &str = "nvidia-ctk";
/// The runtime.
pub(crate) const RUNTIME: &str = "nvidia-container-runtime";
/// What `--gpus` starts.
pub(crate) const HOOK: &str = "nvidia-container-runtime-hook";
/// What CDI specifications start, and from Docker 29.2 on also `--gpus`.
pub(crate) const CDI_HOOK: &str = "nvidia-cdi-hook";

impl Toolkit {
    pub(super) fn read(programs: &Programs) -> Self {
        let found = [TOOL, RUNTIME, HOOK, CDI_HOOK].into_iter();
        let found = found.filter_map(|name| Some((name, programs.find(name)?)));
        let said = programs.ask(TOOL, &["--version"]).ok();
        Self { programs: found.collect(), version: said.and_then(|text| version_in(&text)) }
    }
}

/// The version in `NVIDIA Container Toolkit CLI version 1.17.4`.
fn version_in(text: &str) -> Option<String> {
    let (_, rest) = text.lines().next()?.split_once("version ")?;
    rest.split_whitespace().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tool_tells_the_version() {
        let said =
            "NVIDIA Container Toolkit CLI version 1.17.4\ncommit: 9b69590c7428470a72f2ae05\n";
        assert_eq!(version_in(said).unwrap(), "1.17.4");
        assert_eq!(version_in("usage"), None);
    }
}
