//! A CUDA package of the tests' own: compiles in seconds, without torch.

use camino::{Utf8Path, Utf8PathBuf};
use flate2::Compression;
use flate2::write::GzEncoder;

const FILES: [(&str, &str); 3] = [
    ("pyproject.toml", include_str!("../fixtures/tinycuda/pyproject.toml")),
    ("setup.py", include_str!("../fixtures/tinycuda/setup.py")),
    ("tiny.cu", include_str!("../fixtures/tinycuda/tiny.cu")),
];

/// Writes the package `tinycuda` 1.0 into a folder. Its build reads the architectures from
/// `TINY_ARCHS` (`90;100`); `TINY_CPU_ONLY` leaves the kernel out, `TINY_DOWNLOAD` makes it reach
/// for the network.
///
/// # Panics
/// The folder cannot be written.
pub fn write_tiny_package(folder: &Utf8Path) {
    fs_err::create_dir_all(folder).expect("a folder for the package");
    for (name, text) in FILES {
        fs_err::write(folder.join(name), text).expect("a file of the package");
    }
}

const NINJA_FILES: [(&str, &str); 4] = [
    ("pyproject.toml", include_str!("../fixtures/tinyninja/pyproject.toml")),
    ("setup.py", include_str!("../fixtures/tinyninja/setup.py")),
    ("kernel.cu", include_str!("../fixtures/tinyninja/kernel.cu")),
    ("module.cpp", include_str!("../fixtures/tinyninja/module.cpp")),
];

/// Writes the package `tinyninja` 1.0 into a folder: so many C++ sources that take a second or so
/// each, `part0.cpp` and so on, another one, and a kernel. ninja compiles them, two at a time, and
/// says `compiled` and the source after each. With a file `unwanted` beside them, the build fails
/// where its folder is there already.
///
/// # Panics
/// The folder cannot be written.
pub fn write_ninja_package(folder: &Utf8Path, parts: usize) {
    fs_err::create_dir_all(folder).expect("a folder for the package");
    for (name, text) in NINJA_FILES {
        fs_err::write(folder.join(name), text).expect("a file of the package");
    }
    for number in 0..parts {
        // One of the slower headers there are.
        let text = format!(
            "#include <regex>\n#include <string>\n\nbool part{number}(const std::string &text) {{ \
             return std::regex_search(text, std::regex(\"{number}\")); }}\n"
        );
        fs_err::write(folder.join(format!("part{number}.cpp")), text).expect("a source");
    }
}

/// Packs `tinycuda` as an index would hold it: `tinycuda-1.0.tar.gz`.
///
/// # Panics
/// The folder cannot be written.
#[must_use]
pub fn source_archive(folder: &Utf8Path) -> Utf8PathBuf {
    let path = folder.join("tinycuda-1.0.tar.gz");
    let file = fs_err::File::create(&path).expect("a file for the archive");
    let mut archive = tar::Builder::new(GzEncoder::new(file, Compression::fast()));
    for (name, text) in FILES {
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        archive
            .append_data(&mut header, format!("tinycuda-1.0/{name}"), text.as_bytes())
            .expect("an entry of the archive");
    }
    archive.into_inner().and_then(GzEncoder::finish).expect("the end of the archive");
    path
}
