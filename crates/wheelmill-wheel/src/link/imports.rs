//! What is in a process before the modules of a wheel are imported: Python, and torch where the
//! wheel needs it.

use super::environment::Environment;
use super::files::Files;
use super::loader::Process;
use super::torch;
use crate::elf::Undefined;
use crate::inspection::Inspection;

/// The libraries that are there already, and how much is known of them.
pub(crate) struct Base<'a> {
    pub(crate) files: Files<'a>,
    pub(crate) process: Process,
    /// Whether the symbols of Python are known.
    pub(crate) python: bool,
    /// Whether all of torch's own libraries are there.
    pub(crate) torch: bool,
}

/// What `import torch` loads by name, in which package's folder it looks for each, and how the
/// files' names go on (`_preload_cuda_deps` in `torch/__init__.py` of 2.9).
const CUDA: [(&str, &str); 15] = [
    ("cublas", "libcublas.so."),
    ("cudnn", "libcudnn.so."),
    ("cuda_nvrtc", "libnvrtc.so."),
    ("cuda_nvrtc", "libnvrtc-builtins.so."),
    ("cuda_runtime", "libcudart.so."),
    ("cuda_cupti", "libcupti.so."),
    ("cufft", "libcufft.so."),
    ("curand", "libcurand.so."),
    ("nvjitlink", "libnvJitLink.so."),
    ("cusparse", "libcusparse.so."),
    ("cusparselt", "libcusparseLt.so."),
    ("cusolver", "libcusolver.so."),
    ("nccl", "libnccl.so."),
    ("nvshmem", "libnvshmem_host.so."),
    ("cufile", "libcufile.so."),
];

/// Those of them that it loads even where nothing is missing.
const ALWAYS: [&str; 2] = ["cuda_nvrtc", "nvjitlink"];

impl<'a> Base<'a> {
    /// Imports what a wheel's modules are imported after.
    pub(crate) fn new(inspection: &Inspection, environment: &'a Environment) -> Self {
        let files = Files::new(environment, &inspection.modules);
        let process = Process::start(environment.interpreter.as_deref(), &files);
        let known = Undefined::unversioned("Py_IncRef");
        let python = process.global.iter().any(|library| library.linkage.provides(&known));
        let mut base = Self { files, process, python, torch: false };
        let requires_torch = inspection.metadata.requirements().any(|requirement| {
            requirement.name.as_str() == "torch" && requirement.marker.is_none()
        });
        if requires_torch || torch::links_torch(inspection) {
            base.import_torch(environment);
        }
        base
    }

    /// As `import torch` does: its global dependencies for everyone (`_load_global_deps`), then its
    /// module for itself alone.
    fn import_torch(&mut self, environment: &Environment) {
        let first = environment.find("torch/lib/libtorch_global_deps.so");
        if let Some(first) = first.and_then(|path| self.files.library(&path)) {
            let trial = self.process.clone().open(&first, &self.files);
            if !trial.missing.is_empty() || !trial.astray.is_empty() {
                self.preload(environment, |_| true);
            } else if environment.torch_preloads() {
                self.preload(environment, |folder| ALWAYS.contains(&folder));
            }
            let opened = self.process.open(&first, &self.files);
            self.process.make_global(&opened);
        }
        let module = environment
            .python
            .map(|python| format!("_C.cpython-{}{}-", python.major, python.minor))
            .and_then(|start| environment.find_starting("torch", &start))
            .or_else(|| environment.find_starting("torch", "_C."));
        if let Some(module) = module.and_then(|path| self.files.library(&path)) {
            let opened = self.process.open(&module, &self.files);
            self.torch = !opened.missing.keys().any(|name| torch::is_library(name));
        }
    }

    fn preload(&mut self, environment: &Environment, wanted: impl Fn(&str) -> bool) {
        let release = environment.torch_cuda.as_deref().unwrap_or_default();
        let all_in_one = format!("cu{}", release.split('.').next().unwrap_or_default());
        for (folder, start) in CUDA.iter().filter(|(folder, _)| wanted(folder)) {
            let folders = [
                format!("nvidia/{folder}/lib"),
                format!("nvidia/{all_in_one}/lib"),
                format!("{folder}/lib"),
            ];
            let path = folders.iter().find_map(|folder| {
                environment.find_named(folder, |name| {
                    name.starts_with(start) && name.ends_with(|last: char| last.is_ascii_digit())
                })
            });
            if let Some(library) = path.and_then(|path| self.files.library(&path)) {
                self.process.open(&library, &self.files);
            }
        }
    }
}

impl Environment {
    /// Whether the torch here loads some of CUDA's libraries before anybody needs them, as 2.6 and
    /// later do.
    fn torch_preloads(&self) -> bool {
        self.find("torch/__init__.py")
            .and_then(|path| self.text(&path))
            .is_some_and(|text| text.contains("_preload_cuda_deps(\"cuda_nvrtc\""))
    }
}
