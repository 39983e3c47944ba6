//! What the policy is told once.

use std::time::Duration;

use wheelmill_model::ByteSize;

use crate::protocol::Language;

/// How the policy decides.
#[derive(Clone, Debug)]
pub struct PolicySettings {
    /// How many threads may compile at a time.
    pub cpus: u16,
    /// What a CUDA source is charged while nothing is known about it.
    pub cuda: ByteSize,
    /// What a C++ source is charged while nothing is known about it.
    pub cxx: ByteSize,
    /// What everything else is charged.
    pub other: ByteSize,
    /// How long a compile waits before it goes first whatever it is.
    pub patience: Duration,
    /// How long the machine is watched after a compile was stopped, before another one is.
    pub settle: Duration,
}

impl PolicySettings {
    /// The defaults for so many processors.
    #[must_use]
    pub const fn with_cpus(cpus: u16) -> Self {
        Self {
            cpus: if cpus == 0 { 1 } else { cpus },
            cuda: ByteSize(2 << 30),
            cxx: ByteSize(1 << 30),
            other: ByteSize(256 << 20),
            patience: Duration::from_secs(600),
            settle: Duration::from_secs(3),
        }
    }

    /// What a compile is charged about which nothing is known. A linker holds what it links, and as
    /// much again for what it makes of it.
    pub(crate) fn default_memory(&self, language: Language, input_bytes: u64) -> u64 {
        match language {
            Language::Cuda => self.cuda.0,
            Language::Cxx => self.cxx.0,
            Language::Link => input_bytes.saturating_mul(2).max(self.other.0),
            Language::C | Language::Fortran | Language::Assembly => self.other.0,
        }
    }
}
