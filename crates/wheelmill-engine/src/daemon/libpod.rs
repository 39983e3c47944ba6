//! What only Podman's own API can do.
//!
//! Its imitation of Docker's ignores every wish for a device of CDI and answers with success, so
//! containers with GPUs are made here; all that follows (start, attach, wait, remove) is the same
//! for both. And only here are the containers of its builder listed.
//!
//! Source: podman 4.3.1, `pkg/specgen`, and its behaviour.

use bollard::models::{ContainerCreateBody, HostConfig, Mount, MountType};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::net::UnixStream;

use super::connection::Connection;
use super::failure::{refused, unanswered};
use crate::EngineError;

/// The oldest version of the API that has all of this.
const CREATE: &str = "/v4.0.0/libpod/containers/create";

/// The period, in microseconds, of which a container's processors are a share.
const PERIOD: i64 = 100_000;

/// All containers, those of builders too.
const LIST: &str = "/v4.0.0/libpod/containers/json?all=true&external=true";

/// A container that was made.
#[derive(Deserialize)]
struct Made {
    #[serde(rename = "Id")]
    id: String,
}

/// What Podman has against something.
#[derive(Deserialize)]
struct Refused {
    message: String,
}

/// A container of the list.
#[derive(Deserialize)]
pub(super) struct WorkingContainer {
    #[serde(rename = "Id")]
    pub(super) id: String,
    /// The identity of the image that it stands on.
    #[serde(rename = "ImageID", default)]
    pub(super) image: String,
    /// `storage` for those of builders.
    #[serde(rename = "State", default)]
    state: String,
}

/// Has a container made, not started; its identity.
pub(super) fn create(
    connection: &Connection,
    name: &str,
    wish: &ContainerCreateBody,
) -> Result<String, EngineError> {
    let wish = specification(name, wish).to_string();
    let answer = ask(connection, Method::POST, CREATE, wish)?;
    match serde_json::from_slice(&answer) {
        Ok(Made { id }) => Ok(id),
        Err(_) => Err(refusal(connection, &answer)),
    }
}

/// The containers that a builder works in, or worked in when it was killed.
pub(super) fn working_containers(
    connection: &Connection,
) -> Result<Vec<WorkingContainer>, EngineError> {
    let answer = ask(connection, Method::GET, LIST, String::new())?;
    let all: Vec<WorkingContainer> =
        serde_json::from_slice(&answer).map_err(|_| refusal(connection, &answer))?;
    Ok(all.into_iter().filter(|container| container.state == "storage").collect())
}

/// Why there is no answer of the kind that was expected.
fn refusal(connection: &Connection, answer: &[u8]) -> EngineError {
    let message = match serde_json::from_slice(answer) {
        Ok(Refused { message }) => message,
        Err(_) => String::from_utf8_lossy(answer).into_owned(),
    };
    refused(connection.kind, &message)
}

/// Asks one thing, in JSON.
fn ask(
    connection: &Connection,
    method: Method,
    path: &str,
    body: String,
) -> Result<Bytes, EngineError> {
    let answer = connection.with(async |_| exchange(connection, method, path, body).await)?;
    answer.map_err(|error| unanswered(connection, &error.to_string()))
}

async fn exchange(
    connection: &Connection,
    method: Method,
    path: &str,
    body: String,
) -> Result<Bytes, Box<dyn std::error::Error + Send + Sync>> {
    let stream = UnixStream::connect(&connection.socket).await?;
    let (mut sender, traffic) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let traffic = tokio::spawn(traffic);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, "localhost")
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))?;
    let answer = sender.send_request(request).await?.into_body().collect().await?.to_bytes();
    drop(sender);
    traffic.await??;
    Ok(answer)
}

/// A container in Podman's words.
fn specification(name: &str, wish: &ContainerCreateBody) -> Value {
    let none = HostConfig::default();
    let host = wish.host_config.as_ref().unwrap_or(&none);
    let variables: Map<String, Value> = wish
        .env
        .iter()
        .flatten()
        .filter_map(|variable| variable.split_once('='))
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect();
    let security = host.security_opt.iter().flatten();
    let (mounts, volumes): (Vec<&Mount>, Vec<&Mount>) =
        host.mounts.iter().flatten().partition(|mount| mount.typ == Some(MountType::BIND));
    let devices = host.device_requests.iter().flatten();
    let devices = devices.flat_map(|request| request.device_ids.iter().flatten());
    let mut specification = json!({
        "name": name,
        "image": wish.image,
        "entrypoint": wish.entrypoint,
        "command": wish.cmd,
        "env": variables,
        "labels": wish.labels,
        "terminal": wish.tty.unwrap_or(false),
        "stdin": wish.open_stdin.unwrap_or(false),
        "mounts": mounts.into_iter().map(bind).collect::<Vec<_>>(),
        "volumes": volumes.into_iter().map(volume).collect::<Vec<_>>(),
        "netns": { "nsmode": host.network_mode.as_deref().unwrap_or("none") },
        "cap_drop": host.cap_drop,
        "cap_add": host.cap_add,
        "no_new_privileges": security.clone().any(|option| option == "no-new-privileges"),
        "resource_limits": limits(host),
        "devices": devices.map(|name| json!({ "path": name })).collect::<Vec<_>>(),
    });
    for (key, value) in [("user", &wish.user), ("work_dir", &wish.working_dir)] {
        if let Some(value) = value {
            specification[key] = json!(value);
        }
    }
    if security.clone().any(|option| option == "label=disable") {
        specification["selinux_opts"] = json!(["disable"]);
    }
    specification
}

fn bind(mount: &Mount) -> Value {
    let access = if mount.read_only == Some(true) { "ro" } else { "rw" };
    json!({
        "type": "bind",
        "source": mount.source,
        "destination": mount.target,
        "options": ["rbind", access],
    })
}

fn volume(mount: &Mount) -> Value {
    json!({ "Name": mount.source, "Dest": mount.target })
}

/// The limits, in the words of the OCI's runtime specification.
fn limits(host: &HostConfig) -> Value {
    let mut limits = json!({});
    if let Some(memory) = host.memory {
        limits["memory"] = json!({ "limit": memory, "swap": host.memory_swap });
    }
    if let Some(cpus) = host.nano_cpus {
        let quota = cpus / (1_000_000_000 / PERIOD);
        limits["cpu"] = json!({ "quota": quota, "period": PERIOD });
    }
    if let Some(processes) = host.pids_limit {
        limits["pids"] = json!({ "limit": processes });
    }
    limits
}
