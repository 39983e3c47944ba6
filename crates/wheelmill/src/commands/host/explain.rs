//! `wheelmill host explain`: what an old drop-in of Docker's service does today.

use camino::Utf8PathBuf;
use clap::Args;
use owo_colors::OwoColorize as _;
use wheelmill_host::dropin;

use crate::error::{CliError, Ending};
use crate::output::{Page, safe, style};
use crate::settings::Session;

/// Say what an old drop-in of Docker's service does today, part by part
///
/// And the `[host]` section that says what is worth keeping of it.
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The drop-in; `-` is standard input
    #[arg(default_value = "/etc/systemd/system/docker.service.d/override.conf")]
    file: Utf8PathBuf,
}

/// Explains it part by part, and prints what of it is worth keeping.
pub(super) fn explain(args: &ExplainArgs, session: &Session) -> Result<Ending, CliError> {
    let text = match args.file.as_str() {
        "-" => std::io::read_to_string(std::io::stdin()),
        _ => fs_err::read_to_string(&args.file),
    };
    let text = text.map_err(|error| CliError::new(Ending::Usage, error))?;
    let name = match args.file.as_str() {
        "-" => "the drop-in".to_owned(),
        file => format!("`{file}`"),
    };
    let explanation = dropin::explain(&text).ok_or_else(|| {
        CliError::usage(format!("{name} does not replace the command of Docker"))
            .hint("it can stay as it is")
    })?;
    let printer = session.printer;
    if printer.json {
        printer.document(&explanation)?;
        return Ok(Ending::Done);
    }
    let mut page = Page::new();
    for part in &explanation.parts {
        page.line(format_args!(
            "{} {}",
            safe(&part.text).style(style::strong()),
            safe(&part.meaning)
        ));
        page.remark("today:", style::active(), &part.today);
    }
    let keeps = !explanation.host.is_empty();
    if keeps {
        page.line("\nWhat is worth keeping, for wheelmill.toml:\n");
    }
    printer.page(&page.finish())?;
    printer.data(&explanation.host)?;
    let remove = match explanation.others {
        true => format!("remove the `ExecStart` lines of {name}, and no others"),
        false => format!("remove {name}"),
    };
    printer.say(match keeps {
        true => {
            format!("then {remove}, run `systemctl daemon-reload`, and see `wheelmill host plan`")
        }
        false => {
            format!("nothing of it is for `[host]`: {remove}, and run `systemctl daemon-reload`")
        }
    });
    Ok(Ending::Done)
}
