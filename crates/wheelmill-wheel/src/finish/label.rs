//! Local version labels.

use wheelmill_model::Version;

/// A label that cannot be part of a version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{label}` cannot be a local version label: letters and digits, parted by dots, as in `cu130torch2.11`"
)]
pub struct LabelError {
    /// The label as given.
    pub label: String,
}

/// A version with a local label (PEP 440), in its normal form: `1.0` and `cu130torch2.11` give
/// `1.0+cu130torch2.11`. A label that is there already stays in front, since it says which source
/// was built: `1.0+g1a2b` gives `1.0+g1a2b.cu130torch2.11`. One that ends in the new one is left as
/// it is, so that a finished wheel can be finished again; one that says the beginning of it,
/// `1.0+cu130`, gives way.
///
/// # Errors
/// The label has other characters than PEP 440 allows.
pub fn labelled(version: &Version, label: &str) -> Result<Version, LabelError> {
    let wrong = || LabelError { label: label.to_owned() };
    let parse = |text: String| text.parse::<Version>().map_err(|_| wrong());
    let public = version.clone().without_local();
    let alone = parse(format!("{public}+{label}"))?;
    let (held, new) = (version.local(), alone.local());
    if held.ends_with(new) {
        return Ok(version.clone());
    }
    if held.is_empty() {
        return Ok(alone);
    }
    let [held, new] = [held, new].map(|segments| {
        segments.iter().map(ToString::to_string).collect::<Vec<String>>().join(".")
    });
    if new.starts_with(&held) {
        return Ok(alone);
    }
    parse(format!("{public}+{held}.{new}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_take_their_normal_form_and_join_what_is_there() {
        let with = |version: &str, label: &str| {
            labelled(&version.parse().unwrap(), label).map(|version| version.to_string())
        };
        for (version, label, wanted) in [
            ("0.1.10", "cu130torch2.11", "0.1.10+cu130torch2.11"),
            ("1.0rc1.post2", "CU130_torch2-11", "1.0rc1.post2+cu130.torch2.11"),
            ("1.0+g1a2b", "cu130", "1.0+g1a2b.cu130"),
            ("1.0+g1a2b.cu130torch2.11", "cu130torch2.11", "1.0+g1a2b.cu130torch2.11"),
            ("1.0+cu130torch2.11", "cu130torch2.11", "1.0+cu130torch2.11"),
            ("1.0+cu130", "cu130torch2.11", "1.0+cu130torch2.11"),
        ] {
            assert_eq!(with(version, label).unwrap(), wanted, "{version} {label}");
        }
        for wrong in ["", "a b", "a+b", "ü", "-"] {
            assert!(with("1.0", wrong).is_err(), "{wrong:?}");
        }
    }
}
