//! Every environment variable that the program reads, in one place: the table below is also the
//! page `docs/reference/environment.md`.

use std::collections::BTreeMap;
use std::ffi::OsString;

use camino::Utf8PathBuf;
use wheelmill_engine::image::REGISTRY_CREDENTIALS;
use wheelmill_model::{NetworkSettings, Secret};

use crate::output::Page;

/// One variable, or a family of them.
pub(crate) struct Variable {
    /// Its name; a `*` stands for any text.
    pub name: &'static str,
    /// What it does, in Markdown.
    pub help: &'static str,
}

/// Variables of one purpose.
pub(crate) struct Group {
    pub title: &'static str,
    pub about: &'static str,
    pub variables: &'static [Variable],
}

macro_rules! names {
    ($($constant:ident = $name:literal;)*) => { $(pub(crate) const $constant: &str = $name;)* };
}

names! {
    HOME = "WHEELMILL_HOME";
    CACHE = "WHEELMILL_CACHE";
    PROJECT = "WHEELMILL_PROJECT";
    ENGINE = "WHEELMILL_ENGINE";
    ISOLATION = "WHEELMILL_ISOLATION";
    BASE = "WHEELMILL_BASE";
    MEMORY = "WHEELMILL_MEMORY";
    CPUS = "WHEELMILL_CPUS";
    CELLS = "WHEELMILL_CELLS";
    GPUS = "WHEELMILL_GPUS";
    TIMEOUT = "WHEELMILL_TIMEOUT";
    COMPILE_CACHE_SIZE = "WHEELMILL_COMPILE_CACHE_SIZE";
    OFFLINE = "WHEELMILL_OFFLINE";
    LOG = "WHEELMILL_LOG";
    COLUMNS = "COLUMNS";
}

