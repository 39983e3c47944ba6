//! A folder of the old layout: images with an installer, a Dockerfile for each CUDA release.

use camino::Utf8Path;

const CONTEXT: [(&str, &str); 6] = [
    ("conda/etc/profile.d/conda.sh", include_str!("../fixtures/oldlayout/conda.sh")),
    ("scripts/cuda.sh", include_str!("../fixtures/oldlayout/cuda.sh")),
    ("scripts/kernel.cu", include_str!("../fixtures/oldlayout/kernel.cu")),
    ("scripts/installer.sh", include_str!("../fixtures/oldlayout/installer.sh")),
    ("scripts/pack.py", include_str!("../fixtures/oldlayout/pack.py")),
    ("scripts/tiny.cpp", include_str!("../fixtures/oldlayout/tiny.cpp")),
];

/// Writes the context `build_contexts/tinytool` into a folder: a package, an installer that builds
/// it, and what stands for conda with an environment `build`.
///
/// # Panics
/// The folder cannot be written.
pub fn write_context(folder: &Utf8Path) {
    for (name, text) in CONTEXT {
        let file = folder.join("build_contexts/tinytool").join(name);
        fs_err::create_dir_all(file.parent().expect("a file lies in a folder")).expect("a folder");
        fs_err::write(file, text).expect("a file of the context");
    }
}

/// Writes `configs/TinyTool/Dockerfile_cudaNN_builder`: upon an image, the context, and then more
/// instructions.
///
/// # Panics
/// The folder cannot be written.
pub fn write_dockerfile(folder: &Utf8Path, cuda: &str, from: &str, more: &str) {
    let config = folder.join("configs/TinyTool");
    fs_err::create_dir_all(&config).expect("a folder");
    let text = format!(
        "FROM {from}\n\
         COPY conda /opt/conda\n\
         RUN mkdir -p /opt/conda/envs/build\n\
         COPY scripts /opt/some/path\n\
         {more}\n"
    );
    fs_err::write(config.join(format!("Dockerfile_cuda{cuda}_builder")), text)
        .expect("a Dockerfile");
}
