//! What a plan wants from outside: whether it is there, asked as a build would ask.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use wheelmill_engine::{Base, EngineError};
use wheelmill_model::{CheckState, CudaVersion, PackageName, PythonVersion, TorchVersion, Version};
use wheelmill_recipe::Source;

use super::{Check, unlocked};
use crate::error::brief;
use crate::fetch::{Client, FetchError, Index, IndexError, pin};
use crate::mill::Mill;
use crate::plan::Plan;
use crate::warning::is_newer_than_known;

/// Where uv fetches Pythons, unless it is told otherwise.
const PYTHONS: &str = "https://github.com/astral-sh/python-build-standalone/releases/download";
/// Where torch is that was built for another CUDA release than PyPI's.
const TORCH: &str = "https://download.pytorch.org/whl";

/// Whether the index answers: any page will do, and that there is none is an answer.
pub(super) fn index(index: &Index<'_>) -> Check {
    let any = "packaging".parse().expect("a legal name");
    match index.releases(&any) {
        Ok(_) | Err(FetchError::NotFound { .. }) => {
            Check::new("index", CheckState::Ok, format!("{} answers", index.address()), None)
        }
        Err(reason) => {
            let error = IndexError { index: index.address(), reason };
            Check::new("index", CheckState::Problem, brief(&error), Some(error.hint()))
        }
    }
}

/// Whether the packages and versions of the plan have a source to build from.
pub(super) fn sources(mill: &Mill, plan: &Plan, index: &Index<'_>) -> Vec<Check> {
    let (mut found, mut checks, mut asked) = (BTreeSet::new(), Vec::new(), HashSet::new());
    for cell in unlocked(plan) {
        let (package, version) = (&cell.cell.package, &cell.cell.version);
        if !asked.insert((package, version, cell.cell.python)) {
            continue;
        }
        let not_asked = |address: &str| {
            let message = format!("whether {address} has `{package}`: it is asked when building");
            Check::new("source", CheckState::NotChecked, message, None)
        };
        match pin(&cell.recipe, version.as_ref(), cell.cell.python, index) {
            Ok((version, _)) => match &cell.recipe.source {
                Source::Pypi { name } => {
                    checks.extend(refused_python(name, version.as_ref(), cell.cell.python, index));
                    let version = version.map(|version| format!(" {version}")).unwrap_or_default();
                    found.insert(format!("{name}{version}"));
                }
                Source::Git { address, .. } | Source::Url { address, .. } => {
                    checks.push(not_asked(address));
                }
                Source::Path(_) => {}
            },
            Err(error) => {
                let error = mill.source_error(package, error);
                let fix = error.hints().join("; ");
                let fix = (!fix.is_empty()).then_some(fix.as_str());
                checks.push(Check::new("source", CheckState::Problem, brief(&error), fix));
            }
        }
    }
    let found: Vec<String> = found.into_iter().collect();
    let message = match &found[..] {
        [] => return checks,
        [one] => format!("{one} is on {}", index.address()),
        [one, .., last] => {
            format!("{} sources, {one} to {last}, are on {}", found.len(), index.address())
        }
    };
    checks.insert(0, Check::new("source", CheckState::Ok, message, None));
    checks
}

/// A version that says of itself that it does not run on the wanted Python: its wheel would be
/// refused, and so no good wheel.
fn refused_python(
    name: &PackageName,
    version: Option<&Version>,
    python: PythonVersion,
    index: &Index<'_>,
) -> Option<Check> {
    let releases = index.releases(name).ok()?;
    let release = releases.iter().find(|release| Some(&release.version) == version)?;
    let required = release.requires_python.as_ref().filter(|_| !release.runs_on(python))?;
    let message =
        format!("{name} {} is not for Python {python}: it says {required}", release.version);
    let fix = "take a Python that it lets through, or another version of it";
    Some(Check::new("source", CheckState::Problem, message, Some(fix)))
}

/// The torches of a plan that the facts of this program do not tell of: newer ones, and single patch
/// releases.
pub(super) fn untold_torch(plan: &Plan) -> BTreeSet<TorchVersion> {
    unlocked(plan)
        .filter(|cell| cell.recipe.build.torch)
        .filter_map(|cell| cell.cell.torch)
        .filter(|torch| is_newer_than_known(*torch) || torch.patch.is_some())
        .collect()
}

/// Whether the index has a torch that the facts of this program do not tell of: a newer one, or one
/// patch release.
pub(super) fn torch(plan: &Plan, index: &Index<'_>) -> Vec<Check> {
    let name = "torch".parse().expect("a legal name");
    let wanted = untold_torch(plan);
    if wanted.is_empty() {
        return Vec::new();
    }
    let versions = match index.versions(&name) {
        Ok(versions) => versions,
        Err(reason) => {
            let error = IndexError { index: index.address(), reason };
            return vec![Check::new(
                "index",
                CheckState::Problem,
                brief(&error),
                Some(error.hint()),
            )];
        }
    };
    let check = |torch: TorchVersion| {
        if versions.iter().any(|version| torch.matches(version)) {
            let message = format!("torch {torch} is on {}", index.address());
            return Check::new("torch", CheckState::Ok, message, None);
        }
        let message = format!("there is no torch {torch} on {}", index.address());
        let released = || versions.iter().filter(|version| !version.any_prerelease());
        let series = TorchVersion { patch: None, ..torch };
        let of_series = released().rfind(|version| series.matches(version));
        let fix = match (of_series, released().next_back()) {
            (Some(nearest), _) => Some(format!("the newest of that series is torch {nearest}")),
            (None, newest) => newest.map(|newest| format!("the newest is torch {newest}")),
        };
        Check::new("torch", CheckState::Problem, message, fix.as_deref())
    };
    wanted.into_iter().map(check).collect()
}

