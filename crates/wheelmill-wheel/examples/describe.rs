//! Prints what wheels and shared objects are, as JSON: `describe [--deep] FILE…`. A wheel is also
//! judged by itself alone.

use std::io::Write as _;

use camino::Utf8Path;
use serde_json::json;
use wheelmill_wheel::{InspectOptions, Wishes, inspect, judge, read_module};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = InspectOptions::default();
    let mut out = std::io::stdout().lock();
    for argument in std::env::args().skip(1) {
        if argument == "--deep" {
            options.deep = true;
            continue;
        }
        let document = if argument.ends_with(".whl") {
            let inspection = inspect(Utf8Path::new(&argument), &options)?;
            let verdict = judge(&inspection, &Wishes::default());
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
