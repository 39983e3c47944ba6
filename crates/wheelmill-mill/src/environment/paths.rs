//! Where things lie in a build container.
//!
//! One fixed place for each, in every container: compile caches then hit, and paths that compilers
//! write into objects are equal from one build to the next.

/// The package's source, writable.
pub(crate) const SOURCE: &str = "/build/src";
/// Where the build leaves its wheel.
pub(crate) const OUTPUT: &str = "/build/out";
/// Programs and lists that steps are given.
pub(crate) const TOOLS: &str = "/build/tools";
/// The gate: its program, the socket of its server, and the links that lead compilers to it.
pub(crate) const GATE: &str = "/build/gate";
/// uv.
pub(crate) const UV: &str = "/build/tools/uv";
/// ccache.
pub(crate) const CCACHE: &str = "/build/tools/ccache";
/// The compiles of earlier builds of the package.
pub(crate) const COMPILES: &str = "/build/cache/compiles";
/// Where the compile cache is tried.
pub(crate) const PROBE: &str = "/build/probe";
/// The certificates that this machine trusts.
pub(crate) const CERTIFICATES: &str = "/build/tools/certificates.pem";
/// The same in images of the user's own, where `/build` may be theirs.
pub(crate) const CERTIFICATES_OF_IMAGES: &str = "/run/wheelmill/certificates.pem";
/// uv's cache of downloads.
pub(crate) const UV_CACHE: &str = "/build/cache/uv";
/// Everything that the steps of an environment make, system packages aside.
pub(crate) const PREFIX: &str = "/opt/wheelmill";
/// The Python environment with torch and the build requirements.
pub(crate) const PYTHON_ENVIRONMENT: &str = "/opt/wheelmill/env";
/// Interpreters that uv brought because the base has none of that release.
pub(crate) const PYTHONS: &str = "/opt/wheelmill/python";
/// The environment of the tools that repair wheels; builds do not see them.
pub(crate) const REPAIR_ENVIRONMENT: &str = "/opt/wheelmill/repair";
/// The CUDA toolkit: always a link, so that every base looks the same.
pub(crate) const CUDA: &str = "/opt/wheelmill/cuda";
/// The environment that a finished wheel is tried in.
pub(crate) const TRIAL: &str = "/build/trial";
/// The folder that builds see as their home.
pub(crate) const HOME: &str = "/build/home";
