//! The commands that fixes suggest: for the cell that failed, with everything else as it was typed.

use wheelmill_model::{CudaVersion, TorchVersion};

use super::case::Case;
use crate::words::quoted;

impl Case<'_> {
    /// The command that tries this cell again, with more flags, between backquotes.
    pub(super) fn again(&self, flags: &str) -> String {
        self.build(self.evidence.cuda, self.evidence.torch, flags)
    }

    /// The command that builds the package for these releases, between backquotes.
    pub(super) fn build(
        &self,
        cuda: CudaVersion,
        torch: Option<TorchVersion>,
        flags: &str,
    ) -> String {
        let version = self.evidence.version.map(|it| format!("=={it}")).unwrap_or_default();
        let mut words = vec![format!("wheelmill build {}{version}", self.evidence.package)];
        words.push(format!("--cuda {cuda}"));
        words.extend(torch.map(|torch| format!("--torch {torch}")));
        words.extend(self.evidence.python.map(|python| format!("--python {python}")));
        // With commas: a shell would take what stands behind a semicolon for a command.
        let architectures = self.evidence.architectures.filter(|_| !names(flags, "--arch"));
        words.extend(
            architectures.map(|list| format!("--arch {}", list.to_string().replace(';', ","))),
        );
        self.with_flags(words, flags)
    }

    /// The command that shows what could be built of the package, between backquotes.
    pub(super) fn plan(&self, flags: &str) -> String {
        let mut words = vec![format!("wheelmill plan {}", self.evidence.package)];
        let python = self.evidence.python.filter(|_| !names(flags, "--python"));
        words.extend(python.map(|python| format!("--python {python}")));
        self.with_flags(words, flags)
    }

    /// Adds the flags, and what was typed beside the axes unless a flag takes its place.
    fn with_flags(&self, mut words: Vec<String>, flags: &str) -> String {
        words.extend((!flags.is_empty()).then(|| flags.to_owned()));
        let typed = self.evidence.options.iter().filter(|(name, _)| !names(flags, name));
        words.extend(typed.map(|(name, value)| format!("{name} {}", quoted(value))));
        format!("`{}`", words.join(" "))
    }
}

/// Whether flags have an option.
fn names(flags: &str, option: &str) -> bool {
    flags.split(' ').any(|word| word == option)
}
