//! Sources with which build systems ask what compilers can do.

/// Whether a source is one of CMake, Meson or Autoconf by which they try out a compiler. It has
/// another name each time, takes a moment, and is no part of the package.
#[must_use]
pub fn is_probe(source: &str) -> bool {
    const FOLDERS: [&str; 4] = ["/CMakeScratch/", "/CMakeTmp/", "/CompilerId", "/meson-private/"];
    FOLDERS.iter().any(|folder| source.contains(folder))
        || source.rsplit('/').next().is_some_and(|name| name.starts_with("conftest."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_of_build_systems_are_told_from_sources() {
        for probe in [
            "/build/src/build/CMakeFiles/CMakeScratch/TryCompile-a1/testCXXCompiler.cxx",
            "/build/src/build/CMakeFiles/3.31.6/CompilerIdCUDA/CMakeCUDACompilerId.cu",
            "/build/src/build/meson-private/tmp1/testfile.c",
            "/build/src/conftest.c",
        ] {
            assert!(is_probe(probe), "{probe}");
        }
        for source in ["/build/src/csrc/conftest/a.cu", "/build/src/build/CMakeFiles/a.dir/b.cpp"] {
            assert!(!is_probe(source), "{source}");
        }
    }
}
