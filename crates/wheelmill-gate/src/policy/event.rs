//! What the policy hears, and what it says.

use std::time::Duration;

use super::{CellId, CompileId, Wish};

/// How much programs wait for memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pressure {
    /// Not to speak of.
    #[default]
    Calm,
    /// Noticeably: nothing more is started.
    High,
    /// So much that less would be done sooner.
    Stalled,
}

/// How a compile ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Whether its exit code was zero.
    pub success: bool,
    /// Whether the kernel killed it, or a part of it, for memory.
    pub killed_for_memory: bool,
    /// The most memory it was seen to hold, in bytes.
    pub peak: u64,
    /// How long it ran.
    pub wall: Duration,
    /// Processor time.
    pub cpu: Duration,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A compile wants to run.
    Asked {
        /// Names it from here on.
        id: CompileId,
        /// What it is.
        wish: Wish,
    },
    /// What a running compile holds now, in bytes.
    Measured {
        /// Which.
        id: CompileId,
        /// All its processes together.
        memory: u64,
    },
    /// A compile was stopped, as it was told to.
    Stopped {
        /// Which.
        id: CompileId,
    },
    /// A compile ended by itself.
    Finished {
        /// Which.
        id: CompileId,
        /// How.
        ended: Ended,
    },
    /// Nobody is there any more who waits for it.
    Gone {
        /// Which.
        id: CompileId,
    },
    /// How the machine is.
    Machine {
        /// What all compiles together may hold, in bytes; without a limit when not given.
        budget: Option<u64>,
        /// How much programs wait for memory.
        pressure: Pressure,
    },
    /// How the container of a cell is.
    Cell {
        /// Which.
        cell: CellId,
        /// What the compiles of this cell may hold, in bytes, where that is less than the machine's.
        budget: Option<u64>,
        /// How much programs in it wait for memory.
        pressure: Pressure,
    },
}

/// Something that is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Run it.
    Start {
        /// Which.
        id: CompileId,
        /// How many threads it may use.
        threads: u16,
        /// What it is charged, in bytes.
        memory: u64,
    },
    /// Stop it, to run it again later.
    Stop {
        /// Which.
        id: CompileId,
    },
    /// It ended, well or not, and that is its own business.
    Done {
        /// Which.
        id: CompileId,
    },
    /// It was killed, and waits to be run again.
    Again {
        /// Which.
        id: CompileId,
    },
    /// It was killed, and cannot be helped.
    Fail {
        /// Which.
        id: CompileId,
        /// Why.
        failure: Failure,
    },
}

/// Why a compile that was killed for memory is not run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It was killed though nothing ran beside it.
    TooLarge {
        /// The most memory it was seen to hold, in bytes.
        peak: u64,
        /// What it could have had, in bytes, where there was a limit.
        budget: Option<u64>,
    },
    /// It reads standard input or writes to standard output, which cannot be done twice.
    NotRepeatable {
        /// The most memory it was seen to hold, in bytes.
        peak: u64,
    },
}
