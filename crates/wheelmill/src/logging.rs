//! The program's log of its own work, on stderr, for whoever looks for the reason of something.

use std::io::{self, Write};
use std::str::FromStr as _;

use anstream::ColorChoice;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::environment::{self, Environment};
use crate::error::{CliError, Ending};
use crate::output::{live, talk, warning};

/// Starts to log. Each `--verbose` is one level more; `WHEELMILL_LOG` says it in detail.
///
/// # Errors
/// `WHEELMILL_LOG` cannot be understood.
pub(crate) fn start(
    environment: &Environment,
    verbose: u8,
    color: ColorChoice,
) -> Result<(), CliError> {
    let targets = match environment.get(environment::LOG) {
        Some(text) => {
            warn_of_unknown(text);
            Targets::from_str(text).map_err(|source| {
                CliError::new(Ending::Usage, LogFilterError { text: text.to_owned(), source })
                    .hint(HOW_TO_WRITE)
            })?
        }
        None => {
            // The libraries below ours have nothing to say to a user.
            let ours = match verbose {
                0 => LevelFilter::WARN,
                1 => LevelFilter::INFO,
                2 => LevelFilter::DEBUG,
                _ => LevelFilter::TRACE,
            };
            Targets::new().with_default(LevelFilter::ERROR).with_target("wheelmill", ours)
        }
    };
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(LogLine::default)
        .with_ansi(match color {
            ColorChoice::Always | ColorChoice::AlwaysAnsi => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => anstream::AutoStream::choice(&io::stderr()) != ColorChoice::Never,
        })
        .with_target(true)
        .without_time();
    tracing_subscriber::registry().with(targets).with(layer).init();
    Ok(())
}

const HOW_TO_WRITE: &str = "write it as `debug`, or as `info,wheelmill_engine=trace`";

/// A word that is no level is taken for a part of the program. Where it cannot be one of ours, it
/// is a level misspelled.
fn warn_of_unknown(text: &str) {
    let unknown = text.split(',').map(str::trim).find(|word| {
        let is_part = word.contains('=') || word.starts_with("wheelmill");
        !word.is_empty() && !is_part && word.parse::<LevelFilter>().is_err()
    });
    if let Some(word) = unknown {
        let message = format!("`{word}` in `{}` is neither a level nor a part", environment::LOG);
        talk(warning(&message, Some(HOW_TO_WRITE)));
    }
}

/// One line of the log; written when it is whole, above what moves on the terminal.
#[derive(Default)]
struct LogLine(Vec<u8>);

impl Write for LogLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LogLine {
    fn drop(&mut self) {
        // Nobody could be told that the log cannot be written.
        drop(live::aside(|| io::stderr().write_all(&self.0)));
    }
}

#[derive(Debug, thiserror::Error)]
#[error("`WHEELMILL_LOG` cannot be understood: `{text}`")]
struct LogFilterError {
    text: String,
    source: tracing_subscriber::filter::ParseError,
}
