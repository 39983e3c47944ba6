//! Holds the device code of a wheel against the architectures that were wished for.

use std::collections::BTreeSet;

use wheelmill_model::{ArchTarget, CudaArch, Feature};

use crate::device::{Container, Containers, Coverage, Image, ImageKind, Support};
use crate::finding::Finding;
use crate::inspection::{Inspection, NativeModule};
use crate::rules::{self, Rule};
use crate::verdict::Wishes;

/// Judges every wished architecture. The CUDA runtime picks from each container by itself, so that
/// a wheel is as good as the poorest container of each module.
pub(crate) fn check(inspection: &Inspection, wishes: &Wishes) -> Vec<Finding> {
    let modules: Vec<&NativeModule> = inspection
        .modules
        .iter()
        .filter(|module| module.executable_containers().next().is_some())
        .collect();
    if modules.is_empty() {
        let none = wishes.device_code && inspection.device_files.is_empty();
        return if none { vec![Finding::of(rules::DEVICE_NONE)] } else { Vec::new() };
    }
    let targets = wishes.architectures.iter().flat_map(|list| list.iter());
    targets.flat_map(|target| check_target(&modules, target)).collect()
}

/// What is missing for one wished architecture: its machine code, and its PTX if that was wished.
fn check_target(modules: &[&NativeModule], target: ArchTarget) -> Vec<Finding> {
    let arch = target.arch;
    let native = |container: &Container| {
        if container.images.iter().any(|image| image.runs_natively_on(arch)) {
            Answer::Met
        } else if container.images.iter().any(|image| image.compiles_for(arch)) {
            Answer::ByCompiling
        } else if container.is_specialised() {
            Answer::Elsewhere
        } else {
            Answer::Missing
        }
    };
    let mut findings = judge(modules, &format!("machine code for {arch}"), &native);
    if target.ptx {
        let ptx = |container: &Container| {
            if container.images.iter().any(|image| serves_newer(image, arch)) {
                Answer::Met
            } else if container.is_specialised() {
                Answer::Elsewhere
            } else {
                Answer::Missing
            }
        };
        let what = format!("PTX of {arch} or older, for newer GPUs,");
        findings.extend(judge(modules, &what, &ptx));
    }
    findings
}

/// Whether PTX is there that every later GPU can compile, from the wished architecture on.
fn serves_newer(image: &Image, arch: CudaArch) -> bool {
    image.kind == ImageKind::Ptx
        && image.arch.feature == Feature::Base
        && image.arch.number <= arch.number
}

/// How one container meets a need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Met,
    /// By its driver, when first used.
    ByCompiling,
    /// Not, since it is for other chips on purpose.
    Elsewhere,
    Missing,
}

/// Judges one need in all modules. In a module where it is met somewhere, containers that are for
/// other chips on purpose are none the worse for it, and those that need compiling only slower; in
/// a module where it is met nowhere, the build did not do what it was told.
fn judge(
    modules: &[&NativeModule],
    what: &str,
    answer: &dyn Fn(&Container) -> Answer,
) -> Vec<Finding> {
    let mut missing = Vec::new();
    let mut compiled = Vec::new();
    for module in modules {
        let containers: Vec<&Container> = module.executable_containers().collect();
        let of = |wanted: &[Answer]| -> Vec<&Container> {
            containers.iter().copied().filter(|one| wanted.contains(&answer(one))).collect()
        };
        let without = if of(&[Answer::Met]).is_empty() {
            containers.clone()
        } else {
            compiled.extend(line(module, &of(&[Answer::ByCompiling]), containers.len()));
            of(&[Answer::Missing])
        };
        missing.extend(line(module, &without, containers.len()));
    }
    let finding = |rule: &Rule, words: &str, lines: Vec<String>| {
        let message = format!("{what} {words} in {} of {} modules", lines.len(), modules.len());
        (!lines.is_empty()).then(|| Finding::of(rule).message(message).evidence(lines))
    };
    [
        finding(rules::DEVICE_MISSING, "is missing", missing),
        finding(rules::DEVICE_JIT, "is in part left to the driver's compiler", compiled),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A line on containers of a module, if there are any.
fn line(module: &NativeModule, containers: &[&Container], all: usize) -> Option<String> {
    let images = &containers.first()?.images;
    let has: BTreeSet<String> =
        images.iter().map(|image| format!("{} {}", image.arch, image.kind)).collect();
    let has: Vec<String> = has.into_iter().collect();
    let (path, count) = (&module.path, containers.len());
    Some(format!("{path}: {count} of {all} containers, such as one with {}", has.join(", ")))
}

/// Tells which modules lack a GPU that others serve: what a wheel does there depends on what is
/// used of it.
pub(crate) fn uneven(coverage: &[Coverage]) -> Option<Finding> {
    let rows: Vec<(CudaArch, String)> = coverage
        .iter()
        .filter(|row| row.support == Support::Partial)
        .map(|row| (row.gpu.arch, poor_modules(row)))
        .collect();
    // Neighbours that fare alike share a line.
    let lines = rows.chunk_by(|(_, one), (_, other)| one == other).map(|run| {
        let archs: Vec<String> = run.iter().map(|(arch, _)| arch.to_string()).collect();
        format!("{}: {}", archs.join(", "), run[0].1)
    });
    (!rows.is_empty()).then(|| Finding::of(rules::DEVICE_UNEVEN).evidence(lines))
}

/// Modules named in one line.
const LISTED: usize = 3;

fn poor_modules(row: &Coverage) -> String {
    let poor = row.modules.iter().filter(|module| module.support <= Support::Partial);
    let mut names: Vec<String> = poor
        .map(|module| {
            let Containers { native, jit, none, specialised } = module.containers;
            match native + jit {
                0 => format!("{} (none of {} containers)", module.module, none + specialised),
                served => format!("{} ({served} of {} containers)", module.module, served + none),
            }
        })
        .collect();
    let more = names.len().saturating_sub(LISTED);
    names.truncate(LISTED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("not wholly by {}{more}", names.join(", "))
}
