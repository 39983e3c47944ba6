//! The course of a call: what it says, what the policy decides, and what it is told.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use wheelmill_model::ByteSize;

use super::GateEvent;
use super::connection::{Run, State};
use super::explain::explain;
use super::kills::{killed_for_memory, outcome};
use super::owner::Owner;
use super::sampler::Watch;
use crate::machine::{Cgroup, oom_kills_of_machine};
use crate::policy::{CellId, CompileId, Decision, Ended, Event, Failure, Wish};
use crate::protocol::{CacheUse, Ending, Reply, Request};
use crate::record::{CompileRecord, FlagsDigest, Outcome};

impl Owner {
    /// Hears what a call has to say.
    pub(super) fn serve(&mut self, id: CompileId) {
        let Some(call) = self.connections.get_mut(&id) else { return };
        let received = call.receive();
        for request in received.requests {
            if !self.hear(id, request) {
                self.lose(id);
            }
        }
        if received.over {
            self.lose(id);
        }
        self.decide();
    }

    /// False when that was not to be said.
    fn hear(&mut self, id: CompileId, request: Request) -> bool {
        let Some(call) = self.connections.get(&id) else { return true };
        if matches!(request, Request::Ask(_)) {
            self.find_group(call.cell, call.process);
        }
        let Some(call) = self.connections.get_mut(&id) else { return true };
        match (request, call.state) {
            (Request::Ask(ask), State::New) => {
                let Some(cell) = self.cells.get_mut(&call.cell) else { return false };
                let package = cell.settings.package.clone();
                let wish = Wish { cell: call.cell, package, ask: ask.clone() };
                let source = ask.source.clone();
                cell.progress.ask(&ask);
                call.ask = Some(ask);
                call.enter(State::Waiting);
                let name = cell.settings.name.clone();
                self.events.push_back(Event::Asked { id, wish });
                self.decide();
                let call = self.connections.get_mut(&id);
                if let Some(call) = call.filter(|call| call.state == State::Waiting) {
                    let told = call.say(&Reply::Wait).is_ok();
                    (self.listener)(&GateEvent::Waiting { id, cell: name, source });
                    return told;
                }
                true
            }
            (Request::Stopped(ending), State::Stopping) => {
                if let Some(record) = self.end_run(id, ending, Outcome::Stopped) {
                    (self.listener)(&GateEvent::Ended { id, record, again: true });
                }
                self.events.push_back(Event::Stopped { id });
                true
            }
            // It may have ended just before it was told to stop.
            (Request::Finished(ending), State::Running | State::Stopping) => {
                self.finish(id, ending);
                true
            }
            _ => false,
        }
    }

    fn finish(&mut self, id: CompileId, ending: Ending) {
        // What was measured before counts before.
        self.decide();
        let Some(call) = self.connections.get(&id) else { return };
        let Some(run) = call.run else { return };
        let killed = killed_for_memory(ending.status, run.kills_before, self.kills(call.cell));
        let outcome = if killed { Outcome::OutOfMemory } else { outcome(ending.status) };
        let Some(record) = self.end_run(id, ending, outcome) else { return };
        let ended = Ended {
            success: outcome.is_success(),
            killed_for_memory: killed,
            peak: record.peak_memory.0,
            wall: record.wall,
            cpu: record.cpu,
        };
        self.policy.learn(&record);
        let event = Event::Finished { id, ended };
        let decisions = self.policy.handle(self.begin.elapsed(), event);
        let again = decisions.contains(&Decision::Again { id });
        (self.listener)(&GateEvent::Ended { id, record, again });
        decisions.into_iter().for_each(|decision| self.act(decision));
    }

    /// How many processes of a cell the kernel has killed; of the machine, where that is not known.
    fn kills(&self, cell: CellId) -> Option<u64> {
        let group = self.cells.get(&cell).and_then(|cell| cell.group.as_ref());
        group.and_then(Cgroup::oom_kills).or_else(oom_kills_of_machine)
    }

