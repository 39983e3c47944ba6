//! What containers start from, as it is written on the command line and in files.

use std::collections::BTreeMap;
use std::str::FromStr;

use wheelmill_engine::Base;
use wheelmill_mill::Bases;
use wheelmill_recipe::{PerCuda, Project};

use crate::environment;
use crate::error::CliError;
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
/// What is written is no base, or a file cannot be used.
pub(crate) fn bases(flag: Option<&BaseWish>, session: &Session) -> Result<Bases, CliError> {
    let bases = chosen(flag, session)?;
    for base in bases.default.iter().chain(bases.by_cuda.values()) {
        if let Base::Archive { path, .. } = base
            && !path.exists()
        {
            return Err(CliError::usage(format!("the base `{path}` does not exist")).hint(
                "name the file of an image, as `docker save` writes it, or an image of a registry",
            ));
        }
    }
    Ok(bases)
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
