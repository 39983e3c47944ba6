//! `wheelmill inspect`: what a wheel is.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use owo_colors::OwoColorize as _;
use serde_json::json;
use wheelmill_model::{ByteSize, CudaArch};
use wheelmill_recipe::PackageWish;
use wheelmill_wheel::{Container, ImageKind, InspectOptions, Inspection, NativeModule};

use super::findings;
use crate::error::{CliError, Ending};
use crate::output::{Page, human, safe, style, talk};
use crate::settings::Session;

/// Show what wheels are: tags, needs, native modules, GPU code
#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// The wheels
    #[arg(required = true, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    files: Vec<Utf8PathBuf>,

    /// Also unpack and check every piece of GPU code
    #[arg(long)]
    deep: bool,
}

/// Prints a page for each; goes on when one cannot be read, and ends as the worst did.
pub(crate) fn inspect(args: &InspectArgs, session: &Session) -> Result<Ending, CliError> {
    let mut inspections = Vec::new();
    let mut ending = Ending::Done;
    for file in &args.files {
        match read(file, args.deep) {
            Ok(inspection) => inspections.push(inspection),
            Err(error) if args.files.len() == 1 => return Err(error),
            Err(error) => {
                talk(error.render().trim_end());
                ending = error.ending;
            }
        }
    }
    let printer = session.printer;
    if printer.json {
        printer.document(json!({ "wheels": inspections }))?;
    } else {
        let pages: Vec<String> = inspections.iter().map(|wheel| page(wheel, args.deep)).collect();
        printer.page(&pages.join("\n"))?;
    }
    Ok(ending)
}

/// Reads a wheel; large modules go to the system's folder for temporary files.
pub(super) fn read(file: &Utf8Path, deep: bool) -> Result<Inspection, CliError> {
    let scratch = Utf8PathBuf::from_path_buf(std::env::temp_dir()).ok();
    let options = InspectOptions { deep, scratch, ..InspectOptions::default() };
    wheelmill_wheel::inspect(file, &options).map_err(|error| {
        let error = CliError::from(error);
        // A name in place of a file: of a package, most likely.
        match file.as_str().parse::<PackageWish>() {
            Ok(wish) if !file.exists() && file.extension() != Some("whl") => error.hint(format!(
                "for a wheel of the store, write `\"$(wheelmill wheels where {wish})\"` instead"
            )),
            _ => error,
        }
    })
}

fn page(wheel: &Inspection, deep: bool) -> String {
    let metadata = &wheel.metadata;
    let tags: Vec<String> = wheel.file_name.tags.iter().map(ToString::to_string).collect();
    let files = human::count(wheel.files.len(), "file");
    let size =
        format!("{}, {} unpacked in {files}", ByteSize(wheel.size), ByteSize(wheel.unpacked_size));
    let mut page = Page::new();
    page.line(safe(wheel.file_name.as_str()).style(style::strong()));
    let mut field = |name: &str, value: &str| page.field("  ", 11, name, value);
    field("package", &format!("{} {}", metadata.name, metadata.version));
    field("summary", metadata.summary.as_deref().unwrap_or_default());
    field("tags", &tags.join(", "));
    field("python", metadata.requires_python.as_deref().unwrap_or_default());
    field("needs", &metadata.requires_dist.join(", "));
    field("size", &size);
    field("sha256", &wheel.digest.to_string());
    for module in &wheel.modules {
        describe(&mut page, module);
    }
    if deep {
        let images: usize = containers(wheel).map(|container| container.images.len()).sum();
        let images = human::count(images, "piece");
        page.field("  ", 11, "checked", format!("{images} of GPU code, each unpacked"));
    }
    if !wheel.findings.is_empty() {
        page.line("");
        findings::add(&mut page, &wheel.findings);
    }
    page.finish()
}

/// All GPU code, also what was not linked.
fn containers(wheel: &Inspection) -> impl Iterator<Item = &Container> {
    wheel.modules.iter().flat_map(|module| &module.device_code)
}

fn describe(page: &mut Page, module: &NativeModule) {
    let import = module.import_name.as_deref().map(|name| format!("  (import {name})"));
    page.line(format_args!(
        "  {}{}",
        safe(&module.path).style(style::active()),
        safe(&import.unwrap_or_default())
    ));
    let mut field = |name: &str, value: &str| page.field("    ", 9, name, value);
    field("native", &format!("{}, {}", module.machine, ByteSize(module.size)));
    field("needs", &module.needed.join(", "));
    field("rpath", &[&module.rpath[..], &module.runpath[..]].concat().join(":"));
    field("gpu code", &device_code(module));
}

/// `sm_90 ×4, sm_90 PTX ×4`: how many images there are of each architecture, the oldest first.
fn device_code(module: &NativeModule) -> String {
    let mut images: BTreeMap<(CudaArch, ImageKind), usize> = BTreeMap::new();
    for image in module.executable_containers().flat_map(|container| &container.images) {
        *images.entry((image.arch, image.kind)).or_default() += 1;
    }
    let counted: Vec<String> = images
        .into_iter()
        .map(|((arch, kind), count)| {
            let image = match kind {
                ImageKind::Cubin => arch.to_string(),
                kind => format!("{arch} {kind}"),
            };
            if count > 1 { format!("{image} ×{count}") } else { image }
        })
        .collect();
    counted.join(", ")
}
