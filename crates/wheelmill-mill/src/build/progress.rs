//! How far a build is, read from what its tools print.

use wheelmill_model::ByteSize;

use crate::event::Progress;

/// Reads along, line by line.
#[derive(Debug, Default)]
pub(super) struct ProgressReader {
    /// Steps of the ninjas that are done. A package with several extensions starts one for each,
    /// and each counts from the beginning.
    before: u64,
    /// Finished steps of the ninja that runs, and all of them.
    ninja: Option<(u64, u64)>,
    /// What uv fetches at this moment.
    downloads: Vec<(String, ByteSize)>,
    last: Option<Progress>,
}

impl ProgressReader {
    /// Takes the next line; what it says about the progress, when that is news.
    pub(super) fn line(&mut self, line: &str) -> Option<Option<Progress>> {
        let now = self.read(line)?;
        (now != self.last).then(|| {
            self.last.clone_from(&now);
            now
        })
    }

    /// Finished steps and known steps of all ninjas so far.
    pub(super) fn steps(&self) -> Option<(u64, u64)> {
        self.ninja.map(|(done, total)| (self.before + done, self.before + total))
    }

    fn read(&mut self, line: &str) -> Option<Option<Progress>> {
        if let Some(count) = ninja(line) {
            return Some(self.count(count));
        }
        if let Some(percent) = make(line) {
            return Some(Some(Progress::Percent { done: percent }));
        }
        if let Some(download) = download(line) {
            self.downloads.push(download);
        } else if let Some(name) = line.strip_prefix(" Downloaded ") {
            self.downloads.retain(|(other, _)| other != name.trim_end());
        } else if let Some(packages) = packages(line, "Prepared ") {
            self.downloads.clear();
            return Some(Some(Progress::Installing { packages }));
        } else if packages(line, "Installed ").is_some() {
            return Some(None);
        } else {
            return None;
        }
        Some(self.fetching())
    }

    fn count(&mut self, (done, total): (u64, u64)) -> Option<Progress> {
        if let Some((last_done, last_total)) = self.ninja
            && (done < last_done || last_done == last_total)
        {
            self.before += last_done;
        }
        self.ninja = Some((done, total));
        self.steps().map(|(done, total)| Progress::Steps { done, total })
    }

    fn fetching(&self) -> Option<Progress> {
        let mut downloads: Vec<_> = self.downloads.iter().collect();
        downloads.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
        let size = ByteSize(downloads.iter().map(|(_, size)| size.0).sum());
        let packages: Vec<String> = downloads.into_iter().map(|(name, _)| name.clone()).collect();
        (!packages.is_empty()).then_some(Progress::Downloads { packages, size })
    }
}

/// `[12/345] …`. ninja's default is `[%f/%t]`, and where its output is no terminal it prints that
/// when a step is finished, so that the first number counts finished ones.
fn ninja(line: &str) -> Option<(u64, u64)> {
    let (done, total) = bracketed(line)?.split_once('/')?;
    let (done, total) = (done.parse().ok()?, total.parse().ok()?);
    (done <= total && total > 0).then_some((done, total))
}

/// `[ 45%] …` of the makefiles that CMake writes.
fn make(line: &str) -> Option<u64> {
    let percent = bracketed(line)?.trim().strip_suffix('%')?.parse().ok()?;
    (percent <= 100).then_some(percent)
}

fn bracketed(line: &str) -> Option<&str> {
    Some(line.strip_prefix('[')?.split_once(']')?.0)
}

/// `Downloading torch (506.0MiB)` of uv, which says so of files above 1 MiB.
fn download(line: &str) -> Option<(String, ByteSize)> {
    let (name, size) = line.strip_prefix("Downloading ")?.trim_end().split_once(" (")?;
    Some((name.to_owned(), size.strip_suffix(')')?.parse().ok()?))
}

/// `Prepared 37 packages in 15.29s` of uv.
fn packages(line: &str, begin: &str) -> Option<u64> {
    let (count, rest) = line.strip_prefix(begin)?.split_once(' ')?;
    rest.starts_with("package").then(|| count.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(done: u64, total: u64) -> Option<Option<Progress>> {
        Some(Some(Progress::Steps { done, total }))
    }

    #[test]
    fn ninja_and_make_tell_how_far_they_are() {
        assert_eq!(ninja("[12/345] nvcc -c a.cu"), Some((12, 345)));
        assert_eq!(make("[ 45%] Building CUDA object"), Some(45));
        for other in ["[1/0] x", "[5/4] x", "[info] x", "1/2", "[notice] A new release", "[120%]"] {
            assert_eq!((ninja(other), make(other)), (None, None), "{other}");
        }
    }

    #[test]
    fn the_steps_of_one_ninja_after_another_are_added_up() {
        let mut reader = ProgressReader::default();
        assert_eq!(reader.line("[1/1] c++ isotonic_cpu.cpp"), steps(1, 1));
        assert_eq!(reader.line("building 'isotonic_cuda' extension"), None);
        assert_eq!(reader.line("[1/2] nvcc isotonic_cuda.cu"), steps(2, 3));
        assert_eq!(reader.line("[1/2] nvcc isotonic_cuda.cu"), None, "the same is told once");
        assert_eq!(reader.line("[2/2] nvcc other.cu"), steps(3, 3));
        assert_eq!(reader.line("[1/1] nvcc third.cu"), steps(4, 4));
        assert_eq!(reader.steps(), Some((4, 4)));
    }

    #[test]
    fn what_uv_still_fetches_is_told_the_largest_first() {
        let mut reader = ProgressReader::default();
        let fetching = |packages: &[&str], size: u64| {
            let packages = packages.iter().map(|&name| name.to_owned()).collect();
            Some(Some(Progress::Downloads { packages, size: ByteSize(size << 20) }))
        };
        assert_eq!(reader.line("Resolved 37 packages in 146ms"), None);
        assert_eq!(reader.line("Downloading numpy (16.0MiB)"), fetching(&["numpy"], 16));
        assert_eq!(reader.line("Downloading torch (506.0MiB)"), fetching(&["torch", "numpy"], 522));
        assert_eq!(reader.line(" Downloaded numpy"), fetching(&["torch"], 506));
        assert_eq!(reader.line(" Downloaded torch"), Some(None));
        let installing = Progress::Installing { packages: 37 };
        assert_eq!(reader.line("Prepared 37 packages in 15.29s"), Some(Some(installing)));
        assert_eq!(reader.line("Installed 37 packages in 11.49s"), Some(None));
    }
}
