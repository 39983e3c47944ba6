//! How everything is at a moment.

use super::connection::State;
use super::event::{CellSnapshot, RunningCompile, Snapshot};
use super::owner::Owner;

impl Owner {
    pub(super) fn snapshot(&self) -> Snapshot {
        let cells = self.cells.iter().map(|(id, cell)| {
            let calls = || self.connections.values().filter(|call| call.cell == *id);
            let mut running: Vec<RunningCompile> = calls()
                .filter_map(|call| {
                    let (run, ask) = (call.run?, call.ask.as_ref()?);
                    Some(RunningCompile {
                        source: ask.source.clone(),
                        language: ask.language,
                        memory_bytes: run.memory,
                        since: run.at.elapsed(),
                    })
                })
                .collect();
            running.sort_by_key(|compile| std::cmp::Reverse(compile.since));
            let waiting = calls().filter(|call| call.state == State::Waiting).count();
            let since = running.iter().map(|compile| (compile.source.as_str(), compile.since));
            let cpus = self.settings.policy.cpus;
            let remaining = cell.progress.remaining(since, cell.opened.elapsed(), cpus);
            CellSnapshot {
                name: cell.settings.name.clone(),
                running,
                waiting,
                done: cell.progress.done(),
                total: cell.progress.total(),
                remaining,
            }
        });
        Snapshot {
            budget_bytes: self.budget,
            threads: self.policy.threads(),
            charged_bytes: self.policy.charged(),
            measured_bytes: self.policy.measured(),
            cells: cells.collect(),
        }
    }
}
