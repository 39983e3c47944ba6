//! Who brings the libraries that native modules need and the wheel does not hold: the system, the
//! driver, or another distribution, which the wheel must then require.

use std::collections::{BTreeMap, HashSet};

use super::policy::{self, Policy};
use crate::finding::Findings;
use crate::inspection::Inspection;
use crate::metadata::Requirement;
use crate::rules;

/// Who brings a library that is not in the wheel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Provider {
    /// Every system of this manylinux policy and of those after it.
    System(Policy),
    /// NVIDIA's driver, which lies on the machine and in no wheel.
    Driver,
    /// Another distribution.
    Distribution(Distribution),
}

/// A distribution that brings a library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Distribution {
    /// Its name, without the `-cu12` that it bears where it is one per major CUDA release.
    name: &'static str,
    /// The major CUDA release that the library's own name tells.
    cuda: Option<u16>,
}

/// Libraries that the driver installs, and that must fit its part of the kernel.
const DRIVER: &[&str] = &[
    "libcuda",
    "libcudadebugger",
    "libnvcuvid",
    "libnvidia-encode",
    "libnvidia-ml",
    "libnvidia-nvvm",
    "libnvidia-ptxjitcompiler",
    "libnvoptix",
];

/// Libraries, up to `.so`, and the distributions on PyPI that bring them; a star stands for any
/// rest. The flag says whether the number behind `.so` is that of the CUDA release.
const DISTRIBUTIONS: &[(&str, &str, bool)] = &[
    ("libc10", "torch", false),
    ("libc10_cuda", "torch", false),
    ("libcaffe2_nvrtc", "torch", false),
    ("libshm", "torch", false),
    ("libtorch", "torch", false),
    ("libtorch_*", "torch", false),
    ("libcublas", "nvidia-cublas", true),
    ("libcublasLt", "nvidia-cublas", true),
    ("libnvblas", "nvidia-cublas", true),
    ("libcudart", "nvidia-cuda-runtime", true),
    ("libcudnn*", "nvidia-cudnn", false),
    ("libcudss", "nvidia-cudss", false),
    ("libcufft*", "nvidia-cufft", false),
    ("libcufile*", "nvidia-cufile", false),
    ("libcupti", "nvidia-cuda-cupti", true),
    ("libcurand", "nvidia-curand", false),
    ("libcusolver*", "nvidia-cusolver", false),
    ("libcusparse", "nvidia-cusparse", false),
    ("libcusparseLt", "nvidia-cusparselt", false),
    ("libcutensor*", "cutensor", false),
    ("libnccl", "nvidia-nccl", false),
    ("libnpp*", "nvidia-npp", true),
    ("libnvJitLink", "nvidia-nvjitlink", true),
    ("libnvToolsExt", "nvidia-nvtx", false),
    ("libnvfatbin", "nvidia-nvfatbin", true),
    ("libnvjpeg", "nvidia-nvjpeg", true),
    ("libnvrtc*", "nvidia-cuda-nvrtc", true),
    ("libnvshmem_host", "nvidia-nvshmem", false),
    ("libnvvm", "nvidia-nvvm", false),
];

/// Distributions of NVIDIA's that are no part of the CUDA toolkit, so that `cuda-toolkit` does not
/// bring them.
const BESIDE_TOOLKIT: &[&str] = &[
    "cutensor",
    "nvidia-cudnn",
    "nvidia-cudss",
    "nvidia-cusparselt",
    "nvidia-nccl",
    "nvidia-nvshmem",
];

/// Who is known to bring a library.
pub(super) fn provider(library: &str) -> Option<Provider> {
    if let Some(policy) = policy::of_library(library) {
        return Some(Provider::System(policy));
    }
    let (stem, version) = library.split_once(".so")?;
    if DRIVER.contains(&stem) {
        return Some(Provider::Driver);
    }
    let fits = |pattern: &str| match pattern.strip_suffix('*') {
        Some(start) => stem.starts_with(start),
        None => stem == pattern,
    };
    let (_, name, of_release) = DISTRIBUTIONS.iter().find(|(pattern, ..)| fits(pattern))?;
    let major = version.strip_prefix('.').and_then(|rest| rest.split('.').next()?.parse().ok());
    Some(Provider::Distribution(Distribution { name, cuda: major.filter(|_| *of_release) }))
}

/// A library that a module needs and the wheel does not hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outside<'a> {
    /// The module's path.
    pub(super) module: &'a str,
    /// The library's name.
    pub(super) library: &'a str,
    /// Who brings it; `None` where that is not known.
    pub(super) provider: Option<Provider>,
}

/// Every library that modules need from outside of the wheel. Which of the wheel's own files the
/// loader would find, and where, is not asked here.
pub(super) fn outside(inspection: &Inspection) -> impl Iterator<Item = Outside<'_>> {
    let modules = &inspection.modules;
    let file_name = |path: &'_ str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let own: HashSet<String> = modules
        .iter()
        .flat_map(|module| [Some(file_name(&module.path)), module.soname.clone()])
        .flatten()
        .collect();
    modules
        .iter()
        .flat_map(|module| module.needed.iter().map(|library| (module.path.as_str(), library)))
        .filter(move |(_, library)| !own.contains(*library))
        .map(|(module, library)| Outside { module, library, provider: provider(library) })
}

