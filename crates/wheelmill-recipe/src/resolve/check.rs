//! The checks of a recipe that need more than one key.

use std::collections::BTreeMap;

use toml::Spanned;
use wheelmill_model::PackageName;

use crate::RecipeError;
use crate::document::{Document, Span};
use crate::recipe::Source;
use crate::suggest::list_words;
use crate::written::{ArchitectureTable, BuildTable, JobsTable, SourceTable, WheelTable};

/// The checks that need more than one key.
pub(super) struct Checker<'a> {
    pub(super) document: &'a Document,
    pub(super) place: &'a Span,
}

impl Checker<'_> {
    pub(super) fn name(
        &self,
        written: Option<Spanned<PackageName>>,
        heading: Option<PackageName>,
    ) -> Result<PackageName, RecipeError> {
        heading.or(written.map(Spanned::into_inner)).ok_or_else(|| {
            self.document.combination(
                self.place.clone(),
                "the recipe does not say which package it builds",
                "here",
                "write `name = \"…\"` in the first line",
            )
        })
    }

    pub(super) fn source(
        &self,
        table: &SourceTable,
        name: &PackageName,
    ) -> Result<Source, RecipeError> {
        let origins: Vec<(&str, Span)> = table.origins().collect();
        if let [(first, _), (second, span), ..] = &origins[..] {
            return Err(self.document.combination(
                span.clone(),
                format!("the source is given twice, by `{first}` and by `{second}`"),
                "the second one",
                "keep one of `pypi`, `git`, `url` and `path`",
            ));
        }
        self.partner(table.revision.as_ref().map(Spanned::span), "revision", "git", table)?;
        self.partner(table.submodules.as_ref().map(Spanned::span), "submodules", "git", table)?;
        self.partner(table.sha256.as_ref().map(Spanned::span), "sha256", "url", table)?;
        if let Some(git) = &table.git {
            let Some(revision) = &table.revision else {
                return Err(self.document.combination(
                    git.span(),
                    "a git source needs a `revision`",
                    "of this repository",
                    "add `revision = \"v{version}\"`, or a branch or commit",
                ));
            };
            return Ok(Source::Git {
                address: git.get_ref().clone(),
                revision: revision.get_ref().0.clone(),
                submodules: table.submodules.as_ref().is_some_and(|flag| *flag.get_ref()),
            });
        }
        if let Some(url) = &table.url {
            let Some(sha256) = &table.sha256 else {
                return Err(self.document.combination(
                    url.span(),
                    "an archive needs its `sha256`, so that it is always the same",
                    "this archive",
                    "download it once and add `sha256 = \"…\"` with what `sha256sum` prints",
                ));
            };
            return Ok(Source::Url { address: url.get_ref().0.clone(), sha256: *sha256.get_ref() });
        }
        if let Some(path) = &table.path {
            return Ok(Source::Path(path.get_ref().clone()));
        }
        let name = table.pypi.as_ref().map_or(name, Spanned::get_ref);
        Ok(Source::Pypi { name: name.clone() })
    }

    /// Refuses a key of the source whose partner is not given.
    fn partner(
        &self,
        span: Option<Span>,
        key: &str,
        partner: &str,
        table: &SourceTable,
    ) -> Result<(), RecipeError> {
        match span {
            Some(span) if table.origins().all(|(origin, _)| origin != partner) => {
                Err(self.document.combination(
                    span,
                    format!("`{key}` belongs to a source by `{partner}`, which is not given"),
                    "this value",
                    format!("add `{partner} = \"…\"`, or remove `{key}`"),
                ))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn command_or_script(&self, table: &BuildTable) -> Result<(), RecipeError> {
        if let Some(command) = &table.command
            && command.get_ref().is_empty()
        {
            return Err(self.document.wrong_value(
                command.span(),
                "the command is empty",
                Some("remove `command` for a standard build".to_owned()),
            ));
        }
        match (&table.command, &table.script) {
            (Some(_), Some(script)) => Err(self.document.combination(
                script.span(),
                "a build has a `command` or a `script`, not both",
                "the second one",
                "call the script from the command, or remove one",
            )),
            _ => Ok(()),
        }
    }

    /// Refuses to pin a torch that the build has not.
    pub(super) fn pin(&self, table: &WheelTable, torch: bool) -> Result<(), RecipeError> {
        match &table.pin_torch {
            Some(pin) if *pin.get_ref() && !torch => Err(self.document.combination(
                pin.span(),
                "the wheel is to require the torch that it was built with, and it is built without",
                "which torch",
                "say that it is built against torch, `torch = true` under `[build]`, or remove `pin-torch`",
            )),
            _ => Ok(()),
        }
    }

    /// Refuses a variable that two keys set, of which one would be lost.
    pub(super) fn variables(
        &self,
        build: &BuildTable,
        architectures: Option<&[ArchitectureTable]>,
        jobs: &JobsTable,
    ) -> Result<(), RecipeError> {
        let environment = build
            .environment
            .iter()
            .flat_map(BTreeMap::keys)
            .map(|name| (name, "build.environment"));
        let architectures =
            architectures.into_iter().flatten().map(|table| (&table.variable, "architectures"));
        let jobs_variables = jobs.variables.iter().flatten().map(|name| (name, "jobs.variables"));
        let threads = jobs.nvcc_threads.iter().map(|name| (name, "jobs.nvcc-threads"));
        let mut seen: BTreeMap<&str, (&str, Span)> = BTreeMap::new();
        for (name, key) in environment.chain(architectures).chain(jobs_variables).chain(threads) {
            let variable = name.get_ref().0.as_str();
            if let Some((first, first_span)) = seen.insert(variable, (key, name.span())) {
                let hint = if [first, key].contains(&"architectures") {
                    "put the whole value into the `template` of that architecture variable"
                } else {
                    "remove one of them"
                };
                // One that comes from the recipe below has no place of its own in this text.
                let span = if name.span() == *self.place { first_span } else { name.span() };
                return Err(self.document.combination(
                    span,
                    format!("`{variable}` is set twice, by {}", list_words(&[first, key])),
                    "one of the two",
                    hint,
                ));
            }
        }
        Ok(())
    }
}
