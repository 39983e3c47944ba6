//! The thread that reads how much memory compilers hold, and how the machine is.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::machine::{Cgroup, PressureMeter, Share, budget, memory_below};
use crate::policy::{CellId, CompileId, Pressure};

/// At most one part in so many of the time is spent on reading.
const SHARE: u32 = 20;

/// What the sampler is told.
#[derive(Debug)]
pub(super) enum Watch {
    /// A compile runs, below this process.
    Start(CompileId, CellId, i32),
    /// It does not any more.
    End(CompileId),
    /// The processes of a cell are in this control group, under this limit of their own.
    Cell(CellId, Cgroup, Option<Share>),
    /// Nothing of this cell is left.
    CellEnd(CellId),
}

/// What the sampler saw.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) compiles: Vec<(CompileId, u64)>,
    /// What all may hold, in bytes, and how much programs wait for memory.
    pub(super) machine: (Option<u64>, Pressure),
    pub(super) cells: Vec<(CellId, Option<u64>, Pressure)>,
}

struct Compile {
    cell: CellId,
    process: i32,
    memory: u64,
}

struct Cell {
    share: Option<Share>,
    meter: PressureMeter,
}

pub(super) struct Sampler {
    user: Option<u64>,
    own: Option<Share>,
    meter: PressureMeter,
    compiles: BTreeMap<CompileId, Compile>,
    cells: BTreeMap<CellId, Cell>,
}

impl Sampler {
    /// `own` is the limit that this program is under itself.
    pub(super) fn new(user: Option<u64>, own: Option<Share>) -> Self {
        let meter = PressureMeter::new(own.as_ref().map(|share| share.group().clone()));
        Self { user, own, meter, compiles: BTreeMap::new(), cells: BTreeMap::new() }
    }

    /// Samples at this interval while anything runs, until nobody tells it anything any more.
    pub(super) fn run(
        mut self,
        orders: &Receiver<Watch>,
        interval: Duration,
        mut tell: impl FnMut(Sample) -> bool,
    ) {
        let mut next = Instant::now();
        loop {
            let order = if self.compiles.is_empty() {
                orders.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                orders.recv_timeout(next.saturating_duration_since(Instant::now()))
            };
            match order {
                Ok(order) => self.obey(order),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            let start = Instant::now();
            if self.compiles.is_empty() || start < next {
                continue;
            }
            if !tell(self.sample()) {
                return;
            }
            next = start + interval.max(start.elapsed() * SHARE);
        }
    }

    fn obey(&mut self, order: Watch) {
        match order {
            Watch::Start(id, cell, process) => {
                self.compiles.insert(id, Compile { cell, process, memory: 0 });
            }
            Watch::End(id) => {
                self.compiles.remove(&id);
            }
            Watch::Cell(id, group, share) => {
                let meter = PressureMeter::new(Some(group));
                self.cells.insert(id, Cell { share, meter });
            }
            Watch::CellEnd(id) => {
                self.cells.remove(&id);
            }
        }
    }

    /// Everything at this moment. What is measured is subtracted from what others hold, so it comes
    /// first.
    pub(super) fn sample(&mut self) -> Sample {
        for compile in self.compiles.values_mut() {
            compile.memory = memory_below(compile.process).unwrap_or(0);
        }
        let held = |cell: Option<CellId>| {
            let compiles = self.compiles.values();
            let here = compiles.filter(|compile| cell.is_none_or(|cell| compile.cell == cell));
            here.fold(0_u64, |sum, compile| sum.saturating_add(compile.memory))
        };
        let budget = budget(self.user, self.own.as_ref(), held(None));
        let cells = self
            .cells
            .iter_mut()
            .map(|(id, cell)| {
                let budget = cell.share.as_ref().map(|share| share.budget(held(Some(*id))));
                (*id, budget, cell.meter.read())
            })
            .collect();
        Sample {
            compiles: self.compiles.iter().map(|(id, it)| (*id, it.memory)).collect(),
            machine: (budget, self.meter.read()),
            cells,
        }
    }
}
