//! nvcc and the host compiler that it drives.

use wheelmill_model::CudaVersion;

use super::account::Account;
use super::case::Case;
use super::failure::Cause;
use super::rule::{Rule, Sign, always};
use super::text::{between, word_after};

pub(super) const RULES: &[Rule] = &[
    Rule {
        cause: Cause::HostCompilerTooNew,
        when: always,
        parallel: true,
        signs: &[
            Sign::Has(&["unsupported GNU version!"]),
            Sign::Has(&["unsupported clang version!"]),
        ],
        account: refused_by_header,
    },
    Rule {
        cause: Cause::HostCompilerTooNew,
        when: always,
        parallel: false,
        signs: &[Sign::Has(&[
            "The current installed version of ",
            "is greater than the maximum required version by CUDA",
        ])],
        account: refused_by_torch,
    },
    Rule {
        // Debian's and Ubuntu's own nvcc looks for compilers itself.
        cause: Cause::HostCompilerTooNew,
        when: always,
        parallel: true,
        signs: &[Sign::Has(&["No supported gcc/g++ host compiler found"])],
        account: |case, _| {
            let what =
                "nvcc finds no host compiler that it supports: those here are too new for it.";
            Some(advise(case, what.to_owned(), None))
        },
    },
];

/// Images with a complete toolkit and a compiler that it supports, by CUDA release.
///
/// Source: the tags of `nvidia/cuda` on Docker Hub; Ubuntu 22.04 has gcc 11.
const IMAGES: &[(CudaVersion, &str)] = &[
    (CudaVersion::new(11, 8), "nvidia/cuda:11.8.0-devel-ubuntu22.04"),
    (CudaVersion::new(12, 0), "nvidia/cuda:12.0.1-devel-ubuntu22.04"),
    (CudaVersion::new(12, 1), "nvidia/cuda:12.1.1-devel-ubuntu22.04"),
    (CudaVersion::new(12, 2), "nvidia/cuda:12.2.2-devel-ubuntu22.04"),
    (CudaVersion::new(12, 3), "nvidia/cuda:12.3.2-devel-ubuntu22.04"),
    (CudaVersion::new(12, 4), "nvidia/cuda:12.4.1-devel-ubuntu22.04"),
    (CudaVersion::new(12, 5), "nvidia/cuda:12.5.1-devel-ubuntu22.04"),
    (CudaVersion::new(12, 6), "nvidia/cuda:12.6.3-devel-ubuntu22.04"),
    (CudaVersion::new(12, 8), "nvidia/cuda:12.8.1-devel-ubuntu22.04"),
    (CudaVersion::new(12, 9), "nvidia/cuda:12.9.1-devel-ubuntu22.04"),
    (CudaVersion::new(13, 0), "nvidia/cuda:13.0.1-devel-ubuntu22.04"),
];

fn refused_by_header(case: &Case<'_>, places: &[usize]) -> Option<Account> {
    let line = case.line(*places.first()?);
    let clang = line.contains("unsupported clang");
    let compiler = if clang { "clang" } else { "gcc" };
    // `gcc versions later than 12 are not supported!`, `clang version must be less than 17`
    let limit = between(line, "versions later than ", " ").map(ToOwned::to_owned).or_else(|| {
        let above: u16 = word_after(line, "must be less than ")?.parse().ok()?;
        Some((above.checked_sub(1)?).to_string())
    });
    let found = if clang { None } else { gcc_in_log(case) };
    let found_text =
        found.map_or_else(|| "newer".to_owned(), |version| format!("{compiler} {version}"));
    let limit_text = limit
        .as_deref()
        .map_or_else(|| "older ones only".to_owned(), |limit| format!("{compiler} up to {limit}"));
    let message = format!(
        "nvcc of CUDA {} works with {limit_text}, and the compiler here is {found_text}.",
        case.evidence.cuda
    );
    Some(advise(case, message, limit.as_deref().filter(|_| !clang)))
}

fn refused_by_torch(case: &Case<'_>, places: &[usize]) -> Option<Account> {
    let line = case.line(*places.last()?);
    let name = word_after(line, "installed version of ")?;
    let found = between(line, " (", ")")?;
    let cuda = word_after(line, "version by CUDA ")?;
    let bound =
        between(line, "<", ")").and_then(|bound| bound.split('.').next()?.parse::<u16>().ok());
    let limit = bound.map(|bound| bound.saturating_sub(1).to_string());
    let up_to = limit.as_deref().map(|limit| format!(" up to {limit}")).unwrap_or_default();
    let message = format!(
        "nvcc of CUDA {cuda} works with {name}{up_to}, and the compiler here is {name} {found}."
    );
    Some(advise(case, message, limit.as_deref().filter(|_| name != "clang++")))
}

/// The version of gcc that configure steps, search paths or programs' names tell.
fn gcc_in_log<'c>(case: &'c Case<'_>) -> Option<&'c str> {
    let digits = |rest: &'c str| {
        let end = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
        (end > 0).then(|| &rest[..end])
    };
    const BEFORE: &[&str] = &[
        "compiler identification is GNU ",
        "/lib/gcc/x86_64-linux-gnu/",
        "/lib/gcc/aarch64-linux-gnu/",
        "/include/c++/",
        "x86_64-linux-gnu-g++-",
        "x86_64-linux-gnu-gcc-",
    ];
    case.lines()
        .find_map(|line| BEFORE.iter().find_map(|before| digits(line.split_once(before)?.1)))
}

/// The command that builds in an image with a complete toolkit of the cell's release.
pub(super) fn in_image(case: &Case<'_>) -> Option<String> {
    let (_, image) = IMAGES.iter().find(|(release, _)| *release == case.evidence.cuda)?;
    Some(case.again(&format!("--base docker.io/{image}")))
}

fn advise(case: &Case<'_>, message: String, limit: Option<&str>) -> Account {
    let base = in_image(case).map(|command| format!("Build in an image that has both: {command}"));
    let older = limit.map(|limit| {
        format!(
            "Add the older compiler: `system-packages = {{ debian = [\"g++-{limit}\"] }}` and \
             `environment = {{ CC = \"gcc-{limit}\", CXX = \"g++-{limit}\", \
             NVCC_PREPEND_FLAGS = \"-ccbin g++-{limit}\" }}` in {}",
            case.table("build")
        )
    });
    Account::new(message)
        .fix_some(base)
        .fix_some(older)
        .fix(format!("See which CUDA releases fit: {}", case.plan("")))
}
