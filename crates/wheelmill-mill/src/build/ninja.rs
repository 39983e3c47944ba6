//! The objects that ninja vouches for, and their way from one source folder into another.
//!
//! What a killed build leaves may be half written, and most tools take any file that is newer than
//! its source for whole. Only ninja writes down, after a command has ended well, what it made; so an
//! object that is named in its log, and was not touched since, is whole. Nothing else is taken:
//! what was generated, configured, copied or linked is made anew, in seconds, from a new source.
//! Taking whole build folders would also take the memory of scripts that they have done something
//! (caches of CMake, stamps), without what they did elsewhere in the source.
//!
//! The folders come from strangers: their names and links may lead anywhere, so every folder on the
//! way is looked at, and no link is followed.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use walkdir::WalkDir;

const LOG: &str = ".ninja_log";
/// What ninja knows of the headers that its objects were made from.
const DEPENDENCIES: &str = ".ninja_deps";
/// The largest log that is read: a million objects.
const LARGEST_LOG: u64 = 256 << 20;
/// The formats whose lines are known: up to ninja 1.11, of 1.12, and since 1.13.
const FORMATS: [&str; 3] = [CHANGES, "# ninja log v6", "# ninja log v7"];
/// The one that has when outputs were changed; the others have when their commands began.
const CHANGES: &str = "# ninja log v5";
/// How far the clock of files may be from the one that ninja measures commands by. The kernel gives
/// files the time of its last tick.
const SLACK: Duration = Duration::from_millis(100);

/// What was carried over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(super) struct Carried {
    pub(super) objects: usize,
    /// The folders of ninja that they lie in.
    pub(super) folders: usize,
}

impl fmt::Display for Carried {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { objects, folders } = self;
        let many = |count: usize| if count == 1 { "" } else { "s" };
        write!(
            formatter,
            "{objects} object{} in {folders} folder{} of ninja",
            many(*objects),
            many(*folders)
        )
    }
}

/// Moves what ninja vouches for from the source folder of an earlier attempt to the same places in a
/// new one, where there is nothing at these. `seen_at` is where builds see the source folder.
///
/// What cannot be moved stays, and is compiled again.
pub(super) fn carry(from: &Utf8Path, to: &Utf8Path, seen_at: &[&Utf8Path]) -> Carried {
    let mut carried = Carried::default();
    // What a build made unreadable for us is not taken.
    let entries = WalkDir::new(from).follow_root_links(false).into_iter().filter_map(Result::ok);
    let logs = entries.filter(|entry| entry.file_type().is_file() && entry.file_name() == LOG);
    for log in logs {
        let Some(folder) = Utf8Path::from_path(log.path()).and_then(Utf8Path::parent) else {
            continue;
        };
        let inside = folder.strip_prefix(from).expect("a walk stays below its root");
        // Where CMake tries out compilers, anew each time.
        if inside.components().any(|part| part.as_str() == "CMakeFiles") {
            continue;
        }
        let seen: Vec<Utf8PathBuf> = seen_at.iter().map(|place| place.join(inside)).collect();
        match carry_folder(folder, from, to, inside, &seen) {
            Ok(0) => {}
            Ok(objects) => {
                carried.objects += objects;
                carried.folders += 1;
            }
            Err(error) => tracing::debug!(%folder, %error, "nothing was taken from it"),
        }
    }
    carried
}

