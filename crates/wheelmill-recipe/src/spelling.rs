//! How a list of architectures is spelled for a build.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wheelmill_model::{ArchList, ArchTarget};

use crate::placeholder;

/// The spellings that build systems read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Spelling {
    /// PyTorch's `8.0;9.0+PTX`.
    Torch,
    /// `80;90`. PTX is not expressed.
    Digits,
    /// CMake's `80-real;90`: `real` is machine code alone, a bare number adds PTX.
    Cmake,
    /// `sm_80;sm_90`. PTX is not expressed.
    Sm,
    /// nvcc's options, `-gencode=arch=compute_80,code=sm_80`, one more for PTX.
    Gencode,
    /// The values of these options, `arch=compute_80,code=sm_80`, one more for PTX.
    Code,
}

impl Spelling {
    /// What parts the entries when a recipe does not say.
    #[must_use]
    pub const fn separator(self) -> &'static str {
        match self {
            Self::Torch | Self::Digits | Self::Cmake | Self::Sm | Self::Code => ";",
            Self::Gencode => " ",
        }
    }

    fn entries(self, target: ArchTarget) -> Vec<String> {
        let ArchTarget { arch, ptx } = target;
        let digits = arch.digits();
        match self {
            Self::Torch if ptx => vec![format!("{}+PTX", arch.dotted())],
            Self::Torch => vec![arch.dotted()],
            Self::Digits => vec![digits],
            Self::Cmake if ptx => vec![digits],
            Self::Cmake => vec![format!("{digits}-real")],
            Self::Sm => vec![format!("sm_{digits}")],
            Self::Gencode | Self::Code => {
                let option = if self == Self::Gencode { "-gencode=" } else { "" };
                let mut entries = vec![format!("{option}arch=compute_{digits},code=sm_{digits}")];
                if ptx {
                    entries.push(format!("{option}arch=compute_{digits},code=compute_{digits}"));
                }
                entries
            }
        }
    }
}

/// A variable that carries the architectures to the build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ArchVariable {
    /// Its name.
    pub variable: String,
    /// How the list is spelled.
    pub spelling: Spelling,
    /// What parts the entries.
    pub separator: String,
    /// The value with `{archs}` in it, when it is more than the list.
    pub template: Option<String>,
}

impl ArchVariable {
    /// What PyTorch's own build rules read.
    pub(crate) fn torch() -> Self {
        Self {
            variable: "TORCH_CUDA_ARCH_LIST".to_owned(),
            spelling: Spelling::Torch,
            separator: Spelling::Torch.separator().to_owned(),
            template: None,
        }
    }

    /// The variable's value.
    #[must_use]
    pub fn value(&self, archs: &ArchList) -> String {
        let entries: Vec<String> =
            archs.iter().flat_map(|target| self.spelling.entries(target)).collect();
        let list = entries.join(&self.separator);
        match &self.template {
            Some(template) => {
                placeholder::replace(template, |name| (name == "archs").then(|| list.clone()))
            }
            None => list,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_list_in_every_spelling() {
        let archs: ArchList = "8.0;9.0a;12.0+PTX".parse().unwrap();
        let spelled = |spelling: Spelling| {
            ArchVariable {
                variable: "X".to_owned(),
                spelling,
                separator: spelling.separator().to_owned(),
                template: None,
            }
            .value(&archs)
        };
        assert_eq!(spelled(Spelling::Torch), "8.0;9.0a;12.0+PTX");
        assert_eq!(spelled(Spelling::Digits), "80;90a;120");
        assert_eq!(spelled(Spelling::Cmake), "80-real;90a-real;120");
        assert_eq!(spelled(Spelling::Sm), "sm_80;sm_90a;sm_120");
        assert_eq!(
            spelled(Spelling::Gencode),
            "-gencode=arch=compute_80,code=sm_80 -gencode=arch=compute_90a,code=sm_90a \
             -gencode=arch=compute_120,code=sm_120 -gencode=arch=compute_120,code=compute_120"
        );
        assert_eq!(
            spelled(Spelling::Code),
            "arch=compute_80,code=sm_80;arch=compute_90a,code=sm_90a;\
             arch=compute_120,code=sm_120;arch=compute_120,code=compute_120"
        );
    }

    #[test]
    fn a_template_holds_the_list() {
        let variable = ArchVariable {
            variable: "CMAKE_ARGS".to_owned(),
            spelling: Spelling::Cmake,
            separator: ";".to_owned(),
            template: Some("-DGGML_CUDA=on -DCMAKE_CUDA_ARCHITECTURES={archs}".to_owned()),
        };
        assert_eq!(
            variable.value(&"8.0,9.0".parse().unwrap()),
            "-DGGML_CUDA=on -DCMAKE_CUDA_ARCHITECTURES=80-real;90-real"
        );
    }
}
