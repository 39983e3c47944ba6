//! Whose a symbol is by its name, and how a person would write it.

use std::fmt;

use cpp_demangle::{BorrowedSymbol, DemangleOptions, DemangleWrite, ParseOptions};

/// Who would define a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Owner {
    /// torch's C++ libraries, whose layouts change with each minor release.
    Torch,
    /// torch's C functions, which stay.
    TorchShim,
    Python,
    /// A library of CUDA, by the name of its file without number.
    Cuda(&'static str),
    /// libstdc++ or libgcc_s.
    Compiler,
    Unknown,
}

impl fmt::Display for Owner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Torch | Self::TorchShim => "torch",
            Self::Python => "Python",
            Self::Cuda(library) => library,
            Self::Compiler => "libstdc++",
            Self::Unknown => "an unknown library",
        })
    }
}

/// How the functions of CUDA's libraries start; a capital letter or `_` comes next.
const CUDA: [(&str, &str); 14] = [
    ("cublasLt", "libcublasLt.so"),
    ("cublas", "libcublas.so"),
    ("cudnn", "libcudnn.so"),
    ("cuda", "libcudart.so"),
    ("__cuda", "libcudart.so"),
    ("cufft", "libcufft.so"),
    ("curand", "libcurand.so"),
    ("cusolver", "libcusolver.so"),
    ("cusparse", "libcusparse.so"),
    ("nccl", "libnccl.so"),
    ("nvrtc", "libnvrtc.so"),
    ("nvJitLink", "libnvJitLink.so"),
    ("nvml", "libnvidia-ml.so.1"),
    ("cu", "libcuda.so.1"),
];

/// A symbol with what its name tells.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Named {
    pub(crate) owner: Owner,
    /// As a person would write it, cut where it is long.
    pub(crate) text: String,
}

/// Reads a name.
pub(crate) fn read(symbol: &str) -> Named {
    let readable = demangle(symbol);
    let owner = match &readable {
        Some(text) => owner_in_cpp(symbol, text),
        None => owner_in_c(symbol),
    };
    Named { owner, text: readable.unwrap_or_else(|| symbol.to_owned()) }
}

fn owner_in_c(symbol: &str) -> Owner {
    if is_python(symbol) {
        return Owner::Python;
    }
    if symbol.starts_with("aoti_torch_") || symbol.starts_with("torch_") {
        return Owner::TorchShim;
    }
    if symbol.starts_with("THP") {
        return Owner::Torch;
    }
    if symbol.starts_with("__cxa_") || symbol.starts_with("__gxx_") {
        return Owner::Compiler;
    }
    let starts = |prefix: &str| {
        symbol.strip_prefix(prefix).is_some_and(|rest| {
            rest.starts_with(|next: char| next.is_ascii_uppercase() || next == '_')
        })
    };
    CUDA.iter()
        .find(|(prefix, _)| starts(prefix))
        .map_or(Owner::Unknown, |(_, library)| Owner::Cuda(library))
}

/// Whether a name is one of the Python interpreter.
pub(crate) fn is_python(symbol: &str) -> bool {
    let rest = symbol.strip_prefix('_').unwrap_or(symbol);
    rest.strip_prefix("Py")
        .is_some_and(|rest| rest.starts_with(|next: char| next.is_ascii_uppercase() || next == '_'))
}

fn owner_in_cpp(symbol: &str, text: &str) -> Owner {
    let names = |space: &str| {
        text.match_indices(space).any(|(at, _)| {
            let before = text[..at].chars().next_back();
            !before.is_some_and(|before| before.is_alphanumeric() || before == '_' || before == ':')
        })
    };
    if ["c10::", "at::", "torch::", "caffe2::"].into_iter().any(names) {
        Owner::Torch
    } else if symbol.starts_with("_ZSt") || symbol.starts_with("_ZNSt") || text.starts_with("std::")
    {
        Owner::Compiler
    } else {
        Owner::Unknown
    }
}

/// The most bytes of a demangled name that are of use to anybody.
const LENGTH: usize = 300;

/// How deep a name may be nested.
const DEPTH: u32 = 128;

/// A mangled C++ name as it was written in the source.
fn demangle(symbol: &str) -> Option<String> {
    if !symbol.starts_with("_Z") || symbol.len() > 1 << 14 {
        return None;
    }
    let options = ParseOptions::default().recursion_limit(DEPTH);
    let (parsed, _) = BorrowedSymbol::with_tail_and_options(symbol.as_bytes(), &options).ok()?;
    let mut text = Cut(String::new());
    let options = DemangleOptions::new().recursion_limit(DEPTH);
    // A name can refer back to its own parts and grow without bounds, so writing it is stopped.
    let whole = parsed.structured_demangle(&mut text, &options).is_ok();
    let mut text = text.0;
    if !whole {
        if text.len() < LENGTH {
            return None;
        }
        text.push('…');
    }
    Some(text)
}

struct Cut(String);

impl DemangleWrite for Cut {
    fn write_string(&mut self, part: &str) -> fmt::Result {
        if self.0.len() >= LENGTH {
            return Err(fmt::Error);
        }
        self.0.push_str(part);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_their_owner() {
        for (symbol, owner, text) in [
            (
                "_ZNK3c106SymInt22maybe_as_int_slow_pathEv",
                Owner::Torch,
                "c10::SymInt::maybe_as_int_slow_path() const",
            ),
            ("_ZNSt6vectorIN2at6TensorESaIS1_EED1Ev", Owner::Torch, "std::vector<at::Tensor"),
            ("_ZSt4cout", Owner::Compiler, "std::cout"),
            ("_ZN6format4whatEv", Owner::Unknown, "format::what()"),
            ("torch_list_push_back", Owner::TorchShim, "torch_list_push_back"),
            ("_PyObject_GC_New", Owner::Python, "_PyObject_GC_New"),
            ("Pythonic", Owner::Unknown, "Pythonic"),
            ("cudaMalloc", Owner::Cuda("libcudart.so"), "cudaMalloc"),
            ("cuCtxCreate_v2", Owner::Cuda("libcuda.so.1"), "cuCtxCreate_v2"),
            ("cublasLtMatmul", Owner::Cuda("libcublasLt.so"), "cublasLtMatmul"),
            ("custom_function", Owner::Unknown, "custom_function"),
        ] {
            let named = read(symbol);
            assert_eq!(named.owner, owner, "{symbol}");
            assert!(named.text.starts_with(text), "{symbol}: {}", named.text);
        }
    }

    #[test]
    fn a_name_that_doubles_itself_is_cut() {
        // Each argument is a pair of the one before: the last has 2^30 parts.
        let digits = ('0'..='9').chain('A'..='Z').take(30);
        let pairs: String = digits.map(|last| format!("S_IS{last}_S{last}_E")).collect();
        let text = read(&format!("_Z1fSt4pairIiiE{pairs}")).text;
        assert!(text.starts_with("f(std::pair<int, int>, std::pair<std::pair<int, int>"), "{text}");
        assert!(text.ends_with('…') && text.len() < 2 * LENGTH, "{text}");
    }
}
