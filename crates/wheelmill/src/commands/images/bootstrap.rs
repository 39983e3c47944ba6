//! `wheelmill images bootstrap`.

use camino::Utf8PathBuf;
use clap::Args;
use serde_json::json;
use wheelmill_engine::bootstrap::{Bootstrap, Release};
use wheelmill_engine::{EngineError, Stream};
use wheelmill_model::ByteSize;

use crate::environment;
use crate::error::{CliError, Ending};
use crate::output::{Printer, safe, talk};
use crate::settings::{Session, current_folder};
use crate::signals;

/// Make a base from a distribution's packages, for machines that reach no registry
///
/// The tar holds the smallest system with g++, Python with its headers and certificates; `--base
/// FILE.tar` takes it, with every engine. It is made by debootstrap as root, or by mmdebstrap. Its
/// packages come from `--mirror`, else from the mirror that this machine itself uses for that
/// release, else from the distribution.
#[derive(Debug, Args)]
pub(super) struct BootstrapArgs {
    /// debian:bullseye, debian:bookworm, debian:trixie, ubuntu:22.04 or ubuntu:24.04
    #[arg(value_name = "RELEASE")]
    release: Release,

    /// The file to make [default: the release's name, as debian-bookworm.tar, in this folder]
    #[arg(long, short, value_name = "FILE.tar")]
    output: Option<Utf8PathBuf>,

    /// Where the packages come from, as `http://mirror.example/debian`
    #[arg(long, value_name = "URL")]
    mirror: Option<String>,
}

/// Makes it, and prints its path.
pub(super) fn bootstrap(args: &BootstrapArgs, session: &Session) -> Result<Ending, CliError> {
    let printer = session.printer;
    let release = args.release;
    if session.switch(environment::OFFLINE)? {
        return Err(CliError::usage(
            "a base is made of packages that are fetched, and fetching is off",
        )
        .hint("run it without WHEELMILL_OFFLINE"));
    }
    let output = args.output.clone().unwrap_or_else(|| release.file_name().into());
    let output = current_folder()?.join(output);
    let programs = programs(session);
    let scratch = session.cache()?.join("scratch");
    let network = session.environment.network(false);
    let request = Bootstrap {
        release,
        mirror: args.mirror.as_deref(),
        output: &output,
        scratch: &scratch,
        programs: &programs,
        network: &network,
    };
    let cancel = signals::listen()?;
    printer.say(format_args!("making {release} with g++ and Python; this takes some minutes"));
    let mut lines = Lines { printer, begun: String::new() };
    let mut sink = |_: Stream, bytes: &[u8]| lines.add(bytes);
    let made = wheelmill_engine::bootstrap::bootstrap(&request, &mut sink, cancel.flag());
    made.map_err(|error| told(error, &output))?;
    let size = fs_err::metadata(&output)?.len();
    if printer.json {
        printer.document(json!({
            "release": release.to_string(),
            "path": output,
            "size-bytes": size,
        }))?;
    } else {
        printer.data(&format!("{}\n", safe(output.as_str())))?;
        printer.say(format_args!("{}; use it with `--base {output}`", ByteSize(size)));
    }
    Ok(Ending::Done)
}

/// Where programs are looked for: also where those of administrators lie, which users' paths lack.
fn programs(session: &Session) -> Vec<Utf8PathBuf> {
    let path = session.environment.get("PATH").unwrap_or_default();
    let usual = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"];
    let mut folders: Vec<Utf8PathBuf> =
        path.split(':').filter(|folder| folder.starts_with('/')).map(Into::into).collect();
    for folder in usual {
        if !folders.iter().any(|known| known == folder) {
            folders.push(folder.into());
        }
    }
    folders
}

/// Output by whole lines, for those who want to see it.
struct Lines {
    printer: Printer,
    begun: String,
}

impl Lines {
    fn add(&mut self, bytes: &[u8]) {
        if !self.printer.verbose {
            return;
        }
        self.begun.push_str(&String::from_utf8_lossy(bytes));
        while let Some((line, rest)) = self.begun.split_once('\n') {
            talk(safe(line));
            self.begun = rest.to_owned();
        }
    }
}

/// What went wrong, and what to do.
fn told(error: EngineError, output: &Utf8PathBuf) -> CliError {
    match &error {
        EngineError::Files { source, .. } if source.kind() == std::io::ErrorKind::AlreadyExists => {
            CliError::usage(format!("`{output}` exists already"))
                .hint("choose another file with `--output`, or remove it")
        }
        EngineError::Step { tail, .. } => {
            talk(safe(tail.trim_end()));
            CliError::new(Ending::NotReady, error).hint(
                "if the mirror cannot be reached, name another with `--mirror`, or set http_proxy",
            )
        }
        _ => engine_error(error),
    }
}

/// An engine's failure, and what it says is to be done.
pub(super) fn engine_error(error: EngineError) -> CliError {
    match &error {
        EngineError::Cancelled => CliError::new(Ending::Interrupted, error),
        EngineError::Unable { fix, .. } => {
            let fix = fix.clone();
            CliError::new(Ending::NotReady, error).hint(fix)
        }
        _ => CliError::new(Ending::NotReady, error),
    }
}
