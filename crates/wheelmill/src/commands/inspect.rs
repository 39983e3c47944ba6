//! `wheelmill inspect`: what a wheel is.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use owo_colors::OwoColorize as _;
use serde::Serialize;
use serde_json::json;
use wheelmill_model::{ByteSize, CudaArch};
use wheelmill_wheel::{
    Container, DriverFloor, EarnedPlatform, ImageKind, InspectOptions, Inspection, NativeModule,
    driver_floors, earned,
};

use super::findings;
use super::wheels::find_one;
use crate::error::{CliError, Ending};
use crate::output::{Page, human, safe, style, talk};
use crate::settings::Session;

/// Show what wheels are: tags, needs, native modules, GPU code
#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// Files, or names of wheels in the store: a cell, a package, the beginning of a digest
    #[arg(required = true, value_name = "WHEEL", value_hint = clap::ValueHint::FilePath)]
    wheels: Vec<Utf8PathBuf>,

    /// Also unpack and check every piece of GPU code
    #[arg(long)]
    deep: bool,
}

/// What a wheel is, and what follows from that alone.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Described {
    #[serde(flatten)]
    wheel: Inspection,
    /// The platform tag that it earns; `None` without native code, and where it cannot be told.
    platform: Option<EarnedPlatform>,
    /// The drivers that it needs; none where it needs none, and where it cannot be told.
    drivers: Vec<DriverFloor>,
}

impl From<Inspection> for Described {
    fn from(wheel: Inspection) -> Self {
        let platform = earned(&wheel).unwrap_or_default();
        let drivers = driver_floors(&wheel).unwrap_or_default();
        Self { wheel, platform, drivers }
    }
}

/// Prints a page for each; goes on when one cannot be read, and ends as the worst did.
pub(crate) fn inspect(args: &InspectArgs, session: &Session) -> Result<Ending, CliError> {
    let mut inspections = Vec::new();
    let mut ending = Ending::Done;
    for wheel in &args.wheels {
        match read(wheel, args.deep, session) {
            Ok((_, inspection)) => inspections.push(Described::from(inspection)),
            Err(error) if args.wheels.len() == 1 => return Err(error),
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
        let pages: Vec<String> = inspections.iter().map(|one| page(one, args.deep)).collect();
        printer.page(&pages.join("\n"))?;
    }
    Ok(ending)
}

/// Reads a wheel, a file or one of the store; large modules go to the system's folder for temporary
/// files. Gives the file beside what it is.
pub(super) fn read(
    wheel: &Utf8Path,
    deep: bool,
    session: &Session,
) -> Result<(Utf8PathBuf, Inspection), CliError> {
    let file = if is_name(wheel) { stored(wheel, session)? } else { wheel.to_owned() };
    let scratch = Utf8PathBuf::from_path_buf(std::env::temp_dir()).ok();
    let options = InspectOptions { deep, scratch, ..InspectOptions::default() };
    let inspection = wheelmill_wheel::inspect(&file, &options)?;
    Ok((file, inspection))
}

/// Whether a text can be no file, but the name of a wheel.
fn is_name(wheel: &Utf8Path) -> bool {
    !wheel.as_str().contains('/') && wheel.extension() != Some("whl") && !wheel.exists()
}

fn stored(name: &Utf8Path, session: &Session) -> Result<Utf8PathBuf, CliError> {
    let store = session.store()?;
    match find_one(store.as_ref(), name.as_str()) {
        Ok(wheel) => Ok(wheel.path),
        Err(error) => Err(error.hint(format!("nor is there a file `{name}` here"))),
    }
}

fn page(described: &Described, deep: bool) -> String {
    let Described { wheel, platform, drivers } = described;
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
    field("earns", platform.as_ref().map(|platform| platform.tag.as_str()).unwrap_or_default());
    field("python", metadata.requires_python.as_deref().unwrap_or_default());
    field("needs", &metadata.requires_dist.join(", "));
    let drivers: Vec<String> =
        drivers.iter().map(|driver| format!("{} or newer", driver.version)).collect();
    field("driver", &drivers.join(", "));
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
