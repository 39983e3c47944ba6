//! Runs the compiler as a child, and ends as it ended.

use std::os::fd::AsFd as _;

use crate::cache::Cache;
use crate::call::Call;
use crate::connection::Connection;
use crate::descendants;
use crate::environment::Environment;
use crate::protocol::{Ending, Reply, Request, SILENCE};
use crate::sys::{self, Signals};

pub(crate) struct Supervisor {
    call: Call,
    environment: Environment,
    /// None once the server is lost.
    server: Option<Connection>,
    /// Answers compiles; none where there is none, or once it has failed.
    cache: Option<Cache>,
}

/// How a run of the compiler ended.
enum Run {
    ByItself(Ending),
    /// The server wished it.
    Stopped(Ending),
}

impl Supervisor {
    pub(crate) const fn new(
        call: Call,
        environment: Environment,
        server: Connection,
        cache: Option<Cache>,
    ) -> Self {
        Self { call, environment, server: Some(server), cache }
    }

    /// Waits, runs the compiler until the server is content, and returns its exit code.
    pub(crate) fn run(mut self) -> i32 {
        let Some(mut signals) = Signals::hold() else { return self.exec() };
        loop {
            let threads = self.admission(&mut signals);
            let Some(run) = self.compile(&mut signals, threads) else {
                // There is no room for another process: become the compiler.
                signals.release();
                return self.exec();
            };
            let ending = match run {
                Run::Stopped(ending) => {
                    self.tell(&Request::Stopped(ending));
                    continue;
                }
                Run::ByItself(ending) => ending,
            };
            self.tell(&Request::Finished(ending));
            if ending.status != 0 && self.is_to_run_again(&mut signals) {
                continue;
            }
            return end(&signals, ending.status);
        }
    }

    /// Runs the compiler once, or the cache in its place. None when no process can be made.
    fn compile(&mut self, signals: &mut Signals, threads: Option<u16>) -> Option<Run> {
        let lowered = self.lowered(threads);
        let environment = lowered.as_ref().unwrap_or(&self.environment);
        if let Some(cache) = &self.cache {
            let (program, arguments) = (cache.program(), cache.arguments(&self.call));
            let environment = Cache::environment(environment);
            let child = sys::spawn(signals, program, &arguments, environment.texts())?;
            let run = self.watch(signals, child);
            let used = self.cache.as_ref().and_then(Cache::used);
            match run {
                // Nothing tells that it came to the compiler: its folder cannot be written to, or is
                // full. The build shall not fail by it.
                Run::ByItself(ending) if used.is_none() && exited(ending.status) => {
                    self.cache = None;
                }
                Run::ByItself(ending) => {
                    return Some(Run::ByItself(Ending { cache: used, ..ending }));
                }
                Run::Stopped(ending) => return Some(Run::Stopped(ending)),
            }
        }
        let (program, arguments) = (&self.call.program, &self.call.arguments);
        let environment = lowered.as_ref().unwrap_or(&self.environment);
        let child = sys::spawn(signals, program, arguments, environment.texts())?;
        Some(self.watch(signals, child))
    }

    fn exec(&self) -> i32 {
        sys::exec(&self.call.program, &self.call.arguments, self.environment.texts())
    }

    fn lowered(&self, granted: Option<u16>) -> Option<Environment> {
        let wanted = self.server.as_ref()?.threads?;
        let granted = granted.filter(|&granted| granted < wanted)?;
        Some(self.environment.with_nvcc_threads(granted))
    }

    /// Waits until the compiler may run: with how many threads, if the server says so.
    fn admission(&mut self, signals: &mut Signals) -> Option<u16> {
        loop {
            match self.reply(signals)? {
                Reply::Go { threads } => return Some(threads.max(1)),
                // The rest would be about a run that is over.
                _ => continue,
            }
        }
    }

    /// What becomes of a compiler that failed.
    fn is_to_run_again(&mut self, signals: &mut Signals) -> bool {
        loop {
            match self.reply(signals) {
                Some(Reply::Again) => return true,
                Some(Reply::Fail(text)) => {
                    sys::say(&text);
                    return false;
                }
                Some(Reply::Done) | None => return false,
                Some(Reply::Wait | Reply::Stop | Reply::Go { .. }) => {}
            }
        }
    }

    /// The server's next word, while no compiler runs. None when the server is lost or silent.
    fn reply(&mut self, signals: &mut Signals) -> Option<Reply> {
        loop {
            let server = self.server.as_mut()?;
            match server.take() {
                Ok(Some(reply)) => return Some(reply),
                Ok(None) => {}
                Err(_) => self.server = None,
            }
            let Some(server) = self.server.as_ref() else { continue };
            let patience = i32::try_from(SILENCE.as_millis()).ok();
            let happened = signals.wait(Some(server.as_fd()), patience);
            if let Some(signal) = happened.signal {
                // Nobody else is there to be told. When it is ignored, so does this program.
                signals.die(signal.number);
            }
            if happened.silence {
                self.server = None;
            }
            if happened.server {
                self.receive();
            }
        }
    }

    /// Passes on signals and obeys the server until the compiler has ended.
    fn watch(&mut self, signals: &mut Signals, child: i32) -> Run {
        loop {
            if let Some(ending) = sys::reap(child) {
                return Run::ByItself(ending);
            }
            let happened = signals.wait(self.server.as_ref().map(Connection::as_fd), None);
            if let Some(signal) = happened.signal.filter(|signal| !signal.from_terminal) {
                sys::send(child, signal.number);
            }
            if happened.server {
                self.receive();
                while let Some(server) = &mut self.server {
                    match server.take() {
                        Ok(Some(Reply::Stop)) => {
                            let ending = descendants::kill(child);
                            // It may have ended just before.
                            let killed = ending.status & 0x7f == sys::SIGKILL;
                            return if killed { Run::Stopped } else { Run::ByItself }(ending);
                        }
                        Ok(Some(_)) => {}
                        Ok(None) => break,
                        Err(_) => self.server = None,
                    }
                }
            }
        }
    }

    fn receive(&mut self) {
        if self.server.as_mut().is_some_and(|server| server.receive().is_err()) {
            self.server = None;
        }
    }

    fn tell(&mut self, request: &Request) {
        if self.server.as_mut().is_some_and(|server| server.send(request).is_err()) {
            self.server = None;
        }
    }
}

/// Whether a status of `wait4` is that of a program that no signal killed.
const fn exited(status: i32) -> bool {
    status & 0x7f == 0
}

/// The exit code for a status of `wait4`; where a signal killed the compiler, this process dies of
/// the same one.
fn end(signals: &Signals, status: i32) -> i32 {
    let signal = status & 0x7f;
    if signal == 0 {
        return (status >> 8) & 0xff;
    }
    signals.die(signal);
    128 + signal
}
