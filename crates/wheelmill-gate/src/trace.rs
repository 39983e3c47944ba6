//! A picture of a build's compiles, for `chrome://tracing` and <https://ui.perfetto.dev>.
//!
//! The format is Chrome's "Trace Event Format": complete events (`X`) for compiles, counters (`C`)
//! for memory, metadata (`M`) for names.

use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use crate::record::CompileRecord;

/// The trace could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the trace of {compiles} compiles")]
pub struct TraceError {
    compiles: usize,
    #[source]
    source: io::Error,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Trace<'a> {
    trace_events: Vec<TraceEvent<'a>>,
    display_time_unit: &'static str,
}

/// Times in microseconds since the first compile.
#[derive(Serialize)]
struct TraceEvent<'a> {
    name: &'a str,
    ph: &'static str,
    /// The cell.
    pid: usize,
    /// The row in the cell: compiles of a row do not overlap.
    tid: usize,
    ts: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    dur: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cat: Option<&'static str>,
    args: Arguments<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Arguments<'a> {
    Compile(&'a CompileRecord),
    Name {
        name: &'a str,
    },
    /// The peaks of all compiles that run, in bytes.
    Memory {
        peaks: u64,
    },
}

/// Writes the trace of compiles, in whatever order they are.
///
/// # Errors
///
/// When it cannot be written.
pub fn write_trace(records: &[CompileRecord], output: &mut dyn Write) -> Result<(), TraceError> {
    let failed = |source| TraceError { compiles: records.len(), source };
    let trace = Trace { trace_events: events(records), display_time_unit: "ms" };
    serde_json::to_writer(&mut *output, &trace).map_err(|error| failed(error.into()))?;
    output.flush().map_err(failed)
}

fn events(records: &[CompileRecord]) -> Vec<TraceEvent<'_>> {
    let mut sorted: Vec<&CompileRecord> = records.iter().collect();
    sorted.sort_by_key(|record| record.started);
    let Some(begin) = sorted.first().map(|record| record.started) else { return Vec::new() };
    let mut cells: Vec<&str> = Vec::new();
    for record in &sorted {
        if !cells.contains(&record.cell.as_str()) {
            cells.push(&record.cell);
        }
    }
    let mut events = Vec::new();
    for (pid, cell) in cells.into_iter().enumerate() {
        let name = Arguments::Name { name: cell };
        let (ph, ts) = ("M", 0);
        events.push(TraceEvent {
            name: "process_name",
            ph,
            pid,
            tid: 0,
            ts,
            dur: None,
            cat: None,
            args: name,
        });
        let mine = || sorted.iter().copied().filter(move |record| record.cell == cell);
        // When each row is free again.
        let mut rows: Vec<u64> = Vec::new();
        let mut changes: Vec<(u64, bool, u64)> = Vec::new();
        for record in mine() {
            let ts = microseconds(record.started.duration_since(begin).unsigned_abs());
            let dur = microseconds(record.wall);
            let end = ts.saturating_add(dur);
            let tid = rows.iter().position(|free| *free <= ts).unwrap_or(rows.len());
            match rows.get_mut(tid) {
                Some(row) => *row = end,
                None => rows.push(end),
            }
            let memory = record.peak_memory.0;
            changes.extend([(ts, true, memory), (end, false, memory)]);
            events.push(TraceEvent {
                name: record.source.rsplit('/').next().unwrap_or(&record.source),
                ph: "X",
                pid,
                tid,
                ts,
                dur: Some(dur),
                cat: Some(record.language.name()),
                args: Arguments::Compile(record),
            });
        }
        // Of one moment, ends come before beginnings.
        changes.sort_unstable();
        let mut peaks = 0_u64;
        for (ts, begins, memory) in changes {
            peaks =
                if begins { peaks.saturating_add(memory) } else { peaks.saturating_sub(memory) };
            events.push(TraceEvent {
                name: "memory",
                ph: "C",
                pid,
                tid: 0,
                ts,
                dur: None,
                cat: None,
                args: Arguments::Memory { peaks },
            });
        }
    }
    events
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::Value;
    use wheelmill_model::ByteSize;

    use super::*;
    use crate::{FlagsDigest, Outcome, protocol::Language};

    fn record(cell: &str, source: &str, start: i64, wall: u64, memory: u64) -> CompileRecord {
        CompileRecord {
            cell: cell.to_owned(),
            package: "package".to_owned(),
            source: source.to_owned(),
            flags: FlagsDigest(1),
            language: Language::Cuda,
            compiler: "nvcc".to_owned(),
            threads: 2,
            attempt: 1,
            estimate: ByteSize(1),
            peak_memory: ByteSize(memory),
            waited: Duration::ZERO,
            started: Timestamp::from_second(start).unwrap(),
            wall: Duration::from_secs(wall),
            cpu: Duration::from_secs(wall),
            outcome: Outcome::Success,
            cache: None,
            compiled: None,
        }
    }

    #[test]
    fn rows_do_not_overlap_and_memory_adds_up() {
        let records = [
            record("b", "/s/late.cu", 1_004, 1, 7),
            record("a", "/s/one.cu", 1_000, 2, 10),
            record("a", "/s/two.cu", 1_001, 3, 20),
            record("a", "/s/three.cu", 1_002, 1, 40),
        ];
        let mut output = Vec::new();
        write_trace(&records, &mut output).unwrap();
        let trace: Value = serde_json::from_slice(&output).unwrap();
        let events = trace["traceEvents"].as_array().unwrap();
        let of = |ph: &'static str| events.iter().filter(move |event| event["ph"] == ph);
        let compiles: Vec<(&str, u64, u64, u64, u64)> = of("X")
            .map(|event| {
                let number = |name: &str| event[name].as_u64().unwrap();
                let name = event["name"].as_str().unwrap();
                (name, number("pid"), number("tid"), number("ts"), number("dur"))
            })
            .collect();
        assert_eq!(
            compiles,
            [
                ("one.cu", 0, 0, 0, 2_000_000),
                ("two.cu", 0, 1, 1_000_000, 3_000_000),
                ("three.cu", 0, 0, 2_000_000, 1_000_000),
                ("late.cu", 1, 0, 4_000_000, 1_000_000),
            ]
        );
        let memory: Vec<u64> =
            of("C").filter_map(|event| event["args"]["peaks"].as_u64()).collect();
        assert_eq!(memory, [10, 30, 20, 60, 20, 0, 7, 0]);
        let names: Vec<&Value> = of("M").map(|event| &event["args"]["name"]).collect();
        assert_eq!(names, ["a", "b"]);
        let first = of("X").next().unwrap();
        assert_eq!(first["args"]["peak-memory-bytes"], 10);
        assert_eq!(first["args"]["outcome"]["how"], "success");
    }

    #[test]
    fn nothing_is_a_trace_as_well() {
        let mut output = Vec::new();
        write_trace(&[], &mut output).unwrap();
        assert_eq!(output, br#"{"traceEvents":[],"displayTimeUnit":"ms"}"#);
    }
}
