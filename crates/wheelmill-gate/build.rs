//! Makes the program `gate`, which the library carries.
//!
//! It runs in whatever image a build uses, so it must not need that image's libraries: it is linked
//! statically. Cargo cannot do that to one program of a workspace, so the compiler is called
//! directly; this is why the program uses no crates. Nothing is fetched.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn main() {
    let manifest = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let program = PathBuf::from(variable("OUT_DIR")).join("gate");
    for sources in ["src/bin/gate", "src/protocol.rs"] {
        println!("cargo::rerun-if-changed={}", manifest.join(sources).display());
    }
    let target = variable("TARGET");
    // Where glibc's static library is not installed, musl does as well, if rustup brought it.
    let musl = target.replace("-gnu", "-musl");
    let mut failures = String::new();
    for target in [target, musl] {
        match compile(&manifest, &target, &program) {
            Ok(()) => return,
            Err(output) => failures = format!("{failures}for {target}:\n{output}\n"),
        }
    }
    // Cargo shows what a build script prints only when it fails.
    panic!(
        "the static program `gate` cannot be linked. Install the C library's static version \
         (Debian: libc6-dev, Fedora: glibc-static), or `rustup target add x86_64-unknown-linux-musl`\n{failures}"
    );
}

fn compile(manifest: &Path, target: &str, program: &Path) -> Result<(), String> {
    let mut rustc = Command::new(variable("RUSTC"));
    rustc.current_dir(manifest);
    rustc.args(["--crate-name", "gate", "--crate-type", "bin", "--edition", "2024"]);
    rustc.arg("src/bin/gate/main.rs").args(["--target", target]).arg("-o").arg(program);
    // Not relocatable, since that is done anew at each start; small, since it is read at each start.
    for option in [
        "target-feature=+crt-static",
        "relocation-model=static",
        "panic=abort",
        "opt-level=s",
        "lto=fat",
        "codegen-units=1",
        "strip=symbols",
    ] {
        rustc.args(["-C", option]);
    }
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        rustc.arg("-C").arg(format!("linker={linker}"));
    }
    rustc.arg(format!("--remap-path-prefix={}=gate", manifest.display()));
    let output = rustc.output().map_err(|error| format!("rustc cannot be started: {error}"))?;
    if !output.status.success() {
        // What was written before the linker failed is of no use.
        drop(fs::remove_file(program));
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(())
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}
