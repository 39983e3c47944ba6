//! The requirements of an image, from its environment variables.

use std::collections::BTreeMap;

use super::{Driver, Expression, ExpressionError, Fit};

const PREFIX: &str = "NVIDIA_REQUIRE_";
/// For boards whose runtime reads it differently.
const PREFIX_JETPACK: &str = "NVIDIA_REQUIRE_JETPACK";
const REQUIRE_CUDA: &str = "NVIDIA_REQUIRE_CUDA";
const DISABLE: &str = "NVIDIA_DISABLE_REQUIRE";
const CUDA_VERSION: &str = "CUDA_VERSION";

/// One variable with its expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// `NVIDIA_REQUIRE_CUDA`; `CUDA_VERSION` where an old image says no more than that.
    pub variable: String,
    /// What it asks for.
    pub expression: Expression,
}

/// A variable that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the requirement `{variable}` cannot be read")]
pub struct RequirementError {
    /// The variable.
    pub variable: String,
    /// What is wrong with it.
    #[source]
    pub source: ExpressionError,
}

/// What an image asks of the machine: all of it must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageRequirements {
    /// In the order of the variables' names.
    pub requirements: Vec<Requirement>,
    /// The image or its user says by `NVIDIA_DISABLE_REQUIRE` that they are not to be looked at.
    pub disabled: bool,
}

/// One requirement that does not hold, or might not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequirementFit {
    /// Unmet or unknown.
    pub fit: Fit,
    /// A sentence without a full stop, which names driver and need.
    pub message: String,
}

impl ImageRequirements {
    /// Reads them from the variables that a container would get.
    ///
    /// # Errors
    /// The first variable, by its name, that is not an expression.
    pub fn read<'a>(
        variables: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, RequirementError> {
        let variables: BTreeMap<&str, &str> = variables.into_iter().collect();
        let disabled = variables.get(DISABLE).is_some_and(|value| is_true(value));
        let is_requirement =
            |name: &str| name.starts_with(PREFIX) && !name.starts_with(PREFIX_JETPACK);
        let mut requirements = Vec::new();
        if let Some(version) = variables.get(CUDA_VERSION)
            && !variables.contains_key(REQUIRE_CUDA)
            && let Some(release) = release(version)
        {
            requirements.push((CUDA_VERSION, format!("cuda>={release}")));
        }
        requirements.extend(
            variables
                .iter()
                .filter(|(name, _)| is_requirement(name))
                .map(|(name, value)| (*name, (*value).to_owned())),
        );
        let read = |(variable, text): (&str, String)| {
            let variable = variable.to_owned();
            match text.parse() {
                Ok(expression) => Ok(Requirement { variable, expression }),
                Err(source) => Err(RequirementError { variable, source }),
            }
        };
        let requirements = requirements.into_iter().map(read).collect::<Result<_, _>>()?;
        Ok(Self { requirements, disabled })
    }

    /// What does not hold on a machine, or cannot be told. Empty: it meets everything, or is not to
    /// be asked.
    #[must_use]
    pub fn misfits(&self, driver: &Driver) -> Vec<RequirementFit> {
        if self.disabled {
            return Vec::new();
        }
        let misfit = |Requirement { variable, expression }: &Requirement| {
            let need = format!("`{variable}` asks for `{expression}`");
            let known = driver.described();
            let message = match expression.fit(driver) {
                Fit::Met => return None,
                Fit::Unmet => format!("{need}, and this machine's {known}"),
                Fit::Unknown => format!("{need}, which cannot be told: this machine's {known}"),
            };
            Some(RequirementFit { fit: expression.fit(driver), message })
        };
        self.requirements.iter().filter_map(misfit).collect()
    }
}

