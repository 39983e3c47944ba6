//! Whiteouts over three layers, as a real overlay shows them.

use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_engine::image::{XattrMode, layers};
use wheelmill_engine::{Base, Cancel};

use crate::build::{Image, Layer, tar_of};
use crate::support::{Scratch, is_root, offline, shell, skip};

fn three_layers() -> Image {
    let lowest = Layer::new()
        .folder("etc", 0o755)
        .file("etc/motd", "lowest")
        .file("etc/hosts", "lowest")
        .folder("opaque", 0o755)
        .file("opaque/old", "lowest")
        .folder("opaque/deep", 0o755)
        .file("opaque/deep/old", "lowest")
        .folder("gone", 0o755)
        .file("gone/a", "lowest")
        .folder("replaced", 0o755)
        .file("replaced/old", "lowest")
        .file("file", "lowest");
    let middle = Layer::new()
        .file("etc/.wh.motd", "")
        .folder("opaque", 0o755)
        // The mark may come behind what the layer itself has in the folder.
        .file("opaque/new", "middle")
        .file("opaque/.wh..wh..opq", "")
        .file(".wh.gone", "")
        .file(".wh.never-was", "")
        // A folder in the place of a removed one shows nothing of the old.
        .file(".wh.replaced", "")
        .folder("replaced", 0o755)
        .file("replaced/new", "middle")
        .folder("file", 0o755)
        .file("file/x", "middle");
    let highest = Layer::new()
        .file("etc/motd", "highest")
        .file("opaque/old", "highest")
        .file("file/.wh.x", "")
        // The other order: the whiteout comes behind the folder.
        .folder("replaced", 0o755)
        .file("replaced/newest", "highest")
        .file(".wh.replaced", "");
    Image::new(&[lowest.tar(), middle.tar(), highest.tar()], <[u8]>::to_vec)
}

const MERGED: &[&str] = &[
    "etc",
    "etc/hosts lowest",
    "etc/motd highest",
    "file",
    "opaque",
    "opaque/new middle",
    "opaque/old highest",
    "replaced",
    "replaced/newest highest",
];

/// Mounts the folders in a mount namespace of its own, and lists what is seen.
fn merged(
    folders: &[Utf8PathBuf],
    options: &str,
    namespace: &[&str],
    at: &Utf8Path,
) -> Vec<String> {
    let lower = folders.iter().rev().map(|path| path.as_str()).collect::<Vec<_>>().join(":");
    let script = format!(
        "mount -t overlay overlay -o ro,{options}lowerdir={lower} {at} && cd {at} && \
         find . -mindepth 1 | while read -r name; do \
         if [ -f \"$name\" ]; then echo \"$name $(cat \"$name\")\"; else echo \"$name\"; fi; done"
    );
    let output =
        Command::new("unshare").args(namespace).args(["sh", "-ec", &script]).output().unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{script}\n{err}");
    let mut lines: Vec<_> =
        out.lines().map(|line| line.trim_start_matches("./").to_owned()).collect();
    lines.sort();
    lines
}

fn check(mode: XattrMode, options: &str, namespace: &[&str]) {
    let scratch = Scratch::new();
    let image = three_layers();
    let path = scratch.join("image.tar");
    fs_err::write(&path, tar_of(&image.layout())).unwrap();
    let base = Base::Archive { path, digest: None };
    let base = wheelmill_engine::image::pin(&base, &offline()).unwrap();
    let store = scratch.folder("store");
    let folders = layers(&base, &store, mode, &offline(), &mut |_, _| {}, &Cancel::new()).unwrap();
    assert_eq!(folders.len(), 3);
    assert_eq!(merged(&folders, options, namespace, &scratch.folder("merged")), MERGED);
}

#[test]
fn root_sees_the_three_layers_as_one() {
    if !is_root() {
        return skip("only root can mount an overlay with trusted marks");
    }
    check(XattrMode::Trusted, "index=off,redirect_dir=off,metacopy=off,", &["--mount"]);
}

#[test]
fn a_user_namespace_sees_the_three_layers_as_one() {
    let namespace = ["--user", "--map-root-user", "--mount"];
    let works = "unshare --user --map-root-user --mount true && echo yes || echo no";
    if shell(works).trim() != "yes" {
        return skip("user namespaces are not allowed");
    }
    check(XattrMode::User, "userxattr,", &namespace);
}

#[test]
fn a_layer_that_is_there_twice_and_one_that_hides_all_below_fit_in_an_overlay() {
    if !is_root() {
        return skip("only root can mount an overlay with trusted marks");
    }
    let scratch = Scratch::new();
    let twice = Layer::new().file("twice", "x").tar();
    let hidden = Layer::new().file("hidden", "x").tar();
    let hiding = Layer::new().file(".wh..wh..opq", "").file("seen", "x").tar();
    let image = Image::new(&[hidden, hiding, twice.clone(), twice], <[u8]>::to_vec);
    let path = scratch.join("image.tar");
    fs_err::write(&path, tar_of(&image.layout())).unwrap();
    let base =
        wheelmill_engine::image::pin(&Base::Archive { path, digest: None }, &offline()).unwrap();
    let store = scratch.folder("store");
    let mode = XattrMode::Trusted;
    let folders = layers(&base, &store, mode, &offline(), &mut |_, _| {}, &Cancel::new()).unwrap();
    let seen = merged(&folders, "", &["--mount"], &scratch.folder("merged"));
    assert_eq!(seen, ["seen x", "twice x"]);
}
