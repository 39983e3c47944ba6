//! `wheelmill init`: a project file to begin with.

use std::io::{ErrorKind, Write as _};

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use serde_json::json;
use wheelmill_recipe::Layout;

use crate::error::{CliError, Ending};
use crate::settings::{PROJECT_FILE, Session};

/// Write a `wheelmill.toml` for a folder
///
/// For a folder of `configs/NAME/Dockerfile_cuda90_builder` and `build_contexts/name` it says what
/// the names of its files say; elsewhere it is a matrix to fill in.
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

/// Writes the file; never over another one.
pub(crate) fn init(_args: &InitArgs, session: &Session) -> Result<Ending, CliError> {
    let folder = session.named_folder()?;
    let layout = Layout::find(&folder)?;
    let text = layout.as_ref().map_or_else(|| STARTER.to_owned(), |found| found.to_toml(&folder));
    let file = write_new(&folder, &text)?;
    let printer = session.printer;
    for remark in layout.iter().flat_map(|layout| &layout.remarks) {
        printer.warn(remark, None);
    }
    if printer.json {
        printer.document(json!({ "file": file, "text": text }))?;
    } else {
        printer.data(&format!("{file}\n"))?;
        printer.say(match layout {
            Some(_) => "it says what the folder said by its names; see `wheelmill plan`",
            None => "name packages in it, then see `wheelmill plan`",
        });
    }
    Ok(Ending::Done)
}

fn write_new(folder: &Utf8Path, text: &str) -> Result<Utf8PathBuf, CliError> {
    let file = folder.join(PROJECT_FILE);
    let created = fs_err::OpenOptions::new().write(true).create_new(true).open(&file);
    match created.and_then(|mut created| created.write_all(text.as_bytes())) {
        Ok(()) => Ok(file),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Err(CliError::usage(format!("there is a `{PROJECT_FILE}` in `{folder}` already"))
                .hint("change that one, or name another folder with `--project`"))
        }
        Err(error) => Err(CliError::new(Ending::Usage, error)),
    }
}
