//! NVIDIA's container toolkit.

use wheelmill_engine::EngineKind;

use crate::doctor::fact::Facts;
use crate::doctor::fact::toolkit::{CDI_HOOK, HOOK, RUNTIME, TOOL};
use crate::doctor::result::Check;
use crate::plan::toolkit_commands;

const CODE: &str = "toolkit";

pub(super) fn checks(facts: &Facts) -> Vec<Check> {
    let programs = &facts.toolkit.programs;
    if !facts.driver.is_there() && programs.is_empty() {
        return vec![Check::not_applicable(CODE, "no GPU of NVIDIA is on this machine")];
    }
    if facts.engine() == EngineKind::Embedded {
        return vec![Check::not_applicable(CODE, "the embedded engine gives containers no GPUs")];
    }
    let commands = toolkit_commands(&facts.release);
    let install = match commands.is_empty() {
        true => "install `nvidia-container-toolkit`: \
                 https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/install-guide.html"
            .to_owned(),
        false => format!("as root: `{}`", commands.join(" && ")),
    };
    let has = |name: &str| programs.contains_key(name);
    let version = facts.toolkit.version.as_deref().unwrap_or("of unknown version");
    let missing: Vec<&str> =
        [TOOL, RUNTIME, HOOK, CDI_HOOK].into_iter().filter(|name| !has(name)).collect();
    let lacks = |names: &[&str]| names.join(", ");
    vec![match &missing[..] {
        [] => Check::ok(CODE, format!("NVIDIA's container toolkit {version}")),
        // The package without the hook, which is enough for CDI; older ones have no hook of CDI.
        [one] if *one == HOOK || *one == CDI_HOOK => {
            Check::ok(CODE, format!("NVIDIA's container toolkit {version}, without {one}"))
        }
        [_, _, _, _] => Check::warning(
            CODE,
            "NVIDIA's container toolkit is not installed, so containers get no GPUs; building \
             needs none",
            install,
        ),
        some => Check::warning(
            CODE,
            format!("of NVIDIA's container toolkit {version}, {} is not found", lacks(some)),
            install,
        ),
    }]
}
