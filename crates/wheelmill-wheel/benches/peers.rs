//! Times the reader beside the tools that people use for the same, on the same files in one run:
//!
//! ```text
//! cargo bench -p wheelmill-wheel -- [--cuobjdump PATH] [--scratch FOLDER] FILE.whl FILE.so …
//! ```
//!
//! A wheel is read whole beside `unzip -t`; a shared object's device code is listed beside
//! `cuobjdump -lelf -lptx`. Each measurement is a process of its own, the second of two, so that
//! files are warm. Memory is the peak of what a process held, mapped files apart.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use camino::Utf8Path;
use wheelmill_wheel::{InspectOptions, inspect, read_module};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let mut cuobjdump = "cuobjdump".to_owned();
    let mut scratch = std::env::temp_dir().to_string_lossy().into_owned();
    let mut files = Vec::new();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--measure" => return measure(&arguments.collect::<Vec<_>>()),
            "--cuobjdump" => cuobjdump = arguments.next().ok_or("--cuobjdump takes a path")?,
            "--scratch" => scratch = arguments.next().ok_or("--scratch takes a folder")?,
            _ => files.push(argument),
        }
    }
    let own = std::env::current_exe()?.to_string_lossy().into_owned();
    for file in &files {
        let (list, deep) = ("list".to_owned(), "deep".to_owned());
        let ours =
            |depth| vec![own.clone(), "--measure".to_owned(), depth, scratch.clone(), file.clone()];
        let peer: Vec<String> = if file.ends_with(".whl") {
            ["unzip", "-tqq", file].map(str::to_owned).into()
        } else {
            [&cuobjdump, "-lelf", "-lptx", file].map(ToOwned::to_owned).into()
        };
        say(&format!("{file}\n"))?;
        for (name, command) in
            [("peer", peer), ("wheelmill", ours(list)), ("wheelmill, deep", ours(deep))]
        {
            let line = match run(&command)? {
                Some((wall, note)) => format!("{:>8.3} s  {note}", wall.as_secs_f64()),
                None => format!("not measured: cannot run {}", command[0]),
            };
            say(&format!("  {name:<16} {line}\n"))?;
        }
    }
    Ok(())
}

fn say(text: &str) -> std::io::Result<()> {
    std::io::stdout().write_all(text.as_bytes())
}

/// The wall time of a command's second run, and what it said of its memory.
fn run(command: &[String]) -> Result<Option<(Duration, String)>, Failure> {
    let mut last = None;
    for _ in 0..2 {
        let start = Instant::now();
        let output = Command::new(&command[0]).args(&command[1..]).stdin(Stdio::null()).output();
        let Ok(output) = output else { return Ok(None) };
        let note = String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or("").to_owned();
        let note = if note.ends_with("MiB") { note } else { String::new() };
        last = Some((start.elapsed(), note));
    }
    Ok(last)
}

/// Does one of our own measurements and tells the memory it took.
fn measure(arguments: &[String]) -> Result<(), Failure> {
    let [depth, scratch, file] = arguments else { return Err("wrong use of --measure".into()) };
    let options = InspectOptions {
        deep: depth == "deep",
        scratch: Some(scratch.into()),
        ..InspectOptions::default()
    };
    let mapped;
    if file.ends_with(".whl") {
        drop(inspect(Utf8Path::new(file), &options)?);
    } else {
        let opened = fs_err::File::open(file)?;
        // SAFETY: a benchmark's own files are not changed while it runs.
        #[expect(unsafe_code, reason = "the file is measured as one that is mapped")]
        let map = unsafe { memmap2::Mmap::map(opened.file()) }?;
        // Kept until the memory is counted, so that the file's own pages can be told apart.
        mapped = map;
        drop(read_module(file, &mapped, &options));
    }
    let status = fs_err::read_to_string("/proc/self/status")?;
    let kib = |field: &str| -> u64 {
        let line = status.lines().find(|line| line.starts_with(field));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
    };
    let held = kib("VmHWM:").saturating_sub(kib("RssFile:"));
    Ok(writeln!(std::io::stderr(), "{} MiB", held >> 10)?)
}