/// How a wheel's requirements stand to a distribution that it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Declared {
    Yes,
    /// Required with an extra or under a condition only: what is written there.
    Sometimes(String),
    /// Required for another CUDA release, by the requirement of this name.
    OtherRelease(String),
    No,
}

impl Distribution {
    fn declared(self, requirements: &[Requirement]) -> Declared {
        requirements
            .iter()
            .map(|requirement| self.declared_by(requirement))
            .min_by_key(|declared| match declared {
                Declared::Yes => 0,
                Declared::Sometimes(_) => 1,
                Declared::OtherRelease(_) => 2,
                Declared::No => 3,
            })
            .unwrap_or(Declared::No)
    }

    fn declared_by(self, requirement: &Requirement) -> Declared {
        let name = requirement.name.as_str();
        let suffix = name.strip_prefix(self.name).and_then(|rest| rest.strip_prefix("-cu"));
        let release = suffix.and_then(|digits| digits.parse::<u16>().ok());
        // torch requires what it links to, and that is nearly all of them.
        let through = name == "torch" && self.name.starts_with("nvidia-")
            || name == "cuda-toolkit" && !BESIDE_TOOLKIT.contains(&self.name);
        if name != self.name && release.is_none() && !through {
            return Declared::No;
        }
        if let (Some(wanted), Some(release)) = (self.cuda, release)
            && wanted != release
        {
            return Declared::OtherRelease(name.to_owned());
        }
        match &requirement.marker {
            Some(marker) if marker.contains("extra") => Declared::Sometimes(marker.clone()),
            _ => Declared::Yes,
        }
    }

    /// Its whole name: from CUDA 13 on most of them bear no suffix.
    fn full_name(self) -> String {
        match self.cuda {
            Some(major @ ..13) => format!("{}-cu{major}", self.name),
            _ => self.name.to_owned(),
        }
    }
}

/// Judges whether what the wheel requires brings the libraries that its modules need.
pub(super) fn check(inspection: &Inspection, findings: &mut Findings) {
    let requirements: Vec<Requirement> = inspection.metadata.requirements().collect();
    let mut needs: BTreeMap<&str, (Distribution, Vec<&str>)> = BTreeMap::new();
    for Outside { module, library, provider } in outside(inspection) {
        if let Some(Provider::Distribution(distribution)) = provider {
            needs.entry(library).or_insert((distribution, Vec::new())).1.push(module);
        }
    }
    for (library, (distribution, modules)) in needs {
        let more = match modules.len() {
            1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        let place = format!("{library} of {}, for {}{more}", distribution.full_name(), modules[0]);
        match distribution.declared(&requirements) {
            Declared::Yes => {}
            Declared::Sometimes(marker) => {
                findings.add(rules::ELF_UNDECLARED, format!("{place}: required only if {marker}"));
            }
            Declared::OtherRelease(name) => {
                findings.add(rules::ELF_OTHER_RELEASE, format!("{place}: required is {name}"));
            }
            Declared::No => findings.add(rules::ELF_UNDECLARED, place),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distribution(library: &str) -> Distribution {
        match provider(library) {
            Some(Provider::Distribution(distribution)) => distribution,
            other => panic!("{library}: {other:?}"),
        }
    }

    fn declared(library: &str, requirements: &[&str]) -> Declared {
        let requirements: Vec<Requirement> =
            requirements.iter().map(|text| text.parse().unwrap()).collect();
        distribution(library).declared(&requirements)
    }

    #[test]
    fn libraries_are_known_by_their_names() {
        assert_eq!(distribution("libcudart.so.13").full_name(), "nvidia-cuda-runtime");
        assert_eq!(distribution("libcublasLt.so.12").full_name(), "nvidia-cublas-cu12");
        assert_eq!(distribution("libcudnn_ops.so.9").full_name(), "nvidia-cudnn");
        assert_eq!(distribution("libcufft.so.11").cuda, None);
        assert_eq!(distribution("libc10_cuda.so").full_name(), "torch");
        assert_eq!(provider("libcuda.so.1"), Some(Provider::Driver));
        assert_eq!(provider("libc.so.6"), Some(Provider::System(5)));
        for unknown in ["libnuma.so.1", "libcusparse_more.so.1", "libcuda", ""] {
            assert_eq!(provider(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn a_requirement_brings_what_it_is_for() {
        assert_eq!(declared("libcudart.so.12", &["nvidia-cuda-runtime-cu12"]), Declared::Yes);
        assert_eq!(declared("libcudart.so.13", &["nvidia-cuda-runtime>=13"]), Declared::Yes);
        assert_eq!(declared("libcudart.so.13", &["cuda-toolkit[cudart]==13.*"]), Declared::Yes);
        assert_eq!(declared("libnccl.so.2", &["cuda-toolkit"]), Declared::No);
        assert_eq!(declared("libnccl.so.2", &["numpy", "torch>=2.9"]), Declared::Yes);
        assert_eq!(declared("libtorch_cpu.so", &["torchvision"]), Declared::No);
        assert_eq!(declared("libcublas.so.12", &[]), Declared::No);
        assert_eq!(
            declared("libcudart.so.13", &["nvidia-cuda-runtime-cu12"]),
            Declared::OtherRelease("nvidia-cuda-runtime-cu12".to_owned())
        );
        assert_eq!(
            declared("libcudart.so.12", &["nvidia-cuda-runtime-cu12; extra == 'cuda'"]),
            Declared::Sometimes("extra == 'cuda'".to_owned())
        );
    }
}
