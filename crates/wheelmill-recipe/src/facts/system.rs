//! What builds take from a distribution, by names that hold for all of them.

/// The general names that `system-packages` takes. What each is called where is known to whoever
/// installs it.
pub const GENERAL_PACKAGES: [&str; 13] = [
    "c++",
    "python-headers",
    "git",
    "patch",
    "make",
    "cmake",
    "pkg-config",
    "zlib",
    "libjpeg",
    "libpng",
    "libwebp",
    "numactl",
    "openblas",
];
