//! The oldest driver that a wheel runs with.

use std::collections::BTreeMap;

use serde::Serialize;
use wheelmill_model::{CudaVersion, DriverNeed, DriverVersion};

use super::functions::release_of;
use crate::device::{Image, ImageKind};
use crate::inspection::{Inspection, NativeModule};
use crate::label::Label;

/// What a wheel asks of the driver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DriverFloor {
    /// The oldest driver that runs its machine code and has the functions that it calls.
    pub version: DriverVersion,
    /// What tells so.
    pub because: String,
    /// The oldest driver that can compile its PTX, where that must be newer: machine code runs
    /// with every driver of the toolkit's major release, PTX with those from the toolkit's own on.
    pub for_ptx: Option<DriverVersion>,
    /// The major CUDA release that it is for, where the wheel holds modules for several, of which a
    /// process loads one.
    pub cuda: Option<u16>,
}

/// Why the oldest driver cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DriverFloorError {
    /// Machine code of older toolkits does not name them.
    #[error("nothing in it tells which CUDA release its machine code is from")]
    Toolkit,
    /// The tables here do not hold the release, or not its driver.
    #[error("the driver that came with CUDA {0} is not known here")]
    Driver(CudaVersion),
    /// It holds nothing but PTX of a version that is too new for the tables here.
    #[error("the driver for its PTX is not known here")]
    Ptx,
}

/// What the wheel's modules ask: nothing where they have nothing for a GPU, one thing as a rule, and
/// several where there are modules for several major CUDA releases, ascending by the release. Files
/// of GPU code outside of modules are chosen by programs, and not asked.
///
/// # Errors
/// When it cannot be told.
pub fn driver_floors(inspection: &Inspection) -> Result<Vec<DriverFloor>, DriverFloorError> {
    let mut groups: BTreeMap<Option<u16>, Group<'_>> = BTreeMap::new();
    for module in &inspection.modules {
        groups.entry(runtime(module)).or_default().modules.push(module);
    }
    // Modules that do not tell their release belong to whichever there is.
    if groups.len() == 2 && groups.contains_key(&None) {
        let rest = groups.remove(&None).unwrap_or_default();
        let group = groups.values_mut().next().expect("one group is left");
        group.modules.extend(rest.modules);
    }
    let several = groups.len() > 1;
    let mut floors = Vec::new();
    for (major, group) in groups {
        let label = if several { None } else { label(inspection) };
        if let Some(mut floor) = group.floor(label)? {
            floor.cuda = major.filter(|_| several);
            floors.push(floor);
        }
    }
    Ok(floors)
}

/// The major release of the CUDA runtime that a module is linked to.
pub(crate) fn runtime(module: &NativeModule) -> Option<u16> {
    let version = |library: &String| {
        library.strip_prefix("libcudart.so.").and_then(|rest| rest.split('.').next()?.parse().ok())
    };
    module.needed.iter().find_map(version)
}

/// The release in the local label.
fn label(inspection: &Inspection) -> Option<Sign> {
    let release = Label::of(&inspection.file_name.version).cuda?;
    Some(Sign { release, says: format!("its label says CUDA {release}") })
}

/// A sign of the CUDA release that something was made with, or of one that it cannot do without.
#[derive(Clone, Debug)]
struct Sign {
    release: CudaVersion,
    says: String,
}

/// What a process loads together.
#[derive(Default)]
struct Group<'a> {
    modules: Vec<&'a NativeModule>,
}

impl<'a> Group<'a> {
    fn images(&self) -> impl Iterator<Item = &'a Image> {
        let modules = self.modules.iter().copied();
        let containers = modules.flat_map(NativeModule::executable_containers);
        containers.flat_map(|container| &container.images)
    }

    fn floor(&self, label: Option<Sign>) -> Result<Option<DriverFloor>, DriverFloorError> {
        let has = |kind| self.images().any(|image| image.kind == kind);
        let (cubins, ptx) = (has(ImageKind::Cubin), self.newest_ptx());
        let functions = self.newest_function();
        let toolkit = self.toolkit().chain(label).max_by_key(|sign| sign.release);
        let runs = cubins || has(ImageKind::Ptx) || functions.is_some();
        if !runs && self.modules.iter().all(|module| runtime(module).is_none()) {
            return Ok(None);
        }
        let for_ptx = ptx.and_then(DriverNeed::paired);
        let mut floors: Vec<(DriverVersion, String)> = Vec::new();
        if let Some(Sign { release, says }) = functions {
            let driver = DriverNeed::of(release).and_then(DriverNeed::paired);
            floors.push((driver.ok_or(DriverFloorError::Driver(release))?, says));
        }
        match toolkit {
            Some(Sign { release, says }) => {
                let need = DriverNeed::of(release).ok_or(DriverFloorError::Driver(release))?;
                floors.push((need.minimum(), says));
            }
            None if cubins => return Err(DriverFloorError::Toolkit),
            None => {}
        }
        if !cubins && let (Some(need), Some(paired)) = (ptx, &for_ptx) {
            let (major, minor) = need.ptx;
            floors.push((paired.clone(), format!("its GPU code is PTX {major}.{minor} alone")));
        }
        let floor = floors.into_iter().max_by(|one, other| one.0.cmp(&other.0));
        let (version, because) = floor.ok_or(DriverFloorError::Ptx)?;
        let for_ptx = for_ptx.filter(|paired| *paired > version);
        Ok(Some(DriverFloor { version, because, for_ptx, cuda: None }))
    }

    /// The newest function of the driver that modules are linked to. What they look up at run time
    /// does not show.
    fn newest_function(&self) -> Option<Sign> {
        let calls = self.modules.iter().flat_map(|module| {
            module.driver_functions.iter().map(move |function| (module, function))
        });
        let (release, module, function) = calls
            .filter_map(|(module, function)| Some((release_of(function)?, module, function)))
            .max_by_key(|(release, ..)| *release)?;
        let says = format!("{} calls {function}, which came with CUDA {release}", module.path);
        Some(Sign { release, says })
    }

    /// Everything that tells of a release.
    fn toolkit(&self) -> impl Iterator<Item = Sign> {
        let made_with = self.images().filter_map(|image| {
            let release = image.toolkit?;
            Some(Sign { release, says: format!("its machine code is from CUDA {release}") })
        });
        let ptx = self.newest_ptx().map(|need| {
            let (release, (major, minor)) = (need.cuda, need.ptx);
            let says = format!("its PTX {major}.{minor} is from CUDA {release} or later");
            Sign { release, says }
        });
        let runtimes = self.modules.iter().filter_map(|module| {
            let major = runtime(module)?;
            let says = format!("{} needs the runtime of CUDA {major}", module.path);
            Some(Sign { release: CudaVersion::new(major, 0), says })
        });
        made_with.chain(ptx).chain(runtimes)
    }

    /// What the newest PTX asks.
    fn newest_ptx(&self) -> Option<&'static DriverNeed> {
        let ptx = self.images().filter(|image| image.kind == ImageKind::Ptx);
        ptx.map(|image| image.version).max().and_then(DriverNeed::of_ptx)
    }
}
