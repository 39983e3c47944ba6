//! Whether a daemon really gives GPUs to containers that ask for them.

use bollard::models::ContainerCreateBody;

use super::gpu::ask;
use super::of_image::owned;
use super::run::{Runner, Wish, bounds};
use crate::cdi::NVIDIA_GPU;
use crate::daemon::connection::Connection;
use crate::daemon::traits::Traits;
use crate::{Cancel, EngineError, GpuSight, Gpus, Limits, Stream};

/// Lists what a container sees of GPUs: NVIDIA's devices, and that of Windows' Linux.
const LOOK: &str =
    r#"for device in /dev/nvidia[0-9]* /dev/dxg; do [ ! -e "$device" ] || echo "$device"; done"#;

/// How to write the specification that CDI wants.
const GENERATE: &str = "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml";

/// Starts a container of an image, and lists the GPUs that it has: several ways of asking are
/// answered with none, and no error.
pub(in crate::daemon) fn look(
    connection: &Connection,
    traits: &Traits,
    image: &str,
    gpus: &Gpus,
    variables: &[(String, String)],
    cancel: &Cancel,
) -> Result<GpuSight, EngineError> {
    let Some(way) = traits.gpus else {
        return Ok(GpuSight::Unseen {
            why: format!("no CDI specification of {NVIDIA_GPU} is on this machine"),
            fix: format!("install the NVIDIA driver and Container Toolkit, then `{GENERATE}`"),
        });
    };
    let mut body = ContainerCreateBody {
        entrypoint: Some(vec!["sh".to_owned()]),
        cmd: Some(vec!["-c".to_owned(), LOOK.to_owned()]),
        env: Some(variables.iter().map(|(name, value)| format!("{name}={value}")).collect()),
        host_config: Some(bounds(traits, &[], false, &Limits::default())),
        ..owned(image)
    };
    ask(traits.gpus, Some(gpus), &mut body);
    let mut said = Vec::new();
    let mut sink = |stream: Stream, bytes: &[u8]| {
        if stream == Stream::Stdout {
            said.extend_from_slice(bytes);
        }
    };
    let wish = Wish { name: "gpus".to_owned(), body, remains: None };
    match Runner(connection).run(wish, &mut sink, cancel) {
        Ok(exit) if exit.cancelled => return Err(EngineError::Cancelled),
        Ok(_) => {}
        Err(EngineError::Daemon { kind, message }) => {
            return match advice(&message) {
                Some(fix) if message.contains("could not select device driver") => {
                    let why = format!("{kind} found no NVIDIA toolkit when it started");
                    Ok(GpuSight::Unseen { why, fix })
                }
                Some(fix) => Ok(GpuSight::Unseen { why: message, fix }),
                None => Err(EngineError::Daemon { kind, message }),
            };
        }
        Err(error) => return Err(error),
    }
    let devices: Vec<String> = String::from_utf8_lossy(&said).lines().map(str::to_owned).collect();
    if devices.is_empty() {
        return Ok(GpuSight::Unseen {
            why: format!("a container that asked by {} started, and has none", way.name()),
            fix: "see whether this machine has one: `nvidia-smi`; then install the NVIDIA \
                  Container Toolkit and restart the daemon"
                .to_owned(),
        });
    }
    Ok(GpuSight::Seen { way: way.name().to_owned(), devices })
}

/// What to do about a daemon's words, where they are about GPUs.
///
/// Source: the words of dockerd 20.10 and 29.7, of podman 4.3, and of libnvidia-container 1.17.
fn advice(message: &str) -> Option<String> {
    let install = "install the NVIDIA Container Toolkit (package `nvidia-container-toolkit`), then \
                   `sudo systemctl restart docker`";
    let known: [(&[&str], &str); 8] = [
        (&["could not select device driver", "failed to discover GPU vendor"], install),
        (&["AMD CDI spec not found"], "`sudo systemctl restart docker`: the toolkit came after it"),
        (
            &["unknown or invalid runtime name", "Unknown runtime specified"],
            "`sudo nvidia-ctk runtime configure --runtime=docker`, then `sudo systemctl restart \
             docker`",
        ),
        (
            &["invoking the NVIDIA Container Runtime Hook directly"],
            "`sudo nvidia-ctk runtime configure --runtime=docker --cdi.enabled`, then `sudo \
             systemctl restart docker`",
        ),
        (
            &["requirement error: unsatisfied condition"],
            "a newer NVIDIA driver, or an older `--cuda`",
        ),
        (&["nvidia-container-runtime", "nvidia-cdi-hook"], install),
        (&["nvidia-container-cli"], "see what the driver says: `nvidia-smi`"),
        (&["initialize NVML"], "see what the driver says: `nvidia-smi`"),
    ];
    if message.contains("unresolvable CDI devices") || message.contains("setting up CDI devices") {
        return Some(format!(
            "write the specification of this driver anew: `{GENERATE}`; one that is newer than the \
             engine knows needs a newer engine"
        ));
    }
    let found = known.iter().find(|(signs, _)| signs.iter().any(|sign| message.contains(sign)));
    found.map(|(_, fix)| (*fix).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_daemons_lead_to_a_remedy() {
        for (said, remedy) in [
            ("could not select device driver \"\" with capabilities: [[gpu]]", "install"),
            (
                "CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=all",
                "generate",
            ),
            ("Unknown runtime specified nvidia", "runtime configure"),
            (
                "nvidia-container-cli: requirement error: unsatisfied condition: cuda>=12.8",
                "newer NVIDIA driver",
            ),
        ] {
            assert!(advice(said).unwrap().contains(remedy), "{said}");
        }
        assert_eq!(advice("no such image"), None);
    }
}
