//! How wheels are repaired: what auditwheel is asked for, and what it says.

use wheelmill_recipe::Recipe;

/// Changes when the same wheel would be repaired in another way.
pub(crate) const VERSION: &str = "1";

/// Libraries of the driver: they must match the kernel's part of it, and come with it.
const DRIVER: &[&str] = &["libcuda.so.*", "libnvcuvid.so.*", "libnvidia-*.so.*"];

/// Libraries of the CUDA toolkit, and those that NVIDIA publishes beside it: hundreds of megabytes
/// each, in wheels of their own (`nvidia-*`).
const CUDA: &[&str] = &[
    "libcublas*.so.*",
    "libcudart.so.*",
    "libcudnn*.so.*",
    "libcudss*.so.*",
    "libcufft*.so.*",
    "libcufile*.so.*",
    "libcupti.so.*",
    "libcurand.so.*",
    "libcusolver*.so.*",
    "libcusparse*.so.*",
    "libcutensor*.so.*",
    "libnccl.so.*",
    "libnpp*.so.*",
    "libnvJitLink.so.*",
    "libnvToolsExt.so.*",
    "libnvblas.so.*",
    "libnvfatbin.so.*",
    "libnvjpeg.so.*",
    "libnvperf*.so*",
    "libnvptxcompiler*.so.*",
    "libnvrtc*.so.*",
    "libnvshmem*.so.*",
    "libnvvm.so.*",
];

/// Libraries of torch, which loads them itself.
const TORCH: &[&str] = &["libc10*.so", "libshm.so", "libtorch*.so"];

/// The libraries that are never copied into a package's wheel: whoever uses it has them, since its
/// metadata requires them.
pub(crate) fn excluded(recipe: &Recipe) -> Vec<String> {
    let own = recipe.name.as_str() == "torch";
    let torch = TORCH.iter().filter(|_| !own);
    let known = DRIVER.iter().chain(CUDA).chain(torch).map(|pattern| (*pattern).to_owned());
    known.chain(recipe.wheel.exclude.iter().cloned()).collect()
}

/// Why auditwheel leaves a wheel as it is, when what it printed says that no policy fits: too new
/// symbols, instructions that not every machine has, a library that is nowhere.
pub(crate) fn refusal(said: &[String]) -> Option<&str> {
    const SIGNS: [&str; 4] = [
        "cannot repair \"",
        "Cannot repair wheel, because ",
        "Invalid binary wheel, ",
        "This does not look like a platform wheel",
    ];
    said.iter().rev().find_map(|line| {
        SIGNS.iter().find_map(|sign| line.find(sign).map(|place| line[place..].trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wheel_that_fits_no_policy_is_told_from_a_tool_that_broke() {
        let said = |line: &str| {
            let lines = ["INFO:auditwheel.main_repair:Repairing x.whl".to_owned(), line.to_owned()];
            refusal(&lines).map(str::to_owned)
        };
        let newer = "auditwheel: error: cannot repair \"x.whl\" to \"manylinux_2_41_x86_64\" ABI because of the presence of too-recent versioned symbols.";
        assert!(said(newer).unwrap().starts_with("cannot repair \"x.whl\""));
        let absent = "ValueError: Cannot repair wheel, because required library \"libfoo.so.1\" could not be located";
        assert!(said(absent).unwrap().contains("libfoo.so.1"));
        assert_eq!(said("KeyError: 'x'"), None);
    }

    #[test]
    fn torch_keeps_its_own_libraries() {
        let excluded = |name: &str| {
            let text = format!("name = \"{name}\"\nwheel.exclude = [\"libx.so.*\"]");
            excluded(&Recipe::parse(&text, "x.toml".into()).unwrap())
        };
        let other = excluded("torchsort");
        for pattern in ["libcuda.so.*", "libcudart.so.*", "libtorch*.so", "libx.so.*"] {
            assert!(other.iter().any(|it| it == pattern), "{pattern}");
        }
        assert!(!excluded("torch").iter().any(|it| it.starts_with("libtorch")));
    }
}
