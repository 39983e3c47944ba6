//! The containers of an image: one that builds, and one that looks around.

use camino::Utf8Path;
use wheelmill_engine::{ImageContainer, Limits, Volume};
use wheelmill_model::NetworkSettings;
use wheelmill_recipe::LayoutCell;

use crate::environment::ambient;
use crate::layout::BUILDS;

/// Activates the conda environment `$1` where there is conda, and runs the installer `$2`.
const INSTALL: &str = r#"
for folder in "$CONDA_DIR" /opt/conda /opt/*conda* "$HOME"/*conda* /root/*conda* /usr/local/*conda*; do
    [ -n "$folder" ] || continue
    if [ -e "$folder/etc/profile.d/conda.sh" ]; then
        . "$folder/etc/profile.d/conda.sh"
        conda activate "$1"
    elif [ -e "$folder/bin/activate" ]; then
        . "$folder/bin/activate" "$1"
    else
        continue
    fi
    echo "wheelmill: conda environment $1 of $folder"
    break
done
[ ! -x "$2" ] || exec "$2"
exec "$BASH" "$2"
"#;

/// Lists installers and wheels, one a line.
const LOOK: &str = r#"
find /opt -name installer.sh -type f 2>/dev/null | sed 's/^/installer /' || true
find /builds -name '*.whl' -type f -exec stat -c 'wheel %s %y|%n' {} +
"#;

/// The container in which the installer builds.
pub(super) fn installing(
    cell: &LayoutCell,
    image: &str,
    installer: &Utf8Path,
    network: &NetworkSettings,
    limits: Limits,
) -> ImageContainer {
    let script = ["bash", "-ec", INSTALL, "installer", &cell.conda_env, installer.as_str()];
    let (mut environment, mut mounts) = (gpus(cell), Vec::new());
    if cell.network {
        let (variables, certificates) = ambient(network);
        environment.extend(variables);
        mounts = certificates;
    }
    ImageContainer {
        image: image.to_owned(),
        command: script.map(str::to_owned).to_vec(),
        environment,
        volume: volume(cell),
        mounts,
        network: cell.network && !network.offline,
        limits,
    }
}

/// The container that tells what is there.
pub(super) fn looking(cell: &LayoutCell, image: &str) -> ImageContainer {
    ImageContainer {
        image: image.to_owned(),
        command: ["sh", "-c", LOOK].map(str::to_owned).to_vec(),
        environment: Vec::new(),
        volume: volume(cell),
        mounts: Vec::new(),
        network: false,
        limits: Limits::default(),
    }
}

/// The volume with the wheels.
pub(super) fn volume(cell: &LayoutCell) -> Volume {
    Volume { name: cell.volume.clone(), target: BUILDS.into() }
}

/// What NVIDIA's runtime is asked for, where the daemon has it.
fn gpus(cell: &LayoutCell) -> Vec<(String, String)> {
    [
        ("NVIDIA_VISIBLE_DEVICES", "all".to_owned()),
        ("NVIDIA_DRIVER_CAPABILITIES", "compute,utility".to_owned()),
        ("NVIDIA_REQUIRE_CUDA", format!("cuda>={}", cell.cuda)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}