/// All of them, as the reference shows them.
pub(crate) const GROUPS: &[Group] = &[
    Group {
        title: "Settings",
        about: "A flag of the command line outranks its variable; a variable outranks `wheelmill.toml` and the user's configuration. An empty variable counts as one that is not set.",
        variables: &[
            Variable {
                name: HOME,
                help: "The folder of the store: wheels, history, logs. Default: `$XDG_DATA_HOME/wheelmill`.",
            },
            Variable {
                name: CACHE,
                help: "The folder of downloads that can be fetched again. Default: `$XDG_CACHE_HOME/wheelmill`.",
            },
            Variable {
                name: PROJECT,
                help: "The folder whose `wheelmill.toml` is used, as `--project`. Default: this folder or the nearest one above it that has such a file.",
            },
            Variable {
                name: ENGINE,
                help: "What runs containers, as `--engine`: `auto`, `docker`, `podman`, `embedded`.",
            },
            Variable {
                name: ISOLATION,
                help: "How far builds are kept from this machine, as `--isolation`: `overlay`, `read-only`, `landlock`, `process`. Default: the first of these that works.",
            },
            Variable {
                name: GPUS,
                help: "The GPUs that builds see, as `--gpus`: `auto`, `none`, `all`, or numbers or UUIDs with commas.",
            },
            Variable {
                name: BASE,
                help: "What containers start from, as `--base`: `host`, an image of a registry, or the file of an image.",
            },
            Variable {
                name: MEMORY,
                help: "The memory that one build, and the compilers of all of them, may use, as `--memory`: `16GB`, `8GiB`.",
            },
            Variable {
                name: CPUS,
                help: "The processors that builds may use together, as `--cpus`: `8`, `1.5`.",
            },
            Variable {
                name: CELLS,
                help: "How many cells are built at a time, at most, as `--cells`: `4`; `1`: one after the other.",
            },
            Variable {
                name: TIMEOUT,
                help: "How long one build may compile, as `--timeout`: `90m`, `6h`.",
            },
            Variable {
                name: COMPILE_CACHE_SIZE,
                help: "What the cache of compiles may take, of all packages together: `20GB`; `0` for none. Default: `10GiB`.",
            },
            Variable {
                name: OFFLINE,
                help: "`1`: fetch nothing, as `--offline`. `0`: fetch what is needed.",
            },
            Variable {
                name: LOG,
                help: "What the program logs of its own work to stderr: a level (`error`, `warn`, `info`, `debug`, `trace`), or levels by part, as in `info,wheelmill_engine=trace`. Default: `warn`; each `--verbose` is one level more.",
            },
        ],
    },
    Group {
        title: "Folders and terminals",
        about: "Read as other programs read them.",
        variables: &[
            Variable {
                name: "XDG_CONFIG_HOME",
                help: "Where `wheelmill/config.toml` lies. Default: `~/.config`.",
            },
            Variable {
                name: "XDG_DATA_HOME",
                help: "Where the store lies. Default: `~/.local/share`.",
            },
            Variable {
                name: "XDG_CACHE_HOME",
                help: "Where downloads are kept. Default: `~/.cache`.",
            },
            Variable { name: "HOME", help: "The user's folder, for the three defaults above." },
            Variable {
                name: "NO_COLOR",
                help: "Set to anything: no colour, unless `--color always`.",
            },
            Variable {
                name: "CLICOLOR_FORCE",
                help: "Set to anything but `0`: colour also where there is no terminal.",
            },
            Variable {
                name: COLUMNS,
                help: "How wide tables, pages and messages may be. Default: the width of the terminal; without one there is no limit.",
            },
            Variable { name: "TERM", help: "`dumb`: neither colour nor a view that moves." },
        ],
    },
    Group {
        title: "Network",
        about: "Passed to what fetches packages and images, and into containers while they may fetch; never into the compile phase. Passwords in them are not printed and not stored.",
        variables: &[
            Variable {
                name: "HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY",
                help: "Proxies; also in lower case.",
            },
            Variable {
                name: "PIP_*",
                help: "pip's settings: `PIP_INDEX_URL`, `PIP_EXTRA_INDEX_URL`, `PIP_CERT`, ….",
            },
            Variable {
                name: "UV_*",
                help: "uv's settings: `UV_DEFAULT_INDEX`, `UV_INDEX`, `UV_INDEX_*_PASSWORD`, …. `UV_DEFAULT_INDEX` outranks `UV_INDEX_URL`, and both `PIP_INDEX_URL`.",
            },
            Variable {
                name: "REGISTRY_AUTH_FILE",
                help: "The file with the passwords of image registries, in the form of Docker's `config.json`. Default: `config.json` in `DOCKER_CONFIG` or `~/.docker`, else `containers/auth.json` in `XDG_RUNTIME_DIR`.",
            },
            Variable {
                name: "SSL_CERT_FILE, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, PIP_CERT",
                help: "The file of trusted certificates; the first that is set counts. Default: the file that this machine's distribution keeps.",
            },
        ],
    },
];

/// Where distributions keep the certificates they trust: Debian and Arch, Fedora (two places),
/// openSUSE, Alpine.
const CERTIFICATE_FILES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The environment as it was when the program started.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment(BTreeMap<String, String>);

impl Environment {
    /// This process's own. Variables that are not UTF-8 are none of those that are read here.
    pub(crate) fn of_process() -> Self {
        let text = |value: OsString| value.into_string().ok();
        Self(
            std::env::vars_os()
                .filter_map(|(key, value)| Some((text(key)?, text(value)?)))
                .collect(),
        )
    }

    /// The value of a variable that is set to something.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The user's own folder.
    pub(crate) fn home_folder(&self) -> Option<Utf8PathBuf> {
        self.get("HOME").map(Utf8PathBuf::from).filter(|home| home.is_absolute())
    }

    /// The folder that `variable` names, else the one below the user's home. By the XDG rules a
    /// relative path counts as none.
    pub(crate) fn xdg(&self, variable: &str, below_home: &str) -> Option<Utf8PathBuf> {
        let named = self.get(variable).map(Utf8PathBuf::from).filter(|path| path.is_absolute());
        named.or_else(|| self.home_folder().map(|home| home.join(below_home)))
    }

    /// The file with the passwords of image registries: named, else Docker's, else Podman's.
    fn registry_credentials(&self) -> Option<String> {
        if let Some(named) = self.get(REGISTRY_CREDENTIALS) {
            return Some(named.to_owned());
        }
        let docker = self.get("DOCKER_CONFIG").map(Utf8PathBuf::from);
        let docker = docker.or_else(|| self.home_folder().map(|home| home.join(".docker")));
        let podman = self.get("XDG_RUNTIME_DIR").map(Utf8PathBuf::from);
        [
            docker.map(|folder| folder.join("config.json")),
            podman.map(|folder| folder.join("containers/auth.json")),
        ]
        .into_iter()
        .flatten()
        .find(|file| file.is_file())
        .map(Utf8PathBuf::into_string)
    }

