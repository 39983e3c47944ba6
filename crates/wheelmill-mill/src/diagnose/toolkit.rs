//! The CUDA toolkit: its release against torch's, its parts against each other, and the GPU
//! architectures that it knows.

use wheelmill_model::{CudaArch, CudaVersion};

use super::account::Account;
use super::case::Case;
use super::failure::Cause;
use super::rule::{Rule, Sign, always};
use super::text::{between, word_after};

pub(super) const RULES: &[Rule] = &[
    Rule {
        cause: Cause::CudaTorchMismatch,
        when: always,
        parallel: false,
        signs: &[
            Sign::Has(&["The detected CUDA version", "mismatches the version"]),
            Sign::Has(&["PyTorch was compiled with CUDA ", "but"]),
        ],
        account: torch_mismatch,
    },
    Rule {
        cause: Cause::CudaTorchMismatch,
        when: always,
        parallel: true,
        signs: &[Sign::Has(&["Unsupported .version ", "current version is "])],
        account: parts_mismatch,
    },
    Rule {
        cause: Cause::UnknownArchitecture,
        when: always,
        parallel: true,
        signs: &[
            Sign::Has(&["Unsupported gpu architecture '"]),
            Sign::Has(&["Value '", "is not defined for option 'gpu-"]),
            Sign::Has(&["' is not a recognized processor"]),
            Sign::Has(&["unsupported CUDA gpu architecture: "]),
        ],
        account: unknown_to_compiler,
    },
    Rule {
        cause: Cause::UnknownArchitecture,
        when: always,
        parallel: false,
        signs: &[Sign::Has(&["Unknown CUDA arch (", "or GPU not supported"])],
        account: unknown_to_torch,
    },
    Rule {
        cause: Cause::UnknownArchitecture,
        when: always,
        parallel: false,
        signs: &[Sign::Starts(&["arch_list[-1] += '+PTX'"])],
        account: none_named,
    },
];

/// Architectures that came with a release of CUDA, and those that left.
///
/// Source: `ptxas --help` of the releases 11.7 to 13.5; NVIDIA's release notes for older ones.
const CAME: &[(u16, CudaVersion)] = &[
    (75, CudaVersion::new(10, 0)),
    (80, CudaVersion::new(11, 0)),
    (86, CudaVersion::new(11, 1)),
    (87, CudaVersion::new(11, 4)),
    (89, CudaVersion::new(11, 8)),
    (90, CudaVersion::new(11, 8)),
    (100, CudaVersion::new(12, 8)),
    (120, CudaVersion::new(12, 8)),
    (103, CudaVersion::new(12, 9)),
    (121, CudaVersion::new(12, 9)),
    (88, CudaVersion::new(13, 0)),
    (110, CudaVersion::new(13, 0)),
    (107, CudaVersion::new(13, 4)),
];

/// For architectures below a number: the last release that compiles for them, and the last that
/// torch also had builds with them for.
///
/// Source: as above, and PyTorch's compatibility matrix.
const LEFT: &[(u16, CudaVersion, CudaVersion)] = &[
    (35, CudaVersion::new(10, 2), CudaVersion::new(10, 2)),
    (50, CudaVersion::new(11, 8), CudaVersion::new(11, 8)),
    (75, CudaVersion::new(12, 9), CudaVersion::new(12, 6)),
];

fn torch_mismatch(case: &Case<'_>, places: &[usize]) -> Option<Account> {
    let line = case.line(*places.last()?);
    let versions = versions(line);
    let &[found, .., built] = versions.as_slice() else { return None };
    let wished = case.evidence.cuda;
    let torch =
        case.evidence.torch.map_or_else(|| "torch".to_owned(), |torch| format!("torch {torch}"));
    let account = Account::new(format!(
        "The build found a CUDA {found} toolkit, and {torch} was built with CUDA {built}."
    ));
    let account = if found == wished {
        account.fix(format!(
            "Build for the CUDA release of this torch: {}",
            case.build(built, case.evidence.torch, "")
        ))
    } else {
        account.fix(format!(
            "Take `CUDA_HOME` and `PATH` out of `environment` in {}: the cell's toolkit is CUDA \
             {wished}, and the build took another one",
            case.table("build")
        ))
    };
    Some(account.fix(format!(
        "See which torch releases are built with CUDA {found}: {}",
        case.plan(&format!("--cuda {found}"))
    )))
}

/// All `12.4` in a line, as older torch formats them into the sentence and newer ones list them
/// behind it. torch's own release may stand between the two.
fn versions(line: &str) -> Vec<CudaVersion> {
    line.split(|character: char| !character.is_ascii_digit() && character != '.')
        .filter_map(|word| word.trim_matches('.').parse().ok())
        .collect()
}

