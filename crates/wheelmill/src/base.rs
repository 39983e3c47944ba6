//! What containers start from, as it is written on the command line and in files.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::str::FromStr;

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_engine::Base;
use wheelmill_mill::Bases;
use wheelmill_recipe::{PerCuda, Project};

use crate::environment;
use crate::error::{CliError, Ending};
use crate::settings::Session;

/// `host`, the file of an image, or an image's name. A text is taken for a file when it looks like
/// one: it ends in `.tar`, perhaps compressed, or starts with `/`, `./` or `../`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BaseWish {
    /// This machine's own root.
    Host,
    /// An image.
    Image(Base),
}

impl FromStr for BaseWish {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let is_file = text.starts_with(['/', '.'])
            || [".tar", ".tar.gz", ".tgz", ".tar.zst"].iter().any(|end| text.ends_with(end));
        match text {
            "host" => Ok(Self::Host),
            _ if is_file => Ok(Self::Image(Base::Archive { path: text.into(), digest: None })),
            _ if text.is_empty() || text.contains(char::is_whitespace) => {
                Err(format!("`{text}` is neither `host`, nor an image, nor the file of one"))
            }
            _ => Ok(Self::Image(Base::Image(text.to_owned()))),
        }
    }
}

/// The bases that the user chose: by the flag, else by the variable, else by the first file that
/// says it.
///
/// # Errors
/// What is written is no base, or a file is not there or is no image.
pub(crate) fn bases(flag: Option<&BaseWish>, session: &Session) -> Result<Bases, CliError> {
    let bases = chosen(flag, session)?;
    for base in bases.default.iter().chain(bases.by_cuda.values()) {
        if let Base::Archive { path, .. } = base {
            check_file(path)?;
        }
    }
    Ok(bases)
}

/// Refuses at once what cannot be the file of an image, rather than after minutes of hashing it.
fn check_file(path: &Utf8Path) -> Result<(), CliError> {
    let wrong = |what: &str| {
        CliError::usage(format!("the base `{path}` {what}")).hint(
            "name the file of an image, as `docker save` writes it, or an image of a registry",
        )
    };
    let unreadable =
        |source| CliError::new(Ending::Usage, UnreadableBase { path: path.to_owned(), source });
    if !path.try_exists().map_err(unreadable)? {
        return Err(wrong("does not exist"));
    }
    if path.is_dir() {
        let is_layout = path.join("index.json").is_file();
        return if is_layout { Ok(()) } else { Err(wrong("is a folder and no OCI layout")) };
    }
    let mut start = Vec::new();
    let file = fs_err::File::open(path).map_err(unreadable)?;
    file.take(TAR_BLOCK as u64).read_to_end(&mut start).map_err(unreadable)?;
    match start[..] {
        [] => Err(wrong("is empty")),
        _ if is_packed(&start) || is_tar_header(&start) => Ok(()),
        _ => Err(wrong("is neither a tar nor a tar compressed by gzip or zstd")),
    }
}

/// What one header takes in a tar.
const TAR_BLOCK: usize = 512;

/// Whether a file begins as gzip or zstd does, the latter also with a skippable frame.
fn is_packed(start: &[u8]) -> bool {
    matches!(
        start,
        [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]
    )
}

/// Whether a file begins with the header of a tar's member: its checksum, in octal digits from byte
/// 148, is the sum of all bytes of the header with blanks in the place of the checksum.
fn is_tar_header(start: &[u8]) -> bool {
    const CHECKSUM: std::ops::Range<usize> = 148..156;
    if start.len() < TAR_BLOCK {
        return false;
    }
    let digits = String::from_utf8_lossy(&start[CHECKSUM]);
    let written = u64::from_str_radix(digits.trim_matches(['\0', ' ']), 8);
    let outside = start.iter().enumerate().filter(|(index, _)| !CHECKSUM.contains(index));
    let sum: u64 = outside.map(|(_, byte)| u64::from(*byte)).sum();
    written == Ok(sum + u64::from(b' ') * CHECKSUM.len() as u64)
}

#[derive(Debug, thiserror::Error)]
#[error("the base `{path}` cannot be read")]
struct UnreadableBase {
    path: Utf8PathBuf,
    source: std::io::Error,
}

fn chosen(flag: Option<&BaseWish>, session: &Session) -> Result<Bases, CliError> {
    let wish = match flag {
        Some(wish) => Some(wish.clone()),
        None => session.variable(environment::BASE)?,
    };
    match wish {
        Some(BaseWish::Host) => return Ok(Bases::default()),
        Some(BaseWish::Image(base)) => {
            return Ok(Bases { default: Some(base), by_cuda: BTreeMap::new() });
        }
        None => {}
    }
    for file in session.files()? {
        if let Some(written) = &file.build.base {
            return of_file(written, file);
        }
    }
    Ok(Bases::default())
}

/// The bases of a file; paths in it are relative to its folder.
fn of_file(written: &PerCuda<String>, file: &Project) -> Result<Bases, CliError> {
    let wrong = |what: String| CliError::usage(format!("`build.base` in `{}`: {what}", file.file));
    let read = |text: &String| match text.parse().map_err(wrong)? {
        BaseWish::Host => Ok::<_, CliError>(None),
        BaseWish::Image(Base::Archive { path, digest }) => {
            let folder = file.file.parent().unwrap_or(&file.file);
            Ok(Some(Base::Archive { path: folder.join(path), digest }))
        }
        BaseWish::Image(base) => Ok(Some(base)),
    };
    let default = written.default.as_ref().map(read).transpose()?.flatten();
    let mut by_cuda = BTreeMap::new();
    for (cuda, text) in &written.releases {
        match read(text)? {
            Some(base) => drop(by_cuda.insert(*cuda, base)),
            None if default.is_some() => {
                let what = format!("CUDA {cuda} cannot have `host` where `default` is an image");
                return Err(
                    wrong(what).hint("name an image for each release and leave `default` out")
                );
            }
            None => {}
        }
    }
    Ok(Bases { default, by_cuda })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_told_from_its_spelling() {
        let read = |text: &str| text.parse::<BaseWish>().unwrap();
        let file = |path: &str| BaseWish::Image(Base::Archive { path: path.into(), digest: None });
        let image = "quay.io/manylinux_cuda/manylinux_2_28_x86_64_cuda12_8:latest";
        assert_eq!(read("host"), BaseWish::Host);
        assert_eq!(read("./root.tar"), file("./root.tar"));
        assert_eq!(read("saved.tar.gz"), file("saved.tar.gz"));
        assert_eq!(read(image), BaseWish::Image(Base::Image(image.to_owned())));
        assert!(" ".parse::<BaseWish>().is_err());
    }
}
