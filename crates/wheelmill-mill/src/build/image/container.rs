//! The containers of an image: one that builds, one for a person, and one that looks around.

use camino::Utf8Path;
use wheelmill_engine::{BuiltImage, ImageContainer, Limits, Volume};
use wheelmill_model::{Digest, NetworkSettings};
use wheelmill_recipe::LayoutCell;

use crate::build::gpus::require_driver;
use crate::environment::{ambient_at, paths};
use crate::layout::BUILDS;

/// Runs something in the image's own interactive bash.
const INSTALL: &str = include_str!("install.sh");

/// Starts that bash, whose complaints about a missing terminal are nobody's business.
const BASH: &str = r#"
command -v bash >/dev/null || { echo "wheelmill: this image has no bash" >&2; exit 127; }
exec 3>&2
exec bash -i -c "$0" "$@" 2>/dev/null
"#;

/// Lists installers and wheels, one a line. Folders that links lead to are looked into.
const LOOK: &str = r#"
for tool in find sed stat; do
    command -v $tool >/dev/null || { echo "the image has no $tool" >&2; exit 1; }
done
find -H /opt -name installer.sh \( -type f -o -type l \) 2>/dev/null | sed 's/^/installer /'
find -H /builds -name '*.whl' -type f -exec stat -c 'wheel %s %i %y|%n' {} + 2>/dev/null
exit 0
"#;

/// The container in which the installer builds.
pub(super) fn installing(
    cell: &LayoutCell,
    image: &BuiltImage,
    installer: &Utf8Path,
    network: &NetworkSettings,
    limits: Limits,
    remains: Digest,
) -> ImageContainer {
    let container = container(cell, image, installer.as_str(), network, limits);
    ImageContainer { remains: Some(remains), ..container }
}

/// The same container for a person, of the image or of what a failed build left.
pub(super) fn shell(
    cell: &LayoutCell,
    image: &BuiltImage,
    network: &NetworkSettings,
    limits: Limits,
) -> ImageContainer {
    container(cell, image, "bash", network, limits)
}

fn container(
    cell: &LayoutCell,
    image: &BuiltImage,
    runs: &str,
    network: &NetworkSettings,
    limits: Limits,
) -> ImageContainer {
    let command = ["sh", "-c", BASH, INSTALL, "installer", &cell.conda_env, runs];
    let (mut environment, mut mounts) = (Vec::new(), Vec::new());
    require_driver(&mut environment, cell.cuda);
    if cell.network {
        let (variables, certificates) = ambient_at(network, paths::CERTIFICATES_OF_IMAGES);
        // What the image sets, it sets on purpose.
        let is_free = |(name, _): &(String, String)| !image.environment.contains_key(name);
        environment.extend(variables.into_iter().filter(is_free));
        mounts = certificates;
    }
    ImageContainer {
        name: cell.id(),
        image: image.id.clone(),
        command: command.map(str::to_owned).to_vec(),
        environment,
        volume: volume(cell),
        mounts,
        network: cell.network && !network.offline,
        limits,
        gpus: None,
        as_root: false,
        remains: None,
    }
}

/// The container that tells what is there: as root, since folders may be closed to the image's user.
pub(super) fn looking(cell: &LayoutCell, image: &str) -> ImageContainer {
    ImageContainer {
        name: format!("{}-look", cell.id()),
        image: image.to_owned(),
        command: ["sh", "-c", LOOK].map(str::to_owned).to_vec(),
        environment: Vec::new(),
        volume: volume(cell),
        mounts: Vec::new(),
        network: false,
        limits: Limits::default(),
        gpus: None,
        as_root: true,
        remains: None,
    }
}

/// The volume with the wheels.
pub(super) fn volume(cell: &LayoutCell) -> Volume {
    Volume { name: cell.volume.clone(), target: BUILDS.into() }
}
