//! The checks of `cargo xtask ci`: a table, and what runs it.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};

use crate::steps;

struct Step {
    name: &'static str,
    what: &'static str,
    /// What to do when it fails, where the step itself cannot say better.
    remedy: &'static str,
    run: fn() -> Result<()>,
}

const STEPS: &[Step] = &[
    Step {
        name: "prerequisites",
        what: "what the tests need is on this machine",
        remedy: "install what is named above",
        run: steps::prerequisites::ensure,
    },
    Step {
        name: "format",
        what: "cargo fmt",
        remedy: "run `cargo fmt --all`",
        run: steps::rust::format,
    },
    Step {
        name: "lint",
        what: "cargo clippy, warnings denied",
        remedy: "mend what clippy names; `cargo clippy --fix --workspace --all-targets` does some",
        run: steps::rust::lint,
    },
    Step {
        name: "test",
        what: "all tests, none skipped",
        remedy: "run the failed test alone: `cargo test --package CRATE NAME`",
        run: steps::rust::test,
    },
    Step {
        name: "rustdoc",
        what: "doc tests and rustdoc, warnings denied",
        remedy: "mend the links and examples named above",
        run: steps::rust::documentation,
    },
    Step {
        name: "reference",
        what: "docs/reference is what the program generates",
        remedy: "run `cargo xtask docs` and commit what it writes",
        run: steps::reference::check,
    },
    Step {
        name: "layers",
        what: "crates know only the layers below them",
        remedy: "turn the dependency round, or say in ARCHITECTURE.md why the layers changed",
        run: steps::layers::check,
    },
    Step {
        name: "licences",
        what: "every dependency has a permissive licence",
        remedy: "choose another crate, or add the licence to the list in xtask/src/spdx.rs",
        run: steps::licences::check,
    },
    Step {
        name: "torchsort",
        what: "a real CUDA wheel, from nothing, by the program itself",
        remedy: "the log named above tells why; `cargo xtask ci --only torchsort` tries again",
        run: steps::torchsort::build,
    },
];

/// Prints the names of the steps.
pub(crate) fn list() {
    for step in STEPS {
        println!("{:14} {}", step.name, step.what);
    }
}

/// Runs the named steps, or all of them, in the order of the table.
pub(crate) fn run(only: &[&str]) -> Result<()> {
    if let Some(unknown) = only.iter().find(|name| STEPS.iter().all(|step| step.name != **name)) {
        bail!("there is no step `{unknown}`: see `cargo xtask ci --list`");
    }
    let chosen: Vec<&Step> =
        STEPS.iter().filter(|step| only.is_empty() || only.contains(&step.name)).collect();
    let begin = Instant::now();
    let mut times = Vec::new();
    for (index, step) in chosen.iter().enumerate() {
        println!("\n==> [{}/{}] {}: {}", index + 1, chosen.len(), step.name, step.what);
        let start = Instant::now();
        (step.run)().map_err(|error| {
            anyhow!("step `{}` failed: {error:#}\n  what to do: {}", step.name, step.remedy)
        })?;
        println!("    {} passed in {}", step.name, seconds(start.elapsed()));
        times.push((step.name, start.elapsed()));
    }
    println!("\nPassed in {}:", seconds(begin.elapsed()));
    for (name, time) in times {
        println!("  {name:14} {:>8}", seconds(time));
    }
    Ok(())
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
