//! Asks `nvidia-smi`.

use super::NvidiaGpu;
use crate::program::{ProgramError, Programs};

const TOOL: &str = "nvidia-smi";

/// What is asked, and what a driver before 510 can be asked.
const FIELDS: [&str; 2] = ["driver_version,name,uuid,compute_cap", "driver_version,name,uuid"];

/// The driver's version and its GPUs; else its own words about why not.
pub(super) fn gpus(programs: &Programs) -> Result<(Option<String>, Vec<NvidiaGpu>), String> {
    let mut asked = query(programs, FIELDS[0]);
    if asked.as_ref().is_err_and(|error| error.to_string().contains("not a valid field")) {
        asked = query(programs, FIELDS[1]);
    }
    let text = asked.map_err(|error| described(&error))?;
    let rows: Vec<Vec<&str>> =
        text.lines().map(|line| line.split(',').map(str::trim).collect()).collect();
    let field = |row: &[&str], at: usize| {
        let value = row.get(at).filter(|value| !value.is_empty() && !value.starts_with('['));
        value.map(|value| (*value).to_owned())
    };
    let version = rows.first().and_then(|row| field(row, 0));
    let gpu = |row: &Vec<&str>| {
        Some(NvidiaGpu {
            name: field(row, 1)?,
            uuid: field(row, 2),
            compute_capability: field(row, 3),
        })
    };
    Ok((version, rows.iter().filter_map(gpu).collect()))
}

fn query(programs: &Programs, fields: &str) -> Result<String, ProgramError> {
    programs.ask(TOOL, &[&format!("--query-gpu={fields}"), "--format=csv,noheader"])
}

/// The CUDA release that the driver supports. No query tells it, but the heading of the table.
pub(super) fn cuda(programs: &Programs) -> Option<String> {
    cuda_in(&programs.ask(TOOL, &[]).ok()?)
}

fn cuda_in(text: &str) -> Option<String> {
    let line = text.lines().find(|line| line.contains("CUDA") && line.contains("Version:"))?;
    let (_, rest) = line.split_once("CUDA")?;
    let (_, rest) = rest.split_once("Version:")?;
    let word = rest.split_whitespace().next()?;
    word.starts_with(|letter: char| letter.is_ascii_digit()).then(|| word.to_owned())
}

fn described(error: &ProgramError) -> String {
    match error {
        ProgramError::Run { source, .. } => format!("{error}: {source}"),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heading_tells_the_cuda_release() {
        for (heading, release) in [
            (
                "| NVIDIA-SMI 535.129.03   Driver Version: 535.129.03   CUDA Version: 12.2  |",
                "12.2",
            ),
            (
                "| NVIDIA-SMI 580.65.06    Driver Version: 580.65.06    CUDA Version: 13.0  |",
                "13.0",
            ),
        ] {
            assert_eq!(cuda_in(&format!("Sun Nov 22\n+---+\n{heading}\n")).unwrap(), release);
        }
        // Where the driver's library cannot be loaded.
        assert_eq!(
            cuda_in("| NVIDIA-SMI 470.1   Driver Version: 470.1   CUDA Version: N/A |"),
            None
        );
    }
}
