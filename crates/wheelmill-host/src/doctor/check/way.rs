//! Which ways to ask for GPUs a daemon grants.

use wheelmill_engine::{EngineKind, GpuWay};

use crate::doctor::fact::{Facts, GpuTrial};
use crate::doctor::result::Check;

const CODE: &str = "gpu-containers";

const fn code(way: GpuWay) -> &'static str {
    match way {
        GpuWay::Cdi => "gpu-cdi",
        GpuWay::Runtime => "gpu-runtime",
        GpuWay::Request => "gpu-request",
    }
}

/// What a user would type for it.
const fn typed(way: GpuWay) -> &'static str {
    match way {
        GpuWay::Cdi => "`--device nvidia.com/gpu=all` (CDI)",
        GpuWay::Runtime => "`--runtime=nvidia`",
        GpuWay::Request => "`--gpus all`",
    }
}

pub(super) fn checks(facts: &Facts) -> Vec<Check> {
    let mut checks = vec![overall(facts)];
    let trials = facts.daemon_in_use().into_iter().flat_map(|daemon| &daemon.trials);
    checks.extend(trials.map(|(way, trial)| one(facts, *way, trial)));
    checks
}

fn works(facts: &Facts) -> Vec<GpuWay> {
    let trials = facts.daemon_in_use().into_iter().flat_map(|daemon| &daemon.trials);
    let works = trials.filter(|(_, trial)| matches!(trial, GpuTrial::Works { .. }));
    works.map(|(way, _)| *way).collect()
}

fn overall(facts: &Facts) -> Check {
    let none = |message: &str, fix: &str| match facts.need.gpus {
        true => Check::problem(CODE, format!("builds are to have GPUs, and {message}"), fix),
        false => Check::not_applicable(CODE, format!("{message}; building needs none")),
    };
    if facts.engine() == EngineKind::Embedded {
        let message = "the embedded engine gives none to containers";
        return none(message, "use Docker or Podman: `--engine docker`");
    }
    if !facts.has_gpus_to_give() {
        return none("no GPU of NVIDIA is on this machine", "leave `--gpus` out");
    }
    let works = works(facts);
    if let [first, rest @ ..] = &works[..] {
        let others = rest.iter().map(|way| format!(", {}", typed(*way))).collect::<String>();
        return Check::ok(CODE, format!("containers get GPUs by {}{others}", typed(*first)));
    }
    let trials = facts.daemon_in_use().map_or(&[][..], |daemon| &daemon.trials);
    match trials.iter().find(|(_, trial)| matches!(trial, GpuTrial::NotTried { .. })) {
        Some((_, GpuTrial::NotTried { why, fix })) => {
            Check::not_checked(CODE, format!("whether containers get GPUs: {why}"), fix)
        }
        _ => {
            let fix = "do what the checks `gpu-cdi`, `gpu-runtime` and `gpu-request` say; one of \
                       the three is enough";
            match facts.need.gpus {
                true => Check::problem(CODE, "builds are to have GPUs, and get none here", fix),
                false => {
                    Check::warning(CODE, "containers get no GPUs here; building needs none", fix)
                }
            }
        }
    }
}

fn one(facts: &Facts, way: GpuWay, trial: &GpuTrial) -> Check {
    let (code, typed) = (code(way), typed(way));
    match trial {
        GpuTrial::Works { devices } => {
            Check::ok(code, format!("{typed} gives a container {}", devices.join(", ")))
        }
        GpuTrial::Unknown(why) => Check::not_applicable(code, format!("{typed}: {why}")),
        GpuTrial::NotTried { why, fix } => Check::not_checked(code, format!("{typed}: {why}"), fix),
        GpuTrial::Fails { why, .. }
            if !works(facts).is_empty() && way == GpuWay::Cdi && facts.cdi.is_empty() =>
        {
            Check::not_applicable(code, format!("{typed}: there is no specification ({why})"))
        }
        GpuTrial::Fails { why, fix } => {
            Check::warning(code, format!("{typed} gives a container no GPU: {why}"), fix)
        }
    }
}