fn parts_mismatch(case: &Case<'_>, places: &[usize]) -> Option<Account> {
    let line = case.line(*places.first()?);
    let written = word_after(line, "Unsupported .version ")?;
    let read = word_after(line, "current version is ")?;
    Some(
        Account::new(format!(
            "The parts of the CUDA toolkit are of different releases: its compiler writes PTX \
             {written} and its assembler reads PTX up to {read}."
        ))
        .fix(format!("Choose all parts anew, of one release: {}", case.again("--refresh")))
        .fix(format!(
            "Take `nvidia-nvvm`, `nvidia-cuda-nvcc` and `nvidia-cuda-crt` out of `requires` in {}",
            case.table("build")
        )),
    )
}

fn unknown_to_compiler(case: &Case<'_>, places: &[usize]) -> Option<Account> {
    let line = case.line(*places.first()?);
    let name = between(line, "gpu architecture '", "'")
        .or_else(|| between(line, "Value '", "'"))
        .or_else(|| between(line, "'", "'"))
        .or_else(|| word_after(line, "gpu architecture: "))?;
    let cuda = case.evidence.cuda;
    let arch: Option<CudaArch> = name.parse().ok();
    let left = LEFT
        .iter()
        .find(|&&(below, last, _)| last < cuda && arch.is_some_and(|arch| arch.number < below));
    let came = CAME
        .iter()
        .find(|&&(number, first)| first > cuda && arch.is_some_and(|arch| arch.number == number));
    let (why, other) = match (left, came) {
        (Some(&(_, last, with_torch)), _) => {
            let other = if case.evidence.torch.is_some() { with_torch } else { last };
            (format!(": {last} was the last release that did"), Some(other))
        }
        (None, Some(&(_, first))) => {
            (format!(": {first} is the first release that does"), Some(first))
        }
        (None, None) => (String::new(), None),
    };
    Some(
        Account::new(format!("nvcc of CUDA {cuda} does not compile for `{name}`{why}."))
            .fix(format!(
                "Build for what this CUDA release knows: {}",
                case.again("--arch all-major")
            ))
            .fix_some(other.zip(arch).map(|(other, arch)| {
                format!(
                    "See what a release that knows it can build: {}",
                    case.plan(&format!("--cuda {other} --arch {}", arch.dotted()))
                )
            }))
            .fix(own_list(case, name)),
    )
}

/// For sources that do not ask for what the user wished.
fn own_list(case: &Case<'_>, name: &str) -> String {
    format!(
        "If nobody wished for `{name}`, the source brings a list of its own: name the variable that \
         replaces it with `variable = \"…\"` in `[[recipes.{}.architectures]]` of wheelmill.toml",
        case.evidence.package
    )
}

fn unknown_to_torch(case: &Case<'_>, places: &[usize]) -> Option<Account> {
    let name = between(case.line(*places.last()?), "Unknown CUDA arch (", ")")?;
    let torch = case
        .evidence
        .torch
        .map_or_else(|| "This torch".to_owned(), |torch| format!("torch {torch}"));
    Some(
        Account::new(format!("{torch} does not know the GPU architecture `{name}`."))
            .fix(format!("Build for what it knows: {}", case.again("--arch all-major")))
            .fix(format!(
                "Build with a newer torch: {}",
                case.plan(&format!("--cuda {}", case.evidence.cuda))
            )),
    )
}

fn none_named(case: &Case<'_>, _: &[usize]) -> Option<Account> {
    Some(
        Account::new(
            "No GPU architecture was named to torch, so it looked for a GPU, and there is none here.",
        )
        .fix(format!(
            "Let the recipe name them: `variable = \"TORCH_CUDA_ARCH_LIST\"` and `spelling = \"torch\"` \
             in `[[recipes.{}.architectures]]` of wheelmill.toml",
            case.evidence.package
        )),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_the_mismatch_hold_the_two_releases() {
        let formatted = "RuntimeError: The detected CUDA version (12.4) mismatches the version that was used to compilePyTorch (11.8). Please make sure to use the same CUDA versions.";
        let listed = "RuntimeError: ('The detected CUDA version (%s) mismatches the version that was used to compilePyTorch (%s). Please make sure', '12.4', '11.8')";
        let wanted = [CudaVersion::new(12, 4), CudaVersion::new(11, 8)];
        assert_eq!(versions(formatted), wanted);
        assert_eq!(versions(listed), wanted);
    }
}