    /// A run is over: what is known of it.
    fn end_run(
        &mut self,
        id: CompileId,
        ending: Ending,
        outcome: Outcome,
    ) -> Option<CompileRecord> {
        self.order(Watch::End(id));
        let most = self.most_memory;
        let call = self.connections.get_mut(&id)?;
        call.enter(State::Waiting);
        let (run, ask) = (call.run.take()?, call.ask.as_ref()?);
        let cell = self.cells.get_mut(&call.cell)?;
        let wall = run.at.elapsed();
        let known = self.policy.learned().taken(&cell.settings.package, &ask.source, ask.flags);
        if outcome.is_success() {
            cell.progress.finish(ask, wall);
        }
        Some(CompileRecord {
            cell: cell.settings.name.clone(),
            package: cell.settings.package.clone(),
            source: ask.source.clone(),
            flags: FlagsDigest(ask.flags),
            language: ask.language,
            compiler: ask.compiler.clone(),
            threads: run.threads,
            attempt: call.attempt,
            estimate: ByteSize(run.estimate),
            // What was seen, or what the kernel says of the largest process.
            peak_memory: ByteSize(run.peak.max(ending.largest_process.min(most))),
            waited: run.waited,
            started: run.started,
            wall,
            cpu: Duration::from_micros(ending.cpu_microseconds),
            outcome,
            cache: ending.cache,
            compiled: (ending.cache == Some(CacheUse::Hit)).then_some(known).flatten(),
        })
    }

    /// Forgets a call whose other side is gone, or might as well be.
    pub(super) fn lose(&mut self, id: CompileId) {
        if self.connections.get(&id).is_some_and(|call| call.run.is_some())
            && let Some(record) = self.end_run(id, Ending::default(), Outcome::Abandoned)
        {
            (self.listener)(&GateEvent::Ended { id, record, again: false });
        }
        if self.connections.remove(&id).is_some() {
            self.events.push_back(Event::Gone { id });
        }
    }

    /// Tells the policy everything that happened, and does what it says, which may be the cause of
    /// more.
    pub(super) fn decide(&mut self) {
        while let Some(event) = self.events.pop_front() {
            for decision in self.policy.handle(self.begin.elapsed(), event) {
                self.act(decision);
            }
        }
    }

    fn act(&mut self, decision: Decision) {
        let (id, reply) = match decision {
            Decision::Start { id, threads, memory } => {
                self.start(id, threads, memory);
                (id, Reply::Go { threads })
            }
            Decision::Stop { id } => {
                if let Some(call) = self.connections.get_mut(&id) {
                    call.enter(State::Stopping);
                }
                (id, Reply::Stop)
            }
            Decision::Again { id } => (id, Reply::Again),
            Decision::Done { id } => (id, Reply::Done),
            Decision::Fail { id, failure } => (id, Reply::Fail(self.explain(id, failure))),
        };
        let over = matches!(decision, Decision::Done { .. } | Decision::Fail { .. });
        let Some(call) = self.connections.get_mut(&id) else { return };
        let told = call.say(&reply).is_ok();
        if over {
            // The policy has forgotten it already. What ended well has not waited for a word.
            self.connections.remove(&id);
        } else if !told {
            self.lose(id);
        }
    }

    fn start(&mut self, id: CompileId, threads: u16, estimate: u64) {
        let Some(cell) = self.connections.get(&id).map(|call| call.cell) else { return };
        let kills_before = self.kills(cell);
        let Some(call) = self.connections.get_mut(&id) else { return };
        let waited = call.since.elapsed();
        call.enter(State::Running);
        call.attempt += 1;
        call.run = Some(Run {
            started: Timestamp::now(),
            at: Instant::now(),
            threads,
            estimate,
            waited,
            kills_before,
            memory: 0,
            peak: 0,
        });
        let source = call.ask.as_ref().map(|ask| ask.source.clone()).unwrap_or_default();
        if let Some(process) = call.process {
            self.order(Watch::Start(id, cell, process));
        }
        let cell = self.cells.get(&cell).map(|cell| cell.settings.name.clone());
        (self.listener)(&GateEvent::Started {
            id,
            cell: cell.unwrap_or_default(),
            source,
            threads,
            estimate: ByteSize(estimate),
        });
    }

    fn explain(&mut self, id: CompileId, failure: Failure) -> String {
        let Some(call) = self.connections.get(&id) else { return String::new() };
        let source = call.ask.as_ref().map(|ask| ask.source.clone()).unwrap_or_default();
        let cell = self.cells.get(&call.cell).map(|cell| cell.settings.name.clone());
        let text = explain(&source, failure);
        let cell = cell.unwrap_or_default();
        (self.listener)(&GateEvent::Failed { id, cell, source, failure });
        text
    }
}