/// Whether PyTorch's own indexes answer, where torch must come from them.
pub(super) fn torch_indexes(plan: &Plan, client: &Client) -> Vec<Check> {
    let wanted: BTreeSet<&str> = unlocked(plan)
        .filter_map(|cell| cell.ground.as_ref()?.toolchain.torch_backend.as_deref())
        .collect();
    let check = |backend: &str| {
        let address = format!("{TORCH}/{backend}/");
        let what = "torch for this CUDA release comes from there";
        reached("torch-index", client, &address, what, CheckState::Problem, None)
    };
    wanted.into_iter().map(check).collect()
}

/// Whether the images and files that the plan starts from are there, and of the CUDA release that
/// is to come from them.
pub(super) fn bases(mill: &Mill, plan: &Plan) -> Vec<Check> {
    let mut wanted: BTreeMap<String, (&Base, BTreeSet<CudaVersion>)> = BTreeMap::new();
    for cell in unlocked(plan) {
        let Some(ground) = &cell.ground else { continue };
        if !matches!(ground.base, Base::Host { .. }) {
            let (_, cudas) =
                wanted.entry(ground.base.to_string()).or_insert((&ground.base, BTreeSet::new()));
            cudas.extend(ground.toolchain.is_of_base().then_some(cell.cell.cuda));
        }
    }
    let check = |(base, cudas): (&Base, BTreeSet<CudaVersion>)| match mill.engine.pin(base) {
        Ok(pinned) => match told_cuda(mill, &pinned) {
            Some(told) if cudas.iter().any(|cuda| *cuda != told) => {
                let wanted: Vec<String> = cudas.iter().map(ToString::to_string).collect();
                let wanted = wanted.join(", ");
                let message =
                    format!("{base} says that it holds CUDA {told}, and it is to give {wanted}");
                let fix = format!("use `--cuda {told}`, or another image");
                Check::new("base", CheckState::Problem, message, Some(&fix))
            }
            _ => Check::new("base", CheckState::Ok, format!("{pinned} is there"), None),
        },
        Err(error) => {
            Check::new("base", CheckState::Problem, brief(&error), Some(base_hint(&error)))
        }
    };
    wanted.into_values().map(check).collect()
}

/// The CUDA release that an image sets in `CUDA_VERSION`, as NVIDIA's do. A compressed file is not
/// asked: it would have to be uncompressed.
fn told_cuda(mill: &Mill, base: &Base) -> Option<CudaVersion> {
    if let Base::Archive { path, .. } = base
        && path.is_file()
        && path.extension() != Some("tar")
    {
        return None;
    }
    let variables = mill.engine.variables(base).ok()?;
    let (_, version) = variables.into_iter().find(|(name, _)| name == "CUDA_VERSION")?;
    version.parse().ok()
}

/// Whether Pythons that this machine lacks can be fetched.
pub(super) fn pythons(mill: &Mill, plan: &Plan, client: &Client) -> Vec<Check> {
    let mirror = mill.settings.network.variable("UV_PYTHON_INSTALL_MIRROR");
    let address = mirror.unwrap_or(PYTHONS);
    let wanted = |on_host: bool| -> Vec<String> {
        let pythons: BTreeSet<_> = unlocked(plan)
            .filter(|cell| {
                let base = cell.ground.as_ref().map(|ground| &ground.base);
                matches!(base, Some(Base::Host { .. })) == on_host
                    && !(on_host && mill.host.interpreter(cell.cell.python).is_some())
            })
            .map(|cell| cell.cell.python)
            .collect();
        pythons.into_iter().map(|python| python.to_string()).collect()
    };
    let fix = "let that address through, name a mirror of it in UV_PYTHON_INSTALL_MIRROR, or take a Python that the base has";
    let check = |pythons: Vec<String>, condition: &str, bad: CheckState| {
        let what = format!("uv fetches Python {} from there{condition}", pythons.join(", "));
        (!pythons.is_empty()).then(|| reached("python", client, address, &what, bad, Some(fix)))
    };
    [
        check(wanted(true), "", CheckState::Problem),
        // What an image holds is known when it is there.
        check(wanted(false), " if the image has none", CheckState::Warning),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A check of whether a server answers.
fn reached(
    code: &'static str,
    client: &Client,
    address: &str,
    what: &str,
    bad: CheckState,
    fix: Option<&str>,
) -> Check {
    match client.reach(address) {
        Ok(address) => Check::new(code, CheckState::Ok, format!("{address} answers; {what}"), None),
        Err(error) => {
            let hint = match error {
                FetchError::Offline { .. } => error.hint(),
                _ => fix.unwrap_or_else(|| error.hint()),
            };
            Check::new(code, bad, format!("{}; {what}", brief(&error)), Some(hint))
        }
    }
}

/// What to do about a base that cannot be used.
pub(crate) const fn base_hint(error: &EngineError) -> &'static str {
    match error {
        EngineError::Unreachable { source: None, .. } => {
            "fetch it once without `--offline`, or name the file of an image: `--base ./image.tar`"
        }
        EngineError::Unreachable { .. } => {
            "check the network (HTTPS_PROXY, SSL_CERT_FILE), or name the file of an image, as `docker save` writes it: `--base ./image.tar`"
        }
        _ => {
            "check the name given with `--base`, as in `nvidia/cuda:12.8.1-devel-ubuntu22.04`, or name the file of an image, as `docker save` writes it"
        }
    }
}
