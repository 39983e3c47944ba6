//! `wheelmill init`: a project file to begin with.

use std::io::{self, ErrorKind, Write as _};

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use serde_json::json;
use wheelmill_recipe::{Layout, Project};

use crate::error::{CliError, Ending};
use crate::settings::{PROJECT_FILE, Session};

/// Write a `wheelmill.toml` for a folder
///
/// For a folder of `configs/NAME/Dockerfile_cuda90_builder` and `build_contexts/name` it says what
/// the names of its files say; to a file that is there already, and names no images, this is added.
/// Elsewhere it is a matrix to fill in.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {}

/// What a new project begins with.
const STARTER: &str = "\
# What `wheelmill build` builds in this folder. All keys: docs/reference/recipe.md
[matrix]
package = []            # \"torchsort==0.1.10\"
# cuda = [\"13.0\"]
# torch = [\"2.11\"]
# python = [\"3.11\"]
# architectures = \"8.0;9.0+PTX\"

# [build]
# memory = \"16GB\"
";

/// Writes the file, never over another one. To one that names no images, those of the folder are
/// added.
pub(crate) fn init(_args: &InitArgs, session: &Session) -> Result<Ending, CliError> {
    let folder = session.named_folder()?;
    let layout = Layout::find(&folder)?;
    let images = layout.as_ref().filter(|layout| !layout.cells.is_empty());
    let images = images.map(|layout| layout.to_toml(&folder));
    let file = folder.join(PROJECT_FILE);
    let (text, said) = match (file.exists(), images) {
        (false, None) => {
            (created(&file, STARTER.to_owned())?, "name packages in it, then see `wheelmill plan`")
        }
        (false, Some(images)) => (
            created(&file, images)?,
            "it says what the folder said by its names; see `wheelmill plan`",
        ),
        (true, Some(images)) if Project::load(&file)?.images.is_empty() => (
            extended(&file, &images)?,
            "`[layout]` is new at its end, the rest is as it was; see `wheelmill plan`",
        ),
        (true, _) => return Err(exists(&file)),
    };
    let printer = session.printer;
    for remark in layout.iter().flat_map(|layout| &layout.remarks) {
        printer.warn(remark, None);
    }
    if printer.json {
        printer.document(json!({ "file": file, "text": text }))?;
    } else {
        printer.data(&format!("{file}\n"))?;
        printer.say(said);
    }
    Ok(Ending::Done)
}

fn created(file: &Utf8Path, text: String) -> Result<String, CliError> {
    let created = fs_err::OpenOptions::new().write(true).create_new(true).open(file);
    created
        .and_then(|mut created| created.write_all(text.as_bytes()))
        .map_err(|error| unwritten(file, error))?;
    Ok(text)
}

/// Adds tables at the end of a file, whose own text stays as it is.
fn extended(file: &Utf8Path, tables: &str) -> Result<String, CliError> {
    let mut text = fs_err::read_to_string(file).map_err(|error| unwritten(file, error))?;
    let gap = match &text[..] {
        "" => "",
        own if own.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    let more = format!("{gap}{tables}");
    text.push_str(&more);
    // What was written in another form, as `layout = {}`, cannot be added to.
    Project::parse(&text, file)?;
    let opened = fs_err::OpenOptions::new().append(true).open(file);
    opened
        .and_then(|mut opened| opened.write_all(more.as_bytes()))
        .map_err(|error| unwritten(file, error))?;
    Ok(text)
}

fn exists(file: &Utf8Path) -> CliError {
    let folder = file.parent().unwrap_or(file);
    CliError::usage(format!("there is a `{PROJECT_FILE}` in `{folder}` already"))
        .hint("change that one, or name another folder with `--project`")
}

fn unwritten(file: &Utf8Path, source: io::Error) -> CliError {
    match source.kind() {
        ErrorKind::AlreadyExists => exists(file),
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => {
            let error = ReadOnlyError { file: file.to_owned(), source };
            CliError::new(Ending::NotReady, error).hint(
                "only `init` writes there: go on without the file, or let the folder be written; \
                 `--project` names another one",
            )
        }
        _ => CliError::new(Ending::NotReady, source),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("`{file}` cannot be written: it is read-only for this user")]
struct ReadOnlyError {
    file: Utf8PathBuf,
    source: io::Error,
}
