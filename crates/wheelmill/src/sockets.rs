//! Where daemons may answer: what the user's settings of Docker and Podman say, then the usual
//! places.

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;
use wheelmill_engine::EngineKind;
use wheelmill_model::Digest;

use crate::environment::Environment;
use crate::error::CliError;

/// The folders where container engines look for CDI specifications: the machine's, and those that a
/// rootless Docker has in addition.
pub(crate) fn cdi_folders(environment: &Environment) -> Vec<Utf8PathBuf> {
    let of_user = ["XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"];
    let of_user = of_user.into_iter().filter_map(|name| environment.get(name));
    let of_user = of_user.map(|folder| Utf8PathBuf::from(folder).join("cdi"));
    [Utf8PathBuf::from("/etc/cdi"), "/var/run/cdi".into()].into_iter().chain(of_user).collect()
}

/// The sockets at which a daemon may answer, the likeliest first.
///
/// # Errors
/// The user's settings name a daemon on another machine.
pub(crate) fn sockets(
    kind: EngineKind,
    environment: &Environment,
) -> Result<Vec<Utf8PathBuf>, CliError> {
    let named = match kind {
        EngineKind::Embedded => return Ok(Vec::new()),
        EngineKind::Docker => docker_host(environment),
        EngineKind::Podman => {
            environment.get("CONTAINER_HOST").map(|host| ("CONTAINER_HOST", host.to_owned()))
        }
    };
    if let Some((by, host)) = named {
        return local(by, &host).map(|socket| vec![socket]);
    }
    let of_user = environment.get("XDG_RUNTIME_DIR").map(Utf8PathBuf::from);
    let below = |folder: Option<&Utf8PathBuf>, path: &str| folder.map(|folder| folder.join(path));
    let home = environment.home_folder();
    let places = match kind {
        EngineKind::Docker => vec![
            Some("/var/run/docker.sock".into()),
            below(of_user.as_ref(), "docker.sock"),
            below(home.as_ref(), ".docker/run/docker.sock"),
        ],
        _ => vec![
            below(of_user.as_ref(), "podman/podman.sock"),
            Some("/run/podman/podman.sock".into()),
        ],
    };
    let (there, missing): (Vec<_>, Vec<_>) =
        places.into_iter().flatten().partition(|socket| socket.exists());
    Ok(there.into_iter().chain(missing).collect())
}

/// What names Docker's daemon, as the docker command reads it: the variable, else the context.
fn docker_host(environment: &Environment) -> Option<(&'static str, String)> {
    if let Some(host) = environment.get("DOCKER_HOST") {
        return Some(("DOCKER_HOST", host.to_owned()));
    }
    let home = environment.home_folder().map(|home| home.join(".docker"));
    let folder = environment.get("DOCKER_CONFIG").map(Utf8PathBuf::from).or(home)?;
    let name = match environment.get("DOCKER_CONTEXT") {
        Some(name) => name.to_owned(),
        None => {
            let text = fs_err::read_to_string(folder.join("config.json")).ok()?;
            serde_json::from_str::<Config>(&text).ok()?.current_context?
        }
    };
    context(&folder, &name).map(|host| ("the docker context", host))
}

#[derive(Deserialize)]
struct Config {
    #[serde(rename = "currentContext")]
    current_context: Option<String>,
}

#[derive(Deserialize)]
struct Context {
    #[serde(rename = "Endpoints")]
    endpoints: std::collections::BTreeMap<String, Endpoint>,
}

#[derive(Deserialize)]
struct Endpoint {
    #[serde(rename = "Host")]
    host: String,
}

/// The address of a context, from the folder that is named by the digest of its name.
fn context(folder: &Utf8Path, name: &str) -> Option<String> {
    let place = Digest::of(name.as_bytes()).to_string();
    let file = folder.join("contexts/meta").join(place).join("meta.json");
    let text = fs_err::read_to_string(file).ok()?;
    let context: Context = serde_json::from_str(&text).ok()?;
    context.endpoints.get("docker").map(|endpoint| endpoint.host.clone())
}

/// The socket that an address names. A build shows folders of this machine to its container, so
/// the daemon must be here.
fn local(by: &str, host: &str) -> Result<Utf8PathBuf, CliError> {
    match host.strip_prefix("unix://") {
        Some(socket) => Ok(socket.into()),
        None => Err(CliError::usage(format!("{by} names `{host}`, and only sockets are driven"))
            .hint("run wheelmill on the machine of the daemon, or unset it")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_outrank_contexts_and_both_the_usual_places() {
        let home = tempfile::tempdir().unwrap();
        let home = Utf8Path::from_path(home.path()).unwrap();
        let meta = home.join(".docker/contexts/meta").join(Digest::of(b"far").to_string());
        fs_err::create_dir_all(&meta).unwrap();
        fs_err::write(home.join(".docker/config.json"), r#"{"currentContext": "far"}"#).unwrap();
        let host = r#"{"Name": "far", "Endpoints": {"docker": {"Host": "unix:///far.sock"}}}"#;
        fs_err::write(meta.join("meta.json"), host).unwrap();
        let found = |variables: Environment| sockets(EngineKind::Docker, &variables);
        let of_context = found([("HOME", home.as_str())].into()).unwrap();
        assert_eq!(of_context, ["/far.sock"]);
        let variables = [("HOME", home.as_str()), ("DOCKER_HOST", "unix:///near.sock")];
        assert_eq!(found(variables.into()).unwrap(), ["/near.sock"]);
        let usual =
            found([("HOME", "/nobody"), ("XDG_RUNTIME_DIR", "/run/user/7")].into()).unwrap();
        assert!(usual.contains(&"/var/run/docker.sock".into()));
        assert!(usual.contains(&"/run/user/7/docker.sock".into()));
    }

    #[test]
    fn a_daemon_elsewhere_is_refused() {
        let variables = [("DOCKER_HOST", "tcp://10.0.0.1:2375")].into();
        let error = sockets(EngineKind::Docker, &variables).unwrap_err();
        assert!(error.render().contains("tcp://10.0.0.1:2375"));
    }
}
