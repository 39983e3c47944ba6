//! What a diagnosis starts from.

use camino::Utf8Path;
use wheelmill_engine::Exit;
use wheelmill_model::{
    ArchList, ByteSize, CudaVersion, PackageName, Phase, PythonVersion, TorchVersion, Version,
};
use wheelmill_recipe::Source;

/// What became of compilers that the gate admitted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Admitted<'a> {
    /// How many were killed for memory and ran again.
    pub(crate) recovered: u64,
    /// One that was killed for memory and could not be helped.
    pub(crate) lost: Option<&'a Lost>,
}

/// A compile that was killed for memory for good.
#[derive(Clone, Debug)]
pub(crate) struct Lost {
    /// Its source file, as its container sees it.
    pub(crate) source: String,
    /// The most memory it was seen to hold.
    pub(crate) peak: ByteSize,
    /// What compilers could have, where that is known.
    pub(crate) budget: Option<ByteSize>,
    /// Whether it was killed though nothing ran beside it. Else it reads or writes a stream, and so
    /// could not run again.
    pub(crate) alone: bool,
}

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
    /// What became of the compilers, where the gate admitted them.
    pub(crate) admitted: Option<Admitted<'a>>,
    /// How many compiles ran at once; behind the gate, how many were started.
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
