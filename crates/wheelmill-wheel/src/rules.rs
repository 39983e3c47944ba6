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
    /// What to do about it.
    pub hint: &'static str,
}

macro_rules! rules {
    ($($name:ident = $code:literal, $severity:ident, $message:literal, $hint:expr;)*) => {
        $(pub(crate) const $name: &Rule = &Rule {
            code: $code,
            severity: $severity,
            message: $message,
            hint: $hint,
        };)*

        /// Every rule, for the reference pages.
        #[must_use]
        pub const fn rules() -> &'static [&'static Rule] {
            &[$($name),*]
        }
    };
}

// What to do about several rules.
const PACK: &str =
    "`wheel unpack` and `wheel pack` write the archive anew; find out which tool wrote this one";
const DISTRUST: &str = "do not install it, and ask where it comes from";
const FETCH: &str = "the file was damaged on its way or on the disk: fetch or build it again";
const RECORD: &str = "`wheel unpack` and `wheel pack` write RECORD anew";
const BACKEND: &str = "build it with a newer version of the build backend (setuptools, wheel, …)";
const RENAMED: &str =
    "was the file renamed? Give it its name back; a name or version is changed in the source";
const METADATA: &str = "correct the project's metadata (`pyproject.toml`, `setup.cfg`), and build it with a newer backend";

