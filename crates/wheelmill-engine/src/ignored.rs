//! `.dockerignore`: what of a folder does not go to the builder.

use camino::Utf8Path;
use globset::{GlobBuilder, GlobMatcher};

/// The patterns of a `.dockerignore`, in their order.
pub(crate) struct Ignored(Vec<Pattern>);

struct Pattern {
    matcher: GlobMatcher,
    /// What it fits is in after all.
    exception: bool,
}

impl Ignored {
    /// Reads the patterns. They are anchored at the folder, `*` stays within a name, and `**` stands
    /// for any folders.
    pub(crate) fn parse(text: &str) -> Result<Self, globset::Error> {
        let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
        let patterns = lines.filter_map(|line| {
            let (exception, line) = match line.strip_prefix('!') {
                Some(rest) => (true, rest.trim_start()),
                None => (false, line),
            };
            let line = line.trim_start_matches("./").trim_matches('/');
            (!line.is_empty() && line != ".").then_some((exception, line))
        });
        let compiled = patterns.map(|(exception, line)| {
            let mut glob = GlobBuilder::new(line);
            let glob = glob.literal_separator(true).backslash_escape(true).build()?;
            Ok(Pattern { matcher: glob.compile_matcher(), exception })
        });
        compiled.collect::<Result<_, _>>().map(Self)
    }

    /// Whether a path is left out: the last pattern that fits it, or a folder above it, decides.
    pub(crate) fn has(&self, path: &Utf8Path) -> bool {
        let above: Vec<&Utf8Path> =
            path.ancestors().filter(|above| !above.as_str().is_empty()).collect();
        let fits = |pattern: &&Pattern| above.iter().any(|path| pattern.matcher.is_match(path));
        self.0.iter().rfind(fits).is_some_and(|pattern| !pattern.exception)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_pattern_that_fits_decides() {
        let text = "# notes\n*.md\n!README.md\n/build/\n**/cache\ndata/*\n!data/keep/deep\n";
        let ignored = Ignored::parse(text).unwrap();
        let has = |path: &str| ignored.has(Utf8Path::new(path));
        assert!(has("notes.md") && !has("README.md"));
        assert!(!has("docs/notes.md"), "patterns begin at the folder");
        assert!(has("build") && has("build/a/b") && !has("src/build"));
        assert!(has("cache/x") && has("a/b/cache"));
        assert!(has("data/other") && has("data/keep/x") && !has("data/keep/deep"));
        assert!(!Ignored::parse("").unwrap().has(Utf8Path::new("x")));
    }
}
