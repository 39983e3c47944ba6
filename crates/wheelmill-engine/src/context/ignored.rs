//! `.dockerignore`: what of a folder does not go to the builder.

use std::path::Path;

use super::pattern::Pattern;

/// The patterns of a `.dockerignore`, in their order.
pub(super) struct Ignored(Vec<Pattern>);

impl Ignored {
    /// Reads the patterns, one a line.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .filter_map(|line| Pattern::parse(line).transpose())
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether a path is left out: the last pattern that fits it, or a folder above it, decides.
    pub(super) fn has(&self, path: &Path) -> bool {
        self.last(path).is_some_and(|index| !self.0[index].exception)
    }

    /// Whether a folder is left out with all that lies below it: no later pattern takes anything of
    /// it back in.
    pub(super) fn has_all_of(&self, folder: &Path) -> bool {
        let text = folder.to_string_lossy();
        let back = |pattern: &Pattern| pattern.exception && pattern.reaches_into(&text);
        self.last(folder)
            .is_some_and(|index| !self.0[index].exception && !self.0[index..].iter().any(back))
    }

    fn last(&self, path: &Path) -> Option<usize> {
        let above: Vec<_> = path
            .ancestors()
            .filter(|above| !above.as_os_str().is_empty())
            .map(Path::to_string_lossy)
            .collect();
        self.0.iter().rposition(|pattern| above.iter().any(|path| pattern.fits(path)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_pattern_that_fits_decides() {
        let text =
            "\u{feff}# notes\n*.md\n!README.md\n/build/\n**/cache\ndata/*\n!data/keep/deep\n";
        let ignored = Ignored::parse(text).unwrap();
        let has = |path: &str| ignored.has(Path::new(path));
        assert!(has("notes.md") && !has("README.md"));
        assert!(!has("docs/notes.md"), "patterns begin at the folder");
        assert!(has("build") && has("build/a/b") && !has("src/build"));
        assert!(has("cache/x") && has("a/b/cache"));
        assert!(has("data/other") && has("data/keep/x") && !has("data/keep/deep"));
        assert!(!Ignored::parse("").unwrap().has(Path::new("x")));
        assert!(Ignored::parse("\u{feff}data").unwrap().has(Path::new("data")));
    }

    #[test]
    fn a_folder_is_left_alone_unless_a_later_exception_reaches_into_it() {
        let all =
            |text: &str, folder: &str| Ignored::parse(text).unwrap().has_all_of(Path::new(folder));
        assert!(all("data", "data") && all("data", "data/deep") && !all("data", "other"));
        assert!(!all("data\n!data/keep", "data") && all("data\n!data/keep", "data/other"));
        assert!(all("!data/keep\ndata", "data"), "the exception comes before");
        assert!(!all("*\n!**/*.sh", "data"));
    }
}
