//! What a cell compiles with: the CUDA toolkit, torch, and where each comes from.

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_engine::{Base, EngineKind};
use wheelmill_model::{CudaVersion, Digest};
use wheelmill_recipe::{Cell, Impossible, Recipe, facts, possible_cuda};

use crate::fetch::UV;
use crate::host::Host;

/// The oldest CUDA release whose compiler is on PyPI with all its parts.
pub(crate) const FIRST_ON_PYPI: u16 = 13;

/// Where the CUDA toolkit comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Toolkit {
    /// Wheels of the package index.
    Index,
    /// A folder of the base.
    Base(Utf8PathBuf),
}

/// What a cell compiles with.
#[derive(Clone, Debug)]
pub(crate) struct Toolchain {
    pub(crate) toolkit: Toolkit,
    /// Requirements of the toolchain itself, before the package's own.
    pub(crate) requirements: Vec<String>,
    /// uv's name for PyTorch's own index of a CUDA release, when PyPI's torch is of another one.
    pub(crate) torch_backend: Option<String>,
    /// Where uv lies, or will lie, and its digest.
    pub(crate) uv: (Utf8PathBuf, Digest),
    /// One line for people.
    pub(crate) summary: String,
}

impl Toolchain {
    /// Whether the toolkit is what the base holds.
    pub(crate) const fn is_of_base(&self) -> bool {
        matches!(self.toolkit, Toolkit::Base(_))
    }
}

/// Words for an image that has the toolkit of a CUDA release, with its name where one is kept.
pub(crate) fn image_with(cuda: CudaVersion) -> String {
    let image = facts::default_image(cuda).map(|image| format!(", as in `--base {image}`"));
    format!("an image that has CUDA {cuda}{}", image.unwrap_or_else(|| " with `--base`".to_owned()))
}

/// Chooses a cell's toolchain, or says why it has none.
pub(crate) fn choose(
    cell: &Cell,
    recipe: &Recipe,
    base: &Base,
    host: &Host,
    engine: EngineKind,
    cache: &Utf8Path,
) -> Result<Toolchain, Impossible> {
    let uv = UV.program(cache, host.machine).ok_or_else(|| Impossible {
        code: "machine-not-supported",
        message: format!(
            "uv, which makes the Python environments, is not published for {}",
            host.machine
        ),
        hint: None,
    })?;
    let on_host = matches!(base, Base::Host { .. });
    if on_host && engine != EngineKind::Embedded {
        return Err(Impossible {
            code: "no-base",
            message: format!(
                "{engine} starts from an image, and none is known for CUDA {}",
                cell.cuda
            ),
            hint: Some(
                "name one with `--base`, or build without a daemon: `--engine embedded`".to_owned(),
            ),
        });
    }
    let CudaVersion { major, minor } = cell.cuda;
    let toolkit = if major >= FIRST_ON_PYPI {
        // Also over an image that has a toolkit: one release, pinned, wherever it runs.
        Toolkit::Index
    } else if !on_host {
        Toolkit::Base("/usr/local/cuda".into())
    } else if let Some(folder) = host.toolkit(cell.cuda) {
        Toolkit::Base(folder.to_owned())
    } else {
        return Err(Impossible {
            code: "no-toolkit",
            message: format!(
                "CUDA {} has no compiler on the package index, and this machine has no /usr/local/cuda-{}",
                cell.cuda, cell.cuda
            ),
            hint: Some(match possible_cuda(recipe, cell, CudaVersion::new(FIRST_ON_PYPI, 0)) {
                Some(newer) => format!("take {}, or `--cuda {newer}`", image_with(cell.cuda)),
                None => format!("take {}", image_with(cell.cuda)),
            }),
        });
    };
    if on_host
        && let Some(reason) = host.gcc_major().and_then(|gcc| facts::gcc_fits(cell.cuda, gcc))
    {
        return Err(reason);
    }

    let mut requirements = Vec::new();
    if toolkit == Toolkit::Index {
        let mut parts = vec!["nvcc", "cudart", "cccl"];
        parts.extend(recipe.build.cuda_libraries.iter().map(String::as_str));
        requirements.push(format!("cuda-toolkit[{}]=={major}.{minor}.*", parts.join(",")));
        // cuda-toolkit leaves these open, and an nvvm newer than nvcc writes PTX that its ptxas
        // does not know.
        for part in ["nvidia-cuda-nvcc", "nvidia-nvvm", "nvidia-cuda-crt"] {
            requirements.push(format!("{part}=={major}.{minor}.*"));
        }
    }
    let torch = recipe.build.torch.then_some(cell.torch).flatten();
    let mut torch_backend = None;
    if let Some(torch) = torch {
        requirements.push(torch.requirement());
        if facts::pypi_torch_cuda(torch) != Some(cell.cuda) {
            torch_backend = Some(cell.cuda.label());
        }
        // What torch's extension builder imports, and what makes it fast.
        requirements
            .extend(["setuptools", "wheel", "packaging", "ninja", "numpy"].map(str::to_owned));
    }

    let mut words = vec![match &toolkit {
        Toolkit::Index => format!("CUDA {} from the package index", cell.cuda),
        Toolkit::Base(folder) => format!("CUDA {} from {folder}", cell.cuda),
    }];
    if let Some(torch) = torch {
        words.push(format!("torch {torch}"));
    }
    words.push(match (on_host, &host.gcc) {
        (true, Some(gcc)) => format!("g++ {gcc}"),
        (true, None) => "g++ of the distribution".to_owned(),
        (false, _) => "g++ of the base".to_owned(),
    });
    words.push(match host.interpreter(cell.python) {
        Some(_) if on_host => format!("Python {}", cell.python),
        _ if on_host => format!("Python {} brought by uv", cell.python),
        _ => format!("Python {}", cell.python),
    });
    Ok(Toolchain { toolkit, requirements, torch_backend, uv, summary: words.join(", ") })
}
