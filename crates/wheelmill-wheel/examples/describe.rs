//! Prints what wheels and shared objects are, as JSON: `describe [--deep] [--env DIR] FILE…`. A wheel
//! is also judged, by itself alone or beside an environment.

use std::io::Write as _;

use camino::Utf8Path;
use serde_json::json;
use wheelmill_wheel::{Environment, InspectOptions, Wishes, inspect, judge, read_module};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = InspectOptions::default();
    let mut out = std::io::stdout().lock();
    let mut wishes = Wishes::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--env" {
            let folder = arguments.next().ok_or("--env needs a folder")?;
            wishes.environment = Some(Environment::read(Utf8Path::new(&folder))?);
            continue;
        }
        if argument == "--deep" {
            options.deep = true;
            continue;
        }
        let document = if argument.ends_with(".whl") {
            let inspection = inspect(Utf8Path::new(&argument), &options)?;
            let verdict = judge(&inspection, &wishes);
            json!({ "inspection": inspection, "verdict": verdict })
        } else {
            let bytes = fs_err::read(&argument)?;
            let (module, findings) = read_module(&argument, &bytes, &options);
            json!({ "module": module, "findings": findings })
        };
        serde_json::to_writer_pretty(&mut out, &document)?;
        writeln!(out)?;
    }
    Ok(())
}