rules! {
    // The archive.
    ZIP_PREFIX = "zip.prefix", Error, "bytes stand before the first entry of the archive",
        PACK;
    ZIP_GAP = "zip.gap", Error, "bytes between the archive's parts belong to no entry",
        PACK;
    ZIP_OVERLAP = "zip.overlap", Error, "entries share bytes of the archive, as zip bombs do",
        DISTRUST;
    ZIP_COMMENT = "zip.comment", Error, "the archive carries a comment, in which a second archive can hide",
        PACK;
    ZIP_TRAILING = "zip.trailing-data", Error, "bytes stand after the end of the archive",
        PACK;
    ZIP_ZIP64 = "zip.zip64", Error, "the 64-bit fields of the archive contradict the others",
        PACK;
    ZIP_DUPLICATE = "zip.duplicate-name", Error, "two entries bear one name, and installers differ in which they take",
        "find which step of the build adds the file twice, often `package_data` beside an extension";
    ZIP_CASE = "zip.case-collision", Warning, "names differ only in case: on some file systems one overwrites the other",
        "rename one of the files in the source";
    ZIP_FILE_AS_FOLDER = "zip.file-as-folder", Error, "a name is used both as a file and as a folder",
        "rename the file or the folder in the source";
    ZIP_LOCAL_HEADER = "zip.header-mismatch", Error, "an entry's own header contradicts the archive's directory",
        PACK;
    ZIP_DESCRIPTOR = "zip.descriptor-mismatch", Error, "the data descriptor behind an entry contradicts the directory",
        PACK;
    ZIP_NAME = "zip.unsafe-name", Error, "a name could lead out of the folder that the wheel is unpacked into, or names nothing",
        DISTRUST;
    ZIP_ENCODING = "zip.name-encoding", Error, "a name can be read in two ways",
        "give the file a name of ASCII letters in the source";
    ZIP_SPECIAL = "zip.special-file", Error, "an entry is a link, a device or a folder with contents",
        "let the build copy the file instead of linking to it";
    ZIP_SETUID = "zip.setuid", Error, "a file asks for the set-user-id or set-group-id bit",
        "take the bit from the file in the source: `chmod u-s,g-s FILE`";
    ZIP_METHOD = "zip.method", Error, "a file is packed by a method that installers do not know",
        "pack it with deflate or without compression, as `wheel pack` does";
    ZIP_ENCRYPTED = "zip.encrypted", Error, "a file is encrypted",
        DISTRUST;
    ZIP_BOMB = "zip.bomb", Error, "a file unpacks to far more than honest files do, and was not read",
        DISTRUST;
    ZIP_DATA = "zip.damaged-data", Error, "a file cannot be unpacked",
        FETCH;
    ZIP_SIZE = "zip.size-mismatch", Error, "a file unpacks to another size than the archive says",
        FETCH;
    ZIP_CRC = "zip.crc-mismatch", Error, "a file's checksum is not the one the archive says",
        FETCH;

    // RECORD.
    RECORD_MISSING = "record.missing", Error, "the wheel has no RECORD, and no installer can check it",
        RECORD;
    RECORD_SYNTAX = "record.syntax", Error, "RECORD has lines that are not `path,hash,size`",
        RECORD;
    RECORD_DUPLICATE = "record.duplicate", Error, "RECORD names a file more than once",
        RECORD;
    RECORD_UNLISTED = "record.unlisted-file", Error, "files are in the wheel but not in RECORD",
        "files were added after the wheel was built; `wheel unpack` and `wheel pack` write RECORD anew";
    RECORD_ABSENT = "record.absent-file", Error, "RECORD names files that are not in the wheel",
        "files were removed after the wheel was built; `wheel unpack` and `wheel pack` write RECORD anew";
    RECORD_NO_HASH = "record.no-hash", Error, "RECORD gives no hash for files",
        RECORD;
    RECORD_WEAK_HASH = "record.weak-hash", Error, "RECORD uses a hash that is not allowed: sha256 or better is wanted",
        RECORD;
    RECORD_HASH = "record.hash-mismatch", Error, "files are not those that RECORD was written for",
        "the wheel was changed after it was built; build it again, or rewrite RECORD with `wheel pack`";
    RECORD_SIZE = "record.size-mismatch", Error, "files have another size than RECORD says",
        "the wheel was changed after it was built; build it again, or rewrite RECORD with `wheel pack`";
    RECORD_SELF = "record.self-hash", Warning, "RECORD gives a hash for itself or for its signature, which cannot hold",
        RECORD;

    // Names, tags, metadata.
    NAME_SPELLING = "name.spelling", Warning, "the file name does not spell the package in its normal form",
        BACKEND;
    NAME_VERSION = "name.version-form", Warning, "the file name does not spell the version in its normal form",
        BACKEND;
    DIST_INFO_NAME = "name.dist-info", Error, "the .dist-info folder belongs to another package or version than the file name",
        RENAMED;
    METADATA_NAME = "metadata.name-mismatch", Error, "METADATA names another package than the file name",
        RENAMED;
    METADATA_VERSION = "metadata.version-mismatch", Error, "METADATA names another version than the file name",
        RENAMED;
    METADATA_SYNTAX = "metadata.syntax", Error, "METADATA has lines that cannot be read",
        METADATA;
    METADATA_REPEATED = "metadata.repeated-field", Error, "METADATA gives a field twice that may stand once",
        METADATA;
    METADATA_REQUIREMENT = "metadata.requirement", Error, "METADATA has requirements that no installer can read",
        "correct `dependencies` or `install_requires` of the project, as in `numpy>=1.26`";
    METADATA_PYTHON = "metadata.requires-python", Error, "Requires-Python cannot be read",
        "correct `requires-python` of the project, as in `>=3.10`";
    WHEEL_MISSING = "wheel-file.missing", Error, "the wheel has no WHEEL file in its .dist-info folder",
        BACKEND;
    WHEEL_SYNTAX = "wheel-file.syntax", Error, "the WHEEL file has lines that cannot be read",
        BACKEND;
    WHEEL_VERSION = "wheel-file.version", Error, "the WHEEL file asks for a format that installers do not know",
        "build with a backend whose wheels have version 1.0 of the format";
    WHEEL_MINOR = "wheel-file.minor-version", Warning, "the WHEEL file was written for a later minor version of the format",
        "nothing, where it installs; else build with an older version of the backend";
    WHEEL_PURELIB = "wheel-file.root-is-purelib", Error, "WHEEL does not say `true` or `false` for Root-Is-Purelib",
        BACKEND;
    WHEEL_BUILD = "wheel-file.build-mismatch", Warning, "the build tag in WHEEL is not the one in the file name",
        "`wheel tags --build` changes both together";
    TAG_MISMATCH = "tag.wheel-vs-filename", Warning, "the tags in WHEEL are not those of the file name",
        "`wheel tags` and auditwheel change both together";
    TAG_REQUIRES_PYTHON = "tag.vs-requires-python", Error, "no Python fits both the tags and Requires-Python: installers refuse the wheel everywhere",
        "correct `requires-python` of the project, or build with a Python that it lets through";
    TAG_ANY = "tag.native-in-any", Error, "the file name promises every machine, but the wheel holds native code",
        "tell the backend that there is native code: list it in `ext_modules`, or let `has_ext_modules` of the distribution be true";
    TAG_PURE = "tag.native-in-purelib", Warning, "WHEEL says the root is pure Python, but the wheel holds native code",
        "tell the backend that there is native code: list it in `ext_modules`, or let `has_ext_modules` of the distribution be true";

    TEXT_ENCODING = "metadata.encoding", Error, "a file that describes the wheel is not UTF-8",
        "save the project's README, licence and metadata as UTF-8";

    // What lies where.
    LAYOUT_SCHEME = "layout.data-scheme", Error, "the .data folder has parts that no installer knows",
        "correct `data_files` of the project: installers know purelib, platlib, headers, scripts and data";
    LAYOUT_ENTRY_POINT = "layout.entry-point", Error, "an entry point's name would write outside the folder of scripts",
        "correct the names under `[project.scripts]`: no `/` and no `..`";
    LAYOUT_ENTRY_SYNTAX = "layout.entry-points-syntax", Warning, "entry_points.txt has lines that cannot be read",
        "write entry points as `name = package.module:function`";
    LAYOUT_PTH = "layout.pth", Warning, "a .pth file runs code whenever Python starts",
        "leave it out, unless the package needs to run code in every Python that it is installed for";
    LAYOUT_SHADOW = "layout.shadows", Warning, "the wheel installs over modules that belong to others",
        "put the modules below the package's own name; often tests that `packages` should leave out";

    // Native code.
    ELF_DAMAGED = "elf.damaged", Error, "a native module cannot be read",
        FETCH;
    ELF_MACHINE = "elf.wrong-machine", Error, "native code is for another machine than the wheel's tags say",
        "build on the machine that the tags name, or let the build name its own: `--plat-name`";
    ELF_DRIVER = "elf.bundled-driver", Error, "the wheel carries a copy of the NVIDIA driver's library, which works with one driver only",
        "exclude it when repairing: `auditwheel repair --exclude libcuda.so.1`";

    ELF_NONE = "elf.none", Error, "a file that Python would load as a module is no native code",
        "look at it: often a pointer of git-lfs, an empty file, or a page that says why a download failed";
    ELF_NEEDED_PATH = "elf.needed-path", Error, "a module needs a library by its path on the machine that built it",
        "link by name: `-lNAME` with `-L`, not the path of a library that has no soname";
    ELF_RPATH = "elf.rpath", Warning, "a module looks for libraries in folders that the wheel does not bring, where others may have put theirs",
        "link without `-rpath`, or with one below `$ORIGIN`; CMake: `CMAKE_INSTALL_RPATH`, `CMAKE_SKIP_BUILD_RPATH`";
    ELF_STACK = "elf.executable-stack", Warning, "a module wants the stack to be executable: glibc 2.41 and later refuse to load it into a running Python",
        "link with `-Wl,-z,noexecstack`; assembly files need `.section .note.GNU-stack,\"\",@progbits`";
    ELF_TEXTREL = "elf.text-relocations", Warning, "the loader must write into a module's code, which hardened systems refuse",
        "compile everything that goes into it with `-fPIC`, static libraries too";
    ELF_WRITABLE_CODE = "elf.writable-code", Warning, "a module has memory that is writable and executable at once",
        "link without `-N` and without scripts that merge code with data";
    ELF_UNDECLARED = "elf.undeclared-library", Warning, "modules need libraries that no requirement of the wheel brings",
        "name the distribution among the project's dependencies; else users must have the library by other means, and import torch first where torch brings it";
    ELF_OTHER_RELEASE = "elf.other-cuda-release", Error, "modules need libraries of another CUDA release than the wheel requires",
        "build with the toolkit of the release that the requirements name, or correct the requirements";
    ELF_OUTSIDE = "elf.outside-library", Warning, "modules need what neither the wheel nor a known requirement brings, and not every system has",
        "let `auditwheel repair` put the libraries into the wheel, or link them statically";

    // What the tags promise.
    TAG_SYSTEM = "tag.wrong-system", Error, "the tags are for another system than the native code",
        "build on the system that the tags name, or let the build name its own: `--plat-name`";
    TAG_MODULE_PYTHON = "tag.module-python", Error, "the modules are for another Python than the tags: what installers install there cannot be imported",
        "build with the Python that the tags name; was the file renamed?";
    TAG_SYMBOL_VERSION = "tag.symbol-version", Error, "the manylinux tag promises older systems than the modules load on",
        "build on an older distribution, or give the wheel the tag that it earns: `auditwheel repair`";
    TAG_LIBRARY = "tag.library", Warning, "the manylinux tag promises that every system has what it needs, and these libraries are not on every one: without them the modules do not load",
        "let `auditwheel repair` put the libraries into the wheel, or link them statically; modules that are only loaded where the libraries are do no harm";
    TAG_PROCESSOR = "tag.processor", Error, "the tags promise every processor of the machine, and these modules refuse to load on older ones",
        "compile without `-march=native` and `-z x86-64-v3`, and choose faster code at run time";

    // What modules are loaded with.
    ELF_LIBRARY_MISSING = "elf.library-missing", Error, "modules need libraries that are neither in the wheel nor beside it, nor on every Linux that its tags promise",
        "name the package that has the library in Requires-Dist, or let `auditwheel repair` put the library into the wheel";
    ELF_OPTIONAL_LIBRARY = "elf.optional-library", Warning, "a part of the modules and libraries cannot be loaded by itself",
        "nothing, where the package does without them or loads what they need first; else link them with what they need";
    ELF_LIBRARY_PATH = "elf.library-path", Warning, "modules need libraries that are there, but not where the loader looks",
        "nothing, where the package loads them first, as `import torch` does with its own; else link the module with `-Wl,-rpath,$ORIGIN/…`";
    ELF_VERSION_MISSING = "elf.version-missing", Error, "libraries lack versions of symbols that modules were linked with",
        "build with the release of the library that the wheel is to run with";
    ELF_UNDEFINED_SYMBOL = "elf.undefined-symbol", Error, "symbols are found nowhere: the modules cannot be imported",
        "build with the very versions that it is to run with, and link every library whose functions are called";
    ELF_SYMBOL_SCOPE = "elf.symbol-scope", Error, "symbols are in libraries that the loader does not search for the module",
        "link the module with the library that has them, such as `-ltorch_python`";
    ABI3_MODULE = "abi3.module", Warning, "the tags promise every later Python, but modules are for one Python alone",
        "build them with the limited API (`py_limited_api=True`), or tag the wheel for that Python";
    ABI3_TOO_NEW = "abi3.too-new", Error, "modules use functions that the oldest Python of the tags does not have",
        "define Py_LIMITED_API as that Python's version when compiling, or raise the tag: `--py-limited-api cp311`";
    ABI3_SYMBOL = "abi3.symbol", Warning, "modules use functions that Python does not promise to keep for the tags' Pythons",
        "define Py_LIMITED_API as the oldest Python's version when compiling, so that the compiler refuses them";
    TORCH_VERSION = "torch.version", Error, "the wheel is for another torch than the environment's",
        "build it for that torch: `--torch`; modules are bound to the minor release they were compiled with, even where every symbol is found";
    TORCH_ABI = "torch.abi", Error, "the modules and torch were compiled for different ABIs of the C++ library",
        "build with the torch that it is to run with: its `torch._C._GLIBCXX_USE_CXX11_ABI` is taken over by torch.utils.cpp_extension";
    TORCH_FLOOR = "torch.floor", Warning, "Requires-Dist lets in releases of torch that lack functions which the modules use",
        "raise the requirement, as in `torch>=2.10`, or set TORCH_TARGET_VERSION lower when compiling";

    // What a build found when it finished the wheel and tried it out.
    REPAIR_NO_POLICY = "repair.no-policy", Warning, "no manylinux policy fits the wheel: it keeps its tag, and runs surely on machines like the one it was built on",
        "build on an older distribution, such as a manylinux image with `--base`; a library that is not found belongs to `exclude` under `[wheel]` in the recipe, where another package brings it";
    IMPORT_UNDECLARED = "import.undeclared", Error, "the wheel imports a module that nothing brings which its metadata requires (Requires-Dist)",
        "name the package in `dependencies` or `install_requires` of the project, or in the recipe: `requires = [\"…\"]` under `[wheel]`";

    // Device code.
    DEVICE_DAMAGED = "device-code.damaged", Error, "GPU code in a module cannot be read",
        FETCH;
    DEVICE_UNKNOWN = "device-code.unknown-kind", Warning, "a module holds GPU code of a kind unknown here, which was not judged",
        "a newer wheelmill may know it; run the package on a GPU to be sure";
    DEVICE_PAYLOAD = "device-code.bad-payload", Error, "GPU code does not unpack to what its header says",
        FETCH;
    DEVICE_UNLINKED = "device-code.not-linked", Warning, "a module holds relocatable GPU code only: nothing in it can run before a device link",
        "add the device link (`-dlink`, `CUDA_RESOLVE_DEVICE_SYMBOLS`), or compile without `-rdc=true`";
    DEVICE_NONE = "device-code.none", Error, "there is no GPU code in the whole wheel",
        "where there should be some, the build fell back to CPU-only: is nvcc on PATH, CUDA_HOME set and FORCE_CUDA=1?";
    DEVICE_MISSING = "device-code.arch-missing", Error, "GPU code is missing for an architecture that was asked for",
        "check how the build is told its architectures (TORCH_CUDA_ARCH_LIST, CMAKE_CUDA_ARCHITECTURES, …)";

    DEVICE_JIT = "device-code.arch-jit", Warning, "GPU code for an architecture that was asked for is compiled by the driver, when first used",
        "nothing, where the first start may take longer; else add the architecture without `+PTX`: `--arch`";
    DEVICE_UNEVEN = "device-code.uneven", Note, "some GPUs are served by a part of the containers only",
        "see with `wheelmill inspect` which modules have less; they may be for these GPUs alone";

    // What was wanted.
    WANTED_NAME = "wanted.name", Error, "this is a wheel of another package than was wanted",
        "call it by the name that its own build gives it, in the recipe and on the command line, or correct the name in the source";
    WANTED_VERSION = "wanted.version", Error, "this is a wheel of another version than was wanted",
        "name the version that its own build gives it, as in `NAME==1.2.3`, or correct the version in the source";
    WANTED_PYTHON = "wanted.python", Error, "the wheel's tags do not fit the Python that was wanted",
        "build it for that Python: `--python`; a wheel for all of them has a tag such as `cp310-abi3`";
    WANTED_REQUIRES_PYTHON = "wanted.requires-python", Error, "the wheel's Requires-Python leaves out the Python that was wanted: pip and uv refuse it there",
        "take a Python that it lets through, or a version of the package for this one";
    WANTED_CUDA = "wanted.cuda", Error, "the wheel is for another CUDA release than was wanted",
        "build it for that release: `--cuda`";
    WANTED_TORCH = "wanted.torch", Error, "the wheel is for another torch than was wanted",
        "build it for that torch: `--torch`; extensions work with the series that they were built with";
    WANTED_GLIBC = "wanted.glibc", Error, "the wheel needs a newer system than was wanted",
        "build on an older distribution: the base of the recipe or of the project file";
    MODULE_MISSING = "module.missing", Error, "modules that the wheel should hold are not in it",
        "correct `modules` under `[test]` in the recipe, or find out why the build left them out: its log often says that it found no CUDA";
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
