//! The command line of `dockerd`.

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

/// Options that take no value, unless it stands behind a `=` (dockerd 20.10 to 29).
const SWITCHES: &[&str] = &[
    "allow-direct-routing",
    "debug",
    "experimental",
    "icc",
    "init",
    "ip-forward",
    "ip-forward-no-drop",
    "ip-masq",
    "ip6tables",
    "iptables",
    "ipv6",
    "live-restore",
    "no-new-privileges",
    "raw-logs",
    "rootless",
    "selinux-enabled",
    "tls",
    "tlsverify",
    "userland-proxy",
    "validate",
    "version",
    "help",
];

/// Options of one letter, with their long names.
const LETTERS: &[(&str, &str)] = &[
    ("-D", "debug"),
    ("-G", "group"),
    ("-H", "host"),
    ("-b", "bridge"),
    ("-g", "data-root"),
    ("-l", "log-level"),
    ("-p", "pidfile"),
    ("-s", "storage-driver"),
    ("-v", "version"),
];

/// Options whose key in the file of settings has another name.
const KEYS: &[(&str, &str)] = &[
    ("add-runtime", "runtimes"),
    ("authorization-plugin", "authorization-plugins"),
    ("cdi-spec-dir", "cdi-spec-dirs"),
    ("default-address-pool", "default-address-pools"),
    ("default-ulimit", "default-ulimits"),
    ("dns-opt", "dns-opts"),
    ("exec-opt", "exec-opts"),
    ("feature", "features"),
    ("graph", "data-root"),
    ("host", "hosts"),
    ("insecure-registry", "insecure-registries"),
    ("label", "labels"),
    ("log-opt", "log-opts"),
    ("registry-mirror", "registry-mirrors"),
    ("storage-opt", "storage-opts"),
];

/// What a `dockerd` was told on its command line: keys of its file of settings, with values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DaemonOptions(Vec<(String, String)>);

impl DaemonOptions {
    /// Reads arguments, without the program's name.
    #[must_use]
    pub fn read(arguments: &[String]) -> Self {
        let mut options = Vec::new();
        let mut rest = arguments.iter().map(String::as_str);
        while let Some(word) = rest.next() {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (word, None),
            };
            let (name, value) = match long(name) {
                Some(long) => (long, value),
                // The value stands right behind the letter: `-Hunix://`.
                None => match LETTERS.iter().find(|(letter, _)| word.starts_with(letter)) {
                    Some((letter, long)) => (*long, Some(&word[letter.len()..])),
                    None => continue,
                },
            };
            let value = match value {
                Some(value) => value,
                None if SWITCHES.contains(&name) => "true",
                None => rest.next().unwrap_or_default(),
            };
            let key = KEYS.iter().find(|(option, _)| *option == name).map_or(name, |(_, key)| key);
            options.push((key.to_owned(), unquoted(value).to_owned()));
        }
        Self(options)
    }

    /// The values of a key, by its name in the file of settings.
    pub fn values<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    /// The value of a key that has one: the last.
    #[must_use]
    pub fn value<'a>(&'a self, key: &'a str) -> Option<&'a str> {
        self.values(key).last()
    }

    /// The keys, in the order of the command line.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(key, _)| key.as_str())
    }

    /// Whether those who come over TCP must show a certificate.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.value("tlsverify").is_some_and(|value| value != "false")
    }

    /// The file of settings that it names.
    #[must_use]
    pub fn settings_file(&self) -> Option<&Utf8Path> {
        self.value("config-file").map(Utf8Path::new)
    }

    /// The program of a runtime that is registered here.
    #[must_use]
    pub fn runtime(&self, name: &str) -> Option<Utf8PathBuf> {
        self.values("runtimes").find_map(|value| {
            let (known, path) = value.split_once('=')?;
            (known == name).then(|| path.into())
        })
    }
}

fn long(name: &str) -> Option<&str> {
    match name.strip_prefix("--") {
        Some(long) => Some(long).filter(|long| !long.is_empty()),
        None => LETTERS.iter().find(|(letter, _)| *letter == name).map(|(_, long)| *long),
    }
}

/// Without the quotes that are left when systemd's rules were not those of a shell.
fn unquoted(value: &str) -> &str {
    let inner = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    inner.unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> DaemonOptions {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        DaemonOptions::read(&words)
    }

    #[test]
    fn every_way_of_writing_is_read() {
        let options = read(
            "-H unix:// -Htcp://127.0.0.1:2375 -H=fd:// --containerd=/run/c.sock --bridge=\"bridge0\" \
             -s overlay --debug --data-root /mnt/x --iptables=false -D \
             --add-runtime=nvidia=/usr/bin/nvidia-container-runtime --config-file /x.json",
        );
        let hosts: Vec<&str> = options.values("hosts").collect();
        assert_eq!(hosts, ["unix://", "tcp://127.0.0.1:2375", "fd://"]);
        assert_eq!(options.value("bridge"), Some("bridge0"));
        assert_eq!(options.value("storage-driver"), Some("overlay"));
        assert_eq!(options.value("data-root"), Some("/mnt/x"));
        assert_eq!(options.value("iptables"), Some("false"));
        assert_eq!(options.values("debug").collect::<Vec<_>>(), ["true", "true"]);
        assert_eq!(options.runtime("nvidia").unwrap(), "/usr/bin/nvidia-container-runtime");
        assert_eq!(options.settings_file().unwrap(), "/x.json");
    }

    #[test]
    fn what_is_no_option_is_passed_over() {
        assert_eq!(read("daemon -- x --data-root").value("data-root"), Some(""));
        assert_eq!(read("").keys().count(), 0);
    }
}
