//! What a version's local label says of the toolchain: `+cu130`, `+cu130torch2.11`,
//! `+pt211cu130`.

use wheelmill_model::{CudaVersion, TorchVersion, Version};

/// The toolchain in a label; what a label does not say is left open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Label {
    pub(crate) cuda: Option<CudaVersion>,
    pub(crate) torch: Option<TorchVersion>,
}

impl Label {
    /// Reads the local label of a version.
    pub(crate) fn of(version: &Version) -> Self {
        let parts: Vec<String> = version.local().iter().map(ToString::to_string).collect();
        let text = parts.join(".");
        let after = |word: &str| {
            let (_, rest) = text.split_once(word)?;
            let end = rest.find(|next: char| !next.is_ascii_digit() && next != '.');
            Some(rest[..end.unwrap_or(rest.len())].trim_end_matches('.').to_owned())
        };
        // `cu130` has no point; one behind it belongs to what follows.
        let cuda = after("cu").and_then(|rest| {
            format!("cu{}", rest.split('.').next().unwrap_or_default()).parse().ok()
        });
        // `cu12` names a major release only.
        let cuda = cuda.filter(|cuda: &CudaVersion| cuda.major >= 9);
        Self { cuda, torch: after("torch").and_then(|rest| rest.parse().ok()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_published_wheels_are_read() {
        let read = |text: &str| {
            let label = Label::of(&text.parse().unwrap());
            let text = |version: Option<String>| version.unwrap_or_default();
            [
                text(label.cuda.map(|cuda| cuda.to_string())),
                text(label.torch.map(|t| t.to_string())),
            ]
        };
        for (version, cuda, torch) in [
            ("1.0+cu130torch2.11", "13.0", "2.11"),
            ("2.8.3+cu12torch2.8cxx11abiTRUE", "", "2.8"),
            ("2.9.1+cu128", "12.8", ""),
            ("0.7.5+pt25cu124", "12.4", ""),
            ("1.0+cpu", "", ""),
            ("1.0", "", ""),
        ] {
            assert_eq!(read(version), [cuda, torch], "{version}");
        }
    }
}
