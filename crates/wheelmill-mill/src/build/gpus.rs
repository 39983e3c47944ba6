//! Which GPUs a build sees.

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
pub(super) struct Wanted {
    pub(super) gpus: Gpus,
    /// Whether it cannot do without.
    is_needed: bool,
}

impl Wanted {
    /// What a recipe asks for by its variables, unless the user has decided.
    pub(super) fn by_recipe(wish: &GpuWish, variables: &[(String, String)]) -> Option<Self> {
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
    pub(super) fn by_image(wish: &GpuWish) -> Option<Self> {
        match wish {
            GpuWish::None => None,
            GpuWish::Only(devices) => Some(Self { gpus: Gpus::of(devices), is_needed: true }),
            GpuWish::Auto => Some(Self { gpus: Gpus::of("all"), is_needed: false }),
        }
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
}
