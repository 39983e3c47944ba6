//! The long test: a real package of PyPI becomes a real CUDA wheel, by the program as a user runs
//! it, in a store of its own.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use camino::{Utf8Path, Utf8PathBuf};

use crate::command::{cargo, output, program, run, target};

const WISH: &[&str] =
    &["build", "torchsort==0.1.10", "--cuda", "13.0", "--torch", "2.11", "--arch", "9.0"];

/// What the wheel must hold. Where nvcc is not found this package builds, without a word, a wheel
/// that lacks the second.
const MODULES: &[&str] = &["torchsort/isotonic_cpu", "torchsort/isotonic_cuda"];

/// What its file name must say: which CUDA and torch it belongs to, and that it was repaired.
const NAME: &str = "torchsort-0.1.10+cu130torch2.11-cp311-cp311-manylinux_";

/// Builds the wheel, checks it, and builds it once more.
pub(crate) fn build() -> Result<()> {
    run(&mut cargo(&["build", "--locked", "--package", "wheelmill"]))?;
    let folder = target().join("torchsort");
    let home = folder.join("home");
    if home.exists() {
        remove(&home)?;
    }
    fs_err::create_dir_all(&folder)?;
    let wheelmill = || {
        let mut command = program(target().join("debug").join("wheelmill").as_str());
        command
            .env("WHEELMILL_HOME", &home)
            .env("WHEELMILL_CACHE", folder.join("cache"))
            .current_dir(&folder);
        command
    };

    let start = Instant::now();
    run(wheelmill().args(WISH))?;
    println!("    built in {:.1} s", start.elapsed().as_secs_f64());

    let wheel = stored_wheel(wheelmill())?;
    check_wheel(&wheel, wheelmill)?;

    // The best of three: other work on the machine is not what is measured.
    let mut best = Duration::MAX;
    for _ in 0..3 {
        let start = Instant::now();
        ensure!(stored_wheel(wheelmill())? == wheel, "the second run gave another wheel");
        best = best.min(start.elapsed());
    }
    // Told and not judged: machines are shared. The promise to users is 0.3 s.
    println!("    with the wheel in the store: {:.3} s", best.as_secs_f64());
    Ok(())
}

/// Runs the build once more, quietly and without a network: it prints the path of the wheel and
/// nothing else.
fn stored_wheel(mut wheelmill: Command) -> Result<Utf8PathBuf> {
    let printed = output(wheelmill.args(WISH).args(["--quiet", "--offline"]))?;
    let mut lines = printed.lines();
    match (lines.next(), lines.next()) {
        (Some(path), None) if Utf8Path::new(path).is_file() => Ok(path.into()),
        _ => bail!("`build --quiet` did not print the path of one wheel but:\n{printed}"),
    }
}

fn check_wheel(wheel: &Utf8Path, wheelmill: impl Fn() -> Command) -> Result<()> {
    let name = wheel.file_name().unwrap_or_default();
    ensure!(name.starts_with(NAME), "{name} does not tell its CUDA and torch, and where it runs");
    // Python's own reader first: it shares no code with ours.
    let listing = output(program("python3").args(["-m", "zipfile", "-l", wheel.as_str()]))?;
    for module in MODULES {
        ensure!(listing.contains(module), "{wheel} holds no {module}:\n{listing}");
    }
    run(wheelmill().args(["verify", wheel.as_str(), "--arch", "9.0"]))?;
    let description = output(wheelmill().args(["inspect", wheel.as_str()]))?;
    ensure!(description.contains("sm_90"), "{wheel} shows no sm_90 code:\n{description}");
    Ok(())
}

/// Removes a store of an earlier run. Layers hold folders that their builds made read-only.
fn remove(home: &Utf8Path) -> Result<()> {
    run(program("chmod").args(["-R", "u+w", home.as_str()]))?;
    fs_err::remove_dir_all(home).with_context(|| format!("could not remove {home}"))
}