/// `12.8` of `12.8.1`. An image that is not NVIDIA's may have anything in this variable.
fn release(version: &str) -> Option<String> {
    let mut parts = version.split('.');
    let number = |part: &str| part.parse::<u32>().ok();
    let (major, minor) = (number(parts.next()?)?, number(parts.next()?)?);
    Some(format!("{major}.{minor}"))
}

/// As Go's `strconv.ParseBool`, which NVIDIA's runtime asks: all else is false, `yes` too.
fn is_true(text: &str) -> bool {
    matches!(text, "1" | "t" | "T" | "TRUE" | "true" | "True")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn driver() -> Driver {
        Driver { version: "535.129.03".parse().ok(), cuda: "12.2".parse().ok(), gpus: Vec::new() }
    }

    fn misfits(variables: &[(&str, &str)]) -> Vec<String> {
        let requirements = ImageRequirements::read(variables.iter().copied()).unwrap();
        requirements.misfits(&driver()).into_iter().map(|misfit| misfit.message).collect()
    }

    #[test]
    fn all_variables_must_hold_and_driver_and_need_are_named() {
        assert_eq!(
            misfits(&[
                ("NVIDIA_REQUIRE_CUDA", "cuda>=12.8 brand=tesla,driver>=550"),
                ("NVIDIA_REQUIRE_DRIVER", "driver>=450"),
                ("NVIDIA_REQUIRE_OURS", "cuda>=13.0"),
                ("NVIDIA_REQUIRE_JETPACK", "csv-mounts=all"),
                ("NVIDIA_REQUIRE_JETPACK_HOST_MOUNTS", "base-only"),
                ("PATH", "/bin"),
            ]),
            [
                "`NVIDIA_REQUIRE_CUDA` asks for `cuda>=12.8 brand=tesla,driver>=550`, and this \
                 machine's driver 535.129.03 supports CUDA 12.2",
                "`NVIDIA_REQUIRE_OURS` asks for `cuda>=13.0`, and this machine's driver \
                 535.129.03 supports CUDA 12.2",
            ]
        );
    }

    #[test]
    fn an_old_image_asks_by_its_cuda_version() {
        let old = [("CUDA_VERSION", "12.8.1")];
        assert_eq!(
            misfits(&old),
            ["`CUDA_VERSION` asks for `cuda>=12.8`, and this machine's driver 535.129.03 \
              supports CUDA 12.2"]
        );
        assert!(misfits(&[old[0], ("NVIDIA_REQUIRE_CUDA", "")]).is_empty());
        assert!(misfits(&[("CUDA_VERSION", "latest")]).is_empty());
    }

    #[test]
    fn they_are_switched_off_as_go_reads_truth() {
        let need = ("NVIDIA_REQUIRE_CUDA", "cuda>=99.0");
        for (text, off) in [("1", true), ("True", true), ("yes", false), ("TrUe", false)] {
            assert_eq!(misfits(&[need, (DISABLE, text)]).is_empty(), off, "{text}");
        }
        assert!(!misfits(&[need, ("NVIDIA_DISABLE_REQUIRES", "1")]).is_empty());
    }

    #[test]
    fn what_cannot_be_told_is_said() {
        let requirements = ImageRequirements::read([("NVIDIA_REQUIRE_CUDA", "arch>=8.0")]).unwrap();
        assert_eq!(
            requirements.misfits(&Driver::default()),
            [RequirementFit {
                fit: Fit::Unknown,
                message: "`NVIDIA_REQUIRE_CUDA` asks for `arch>=8.0`, which cannot be told: this \
                          machine's driver is not known"
                    .to_owned(),
            }]
        );
    }

    #[test]
    fn a_variable_that_is_no_expression_is_named() {
        let error = ImageRequirements::read([("NVIDIA_REQUIRE_CUDA", "cuda>9.0 gpu=1")]);
        let error = error.unwrap_err();
        assert_eq!(error.to_string(), "the requirement `NVIDIA_REQUIRE_CUDA` cannot be read");
        assert_eq!(error.source.column, 10);
    }
}
