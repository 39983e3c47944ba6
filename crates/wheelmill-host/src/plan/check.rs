//! Settings that `dockerd --validate` calls good and the daemon does not start or work with (tried
//! with 29.7.2), and for the daemons before 23 that cannot validate at all.

use serde_json::Value;
use wheelmill_model::InterfaceAddress;

use super::change::Refusal;
use crate::machine::{DaemonOptions, DaemonProcess};

/// Drivers of logs that come with Docker; others are plug-ins with a `:` or `/` in their names.
const LOG_DRIVERS: &[&str] = &[
    "awslogs",
    "etwlogs",
    "fluentd",
    "gcplogs",
    "gelf",
    "journald",
    "json-file",
    "local",
    "logentries",
    "none",
    "splunk",
    "syslog",
];

/// Names that Docker keeps for its own runtime.
const RESERVED: &str = "runc";

/// The one key that may be given in both places.
const SHARED: &str = "runtimes";

/// A code, what is wrong, and what to do instead.
type Problem = (&'static str, String, String);

/// What is wrong with settings, for a daemon with these options. All of it keeps it from working.
/// Whether programs are there is looked at where its process is known.
pub(crate) fn problems(
    settings: &Value,
    options: &DaemonOptions,
    process: Option<&DaemonProcess>,
) -> Vec<Refusal> {
    let text = |key: &str| settings[key].as_str();
    let mut found: Vec<Problem> = Vec::new();
    found.extend(twice(settings, options));
    for (name, runtime) in settings["runtimes"].as_object().into_iter().flatten() {
        found.extend(runtime_problem(name, runtime, process));
    }
    if let Some(name) = text("default-runtime").or_else(|| options.value("default-runtime"))
        && !is_own(name)
        && settings["runtimes"][name].is_null()
        && options.runtime(name).is_none()
    {
        found.push((
            "default-runtime",
            format!("`default-runtime` is `{name}`, and no such runtime is registered"),
            format!("register it under `runtimes.{name}`, or take `default-runtime` away"),
        ));
    }
    let given = |key: &str| !settings[key].is_null() || options.value(key).is_some();
    if given("bip") && given("bridge") {
        found.push((
            "bridge-twice",
            "`bip` and `bridge` exclude each other, and the daemon does not start with both"
                .to_owned(),
            "keep `bip` for Docker's own bridge, or `bridge` for another".to_owned(),
        ));
    }
    if let Some(bip) = text("bip")
        && bip.contains('.')
        && let Err(error) = bip.parse::<InterfaceAddress>()
    {
        found.push(("bip", format!("`bip`: {error}"), "write it so".to_owned()));
    }
    if let Some(folder) = text("data-root")
        && !folder.starts_with('/')
    {
        found.push((
            "data-root-relative",
            format!("`data-root` is `{folder}`, which depends on where the daemon is started"),
            "write the whole path".to_owned(),
        ));
    }
    if let Some(driver) = text("log-driver")
        && !LOG_DRIVERS.contains(&driver)
        && !driver.contains([':', '/'])
    {
        found.push((
            "log-driver",
            format!("`log-driver` is `{driver}`, which Docker does not have"),
            format!("write one of {}", LOG_DRIVERS.join(", ")),
        ));
    }
    for (name, value) in settings["log-opts"].as_object().into_iter().flatten() {
        if !value.is_string() {
            found.push((
                "log-opts",
                format!("`log-opts.{name}` is not a text, and the daemon does not start with it"),
                format!("put it in quotes: `\"{name}\": \"{value}\"`"),
            ));
        }
    }
    let refusal = |(code, message, instead)| Refusal::machine(code, message, instead);
    found.into_iter().map(refusal).collect()
}

/// Whether a runtime needs no registration: Docker's own, or one of containerd's.
pub(super) fn is_own(name: &str) -> bool {
    name.is_empty() || name == RESERVED || name.starts_with("io.containerd.")
}

/// Keys that are also options of the command line.
fn twice(settings: &Value, options: &DaemonOptions) -> Vec<Problem> {
    let keys = settings.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
    keys.filter(|key| *key != SHARED)
        .filter_map(|key| {
            let option = options.value(key)?;
            Some((
                "option-twice",
                format!(
                    "`{key}` is also an option of the daemon's command line (`{option}`), and it \
                     starts with only one of them"
                ),
                "take it out of the settings, or out of the service's `ExecStart`".to_owned(),
            ))
        })
        .collect()
}

fn runtime_problem(
    name: &str,
    runtime: &Value,
    process: Option<&DaemonProcess>,
) -> Option<Problem> {
    let take_away = || format!("take `runtimes.{name}` away");
    if name == RESERVED {
        return Some((
            "runtime-reserved",
            format!("a runtime cannot be called `{RESERVED}`: that is Docker's own"),
            "give it another name".to_owned(),
        ));
    }
    let path = runtime["path"].as_str().filter(|path| !path.is_empty());
    match (path, runtime["runtimeType"].as_str()) {
        (Some(_), Some(_)) => Some((
            "runtime-two-kinds",
            format!("the runtime `{name}` has `path` and `runtimeType`, which exclude each other"),
            take_away(),
        )),
        (Some(path), None) if process.is_some_and(|it| it.find_program(path).is_none()) => Some((
            "runtime-missing",
            format!("the runtime `{name}` is `{path}`, which the daemon does not find"),
            format!("install it, or {}", take_away()),
        )),
        _ => None,
    }
}
