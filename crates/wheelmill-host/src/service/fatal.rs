//! Why a daemon ended, in what it printed.

/// How the last words of a daemon begin: `dockerd`'s own (all versions from 20.10 to 29), and those
/// of Go's runtime.
const LAST_WORDS: &[&str] = &[
    "failed to start daemon",
    "failed to load listeners",
    "unable to configure the Docker daemon",
    "unable to parse logging level",
    "Error starting daemon",
    "panic: ",
    "fatal error: ",
];

/// The line that tells why a daemon ended, among all others; without its time and level.
pub(crate) fn fatal(lines: &[String]) -> Option<String> {
    let last = |sign: &dyn Fn(&str) -> bool| {
        lines.iter().rev().map(|line| line.trim()).find(|line| sign(line))
    };
    let begins = |line: &str| {
        let text = message(line);
        LAST_WORDS.iter().any(|words| text.starts_with(words))
    };
    let line = last(&begins)
        .or_else(|| last(&is_bare))
        .or_else(|| last(&|line| line.contains("level=fatal") || line.contains("level=panic")))
        .or_else(|| last(&|line| line.contains("level=error")))?;
    Some(message(line))
}

/// Whether a line is no log, and not of a crash's threads or containerd's: `dockerd` ends with its
/// own error so.
fn is_bare(line: &str) -> bool {
    let is_log = line.contains("level=") || line.contains(" msg=") || line.starts_with('{');
    let is_thread =
        line.starts_with("goroutine ") || line.starts_with('[') || line.contains(".go:");
    !is_log && !is_thread && line.contains(": ")
}

/// Whether a line tells somebody why a daemon ended: none of the many that say that all is well.
pub(crate) fn tells(line: &str) -> bool {
    !["level=info", "level=debug"].iter().any(|level| line.contains(level))
}

/// The message of a line of `logrus`; any other line as it is.
fn message(line: &str) -> String {
    let Some((_, rest)) = line.split_once(" msg=") else { return line.to_owned() };
    let Some(quoted) = rest.strip_prefix('"') else {
        return rest.split(' ').next().unwrap_or(rest).to_owned();
    };
    let mut text = String::new();
    let mut letters = quoted.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => break,
            '\\' => text.extend(letters.next()),
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn the_reason_is_found_among_noise() {
        let told = |text: &str| fatal(&lines(text)).unwrap_or_default();
        assert_eq!(
            told(
                "time=\"2026\" level=info msg=\"Starting up\"\n\
                 time=\"2026\" level=error msg=\"failed to mount overlay\"\n\
                 failed to start daemon: error initializing graphdriver: prerequisites\n\
                 time=\"2026\" level=info msg=\"stopping healthcheck\"\n"
            ),
            "failed to start daemon: error initializing graphdriver: prerequisites"
        );
        assert_eq!(
            told("level=info msg=a\ntime=\"2026\" level=fatal msg=\"no \\\"x\\\"\" error=1\n"),
            "no \"x\""
        );
        assert_eq!(
            told("panic: assignment to entry in nil map\n\ngoroutine 1 [running]:\nmain.main()\n"),
            "panic: assignment to entry in nil map"
        );
        assert_eq!(
            told(
                "time=\"2026\" level=error msg=\"of containerd\"\n\
                 chmod /srv/docker: operation not permitted\n\
                 time=\"2026\" level=info msg=\"stopping\"\n"
            ),
            "chmod /srv/docker: operation not permitted"
        );
        assert_eq!(told("time=1 level=info msg=ready\n"), "");
    }
}
