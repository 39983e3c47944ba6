//! What compiles took, and what others like them will take.

use std::collections::HashMap;
use std::time::Duration;

use wheelmill_model::ByteSize;

use crate::policy::{PolicySettings, Wish};
use crate::protocol::Language;
use crate::record::{CompileRecord, Taken};

/// So many compiles of a package and language say more than the default does.
const ENOUGH: usize = 3;
/// A measured peak may have been higher between two samples: one part in so many is added.
const MARGIN: u64 = 32;

/// What an estimate is made of, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// This source was compiled with these flags.
    Exact,
    /// This source was compiled with other flags.
    Source,
    /// Others of the package in the same language were.
    Package,
    /// Nothing is known.
    Default,
}

/// What a compile will likely take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// The peak of its memory, in bytes.
    pub memory: u64,
    /// How long it runs; zero when nothing is known.
    pub wall: Duration,
    /// How good it is.
    pub grade: Grade,
}

impl Taken {
    /// What a record says that its compile takes; none when it says nothing.
    fn of(record: &CompileRecord) -> Option<Self> {
        if record.tells() {
            let ByteSize(peak) = record.peak_memory;
            let memory = ByteSize(peak.saturating_add(peak / MARGIN));
            return Some(Self { memory, wall: record.wall });
        }
        record.compiled
    }

    /// The larger memory, and the newer time.
    fn with(self, newer: Self) -> Self {
        Self { memory: self.memory.max(newer.memory), wall: newer.wall }
    }
}

/// Everything that is known about compiles.
#[derive(Clone, Debug, Default)]
pub struct Learned {
    packages: HashMap<String, Package>,
}

#[derive(Clone, Debug, Default)]
struct Package {
    exact: HashMap<(String, u128), Taken>,
    sources: HashMap<String, Taken>,
    /// Peaks in ascending order, and the sum of all times.
    languages: HashMap<Language, (Vec<u64>, Duration)>,
}

impl Learned {
    /// Learns from a compile that ended well; others tell too little. What came from a cache tells
    /// what was known of it then. Older ones come first.
    pub fn learn(&mut self, record: &CompileRecord) {
        let Some(taken) = Taken::of(record) else { return };
        let package = self.packages.entry(record.package.clone()).or_default();
        let merge = |known: &mut Taken| *known = known.with(taken);
        let exact = (record.source.clone(), record.flags.0);
        package.exact.entry(exact).and_modify(merge).or_insert(taken);
        package.sources.entry(record.source.clone()).and_modify(merge).or_insert(taken);
        let (peaks, time) = package.languages.entry(record.language).or_default();
        let ByteSize(memory) = taken.memory;
        peaks.insert(peaks.partition_point(|&peak| peak < memory), memory);
        *time = time.saturating_add(taken.wall);
    }

    /// What a compile will likely take.
    #[must_use]
    pub fn estimate(&self, wish: &Wish, settings: &PolicySettings) -> Estimate {
        let ask = &wish.ask;
        let default = settings.default_memory(ask.language, ask.input_bytes);
        let unknown = Estimate { memory: default, wall: Duration::ZERO, grade: Grade::Default };
        let Some(package) = self.packages.get(&wish.package) else { return unknown };
        let of =
            |taken: &Taken, grade| Estimate { memory: taken.memory.0, wall: taken.wall, grade };
        if let Some(taken) = package.exact.get(&(ask.source.clone(), ask.flags)) {
            return of(taken, Grade::Exact);
        }
        if let Some(taken) = package.sources.get(&ask.source) {
            return of(taken, Grade::Source);
        }
        let Some((peaks, time)) = package.languages.get(&ask.language) else { return unknown };
        // Links differ as what they link does, so they do not speak for each other.
        if peaks.len() < ENOUGH || ask.language == Language::Link {
            return unknown;
        }
        // Nine of ten need no more than this; the tenth is measured while it runs.
        let memory = peaks.get(peaks.len() * 9 / 10).copied().unwrap_or(default);
        let count = u32::try_from(peaks.len()).unwrap_or(u32::MAX);
        Estimate { memory, wall: *time / count, grade: Grade::Package }
    }

    /// What this source takes with these flags, else with others.
    pub(crate) fn taken(&self, package: &str, source: &str, flags: u128) -> Option<Taken> {
        let package = self.packages.get(package)?;
        let exact = package.exact.get(&(source.to_owned(), flags));
        exact.or_else(|| package.sources.get(source)).copied()
    }

    /// How long a source of a package took the last time.
    pub(crate) fn wall(&self, package: &str, source: &str) -> Option<Duration> {
        Some(self.packages.get(package)?.sources.get(source)?.wall)
    }
}
