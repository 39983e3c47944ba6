//! Prints what a wheel, or a shared object outside of one, is: `describe [--deep] FILE…`.

use std::io::Write as _;

use camino::Utf8Path;
use wheelmill_wheel::{InspectOptions, inspect, read_module};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = InspectOptions { scratch: Some("/tmp".into()), ..InspectOptions::default() };
    let mut out = std::io::stdout().lock();
    for argument in std::env::args().skip(1) {
        if argument == "--deep" {
            options.deep = true;
        } else if argument.ends_with(".whl") {
            let inspection = inspect(Utf8Path::new(&argument), &options)?;
            serde_json::to_writer_pretty(&mut out, &inspection)?;
        } else {
            let bytes = fs_err::read(&argument)?;
            serde_json::to_writer_pretty(&mut out, &read_module(&argument, &bytes, &options))?;
        }
    }
    Ok(writeln!(out)?)
}
