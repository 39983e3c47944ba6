//! Writes small wheels that are right in everything, unless a test asks otherwise.

use sha2::{Digest as _, Sha256};

use super::elf::Elf;
use super::zip::{Zip, ZipEntry};

/// The file name that the default wheel fits.
pub(crate) const NAME: &str = "demo-1.0-cp311-cp311-linux_x86_64.whl";

/// A wheel that is being put together.
#[derive(Clone, Debug)]
pub(crate) struct Wheel {
    dist_info: String,
    entries: Vec<ZipEntry>,
    record: Option<String>,
}

impl Default for Wheel {
    fn default() -> Self {
        Self::of_version("1.0")
    }
}

impl Wheel {
    /// A good wheel of a version.
    pub(crate) fn of_version(version: &str) -> Self {
        let metadata = format!(
            "Metadata-Version: 2.1\nName: demo\nVersion: {version}\n\
             Requires-Dist: torch>=2.9\nRequires-Python: >=3.10\n"
        );
        let wheel = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\n\
                     Tag: cp311-cp311-linux_x86_64\n";
        let dist_info = format!("demo-{version}.dist-info");
        Self { dist_info, entries: Vec::new(), record: None }
            .file("demo/__init__.py", "VERSION = '1.0'\n".repeat(20))
            .info("METADATA", &metadata)
            .info("WHEEL", wheel)
    }

    /// Adds a file, or takes another's place.
    pub(crate) fn file(self, name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.entry(ZipEntry::new(name, bytes))
    }

    /// Adds a file of the `.dist-info` folder, or takes another's place.
    pub(crate) fn info(self, name: &str, text: &str) -> Self {
        let path = format!("{}/{name}", self.dist_info);
        self.file(&path, text)
    }

    /// Adds an entry, or takes another's place.
    pub(crate) fn entry(mut self, entry: ZipEntry) -> Self {
        self.entries.retain(|other| other.name != entry.name);
        self.entries.push(entry);
        self
    }

    /// Leaves a file out.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.entries.retain(|entry| entry.name != name.as_bytes());
        self
    }

    /// Adds the extension module `demo._C` with device code.
    pub(crate) fn extension(self, device_code: &[u8]) -> Self {
        self.file(
            &module("_C"),
            Elf::default().section(".nv_fatbin", device_code).init("_C").write(),
        )
    }

    /// The RECORD that fits what was added so far.
    pub(crate) fn fitting_record(&self) -> String {
        let line = |entry: &ZipEntry| {
            let name = String::from_utf8_lossy(&entry.name).replace('"', "\"\"");
            let quote = if name.contains([',', '"']) { "\"" } else { "" };
            format!("{quote}{name}{quote},{},{}\n", hash(&entry.bytes), entry.bytes.len())
        };
        let lines: String = self.entries.iter().map(line).collect();
        lines + &format!("{}/RECORD,,\n", self.dist_info)
    }

    /// Uses another RECORD than the one that fits.
    pub(crate) fn record(mut self, record: String) -> Self {
        self.record = Some(record);
        self
    }

    /// The archive.
    pub(crate) fn zip(&self) -> Zip {
        let record = self.record.clone().unwrap_or_else(|| self.fitting_record());
        let mut entries = self.entries.clone();
        entries.push(ZipEntry::new(&format!("{}/RECORD", self.dist_info), record));
        Zip::write(&entries)
    }

    /// The archive with the entries as they are, RECORD only if it was added as a file.
    pub(crate) fn bare_zip(&self) -> Zip {
        Zip::write(&self.entries)
    }

    /// The archive's bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.zip().bytes
    }
}

/// The path of an extension module of the package.
pub(crate) fn module(name: &str) -> String {
    format!("demo/{name}.cpython-311-x86_64-linux-gnu.so")
}

/// The hash of a line of RECORD.
fn hash(bytes: &[u8]) -> String {
    format!("sha256={}", base64(&Sha256::digest(bytes)))
}

/// URL-safe base64 without padding, made by other means than the crate's own.
pub(crate) fn base64(bytes: &[u8]) -> String {
    let alphabet: Vec<char> =
        ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['-', '_']).collect();
    let bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
    let sixes = bits.as_bytes().chunks(6).map(|six| std::str::from_utf8(six).unwrap());
    sixes.map(|six| alphabet[usize::from_str_radix(&format!("{six:0<6}"), 2).unwrap()]).collect()
}
