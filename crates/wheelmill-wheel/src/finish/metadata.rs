//! Changes METADATA line by line: what is not to be changed stays as it is, byte for byte.

use wheelmill_model::Version;

use super::options::Pin;
use crate::metadata::Requirement;

/// METADATA asks for a package in versions that leave out the one that the wheel was built with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("METADATA asks for `{written}`, and the wheel was built with {package} {release}")]
pub struct RequirementConflict {
    /// The requirement as METADATA has it.
    pub written: String,
    /// The package.
    pub package: String,
    /// The release that the wheel was built with.
    pub release: String,
}

/// How many patch releases of a series are held against a requirement: more than any has had.
const PATCHES: u64 = 64;

/// The text of METADATA, with its lines.
pub(super) struct Paper<'a> {
    lines: Vec<String>,
    /// Where a further field goes: behind the last Requires-Dist, else behind the last field.
    place: usize,
    /// How the text ends its lines.
    ending: &'static str,
    body: &'a str,
}

impl<'a> Paper<'a> {
    pub(super) fn read(text: &'a str) -> Self {
        let (mut lines, mut at) = (Vec::new(), 0);
        for line in text.split_inclusive('\n') {
            if line.trim_end_matches(['\r', '\n']).is_empty() {
                break;
            }
            lines.push(line.to_owned());
            at += line.len();
        }
        let ending = match lines.first() {
            Some(line) if line.ends_with("\r\n") => "\r\n",
            _ => "\n",
        };
        if let Some(last) = lines.last_mut().filter(|line| !line.ends_with('\n')) {
            last.push_str(ending);
        }
        let mut paper = Self { place: lines.len(), lines, ending, body: &text[at..] };
        let last = (0..paper.lines.len()).rfind(|index| paper.value(*index, FIELD).is_some());
        if let Some(last) = last {
            paper.place = paper.end_of(last);
        }
        paper
    }

    pub(super) fn text(self) -> String {
        self.lines.concat() + self.body
    }

    pub(super) fn set_version(&mut self, version: &Version) {
        let index = (0..self.lines.len()).find(|index| self.value(*index, "Version").is_some());
        if let Some(index) = index {
            let (name, _) = self.lines[index].split_once(':').unwrap_or(("Version", ""));
            self.lines[index] = format!("{name}: {version}{}", self.ending);
        }
    }

    /// Pins every unconditional requirement of the package, or adds one. Conditional ones stay:
    /// whether they hold is known only where the wheel is installed.
    pub(super) fn pin(&mut self, pin: &Pin) -> Result<(), RequirementConflict> {
        let mut pinned = false;
        for index in 0..self.lines.len() {
            let Some(written) = self.requirement(index) else { continue };
            let Ok(requirement) = written.parse::<Requirement>() else { continue };
            if requirement.name != pin.package || requirement.marker.is_some() {
                continue;
            }
            if let Some(versions) =
                pinned_versions(&requirement, pin).ok_or_else(|| RequirementConflict {
                    written: written.clone(),
                    package: pin.package.to_string(),
                    release: pin.release.to_string(),
                })?
            {
                let extras = match requirement.extras.is_empty() {
                    true => String::new(),
                    false => format!("[{}]", requirement.extras.join(",")),
                };
                self.replace(index, &format!("{}{extras}{versions}", pin.package));
            }
            pinned = true;
        }
        if !pinned {
            self.add(&format!("{}=={}.*", pin.package, pin.release));
        }
        Ok(())
    }

    /// Adds a requirement, unless METADATA has it in these words.
    pub(super) fn require(&mut self, text: &str) {
        if !(0..self.lines.len()).any(|index| self.requirement(index).as_deref() == Some(text)) {
            self.add(text);
        }
    }

    fn add(&mut self, requirement: &str) {
        self.lines.insert(self.place, format!("{FIELD}: {requirement}{}", self.ending));
        self.place += 1;
    }

    /// The value of the field that begins in a line.
    fn value(&self, index: usize, field: &str) -> Option<&str> {
        let line = self.lines[index].trim_start_matches('\u{feff}');
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case(field).then(|| value.trim())
    }

    /// The requirement that begins in a line, with the lines that continue it.
    fn requirement(&self, index: usize) -> Option<String> {
        let mut words = vec![self.value(index, FIELD)?];
        words.extend(self.lines[index + 1..self.end_of(index)].iter().map(|line| line.trim()));
        Some(words.join(" ").trim().to_owned())
    }

    /// The line behind a field: those that begin with a blank continue it.
    fn end_of(&self, index: usize) -> usize {
        let rest = &self.lines[index + 1..];
        index + 1 + rest.iter().take_while(|line| line.starts_with([' ', '\t'])).count()
    }

