//! Requirements as METADATA writes them (PyPA "Dependency specifiers").

use std::str::FromStr;

use serde::Serialize;
use wheelmill_model::{PackageName, VersionSpecifiers};

/// A text that is not a requirement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a requirement: {reason}")]
pub struct RequirementError {
    /// The text as written.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// A requirement: `torch[opt]>=2.10,<2.12; python_version >= "3.10"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Requirement {
    /// The package wanted.
    pub name: PackageName,
    /// The extras wanted of it.
    pub extras: Vec<String>,
    /// The versions that will do; none given means any.
    pub versions: VersionSpecifiers,
    /// The address to take it from instead of an index.
    pub url: Option<String>,
    /// The condition under which it is wanted, as written.
    pub marker: Option<String>,
}

impl FromStr for Requirement {
    type Err = RequirementError;

    fn from_str(text: &str) -> Result<Self, RequirementError> {
        let wrong = |reason| RequirementError { text: text.to_owned(), reason };
        let legal =
            |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
        let trimmed = text.trim();
        let name_end = trimmed.find(|character| !legal(character)).unwrap_or(trimmed.len());
        let (name, rest) = trimmed.split_at(name_end);
        let name = name.parse().map_err(|_| wrong("it does not start with a package name"))?;
        let mut rest = rest.trim_start();
        let mut extras = Vec::new();
        if let Some(inner) = rest.strip_prefix('[') {
            let (list, after) = inner.split_once(']').ok_or_else(|| wrong("`[` is not closed"))?;
            for extra in list.split(',').map(str::trim).filter(|_| !list.trim().is_empty()) {
                if extra.is_empty() || !extra.chars().all(legal) {
                    return Err(wrong("an extra is not a name"));
                }
                extras.push(extra.to_owned());
            }
            rest = after.trim_start();
        }
        if let Some(address) = rest.strip_prefix('@') {
            // A semicolon belongs to the address unless a space stands before it.
            let (url, marker) = match address.trim_start().split_once(" ;") {
                Some((url, marker)) => (url, Some(read_marker(marker).map_err(wrong)?)),
                None => (address.trim_start(), None),
            };
            let url = url.trim();
            if url.is_empty() || url.contains(char::is_whitespace) {
                return Err(wrong("what follows `@` is not an address"));
            }
            let url = Some(url.to_owned());
            return Ok(Self { name, extras, versions: VersionSpecifiers::empty(), url, marker });
        }
        let (versions, marker) = match rest.split_once(';') {
            Some((versions, marker)) => (versions, Some(read_marker(marker).map_err(wrong)?)),
            None => (rest, None),
        };
        let mut versions = versions.trim();
        if let Some(inner) = versions.strip_prefix('(') {
            versions = inner.strip_suffix(')').ok_or_else(|| wrong("`(` is not closed"))?.trim();
        }
        let versions = if versions.is_empty() {
            VersionSpecifiers::empty()
        } else {
            versions.parse().map_err(|_| wrong("its versions cannot be read"))?
        };
        Ok(Self { name, extras, versions, url: None, marker })
    }
}

/// Checks what can be checked of a condition without evaluating it.
fn read_marker(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    if text.is_empty() {
        return Err("its condition is empty");
    }
    let mut quote = None;
    let mut depth = 0_usize;
    for character in text.chars() {
        match (quote, character) {
            (Some(open), close) if open == close => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(character),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.checked_sub(1).ok_or("its condition has a stray `)`")?,
            (None, _) => {}
        }
    }
    if quote.is_some() || depth > 0 {
        return Err("its condition is not closed");
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_of_published_wheels_are_read() {
        let read = |text: &str| text.parse::<Requirement>().unwrap();
        let torch = read("torch >=2.10, <3 ; python_version >= \"3.10\" and extra == 'x'");
        assert_eq!(torch.name.as_str(), "torch");
        assert_eq!(torch.versions.to_string(), ">=2.10, <3");
        assert_eq!(torch.marker.as_deref(), Some("python_version >= \"3.10\" and extra == 'x'"));
        assert_eq!(read("cuda-pathfinder (==1.*)").versions.to_string(), "==1.*");
        assert_eq!(read("cuda-toolkit[nvcc, cudart]==13.0.*").extras, ["nvcc", "cudart"]);
        let direct = read("x @ https://example.org/x;y.whl ; os_name == 'posix'");
        assert_eq!(direct.url.as_deref(), Some("https://example.org/x;y.whl"));
        assert_eq!(read("numpy").versions.to_string(), "");
    }

    #[test]
    fn broken_requirements_are_refused() {
        for wrong in [
            "",
            ">=1",
            "torch>=",
            "torch=2",
            "torch (>=1",
            "torch[x>=1",
            "torch;",
            "torch; (x == 'y'",
            "torch; x == 'y",
            "torch @ ",
            "torch ==1.0 oops",
        ] {
            assert!(wrong.parse::<Requirement>().is_err(), "{wrong}");
        }
    }
}
