//! Every rule a wheel can break: its stable code, its weight and its words.

use crate::finding::Severity::{self, Error, Note, Warning};

/// A rule and what breaking it means. Codes are kept between releases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The code that its findings carry.
    pub code: &'static str,
    /// How much breaking it weighs.
    pub severity: Severity,
    /// What a finding says.
    pub message: &'static str,
    /// What to do about it, where there is one answer for all cases.
    pub hint: Option<&'static str>,
}

macro_rules! rules {
    ($($name:ident = $code:literal, $severity:ident, $message:literal $(, $hint:literal)?;)*) => {
        $(pub(crate) const $name: &Rule = &Rule {
            code: $code,
            severity: $severity,
            message: $message,
            hint: rules!(@hint $($hint)?),
        };)*

        /// Every rule, for the reference pages.
        #[must_use]
        pub const fn rules() -> &'static [&'static Rule] {
            &[$($name),*]
        }
    };
    (@hint) => { None };
    (@hint $hint:literal) => { Some($hint) };
}

rules! {
    // The archive.
    ZIP_PREFIX = "zip.prefix", Error, "bytes stand before the first entry of the archive";
    ZIP_GAP = "zip.gap", Error, "bytes between the archive's parts belong to no entry";
    ZIP_OVERLAP = "zip.overlap", Error, "entries share bytes of the archive, as zip bombs do";
    ZIP_COMMENT = "zip.comment", Error, "the archive carries a comment, in which a second archive can hide";
    ZIP_TRAILING = "zip.trailing-data", Error, "bytes stand after the end of the archive";
    ZIP_ZIP64 = "zip.zip64", Error, "the 64-bit fields of the archive contradict the others";
    ZIP_DUPLICATE = "zip.duplicate-name", Error, "two entries bear one name, and installers differ in which they take";
    ZIP_CASE = "zip.case-collision", Warning, "names differ only in case: on some file systems one overwrites the other";
    ZIP_FILE_AS_FOLDER = "zip.file-as-folder", Error, "a name is used both as a file and as a folder";
    ZIP_LOCAL_HEADER = "zip.header-mismatch", Error, "an entry's own header contradicts the archive's directory";
    ZIP_DESCRIPTOR = "zip.descriptor-mismatch", Error, "the data descriptor behind an entry contradicts the directory";
    ZIP_NAME = "zip.unsafe-name", Error, "a name could lead out of the folder that the wheel is unpacked into, or names nothing";
    ZIP_ENCODING = "zip.name-encoding", Error, "a name can be read in two ways";
    ZIP_SPECIAL = "zip.special-file", Error, "an entry is a link, a device or a folder with contents";
    ZIP_SETUID = "zip.setuid", Error, "a file asks for the set-user-id or set-group-id bit";
    ZIP_METHOD = "zip.method", Error, "a file is packed by a method that installers do not know";
    ZIP_ENCRYPTED = "zip.encrypted", Error, "a file is encrypted";
    ZIP_BOMB = "zip.bomb", Error, "a file unpacks to far more than honest files do, and was not read";
    ZIP_DATA = "zip.damaged-data", Error, "a file cannot be unpacked";
    ZIP_SIZE = "zip.size-mismatch", Error, "a file unpacks to another size than the archive says";
    ZIP_CRC = "zip.crc-mismatch", Error, "a file's checksum is not the one the archive says";

    // RECORD.
    RECORD_MISSING = "record.missing", Error, "the wheel has no RECORD, and no installer can check it";
    RECORD_SYNTAX = "record.syntax", Error, "RECORD has lines that are not `path,hash,size`";
    RECORD_DUPLICATE = "record.duplicate", Error, "RECORD names a file more than once";
    RECORD_UNLISTED = "record.unlisted-file", Error, "files are in the wheel but not in RECORD";
    RECORD_ABSENT = "record.absent-file", Error, "RECORD names files that are not in the wheel";
    RECORD_NO_HASH = "record.no-hash", Error, "RECORD gives no hash for files";
    RECORD_WEAK_HASH = "record.weak-hash", Error, "RECORD uses a hash that is not allowed: sha256 or better is wanted";
    RECORD_HASH = "record.hash-mismatch", Error, "files are not those that RECORD was written for",
        "the wheel was changed after it was built; build it again, or rewrite RECORD with `wheel pack`";
    RECORD_SIZE = "record.size-mismatch", Error, "files have another size than RECORD says";
    RECORD_SELF = "record.self-hash", Warning, "RECORD gives a hash for itself or for its signature, which cannot hold";

    // Names, tags, metadata.
    NAME_SPELLING = "name.spelling", Warning, "the file name does not spell the package in its normal form";
    NAME_VERSION = "name.version-form", Warning, "the file name does not spell the version in its normal form";
    DIST_INFO_NAME = "name.dist-info", Error, "the .dist-info folder belongs to another package or version than the file name";
    METADATA_NAME = "metadata.name-mismatch", Error, "METADATA names another package than the file name";
    METADATA_VERSION = "metadata.version-mismatch", Error, "METADATA names another version than the file name";
    METADATA_SYNTAX = "metadata.syntax", Error, "METADATA has lines that cannot be read";
    METADATA_REPEATED = "metadata.repeated-field", Error, "METADATA gives a field twice that may stand once";
    METADATA_REQUIREMENT = "metadata.requirement", Error, "METADATA has requirements that no installer can read";
    METADATA_PYTHON = "metadata.requires-python", Error, "Requires-Python cannot be read";
    WHEEL_MISSING = "wheel-file.missing", Error, "the wheel has no WHEEL file in its .dist-info folder";
    WHEEL_SYNTAX = "wheel-file.syntax", Error, "the WHEEL file has lines that cannot be read";
    WHEEL_VERSION = "wheel-file.version", Error, "the WHEEL file asks for a format that installers do not know";
    WHEEL_MINOR = "wheel-file.minor-version", Warning, "the WHEEL file was written for a later minor version of the format";
    WHEEL_PURELIB = "wheel-file.root-is-purelib", Error, "WHEEL does not say `true` or `false` for Root-Is-Purelib";
    WHEEL_BUILD = "wheel-file.build-mismatch", Warning, "the build tag in WHEEL is not the one in the file name";
    TAG_MISMATCH = "tag.wheel-vs-filename", Warning, "the tags in WHEEL are not those of the file name",
        "`wheel tags` and auditwheel change both together";
    TAG_REQUIRES_PYTHON = "tag.vs-requires-python", Error, "no Python fits both the tags and Requires-Python: installers refuse the wheel everywhere",
        "correct `requires-python` of the project, or build with a Python that it lets through";
    TAG_ANY = "tag.native-in-any", Error, "the file name promises every machine, but the wheel holds native code";
    TAG_PURE = "tag.native-in-purelib", Warning, "WHEEL says the root is pure Python, but the wheel holds native code";

    TEXT_ENCODING = "metadata.encoding", Error, "a file that describes the wheel is not UTF-8";

    // What lies where.
    LAYOUT_SCHEME = "layout.data-scheme", Error, "the .data folder has parts that no installer knows";
    LAYOUT_ENTRY_POINT = "layout.entry-point", Error, "an entry point's name would write outside the folder of scripts";
    LAYOUT_ENTRY_SYNTAX = "layout.entry-points-syntax", Warning, "entry_points.txt has lines that cannot be read";
    LAYOUT_PTH = "layout.pth", Warning, "a .pth file runs code whenever Python starts";
    LAYOUT_SHADOW = "layout.shadows", Warning, "the wheel installs over modules that belong to others";

    // Native code.
    ELF_DAMAGED = "elf.damaged", Error, "a native module cannot be read";
    ELF_MACHINE = "elf.wrong-machine", Error, "native code is for another machine than the wheel's tags say";
    ELF_DRIVER = "elf.bundled-driver", Error, "the wheel carries a copy of the NVIDIA driver's library, which works with one driver only",
        "exclude it when repairing: `auditwheel repair --exclude libcuda.so.1`";

    // Device code.
    DEVICE_DAMAGED = "device-code.damaged", Error, "GPU code in a module cannot be read";
    DEVICE_UNKNOWN = "device-code.unknown-kind", Warning, "a module holds GPU code of a kind unknown here, which was not judged";
    DEVICE_PAYLOAD = "device-code.bad-payload", Error, "GPU code does not unpack to what its header says";
    DEVICE_UNLINKED = "device-code.not-linked", Warning, "a module holds relocatable GPU code only: nothing in it can run before a device link";
    DEVICE_NONE = "device-code.none", Error, "there is no GPU code in the whole wheel",
        "the build fell back to CPU-only: is nvcc on PATH, CUDA_HOME set and FORCE_CUDA=1?";
    DEVICE_MISSING = "device-code.arch-missing", Error, "GPU code is missing for an architecture that was asked for",
        "check how the build is told its architectures (TORCH_CUDA_ARCH_LIST, CMAKE_CUDA_ARCHITECTURES, …)";

    DEVICE_JIT = "device-code.arch-jit", Warning, "GPU code for an architecture that was asked for is compiled by the driver, when first used";
    DEVICE_UNEVEN = "device-code.uneven", Note, "some GPUs are served by a part of the containers only";

    // What was wanted.
    WANTED_NAME = "wanted.name", Error, "this is a wheel of another package than was wanted";
    WANTED_VERSION = "wanted.version", Error, "this is a wheel of another version than was wanted";
    WANTED_PYTHON = "wanted.python", Error, "the wheel's tags do not fit the Python that was wanted";
    WANTED_REQUIRES_PYTHON = "wanted.requires-python", Error, "the wheel's Requires-Python leaves out the Python that was wanted: pip and uv refuse it there",
        "take a Python that it lets through, or a version of the package for this one";
    MODULE_MISSING = "module.missing", Error, "modules that the wheel should hold are not in it";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_spelled_alike() {
        let mut codes: Vec<&str> = rules().iter().map(|rule| rule.code).collect();
        codes.sort_unstable();
        let count = codes.len();
        codes.dedup();
        assert_eq!(codes.len(), count);
        for code in codes {
            let legal =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            let (area, rest) = code.split_once('.').unwrap();
            assert!(area.bytes().chain(rest.bytes()).all(legal), "{code}");
        }
    }
}
