//! What a diagnosis starts from.

use camino::Utf8Path;
use wheelmill_engine::Exit;
use wheelmill_model::{
    ArchList, ByteSize, CudaVersion, PackageName, Phase, PythonVersion, TorchVersion, Version,
};
use wheelmill_recipe::Source;

/// What is known of a failed command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evidence<'a> {
    /// The phase in which it failed.
    pub(crate) phase: Phase,
    /// How the container ended; `None` when the engine could not tell.
    pub(crate) exit: Option<&'a Exit>,
    /// Where the whole output is.
    pub(crate) log: Option<&'a Utf8Path>,
    /// The last lines of the output, without control characters.
    pub(crate) tail: &'a [String],
    /// The limit on memory, when there was one.
    pub(crate) memory_limit: Option<ByteSize>,
    /// What one compile takes, as the recipe says or as is usual.
    pub(crate) compile_memory: ByteSize,
    /// How many compiles ran at once.
    pub(crate) jobs: usize,
    /// Whether the container could reach the network.
    pub(crate) network: bool,
    /// The cell's CUDA release.
    pub(crate) cuda: CudaVersion,
    /// The cell's torch, when it has one.
    pub(crate) torch: Option<TorchVersion>,
    /// The cell's Python, when it is known.
    pub(crate) python: Option<PythonVersion>,
    /// Where the source comes from, when a recipe says so.
    pub(crate) source: Option<&'a Source>,
    /// The folder in the source that holds the Python project.
    pub(crate) subdirectory: Option<&'a Utf8Path>,
    /// The modules that the finished wheel is tried with, in this order.
    pub(crate) imports: &'a [String],
    /// What was typed beside the axes, as `("--base", "./image.tar")`.
    pub(crate) options: &'a [(String, String)],
    /// The package that was built.
    pub(crate) package: &'a PackageName,
    /// Its version, when one was meant.
    pub(crate) version: Option<&'a Version>,
    /// The architectures that it was built for, when that is known.
    pub(crate) architectures: Option<&'a ArchList>,
}