/// Moves the objects of one folder of ninja, and what it knows of them; gives their number.
fn carry_folder(
    folder: &Utf8Path,
    from: &Utf8Path,
    to: &Utf8Path,
    inside: &Utf8Path,
    seen_at: &[Utf8PathBuf],
) -> io::Result<usize> {
    let mut text = String::new();
    fs_err::File::open(folder.join(LOG))?.take(LARGEST_LOG).read_to_string(&mut text)?;
    let Some(log) = Log::read(&text) else { return Ok(0) };
    if exists(&to.join(inside).join(LOG)) {
        return Ok(0);
    }
    let mut lines = Vec::new();
    for entry in log.entries.values() {
        let Some(object) = entry.object(seen_at) else { continue };
        let place = inside.join(object);
        if vouched(&from.join(&place), entry) && move_file(from, to, &place).is_ok() {
            lines.push(entry.line);
        }
    }
    if lines.is_empty() {
        return Ok(0);
    }
    // Without it ninja does all again, which is as it should be.
    drop(move_file(from, to, &inside.join(DEPENDENCIES)));
    // Of what is not here ninja must not know: it would trust files of that name in a new source.
    lines.sort_unstable();
    let text: String = [log.format].iter().chain(&lines).map(|line| format!("{line}\n")).collect();
    fs_err::write(to.join(inside).join(LOG), text)?;
    Ok(lines.len())
}

/// A log of ninja: the last that it says of each output.
struct Log<'a> {
    format: &'a str,
    entries: HashMap<&'a str, Entry<'a>>,
}

/// A command that ended well.
struct Entry<'a> {
    line: &'a str,
    output: &'a str,
    /// When its output was changed, after 1970: not before, and not later than.
    changed: (Duration, Duration),
}

impl<'a> Log<'a> {
    /// None where it is in no known format.
    fn read(text: &'a str) -> Option<Self> {
        // A last line without an end was cut off.
        let (text, _) = text.rsplit_once('\n')?;
        let mut lines = text.lines();
        let format = lines.next().filter(|line| FORMATS.contains(line))?;
        let entries = lines.filter_map(|line| Entry::read(line, format == CHANGES));
        Some(Self { format, entries: entries.map(|entry| (entry.output, entry)).collect() })
    }
}

impl<'a> Entry<'a> {
    /// `begin end moment output hash`, with tabs; the first two in milliseconds since ninja's start,
    /// the third in nanoseconds.
    fn read(line: &'a str, is_change: bool) -> Option<Self> {
        let parts: Vec<&str> = line.split('\t').collect();
        let [begin, end, moment, output, _] = parts[..] else { return None };
        let (begin, end) = (begin.parse::<u64>().ok()?, end.parse::<u64>().ok()?);
        let moment = Duration::from_nanos(moment.parse().ok()?);
        let wall = Duration::from_millis(end.checked_sub(begin)?);
        let changed = match is_change {
            true => (moment, moment),
            false => (moment.saturating_sub(SLACK), moment + wall + SLACK),
        };
        Some(Self { line, output, changed })
    }

    /// Where the output lies in ninja's folder, if it is an object there.
    fn object(&self, seen_at: &[Utf8PathBuf]) -> Option<Utf8PathBuf> {
        let path = Utf8Path::new(self.output);
        let path = match path.is_absolute() {
            true => seen_at.iter().find_map(|folder| path.strip_prefix(folder).ok())?,
            false => path,
        };
        let path: Utf8PathBuf =
            path.components().filter(|it| *it != Utf8Component::CurDir).collect();
        let plain = path.components().all(|part| matches!(part, Utf8Component::Normal(_)));
        (plain && path.extension() == Some("o")).then_some(path)
    }
}

/// Whether a file is as the command left it: a later one may have begun to write it anew.
fn vouched(file: &Utf8Path, entry: &Entry<'_>) -> bool {
    let Ok(found) = file.symlink_metadata() else { return false };
    let (Ok(seconds), Ok(nanoseconds)) =
        (u64::try_from(found.mtime()), u32::try_from(found.mtime_nsec()))
    else {
        return false;
    };
    let changed = Duration::new(seconds, nanoseconds);
    let (earliest, latest) = entry.changed;
    found.is_file() && found.len() > 0 && (earliest..=latest).contains(&changed)
}

