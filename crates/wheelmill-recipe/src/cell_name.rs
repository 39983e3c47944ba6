//! Names of cells, as people write them: in whole or in part.

use std::str::FromStr;

use wheelmill_model::{
    ArchList, ArchTarget, CudaVersion, PackageName, PythonVersion, TorchVersion, Version,
};

/// What a cell's name says; what it leaves out is open.
/// `torchsort-0.1.10-cu130-torch2.11-cp311-sm90` says all, `cu130-torch2.11` two things.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CellName {
    /// The package.
    pub package: Option<PackageName>,
    /// Its version; none for `latest`.
    pub version: Option<Version>,
    /// The CUDA release.
    pub cuda: Option<CudaVersion>,
    /// The PyTorch release.
    pub torch: Option<TorchVersion>,
    /// The Python.
    pub python: Option<PythonVersion>,
    /// The GPU architectures.
    pub architectures: Option<ArchList>,
}

/// A text that names no cell.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{part}` of `{name}` is no part of a cell's name: write it as `wheelmill plan` does, as in `torchsort-0.1.10-cu130-torch2.11-cp311-sm90`, or parts of it, as in `cu130-torch2.11`"
)]
pub struct CellNameError {
    name: String,
    part: String,
}

impl FromStr for CellName {
    type Err = CellNameError;

    fn from_str(name: &str) -> Result<Self, CellNameError> {
        let mut parts: Vec<&str> = name.split('-').collect();
        let mut cell = Self::default();
        // From the end: names of packages may hold anything.
        if let Some(start) = parts.iter().rposition(|part| is_numbered(part, "sm")) {
            cell.architectures = architectures(&parts[start..]);
            if cell.architectures.is_some() {
                parts.truncate(start);
            }
        }
        cell.python = take(&mut parts, "cp", |digits| {
            let (major, minor) = digits.split_at_checked(1)?;
            format!("{major}.{minor}").parse().ok()
        });
        cell.torch = take(&mut parts, "torch", |rest| rest.parse().ok());
        cell.cuda = take(&mut parts, "cu", |rest| format!("cu{rest}").parse().ok());
        let wrong = |part: &str| CellNameError { name: name.to_owned(), part: part.to_owned() };
        if let [_, .., last] = parts[..] {
            if last != "latest" {
                cell.version = Some(last.parse().map_err(|_| wrong(last))?);
            }
            parts.pop();
        }
        if !parts.is_empty() {
            let package = parts.join("-");
            cell.package = Some(package.parse().map_err(|_| wrong(&package))?);
        }
        // A word that might be a package is more likely a slip.
        let Self { cuda, torch, python, architectures, .. } = &cell;
        if (cuda, torch, python) == (&None, &None, &None) && architectures.is_none() {
            return Err(wrong(name));
        }
        Ok(cell)
    }
}

fn is_numbered(part: &str, word: &str) -> bool {
    part.strip_prefix(word).is_some_and(|rest| rest.starts_with(|next: char| next.is_ascii_digit()))
}

/// Takes the last part if it is the word with what can be read behind it.
fn take<T>(parts: &mut Vec<&str>, word: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
    let last = parts.last().filter(|part| is_numbered(part, word))?;
    let value = read(last.strip_prefix(word)?)?;
    parts.pop();
    Some(value)
}

/// `sm80`, `90ptx`: the label of a list, split at its dashes.
fn architectures(parts: &[&str]) -> Option<ArchList> {
    let target = |part: &&str| {
        let part = part.strip_prefix("sm").unwrap_or(part);
        let (digits, ptx) = match part.strip_suffix("ptx") {
            Some(digits) => (digits, true),
            None => (part, false),
        };
        Some(ArchTarget { arch: format!("sm_{digits}").parse().ok()?, ptx })
    };
    ArchList::new(parts.iter().map(target).collect::<Option<Vec<_>>>()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cell;

    fn read(text: &str) -> CellName {
        text.parse().unwrap()
    }

    #[test]
    fn the_name_of_a_cell_is_read_again() {
        let cell = Cell {
            package: "causal-conv1d".parse().unwrap(),
            version: Some("1.5.0".parse().unwrap()),
            cuda: "13.0".parse().unwrap(),
            torch: Some("2.11".parse().unwrap()),
            python: "3.11".parse().unwrap(),
            architectures: "8.0;9.0a;10.0+PTX".parse().unwrap(),
        };
        let name = read(&cell.id());
        assert_eq!(name.package, Some(cell.package));
        assert_eq!(name.version, cell.version);
        assert_eq!(name.cuda, Some(cell.cuda));
        assert_eq!(name.torch, cell.torch);
        assert_eq!(name.python, Some(cell.python));
        assert_eq!(name.architectures, Some(cell.architectures));
    }

    #[test]
    fn parts_will_do() {
        assert_eq!(read("cu128").cuda, Some(CudaVersion::new(12, 8)));
        let name = read("cu130-torch2.11.0-cp313");
        assert_eq!(name.torch.map(|torch| torch.to_string()).as_deref(), Some("2.11.0"));
        assert_eq!(name.python, Some(PythonVersion::new(3, 13)));
        assert_eq!((name.package, name.version), (None, None));
        let name = read("flash-attn-latest-cu130-cp311-sm90");
        assert_eq!(name.package.unwrap().as_str(), "flash-attn");
        assert_eq!((name.version, name.torch), (None, None));
        assert_eq!(read("torchsort-cu130").package.unwrap().as_str(), "torchsort");
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (text, part) in [
            ("torch-scatter-cu130", "scatter"),
            ("a/b-cu130", "a/b"),
            ("", ""),
            ("torchsort", "torchsort"),
        ] {
            assert_eq!(text.parse::<CellName>().unwrap_err().part, part, "{text}");
        }
    }
}
