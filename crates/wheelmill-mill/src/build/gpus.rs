//! Which GPUs a build sees.

use wheelmill_engine::requirement::{Driver, Fit, ImageRequirements};
use wheelmill_engine::{GpuSight, Gpus};
use wheelmill_model::CudaVersion;
use wheelmill_recipe::GpuWish;

use super::failure::CellError;

/// What the driver must be good for, in the words of NVIDIA's container toolkit.
const REQUIREMENT: &str = "NVIDIA_REQUIRE_CUDA";

/// A name that older texts use for [`Gpus::DEVICES`]. The toolkit has never known it.
pub(crate) const OLD_NAME: &str = "NVIDIA_DEVICES";

/// The GPUs that a build asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(super) gpus: Gpus,
    /// Whether it cannot do without.
    is_needed: bool,
}

impl Wanted {
    /// What a recipe asks for by its variables, unless the user has decided.
    pub(crate) fn by_recipe(wish: &GpuWish, variables: &[(String, String)]) -> Option<Self> {
        let value = |name: &str| {
            let found = variables.iter().rfind(|(variable, _)| variable == name);
            found.map(|(_, value)| value.as_str())
        };
        let devices = match wish {
            GpuWish::None => None,
            GpuWish::Only(devices) => Some(devices.as_str()),
            GpuWish::Auto => value(Gpus::DEVICES)
                .or_else(|| value(OLD_NAME))
                .filter(|devices| !["", "none", Gpus::VOID].contains(devices)),
        };
        let mut gpus = Gpus::of(devices?);
        if let Some(capabilities) = value(Gpus::CAPABILITIES) {
            capabilities.clone_into(&mut gpus.capabilities);
        }
        Some(Self { gpus, is_needed: true })
    }

    /// What an image with an installer is given: all that there is, unless the user has decided.
    pub(crate) fn by_image(wish: &GpuWish) -> Option<Self> {
        match wish {
            GpuWish::None => None,
            GpuWish::Only(devices) => Some(Self { gpus: Gpus::of(devices), is_needed: true }),
            GpuWish::Auto => Some(Self { gpus: Gpus::of("all"), is_needed: false }),
        }
    }

    /// Whether it cannot do without.
    pub(crate) fn is_needed(&self) -> bool {
        self.is_needed
    }

    /// What a container gets, by what another one has seen.
    pub(super) fn settle(self, sight: GpuSight) -> Result<Option<Gpus>, CellError> {
        match sight {
            GpuSight::Seen { .. } => Ok(Some(self.gpus)),
            GpuSight::Unseen { why, fix } if self.is_needed => {
                Err(CellError::NoGpu { devices: self.gpus.devices, why, fix })
            }
            GpuSight::Unseen { .. } => Ok(None),
        }
    }
}

/// Says which driver a container with GPUs needs, where nothing says it yet.
pub(super) fn require_driver(variables: &mut Vec<(String, String)>, cuda: CudaVersion) {
    if !variables.iter().any(|(name, _)| name == REQUIREMENT) {
        variables.push((REQUIREMENT.to_owned(), format!("cuda>={cuda}")));
    }
}

/// What keeps a container with these variables from GPUs that the daemon would give it: a need that
/// the driver does not meet. NVIDIA's runtime looks at that in its legacy mode alone, in which this
/// is its refusal. What is not known of the driver, or cannot be read, keeps nobody.
pub(super) fn unmet<'a>(
    driver: &Driver,
    variables: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Option<GpuSight> {
    let needs = ImageRequirements::read(variables)
        .inspect_err(|error| tracing::warn!(%error, cause = %error.source, "a need is passed over"))
        .ok()?;
    let unmet = needs.misfits(driver).into_iter().find(|misfit| misfit.fit == Fit::Unmet)?;
    Some(GpuSight::Unseen {
        why: unmet.message,
        fix: "install a newer NVIDIA driver, or build for an older `--cuda`".to_owned(),
    })
}

/// The same of a cell with these variables, by what is known of it before its base is there.
pub(crate) fn need(
    driver: &Driver,
    mut variables: Vec<(String, String)>,
    cuda: CudaVersion,
) -> Option<GpuSight> {
    require_driver(&mut variables, cuda);
    unmet(driver, pairs(&variables))
}

/// Variables as they are looked at.
pub(super) fn pairs(variables: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    variables.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_recipe_asks_by_variables_and_the_user_decides() {
        let none = variables(&[("NVIDIA_VISIBLE_DEVICES", "void")]);
        let old = variables(&[("NVIDIA_DEVICES", "all")]);
        let two = variables(&[
            ("NVIDIA_VISIBLE_DEVICES", "0,1"),
            ("NVIDIA_DRIVER_CAPABILITIES", "compute,video"),
        ]);
        let asked = |wish: &str, variables: &[_]| {
            let wanted = Wanted::by_recipe(&wish.parse().unwrap(), variables)?;
            Some((wanted.gpus.devices, wanted.gpus.capabilities))
        };
        let compute = "compute,utility".to_owned();
        assert_eq!(asked("auto", &[]), None);
        assert_eq!(asked("auto", &none), None);
        assert_eq!(asked("auto", &old), Some(("all".to_owned(), compute.clone())));
        assert_eq!(asked("auto", &two), Some(("0,1".to_owned(), "compute,video".to_owned())));
        assert_eq!(asked("none", &two), None);
        assert_eq!(asked("3", &none), Some(("3".to_owned(), compute)));
    }

    #[test]
    fn only_who_needs_a_gpu_fails_without_one() {
        let unseen =
            || GpuSight::Unseen { why: "no driver".to_owned(), fix: "install it".to_owned() };
        let by_image = |wish: &str| Wanted::by_image(&wish.parse().unwrap()).unwrap();
        assert_eq!(by_image("auto").settle(unseen()).unwrap(), None);
        let error = by_image("all").settle(unseen()).unwrap_err();
        assert!(matches!(error, CellError::NoGpu { .. }), "{error:?}");
    }

    #[test]
    fn a_driver_that_is_too_old_for_an_image_gives_no_gpus() {
        let driver = Driver {
            version: "535.129.03".parse().ok(),
            cuda: "12.2".parse().ok(),
            gpus: Vec::new(),
        };
        let needs = |text: &str| unmet(&driver, [("NVIDIA_REQUIRE_CUDA", text)]);
        let Some(sight) = needs("cuda>=13.0") else { panic!("the driver is too old") };
        let GpuSight::Unseen { why, fix } = &sight else { panic!("{sight:?}") };
        assert_eq!(
            why,
            "`NVIDIA_REQUIRE_CUDA` asks for `cuda>=13.0`, and this machine's driver 535.129.03 \
             supports CUDA 12.2"
        );
        assert!(fix.contains("newer NVIDIA driver"), "{fix}");
        // Who cannot do without is stopped, who can goes on without.
        let by_image = |wish: &str| Wanted::by_image(&wish.parse().unwrap()).unwrap();
        assert_eq!(by_image("auto").settle(sight.clone()).unwrap(), None);
        assert!(by_image("all").settle(sight).is_err());

        assert_eq!(needs("cuda>=12.2"), None);
        assert_eq!(needs("arch>=9.0"), None, "it is not known");
        assert_eq!(needs("cuda > 13"), None, "it cannot be read");
        assert_eq!(unmet(&Driver::default(), [("NVIDIA_REQUIRE_CUDA", "cuda>=13.0")]), None);
        let disabled = [("NVIDIA_REQUIRE_CUDA", "cuda>=13.0"), ("NVIDIA_DISABLE_REQUIRE", "1")];
        assert_eq!(unmet(&driver, disabled), None);
    }
}