    /// How this machine reaches indexes and registries.
    pub(crate) fn network(&self, offline: bool) -> NetworkSettings {
        let is_passed = |name: &str| {
            name.starts_with("PIP_")
                || name.starts_with("UV_")
                || matches!(
                    name.to_ascii_uppercase().as_str(),
                    "HTTP_PROXY" | "HTTPS_PROXY" | "ALL_PROXY" | "NO_PROXY"
                )
        };
        let named = ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT"]
            .into_iter()
            .find_map(|name| self.get(name).map(Utf8PathBuf::from));
        let index = ["UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"]
            .into_iter()
            .find_map(|name| self.get(name));
        let mut variables: Vec<(String, Secret)> = self
            .0
            .iter()
            .filter(|(name, value)| is_passed(name) && !value.is_empty())
            .map(|(name, value)| (name.clone(), Secret::new(value)))
            .collect();
        if let Some(file) = self.registry_credentials() {
            variables.push((REGISTRY_CREDENTIALS.to_owned(), Secret::new(file)));
        }
        NetworkSettings {
            variables,
            certificates: named.or_else(|| {
                CERTIFICATE_FILES.iter().map(Utf8PathBuf::from).find(|file| file.exists())
            }),
            index: index.map(|address| Secret::new(index_address(address))),
            offline,
        }
    }
}

/// uv lets an index have a name before its address: `corp=https://…`.
fn index_address(value: &str) -> &str {
    match value.split_once('=') {
        Some((name, address)) if !name.contains([':', '/']) => address,
        _ => value,
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(variables: [(&str, &str); N]) -> Self {
        Self(variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
    }
}

/// The page `environment.md`.
pub(crate) fn reference() -> String {
    let mut page = Page::new();
    page.line("<!-- Generated by `cargo xtask docs` from crates/wheelmill/src/environment.rs. -->");
    page.line("\n# Environment variables");
    for Group { title, about, variables } in GROUPS {
        page.line(format_args!("\n## {title}\n\n{about}\n"));
        page.line("| variable | meaning |\n| --- | --- |");
        for Variable { name, help } in *variables {
            let names: Vec<String> = name.split(", ").map(|name| format!("`{name}`")).collect();
            page.line(format_args!("| {} | {help} |", names.join(", ")));
        }
    }
    page.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reaches_indexes_is_passed_on_and_nothing_else() {
        let environment = Environment::from([
            ("https_proxy", "http://user:secret@proxy:3128"),
            ("UV_DEFAULT_INDEX", "corp=https://index.corp/simple"),
            ("PIP_INDEX_URL", "https://other/simple"),
            ("PIP_NO_INPUT", ""),
            ("AWS_SECRET_ACCESS_KEY", "x"),
            ("CURL_CA_BUNDLE", "/corp.pem"),
            ("REGISTRY_AUTH_FILE", "/corp.json"),
        ]);
        let network = environment.network(false);
        let names: Vec<&str> = network.variables.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            ["PIP_INDEX_URL", "UV_DEFAULT_INDEX", "https_proxy", "REGISTRY_AUTH_FILE"]
        );
        assert_eq!(network.index.unwrap().reveal(), "https://index.corp/simple");
        assert_eq!(network.certificates.unwrap(), "/corp.pem");
    }

    #[test]
    fn an_address_with_a_query_is_not_taken_for_a_name() {
        assert_eq!(index_address("https://h/simple?a=b"), "https://h/simple?a=b");
    }

    #[test]
    fn folders_follow_the_xdg_rules() {
        let environment = Environment::from([("HOME", "/home/u"), ("XDG_DATA_HOME", "relative")]);
        let folder = environment.xdg("XDG_DATA_HOME", ".local/share");
        assert_eq!(folder.unwrap(), "/home/u/.local/share");
        assert_eq!(Environment::default().xdg("XDG_DATA_HOME", ".local/share"), None);
    }
}
