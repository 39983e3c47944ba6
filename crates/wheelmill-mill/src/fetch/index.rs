//! A package index's simple API: JSON (PEP 691) where it speaks that, HTML (PEP 503) where not.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use wheelmill_model::{
    Digest, NetworkSettings, PackageName, PythonVersion, Version, VersionSpecifiers, WheelFilename,
};

use super::client::{Client, FetchError, shown};

const PYPI: &str = "https://pypi.org/simple";
const ACCEPT: &str = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1";
/// torch's page, the longest that is known, has 10 MB.
const PAGE_LIMIT: u64 = 128 << 20;

/// One source archive of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Release {
    pub(crate) version: Version,
    pub(crate) file_name: String,
    pub(crate) address: String,
    /// Missing on indexes that promise nothing; such files are refused.
    pub(crate) digest: Option<Digest>,
    pub(crate) requires_python: Option<VersionSpecifiers>,
    pub(crate) yanked: bool,
}

impl Release {
    /// Whether its Requires-Python lets the newest patch of a Python through.
    pub(crate) fn runs_on(&self, python: PythonVersion) -> bool {
        let newest = Version::new([python.major.into(), python.minor.into(), 99]);
        self.requires_python.as_ref().is_none_or(|required| required.contains(&newest))
    }
}

/// A package index.
#[derive(Debug)]
pub(crate) struct Index<'a> {
    client: &'a Client,
    base: String,
    asked: Mutex<HashMap<PackageName, Arc<[Release]>>>,
}

#[derive(Deserialize)]
struct Page {
    files: Vec<File>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct File {
    filename: String,
    url: String,
    #[serde(default)]
    hashes: BTreeMap<String, String>,
    requires_python: Option<String>,
    #[serde(default)]
    yanked: serde_json::Value,
}

impl<'a> Index<'a> {
    pub(crate) fn new(client: &'a Client, network: &NetworkSettings) -> Self {
        let base = network.index.as_ref().map_or(PYPI, |secret| secret.reveal());
        Self { client, base: base.trim_end_matches('/').to_owned(), asked: Mutex::default() }
    }

    /// The index's own address, without a password.
    pub(crate) fn address(&self) -> String {
        shown(&self.base)
    }

    fn page(&self, name: &PackageName) -> String {
        format!("{}/{name}/", self.base)
    }

    fn files(&self, name: &PackageName) -> Result<Vec<File>, FetchError> {
        let page = self.page(name);
        let (kind, body) = self.client.page(&page, ACCEPT, PAGE_LIMIT)?;
        if !kind.contains("json") {
            return Ok(html_files(&String::from_utf8_lossy(&body)));
        }
        let parsed: Page = serde_json::from_slice(&body).map_err(|error| {
            FetchError::Unreadable { address: shown(&page), reason: error.to_string() }
        })?;
        Ok(parsed.files)
    }

    /// Where one file of a package lies.
    pub(crate) fn file_address(
        &self,
        name: &PackageName,
        file: &str,
    ) -> Result<String, FetchError> {
        let page = self.page(name);
        let found = self.files(name)?.into_iter().find(|entry| entry.filename == file);
        found
            .map(|entry| absolute(&page, &entry.url))
            .ok_or_else(|| FetchError::NotFound { address: format!("{}{file}", shown(&page)) })
    }

    /// Every version that a package has files of, oldest first.
    pub(crate) fn versions(&self, name: &PackageName) -> Result<BTreeSet<Version>, FetchError> {
        let version = |file: File| match file.filename.parse::<WheelFilename>() {
            Ok(wheel) => Some(wheel.version),
            Err(_) => sdist_version(&file.filename, name),
        };
        Ok(self.files(name)?.into_iter().filter_map(version).collect())
    }

    /// Every source archive of a package, oldest version first. Asked once: cells of a plan want
    /// the same few packages.
    pub(crate) fn releases(&self, name: &PackageName) -> Result<Arc<[Release]>, FetchError> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(releases) = asked.get(name) {
            return Ok(Arc::clone(releases));
        }
        let releases: Arc<[Release]> = self.fetch_releases(name)?.into();
        asked.insert(name.clone(), Arc::clone(&releases));
        Ok(releases)
    }

    fn fetch_releases(&self, name: &PackageName) -> Result<Vec<Release>, FetchError> {
        let page = self.page(name);
        let mut releases: Vec<Release> = self
            .files(name)?
            .into_iter()
            .filter_map(|file| {
                Some(Release {
                    version: sdist_version(&file.filename, name)?,
                    address: absolute(&page, &file.url),
                    digest: file.hashes.get("sha256").and_then(|text| text.parse().ok()),
                    requires_python: file.requires_python.and_then(|text| text.parse().ok()),
                    yanked: !matches!(
                        file.yanked,
                        serde_json::Value::Null | serde_json::Value::Bool(false)
                    ),
                    file_name: file.filename,
                })
            })
            .collect();
        // A .tar.gz is preferred to a .zip of the same version.
        releases.sort_by(|left, right| {
            (&left.version, left.file_name.ends_with(".tar.gz"))
                .cmp(&(&right.version, right.file_name.ends_with(".tar.gz")))
        });
        Ok(releases)
    }
}

