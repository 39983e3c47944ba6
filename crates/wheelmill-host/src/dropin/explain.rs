//! Explains a drop-in.

use camino::Utf8Path;
use serde::Serialize;

use super::part::Part;
use super::unit::{has_open_quote, lines, words};
use crate::machine::DaemonOptions;

/// Where packages put NVIDIA's runtime, which needs not be named.
const NVIDIA_RUNTIME: &str = "/usr/bin/nvidia-container-runtime";

/// A drop-in that replaces the command of the service, part by part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Explanation {
    /// Its parts, in their order.
    pub parts: Vec<Part>,
    /// The section of the project file that says what is worth keeping; empty where nothing is.
    pub host: String,
    /// There are lines that are not about the command: they stay.
    pub others: bool,
}

/// Explains a drop-in of Docker's service; none for one that leaves its command alone.
#[must_use]
pub fn explain(text: &str) -> Option<Explanation> {
    let mut parts = Vec::new();
    let mut arguments = None;
    let (mut is_taken_away, mut others) = (false, false);
    for line in lines(text.trim_start_matches('\u{feff}')) {
        let Some(command) = line.strip_prefix("ExecStart=") else {
            let meaning = "stays as it is";
            if !line.starts_with('[') {
                others = true;
                parts.push(Part::new(&line, "is a setting of the service", meaning));
            }
            continue;
        };
        let words = words(command);
        if words.is_empty() {
            is_taken_away = true;
            parts.push(Part::new(
                &line,
                "takes the package's own command away, as a new one needs",
                "drop it, so that the package's command holds again",
            ));
            continue;
        }
        let Some((program, rest)) = daemon_command(&words) else { continue };
        if !is_taken_away {
            parts.push(Part::new(
                "ExecStart=",
                "stands here for the first time, and no empty one before it: systemd refuses a \
                 service with two commands, so this one does not start",
                "drop the whole line",
            ));
        }
        parts.push(Part::new(
            &program,
            "replaces the whole command: what the package has in it is lost, now (`-H fd://`, \
             `$DOCKER_OPTS`) and with every upgrade; in Debian's and Ubuntu's docker.io the \
             program is /usr/sbin/dockerd, and with another path the service does not start",
            "drop it; settings belong into /etc/docker/daemon.json",
        ));
        parts.extend(options(&rest));
        arguments = Some(DaemonOptions::read(&rest));
    }
    let host = host_section(&arguments?);
    for part in &mut parts {
        part.text = without_passwords(&part.text);
        part.today = without_passwords(&part.today);
    }
    Some(Explanation { parts, host, others })
}

/// The program of a command of Docker's daemon, and its arguments: also of older names
/// (`docker daemon`, `dockerd-current` of Red Hat's), and within a shell.
fn daemon_command(command: &[String]) -> Option<(String, Vec<String>)> {
    let (program, rest) = command.split_first()?;
    let name = Utf8Path::new(program.trim_start_matches(['-', '@', '+', '!', ':'])).file_name()?;
    match (name, rest) {
        ("dockerd" | "dockerd-current", _) => Some((program.clone(), rest.to_vec())),
        ("docker" | "docker-current", [word, rest @ ..]) if word == "daemon" || word == "-d" => {
            Some((format!("{program} {word}"), rest.to_vec()))
        }
        ("sh" | "bash" | "dash", [option, text, ..]) if option == "-c" => {
            let mut inner = words(text);
            inner.retain(|word| word != "exec");
            let (inner, rest) = daemon_command(&inner)?;
            Some((format!("{program} -c … {inner}"), rest))
        }
        _ => None,
    }
}

/// Text without the passwords of its addresses, as those of proxies: `http://me:***@proxy`.
fn without_passwords(text: &str) -> String {
    let mut parts = text.split("://");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(['/', '"', '\'', ' ']).unwrap_or(part.len());
        let (authority, rest) = part.split_at(end);
        let hidden = authority.rsplit_once('@').and_then(|(user, place)| {
            let (name, _) = user.split_once(':')?;
            Some(format!("{name}:***@{place}"))
        });
        shown = format!("{shown}://{}{rest}", hidden.as_deref().unwrap_or(authority));
    }
    shown
}

/// Each option, with a value that stands behind it.
fn options(words: &[String]) -> Vec<Part> {
    let verified = DaemonOptions::read(words).is_verified();
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
        let taken = &words[at..(at + count).min(words.len())];
        let text = taken.join(" ");
        parts.push(match &key {
            _ if taken.iter().any(|word| has_open_quote(word)) => Part::new(
                &text,
                "has a quote without its end: systemd takes no such line",
                "drop it, or write it anew with both quotes or none",
            ),
            None if text.starts_with('$') => Part::variable(&text),
            key => Part::option(&text, key.as_deref().unwrap_or_default(), &value, verified),
        });
        at += count;
    }
    parts
}

