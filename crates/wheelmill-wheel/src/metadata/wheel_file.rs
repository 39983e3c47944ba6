//! WHEEL, the file that says how the wheel was made and is to be installed.

use wheelmill_model::WheelTag;

use super::headers::Headers;
use crate::finding::Findings;
use crate::rules;

/// What WHEEL says.
#[derive(Clone, Debug, Default)]
pub(crate) struct WheelFile {
    pub(crate) tags: Vec<WheelTag>,
    pub(crate) root_is_purelib: bool,
    pub(crate) build: Option<String>,
}

impl WheelFile {
    pub(crate) fn read(text: &str, findings: &mut Findings) -> Self {
        let headers = Headers::read(text);
        for line in &headers.strange {
            findings.add(rules::WHEEL_SYNTAX, line.clone());
        }
        match headers.first("Wheel-Version").map(|text| (text, text.split_once('.'))) {
            Some((_, Some(("1", "0")))) => {}
            Some((text, Some(("1", _)))) => findings.add(rules::WHEEL_MINOR, text),
            Some((text, _)) => findings.add(rules::WHEEL_VERSION, format!("`{text}`")),
            None => findings.add(rules::WHEEL_VERSION, "there is no Wheel-Version"),
        }
        let purelib = headers.first("Root-Is-Purelib").map(str::to_ascii_lowercase);
        if !matches!(purelib.as_deref(), Some("true" | "false")) {
            findings
                .add(rules::WHEEL_PURELIB, purelib.as_deref().unwrap_or("the field is missing"));
        }
        let mut tags = Vec::new();
        for text in headers.all("Tag") {
            match expand(text) {
                Some(expanded) => tags.extend(expanded),
                None => findings.add(rules::WHEEL_SYNTAX, format!("Tag: {text}")),
            }
        }
        if tags.is_empty() {
            findings.add(rules::WHEEL_SYNTAX, "there is no Tag");
        }
        Self {
            tags,
            root_is_purelib: purelib.as_deref() == Some("true"),
            build: headers.first("Build").map(str::to_owned),
        }
    }
}

/// The tags of one line. Each line should hold one, but some writers compress them.
fn expand(text: &str) -> Option<Vec<WheelTag>> {
    let [python, abi, platform] = text.split('-').collect::<Vec<_>>()[..] else { return None };
    let mut tags = Vec::new();
    for python in python.split('.') {
        for abi in abi.split('.') {
            for platform in platform.split('.') {
                if [python, abi, platform].contains(&"") {
                    return None;
                }
                tags.push(WheelTag {
                    python: python.to_owned(),
                    abi: abi.to_owned(),
                    platform: platform.to_owned(),
                });
            }
        }
    }
    Some(tags)
}
