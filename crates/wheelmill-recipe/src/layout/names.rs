//! What the names of files and folders say.

use std::ffi::OsString;
use std::path::Path;

use camino::Utf8PathBuf;
use wheelmill_model::CudaVersion;

use super::LayoutError;

/// What stands for the CUDA release in the name of a Dockerfile, if it is one of ours.
pub(super) fn release_in(file: &str) -> Option<&str> {
    file.strip_prefix("Dockerfile_cuda")?.strip_suffix("_builder")
}

/// A CUDA release without its dot, as in `90` and `128`; else the name that is meant, and for which
/// release it would be.
///
/// One digit is the minor number: no release had two. What would be a release below 5, of before
/// there were containers, or above 49 has a digit too few or too many.
pub(super) fn release(written: &str) -> Result<CudaVersion, (String, CudaVersion)> {
    let plain = written.trim_start_matches('0');
    if let Some(cuda) = exact(plain) {
        return Ok(cuda);
    }
    let digits = plain.replace(['.', '_', '-'], "");
    let shortened = |length: usize| digits.get(..length).map(str::to_owned);
    let near = [Some(digits.clone()), Some(format!("{digits}0")), shortened(3), shortened(2)];
    let meant = near.into_iter().flatten().find(|digits| exact(digits).is_some());
    let meant = meant.unwrap_or_else(|| "90".to_owned());
    let cuda = exact(&meant).expect("it was read before");
    Err((format!("Dockerfile_cuda{meant}_builder"), cuda))
}

/// The release of exactly as many digits as it takes.
fn exact(digits: &str) -> Option<CudaVersion> {
    let wanted = if digits.starts_with(['1', '2', '3', '4']) { 3 } else { 2 };
    (digits.len() == wanted).then(|| format!("cu{digits}").parse().ok()).flatten()
}

/// A CUDA release without its dot: `90`.
pub(super) fn digits(cuda: CudaVersion) -> String {
    format!("{}{}", cuda.major, cuda.minor)
}

/// What the image of a name is called: `pytorch90builder`. Where Docker does not take what stands
/// between letters and digits, it is one `-`.
pub(super) fn image_name(name: &str, cuda: CudaVersion) -> String {
    let is_separator = |character: char| matches!(character, '.' | '_' | '-');
    let mut image = String::new();
    let mut rest = name;
    while !rest.is_empty() {
        let (word, after) = rest.split_at(rest.find(is_separator).unwrap_or(rest.len()));
        let end = after.find(|character| !is_separator(character)).unwrap_or(after.len());
        let (separator, next) = after.split_at(end);
        let good = matches!(separator, "." | "_" | "__") || separator.bytes().all(|it| it == b'-');
        image.push_str(&word.to_lowercase());
        image.push_str(if good { separator } else { "-" });
        rest = next;
    }
    format!("{image}{}builder", digits(cuda))
}

/// The names in a folder, sorted; none where there is no such folder.
pub(super) fn names_in(folder: &Path) -> Result<Vec<OsString>, LayoutError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let read = || -> std::io::Result<Vec<OsString>> {
        fs_err::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect()
    };
    let mut names = read().map_err(|source| LayoutError::Read {
        folder: Utf8PathBuf::from(folder.to_string_lossy().into_owned()),
        source,
    })?;
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_has_as_many_digits_as_it_takes() {
        for (written, cuda) in [("90", "9.0"), ("101", "10.1"), ("130", "13.0"), ("090", "9.0")] {
            assert_eq!(release(written).unwrap().to_string(), cuda);
        }
        for (written, meant) in [
            ("10", "100"),
            ("12", "120"),
            ("1010", "101"),
            ("9", "90"),
            ("902", "90"),
            ("1241", "124"),
            ("12.4", "124"),
            ("10_1", "101"),
            ("", "90"),
            ("x", "90"),
            ("latest", "90"),
        ] {
            let (name, _) = release(written).unwrap_err();
            assert_eq!(name, format!("Dockerfile_cuda{meant}_builder"), "{written}");
        }
    }

    #[test]
    fn images_have_names_that_docker_takes() {
        let cuda = "9.0".parse().unwrap();
        for (name, image) in [
            ("PyTorch", "pytorch90builder"),
            ("a.b_c__d---e", "a.b_c__d---e90builder"),
            ("a..b", "a-b90builder"),
            ("a___B._c", "a-b-c90builder"),
        ] {
            assert_eq!(image_name(name, cuda), image);
        }
    }
}
