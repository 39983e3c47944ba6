//! Explains a drop-in.

use camino::Utf8Path;
use serde::Serialize;

use super::part::Part;
use super::unit::{lines, words};
use crate::machine::DaemonOptions;

/// Where packages put NVIDIA's runtime, which needs not be named.
const NVIDIA_RUNTIME: &str = "/usr/bin/nvidia-container-runtime";

/// A drop-in that replaces the command of the service, part by part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Explanation {
    /// Its parts, in their order.
    pub parts: Vec<Part>,
    /// The section of the project file that says what is worth keeping.
    pub host: String,
}

/// Explains a drop-in of Docker's service; none for one that leaves its command alone.
#[must_use]
pub fn explain(text: &str) -> Option<Explanation> {
    let mut parts = Vec::new();
    let mut arguments = None;
    for line in lines(text) {
        let Some(command) = line.strip_prefix("ExecStart=") else {
            let meaning = "stays as it is";
            if !line.starts_with('[') {
                parts.push(Part::new(&line, "is a setting of the service", meaning));
            }
            continue;
        };
        let words = words(command);
        let Some((program, rest)) = words.split_first() else {
            parts.push(Part::new(
                &line,
                "takes the package's own command away, as a new one needs",
                "drop it, so that the package's command holds again",
            ));
            continue;
        };
        if Utf8Path::new(program.trim_start_matches(['-', '@', '+', '!', ':'])).file_name()
            != Some("dockerd")
        {
            continue;
        }
        parts.push(Part::new(
            program,
            "replaces the whole command: what the package has in it is lost, now (`-H fd://`, \
             `$DOCKER_OPTS`) and with every upgrade; in Debian's and Ubuntu's docker.io the \
             program is /usr/sbin/dockerd, and with another path the service does not start",
            "drop it; settings belong into /etc/docker/daemon.json",
        ));
        parts.extend(options(rest));
        arguments = Some(DaemonOptions::read(rest));
    }
    let host = host_section(&arguments?);
    Some(Explanation { parts, host })
}

/// Each option, with a value that stands behind it.
fn options(words: &[String]) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut at = 0;
    while at < words.len() {
        // As many words as make one option.
        let read = |count: usize| {
            let options = DaemonOptions::read(&words[at..(at + count).min(words.len())]);
            let key = options.keys().next().map(str::to_owned);
            let value = key.as_deref().and_then(|key| options.value(key)).map(str::to_owned);
            (key, value.unwrap_or_default())
        };
        let (alone, together) = (read(1), read(2));
        let count = if alone.0.is_some() && alone.1.is_empty() { 2 } else { 1 };
        let (key, value) = if count == 2 { together } else { alone };
        let text = words[at..(at + count).min(words.len())].join(" ");
        parts.push(Part::option(&text, key.as_deref().unwrap_or_default(), &value));
        at += count;
    }
    parts
}

fn host_section(options: &DaemonOptions) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let mut lines = vec!["[host]".to_owned()];
    if let Some(program) = options.runtime("nvidia") {
        let usual = program == NVIDIA_RUNTIME;
        let value = if usual { "true".to_owned() } else { quoted(program.as_str()) };
        lines.push(format!("nvidia-runtime = {value}"));
    }
    if let Some(folder) = options.value("data-root") {
        lines.push(format!("data-root = {}", quoted(folder)));
    }
    match (options.value("bip"), options.value("bridge")) {
        (Some(address), _) => lines.push(format!("bridge-address = {}", quoted(address))),
        (None, Some(bridge)) if bridge != "none" && bridge != "docker0" => lines.push(format!(
            "# bridge-address = \"192.168.5.1/24\"    # the address that `{bridge}` has: \
             `ip address show {bridge}`"
        )),
        _ => {}
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use wheelmill_recipe::{NvidiaRuntime, Project};

    use super::*;

    /// The file of the procedure that wheelmill grew out of.
    const OLD: &str = "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd -H unix:// \
        -H tcp://127.0.0.1:2375 --containerd=/run/containerd/containerd.sock --bridge=\"bridge0\" \
        -s overlay --data-root=\"/media/me/86d1fadd-4a40-4ce5-96b4-a56f81b8df62\" \
        --add-runtime=nvidia=/usr/bin/nvidia-container-runtime\n";

    #[test]
    fn the_old_procedures_own_file_is_explained_part_by_part() {
        let explanation = explain(OLD).unwrap();
        let texts: Vec<&str> = explanation.parts.iter().map(|part| part.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "ExecStart=",
                "/usr/bin/dockerd",
                "-H unix://",
                "-H tcp://127.0.0.1:2375",
                "--containerd=/run/containerd/containerd.sock",
                "--bridge=\"bridge0\"",
                "-s overlay",
                "--data-root=\"/media/me/86d1fadd-4a40-4ce5-96b4-a56f81b8df62\"",
                "--add-runtime=nvidia=/usr/bin/nvidia-container-runtime",
            ]
        );
        let meaning = |at: usize| explanation.parts[at].meaning.as_str();
        assert!(meaning(3).contains("become root"));
        assert!(meaning(5).contains("gone after a reboot"));
        assert!(meaning(6).contains("is gone"));
        assert!(meaning(7).contains("when somebody logs in"));
        let host = Project::parse(&explanation.host, "wheelmill.toml".into()).unwrap().host;
        let program = NvidiaRuntime::Program("/usr/bin/nvidia-container-runtime".into());
        assert_eq!(host.nvidia_runtime.unwrap(), program);
        assert_eq!(host.data_root.unwrap(), "/media/me/86d1fadd-4a40-4ce5-96b4-a56f81b8df62");
        assert!(explanation.host.contains("`ip address show bridge0`"), "{}", explanation.host);
    }

    #[test]
    fn a_drop_in_that_leaves_the_command_alone_needs_no_word() {
        assert_eq!(explain("[Unit]\nRequiresMountsFor=/mnt/disk\n"), None);
        assert_eq!(explain("[Service]\nExecStart=\nExecStart=/usr/bin/other\n"), None);
    }
}