/// The newest release that a person who names no version would want.
pub(crate) fn newest(releases: &[Release], python: Option<PythonVersion>) -> Option<&Release> {
    let fits =
        |release: &&Release| !release.yanked && python.is_none_or(|python| release.runs_on(python));
    let stable = releases.iter().filter(fits).rfind(|release| !release.version.any_prerelease());
    stable.or_else(|| releases.iter().rfind(fits))
}

fn sdist_version(file: &str, name: &PackageName) -> Option<Version> {
    let stem = file
        .strip_suffix(".tar.gz")
        .or_else(|| file.strip_suffix(".zip"))
        .or_else(|| file.strip_suffix(".tar.bz2"))?;
    // Old archives keep dashes in the name, so the version is behind the dash that leaves the name.
    stem.match_indices('-').find_map(|(at, _)| {
        let named: PackageName = stem[..at].parse().ok()?;
        (named == *name).then(|| stem[at + 1..].parse().ok())?
    })
}

fn absolute(page: &str, link: &str) -> String {
    if link.contains("://") {
        return link.to_owned();
    }
    match reqwest::Url::parse(page).and_then(|page| page.join(link)) {
        Ok(address) => address.into(),
        Err(_) => link.to_owned(),
    }
}

/// The links of an HTML page. The form is frozen (PEP 833): anchors with `href` and `data-` attributes.
fn html_files(page: &str) -> Vec<File> {
    page.split("<a ").skip(1).filter_map(anchor).collect()
}

fn anchor(text: &str) -> Option<File> {
    let (attributes, rest) = text.split_once('>')?;
    let (label, _) = rest.split_once("</a")?;
    let href = unescape(attribute(attributes, "href")?);
    let (url, fragment) = href.split_once('#').unwrap_or((&href, ""));
    let hashes = fragment
        .split('&')
        .filter_map(|part| part.split_once('='))
        .map(|(kind, value)| (kind.to_owned(), value.to_owned()))
        .collect();
    Some(File {
        filename: unescape(label.trim()),
        url: url.to_owned(),
        hashes,
        requires_python: attribute(attributes, "data-requires-python").map(unescape),
        yanked: attributes.contains("data-yanked").into(),
    })
}

fn attribute<'t>(attributes: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = attributes.split_once(&format!("{name}="))?;
    let quote = rest.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    rest[1..].split_once(quote).map(|(value, _)| value)
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_in_html_gives_what_one_in_json_does() {
        let page = r#"<!DOCTYPE html><a href="../../packages/torchsort-0.1.9.tar.gz#sha256=a845c012e27d8cd14c7c072161ad39d87aa4168dd8a43a080b5534a37256f219"
            data-requires-python="&gt;=3.7" data-yanked="broken">torchsort-0.1.9.tar.gz</a>"#;
        let files = html_files(page);
        assert_eq!(files[0].filename, "torchsort-0.1.9.tar.gz");
        assert_eq!(files[0].requires_python.as_deref(), Some(">=3.7"));
        assert_eq!(files[0].yanked, true);
        assert!(files[0].hashes["sha256"].parse::<Digest>().is_ok());
        assert_eq!(
            absolute("https://host/simple/torchsort/", &files[0].url),
            "https://host/packages/torchsort-0.1.9.tar.gz"
        );
    }

    #[test]
    fn the_version_is_read_from_old_and_new_archive_names() {
        let name = "torch-scatter".parse().unwrap();
        let version = |file: &str| sdist_version(file, &name).map(|version| version.to_string());
        assert_eq!(version("torch_scatter-2.1.2.tar.gz").as_deref(), Some("2.1.2"));
        assert_eq!(version("torch-scatter-2.1.2.zip").as_deref(), Some("2.1.2"));
        assert_eq!(version("torch_scatter-2.1.2-py3-none-any.whl"), None);
        assert_eq!(version("torch-2.1.2.tar.gz"), None);
    }

    #[test]
    fn the_newest_release_is_stable_not_yanked_and_fits_the_python() {
        let release = |version: &str, python: Option<&str>, yanked| Release {
            version: version.parse().unwrap(),
            file_name: String::new(),
            address: String::new(),
            digest: None,
            requires_python: python.map(|text| text.parse().unwrap()),
            yanked,
        };
        let releases = [
            release("1.0", None, false),
            release("1.1", Some(">=3.13"), false),
            release("1.2", None, true),
            release("2.0rc1", None, false),
        ];
        let pick = |python| newest(&releases, python).unwrap().version.to_string();
        assert_eq!(pick(Some(PythonVersion::new(3, 11))), "1.0");
        assert_eq!(pick(Some(PythonVersion::new(3, 13))), "1.1");
        assert_eq!(newest(&releases[3..], None).unwrap().version.to_string(), "2.0rc1");
    }
}