/// Moves a plain file from a place in one folder to the same place in another, where there must be
/// nothing.
fn move_file(from: &Utf8Path, to: &Utf8Path, place: &Utf8Path) -> io::Result<()> {
    let folder = place.parent().unwrap_or_else(|| Utf8Path::new(""));
    let below = |root: &Utf8Path| {
        folder.components().scan(root.to_owned(), |path, part| {
            path.push(part);
            Some(path.clone())
        })
    };
    let (source, target) = (from.join(place), to.join(place));
    below(from).try_for_each(|path: Utf8PathBuf| real_folder(&path))?;
    if !source.symlink_metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for path in below(to) {
        match fs_err::create_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => real_folder(&path)?,
            made => made?,
        }
    }
    if exists(&target) {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    fs_err::rename(source, target)
}

fn real_folder(path: &Utf8Path) -> io::Result<()> {
    match path.symlink_metadata()?.is_dir() {
        true => Ok(()),
        false => Err(io::ErrorKind::NotADirectory.into()),
    }
}

/// Whether anything is there, be it a link to nowhere.
fn exists(path: &Utf8Path) -> bool {
    path.symlink_metadata().is_ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A source folder of an earlier attempt, and a new one.
    struct Sources {
        _folder: tempfile::TempDir,
        from: Utf8PathBuf,
        to: Utf8PathBuf,
    }

    impl Sources {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let [from, to] = ["last", "src"].map(|name| {
                let path = Utf8PathBuf::from_path_buf(folder.path().join(name)).unwrap();
                fs_err::create_dir(&path).unwrap();
                path
            });
            Self { _folder: folder, from, to }
        }

        fn write(&self, path: &str) {
            let path = self.from.join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, "object").unwrap();
        }

        /// A log in which the outputs are as they are now.
        fn log(&self, folder: &str, outputs: &[&str]) {
            let line = |output: &&str| {
                let inside = output.strip_prefix("/build/src/").map(|path| self.from.join(path));
                let path = inside.unwrap_or_else(|| self.from.join(folder).join(output));
                let found = fs_err::symlink_metadata(path).unwrap();
                let moment = found.mtime() * 1_000_000_000 + found.mtime_nsec();
                format!("3\t5\t{moment}\t{output}\tabc\n")
            };
            let text: String = outputs.iter().map(line).collect();
            let text = format!("{CHANGES}\n{text}");
            fs_err::write(self.from.join(folder).join(LOG), text).unwrap();
        }

        fn carry(&self) -> usize {
            carry(&self.from, &self.to, &["/build/src".into()]).objects
        }

        fn has(&self, path: &str) -> bool {
            self.to.join(path).is_file()
        }
    }

    #[test]
    fn objects_come_with_what_ninja_knows_and_nothing_else_does() {
        let sources = Sources::new();
        let names = ["csrc/a.o", "csrc/b.o", "half.o", "config.h", "lib.so", "CMakeCache.txt"];
        for name in names.iter().chain(&[DEPENDENCIES, "empty.o"]) {
            sources.write(&format!("build/{name}"));
        }
        fs_err::write(sources.from.join("build/empty.o"), "").unwrap();
        sources.log(
            "build",
            &["csrc/a.o", "/build/src/build/csrc/b.o", "config.h", "lib.so", "empty.o"],
        );
        assert_eq!(sources.carry(), 2);
        assert!(sources.has("build/csrc/a.o") && sources.has("build/csrc/b.o"));
        assert!(sources.has("build/.ninja_deps"));
        for name in ["half.o", "config.h", "lib.so", "CMakeCache.txt", "empty.o"] {
            assert!(!sources.has(&format!("build/{name}")), "{name}");
        }
        let log = fs_err::read_to_string(sources.to.join("build/.ninja_log")).unwrap();
        assert_eq!(log.lines().count(), 3, "ninja would trust a file that it knows: {log}");
    }

    #[test]
    fn what_was_written_again_after_its_command_had_ended_stays() {
        let sources = Sources::new();
        sources.write("build/a.o");
        sources.write("build/b.o");
        sources.log("build", &["a.o", "b.o"]);
        // As a compiler that is killed in the middle of it.
        let hour = std::time::SystemTime::now() + Duration::from_secs(3600);
        let file = std::fs::File::options().write(true).open(sources.from.join("build/a.o"));
        file.unwrap().set_modified(hour).unwrap();
        assert_eq!(sources.carry(), 1);
        assert!(sources.has("build/b.o") && !sources.has("build/a.o"));
    }

    #[test]
    fn what_cmake_compiled_to_try_out_compilers_is_nothing_to_go_on_from() {
        let sources = Sources::new();
        let folder = "build/CMakeFiles/CMakeScratch/TryCompile-1";
        sources.write(&format!("{folder}/a.o"));
        sources.log(folder, &["a.o"]);
        assert_eq!(sources.carry(), 0);
    }

    #[test]
    fn a_log_that_is_cut_off_or_unknown_vouches_for_less() {
        let sources = Sources::new();
        sources.write("build/a.o");
        sources.write("build/b.o");
        sources.log("build", &["a.o", "b.o"]);
        let log = sources.from.join("build/.ninja_log");
        let text = fs_err::read_to_string(&log).unwrap();
        fs_err::write(&log, text.replace(CHANGES, "# ninja log v99")).unwrap();
        assert_eq!(sources.carry(), 0);
        fs_err::write(&log, text.trim_end()).unwrap();
        assert_eq!(sources.carry(), 1, "the last line is not whole");
    }

    #[test]
    fn commands_are_told_by_when_they_ran_since_another_format() {
        let entry = |line| Entry::read(line, false).unwrap().changed;
        let (earliest, latest) = entry("1000\t3000\t50000000000\ta.o\tabc");
        assert_eq!(
            (earliest, latest),
            (Duration::from_millis(49_900), Duration::from_millis(52_100))
        );
        assert!(Entry::read("3000\t1000\t5\ta.o\tabc", false).is_none());
        assert!(Entry::read("1\t2\t3\ta.o", false).is_none());
    }

    #[test]
    fn nothing_is_taken_from_or_brought_to_another_place() {
        let sources = Sources::new();
        let outside = sources.from.with_file_name("outside");
        fs_err::create_dir(&outside).unwrap();
        fs_err::write(outside.join("a.o"), "object").unwrap();

        // A log that names what lies outside.
        sources.write("build/b.o");
        let found = outside.join("a.o").symlink_metadata().unwrap();
        let moment = found.mtime() * 1_000_000_000 + found.mtime_nsec();
        let names =
            ["../../outside/a.o", outside.join("a.o").as_str(), "/build/src/../outside/a.o"]
                .map(|name| format!("3\t5\t{moment}\t{name}\tabc\n"));
        let text = format!("{CHANGES}\n{}", names.concat());
        fs_err::write(sources.from.join("build/.ninja_log"), text).unwrap();
        assert_eq!(sources.carry(), 0);

        // A link in place of the whole source.
        let link = sources.from.with_file_name("link");
        symlink(&sources.from, &link).unwrap();
        sources.log("build", &["b.o"]);
        assert_eq!(carry(&link, &sources.to, &[]).objects, 0);

        // A link on the way from.
        symlink(&outside, sources.from.join("build/link")).unwrap();
        sources.log("build", &["link/a.o"]);
        assert_eq!(sources.carry(), 0);
        // A link in place of the object.
        symlink(outside.join("a.o"), sources.from.join("build/c.o")).unwrap();
        sources.log("build", &["c.o"]);
        assert_eq!(sources.carry(), 0);
        assert!(outside.join("a.o").exists());

        // A link on the way to.
        sources.log("build", &["b.o"]);
        symlink(&outside, sources.to.join("build")).unwrap();
        assert_eq!(sources.carry(), 0);
        assert!(!outside.join("b.o").exists() && !outside.join(LOG).exists());
        // A file in the way.
        fs_err::remove_file(sources.to.join("build")).unwrap();
        fs_err::create_dir(sources.to.join("build")).unwrap();
        fs_err::write(sources.to.join("build/b.o"), "new").unwrap();
        assert_eq!(sources.carry(), 0);
        fs_err::remove_file(sources.to.join("build/b.o")).unwrap();
        assert_eq!(sources.carry(), 1);
    }
}