    fn replace(&mut self, index: usize, requirement: &str) {
        let end = self.end_of(index);
        let (name, _) = self.lines[index].split_once(':').unwrap_or((FIELD, ""));
        self.lines[index] = format!("{name}: {requirement}{}", self.ending);
        for line in &mut self.lines[index + 1..end] {
            line.clear();
        }
    }
}

const FIELD: &str = "Requires-Dist";

/// What a requirement says of versions once it is pinned; nothing where it stays as it is. None
/// when no release of the pin fits it.
#[expect(clippy::option_option, reason = "a conflict, no change, and a change")]
fn pinned_versions(requirement: &Requirement, pin: &Pin) -> Option<Option<String>> {
    if requirement.url.is_some() {
        return None;
    }
    let fits = |patch: u64| {
        let release = [pin.release.release(), &[patch]].concat();
        requirement.versions.contains(&Version::new(release))
    };
    let fitting = (0..PATCHES).filter(|patch| fits(*patch)).count() as u64;
    let series = format!("=={}.*", pin.release);
    let written = requirement.versions.to_string().replace(' ', "");
    Some(match fitting {
        0 => return None,
        PATCHES if written.split(',').any(|part| part == series) => None,
        PATCHES => Some(series),
        // It is narrower than the series, such as `==2.11.0` or `!=2.11.1`: both hold.
        _ if written.starts_with("==") && !written.contains([',', '*']) => None,
        _ => Some(format!("{written},{series}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pinned(text: &str) -> Result<String, RequirementConflict> {
        let mut paper = Paper::read(text);
        let package = "torch".parse().unwrap();
        paper.pin(&Pin { package, release: "2.11".parse().unwrap() })?;
        Ok(paper.text())
    }

    #[test]
    fn torch_is_pinned_and_all_else_stays_byte_for_byte() {
        for (before, after) in [
            ("Requires-Dist: torch", "Requires-Dist: torch==2.11.*"),
            ("requires-dist:Torch >=2.0, !=2.4", "requires-dist: torch==2.11.*"),
            ("Requires-Dist: torch (>=2)", "Requires-Dist: torch==2.11.*"),
            ("Requires-Dist: torch[opt-einsum]", "Requires-Dist: torch[opt-einsum]==2.11.*"),
            ("Requires-Dist: torch==2.11.0", "Requires-Dist: torch==2.11.0"),
            ("Requires-Dist: torch == 2.11.*", "Requires-Dist: torch == 2.11.*"),
            ("Requires-Dist: torch>=2.11.1", "Requires-Dist: torch>=2.11.1,==2.11.*"),
            (
                "Requires-Dist: torch<2 ; extra == 'old'",
                "Requires-Dist: torch<2 ; extra == 'old'\nRequires-Dist: torch==2.11.*",
            ),
            (
                "Requires-Dist: torchvision",
                "Requires-Dist: torchvision\nRequires-Dist: torch==2.11.*",
            ),
        ] {
            let around = |line: &str| {
                format!(
                    "Name: x\nLicense: MIT\n        \n  two\n{line}\nProvides-Extra: old\n\nRequires-Dist: torch\r\né"
                )
            };
            assert_eq!(pinned(&around(before)).unwrap(), around(after), "{before}");
        }
        assert_eq!(pinned("Name: x\r\n").unwrap(), "Name: x\r\nRequires-Dist: torch==2.11.*\r\n");
        assert_eq!(
            pinned("Requires-Dist: torch\n  >=2\nName: x").unwrap(),
            "Requires-Dist: torch==2.11.*\nName: x\n"
        );
    }

    #[test]
    fn a_torch_that_the_pin_contradicts_is_an_error_that_names_both() {
        for written in
            ["torch<2.9", "torch==2.10.*", "torch @ https://x.org/t.whl", "torch>2.11.999"]
        {
            let error = pinned(&format!("Requires-Dist: {written}\n")).unwrap_err().to_string();
            assert!(error.contains(written) && error.contains("torch 2.11"), "{error}");
        }
    }

    #[test]
    fn the_version_is_that_of_the_fields_and_not_of_the_body() {
        let mut paper = Paper::read("Metadata-Version: 2.1\nVersion: 1.0\n\nVersion: 1.0\n");
        paper.set_version(&"1.0+cu130".parse().unwrap());
        paper.require("numpy>=2");
        paper.require("numpy>=2");
        assert_eq!(
            paper.text(),
            "Metadata-Version: 2.1\nVersion: 1.0+cu130\nRequires-Dist: numpy>=2\n\nVersion: 1.0\n"
        );
    }
}