fn host_section(options: &DaemonOptions) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let mut lines = Vec::new();
    if let Some(program) = options.runtime("nvidia") {
        let usual = program == NVIDIA_RUNTIME;
        let value = if usual { "true".to_owned() } else { quoted(program.as_str()) };
        lines.push(format!("nvidia-runtime = {value}\n"));
    }
    if let Some(folder) = options.value("data-root").filter(|folder| !has_open_quote(folder)) {
        lines.push(format!("data-root = {}\n", quoted(folder)));
    }
    match (options.value("bip"), options.value("bridge")) {
        (Some(address), _) => lines.push(format!("bridge-address = {}\n", quoted(address))),
        (None, Some(bridge)) if bridge != "none" && bridge != "docker0" => lines.push(format!(
            "# bridge-address = \"192.168.5.1/24\"    # the address that `{bridge}` has: \
             `ip address show {bridge}`\n"
        )),
        _ => {}
    }
    // As `base=10.201.0.0/16,size=24`.
    let pools: Vec<String> = options
        .values("default-address-pools")
        .filter_map(|pool| {
            let (base, size) = pool.strip_prefix("base=")?.split_once(",size=")?;
            Some(format!("{{ base = {}, size = {size} }}", quoted(base)))
        })
        .collect();
    if !pools.is_empty() {
        lines.push(format!("address-pools = [{}]\n", pools.join(", ")));
    }
    match lines.is_empty() {
        true => String::new(),
        false => format!("[host]\n{}", lines.concat()),
    }
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

    #[test]
    fn every_option_is_explained_by_what_it_is() {
        let of = |line: &str| {
            let text = format!("[Service]\nExecStart=\nExecStart=/usr/bin/dockerd {line}\n");
            let explanation = explain(&text).unwrap();
            let part = explanation.parts.last().unwrap().clone();
            (format!("{}: {}; {}", part.text, part.meaning, part.today), explanation.host)
        };
        for (line, said) in [
            ("--bridge=none", "write `\"bridge\": \"none\"` into"),
            ("--tlsverify", "certificates"),
            ("--tlsverify -H tcp://0.0.0.0:2376", "for those with a certificate"),
            ("-H tcp://0.0.0.0:2375", "become root"),
            ("$DOCKER_OPTS", "/etc/default/docker"),
            ("--bip=10.9.0.1/24", "write `bridge-address`"),
            ("-g /mnt/docker", "-g /mnt/docker: is still right"),
            ("-s vfs", "fixes how images are kept"),
            ("-D", "write `\"debug\": true` into"),
            ("-l warn", "write `\"log-level\": \"warn\"` into"),
            ("--dns 10.0.0.1", "write `\"10.0.0.1\"` into the list `\"dns\"` of"),
            ("--log-opt max-size=10m", "write `\"max-size\": \"10m\"` into `\"log-opts\"` of"),
            ("--frobnicate", "no option of the daemon that is known"),
            ("--mtu=1400", "write `\"mtu\": 1400` into"),
            ("--add-runtime=kata=/usr/bin/kata", "`\"kata\": {\"path\":\"/usr/bin/kata\"}` into"),
            ("--default-ulimit nofile=1:2", "\"Soft\":1,\"Hard\":2"),
            ("--label \"a=b", "quote without its end"),
            ("daemon", "no option"),
        ] {
            let (text, _) = of(line);
            assert!(text.contains(said), "{line}: {text}");
        }
        assert_eq!(of("--bip=10.9.0.1/24").1, "[host]\nbridge-address = \"10.9.0.1/24\"\n");
        assert_eq!(of("-g /mnt/docker").1, "[host]\ndata-root = \"/mnt/docker\"\n");
        let pool = of("--default-address-pool base=10.201.0.0/16,size=24").1;
        assert_eq!(pool, "[host]\naddress-pools = [{ base = \"10.201.0.0/16\", size = 24 }]\n");
        // Nothing to keep makes no section.
        assert_eq!(of("-H fd:// --bridge=none").1, "");
    }

    #[test]
    fn passwords_are_not_shown_and_a_mark_of_order_is_passed_over() {
        let text = "\u{feff}[Service]\nEnvironment=\"HTTPS_PROXY=http://me:s3cret@proxy:3128/\"\n\
                    ExecStart=\nExecStart=/usr/bin/dockerd --http-proxy http://me:s3cret@proxy\n";
        let explanation = explain(text).unwrap();
        assert!(!format!("{explanation:?}").contains("s3cret"), "{explanation:?}");
        assert_eq!(
            explanation.parts[0].text,
            "Environment=\"HTTPS_PROXY=http://me:***@proxy:3128/\""
        );
        assert_eq!(explanation.parts[3].text, "--http-proxy http://me:***@proxy");
        assert!(!explanation.parts.iter().any(|part| part.text.contains("[Service]")));
    }

    #[test]
    fn the_daemon_is_known_by_all_of_its_names() {
        for command in [
            "/usr/bin/docker daemon -H fd:// --mtu=1400",
            "/usr/bin/dockerd-current --mtu=1400",
            "/bin/sh -c \"exec /usr/bin/dockerd --mtu=1400\"",
        ] {
            let text = format!("[Service]\nExecStart=\nExecStart={command}\n");
            let parts = explain(&text).expect(command).parts;
            assert_eq!(parts.last().unwrap().text, "--mtu=1400", "{command}");
        }
        assert_eq!(explain("[Service]\nExecStart=\nExecStart=/usr/bin/docker run x\n"), None);
    }

    #[test]
    fn what_else_a_drop_in_has_is_told() {
        let others = |rest: &str| {
            let text = format!("[Service]\n{rest}ExecStart=\nExecStart=/usr/bin/dockerd\n");
            explain(&text).unwrap().others
        };
        assert!(!others(""));
        assert!(others("LimitNOFILE=1048576\n"));
    }

    #[test]
    fn a_second_command_without_an_empty_one_is_told() {
        let explanation = explain("[Service]\nExecStart=/usr/bin/dockerd -H fd://\n").unwrap();
        assert!(explanation.parts[0].meaning.contains("two commands"), "{explanation:?}");
    }
}
