//! What an honest layer becomes.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use wheelmill_engine::Cancel;
use wheelmill_engine::image::{
    LayerSource, UnpackError, UnpackJob, UnpackOptions, Unpacked, XattrMode, unpack,
};
use wheelmill_model::Digest;

use crate::build::{Layer, gzip, zstd};
use crate::support::{Scratch, is_root, listing, own_mode, shell, skip};

fn unpack_to(scratch: &Scratch, name: &str, bytes: &[u8]) -> Result<Unpacked, UnpackError> {
    let options = UnpackOptions { mode: own_mode(), diff_id: None };
    unpack(bytes, scratch.folder(name).as_std_path(), &options, &Cancel::new())
}

fn honest() -> Vec<u8> {
    Layer::new()
        .folder("./", 0o755)
        .folder("usr", 0o755)
        .folder("usr/bin", 0o555)
        .file("usr/bin/tool", "tool")
        .hard_link("usr/bin/other", "usr/bin/tool")
        .symlink("bin", "usr/bin")
        .tar()
}

#[test]
fn every_compression_gives_the_same_layer() {
    let scratch = Scratch::new();
    let tar = honest();
    let split = tar.len() / 2;
    let members = [gzip(&tar[..split]), gzip(&tar[split..])].concat();
    for (name, bytes) in [
        ("plain", tar.clone()),
        ("gzip", gzip(&tar)),
        ("gzip of several members", members),
        ("zstd", zstd(&tar)),
    ] {
        let unpacked = unpack_to(&scratch, name, &bytes).unwrap();
        assert_eq!(unpacked.diff_id, Digest::of(&tar), "{name}");
        let found = listing(&scratch.join(name));
        let expected =
            ["bin -> usr/bin", "usr/", "usr/bin/", "usr/bin/other: tool", "usr/bin/tool: tool"];
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn modes_times_and_links_are_kept() {
    let scratch = Scratch::new();
    let tar = Layer::new()
        .folder("closed", 0o555)
        .file("closed/x", "x")
        .hard_link("closed/y", "closed/x")
        .entry(tar::EntryType::Regular, "suid", "", b"", |header| header.set_mode(0o4755))
        .folder("tmp", 0o1777);
    unpack_to(&scratch, "layer", &tar.tar()).unwrap();
    let stat = |name: &str| fs_err::metadata(scratch.join("layer").join(name)).unwrap();
    assert_eq!(stat("closed").mode() & 0o7777, 0o555);
    assert_eq!(stat("suid").mode() & 0o7777, 0o4755);
    assert_eq!(stat("tmp").mode() & 0o7777, 0o1777);
    assert_eq!(stat("closed/x").ino(), stat("closed/y").ino());
    for name in ["closed", "closed/x", "suid"] {
        assert_eq!(stat(name).mtime(), 1_700_000_000, "{name}");
    }
}

#[test]
fn root_keeps_owners_and_capabilities_but_no_marks_of_overlays() {
    if !is_root() {
        return skip("only root can give files to others");
    }
    let scratch = Scratch::new();
    let capability =
        b"\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00";
    let tar = Layer::new()
        .attributes(&[("security.capability", capability), ("user.note", b"kept")])
        .entry(tar::EntryType::Regular, "ping", "", b"", |header| {
            header.set_uid(33);
            header.set_gid(34);
        })
        .attributes(&[("trusted.overlay.opaque", b"y"), ("user.overlay.opaque", b"y")])
        .folder("folder", 0o755);
    unpack_to(&scratch, "layer", &tar.tar()).unwrap();
    let layer = scratch.join("layer");
    let ping = fs_err::metadata(layer.join("ping")).unwrap();
    assert_eq!((ping.uid(), ping.gid()), (33, 34));
    let attributes = shell(&format!(
        "python3 -c 'import os; print([sorted(os.listxattr(p)) for p in (\"{layer}/ping\", \"{layer}/folder\")])'"
    ));
    assert_eq!(attributes.trim(), "[['security.capability', 'user.note'], []]");
}

#[test]
fn another_content_than_the_image_names_is_refused() {
    let scratch = Scratch::new();
    let tar = honest();
    let options = UnpackOptions { mode: own_mode(), diff_id: Some(Digest::of(b"another")) };
    let error = unpack(&tar[..], scratch.folder("layer").as_std_path(), &options, &Cancel::new());
    let Err(UnpackError::DiffId { actual, .. }) = error else { panic!("{error:?}") };
    assert_eq!(actual, Digest::of(&tar));
}

#[test]
fn what_is_no_layer_is_refused() {
    let scratch = Scratch::new();
    let tar = gzip(&honest());
    for (name, bytes) in [
        ("empty", &b""[..]),
        ("text", &b"this is no tar, but it is long enough to be a header ".repeat(20)[..]),
        ("cut off", &tar[..tar.len() - 20]),
    ] {
        let result = unpack_to(&scratch, name, bytes);
        assert!(matches!(result, Err(UnpackError::Read(_))), "{name}: {result:?}");
    }
    let xz = unpack_to(&scratch, "xz", b"\xfd7zXZ\0 and more");
    assert!(crate::support::chain(&xz.unwrap_err()).contains("compressed with xz"));
}

#[test]
fn a_job_survives_its_way_to_a_helper_and_cleans_up_behind_an_interrupted_one() {
    let scratch = Scratch::new();
    let (tar, file) = (honest(), scratch.join("two layers"));
    fs_err::write(&file, [&b"before"[..], &tar, b"behind"].concat()).unwrap();
    let folder = scratch.folder("layer");
    fs_err::write(folder.join("leftover"), "of an interrupted job").unwrap();
    let source = LayerSource { file, offset: 6, length: tar.len() as u64 };
    let diff_id = Some(Digest::of(&tar));
    let job = UnpackJob { source, folder: folder.clone(), mode: own_mode(), diff_id };
    let sent = serde_json::to_vec(&job).unwrap();
    let received: UnpackJob = serde_json::from_slice(&sent).unwrap();
    received.run(&Cancel::new()).unwrap();
    assert!(!listing(&folder).iter().any(|line| line.starts_with("leftover")));

    let cancel = Cancel::new();
    cancel.cancel();
    assert!(matches!(job.run(&cancel), Err(UnpackError::Cancelled)));
    assert!(!folder.exists());
}

#[test]
fn a_plain_user_gets_all_but_the_owners() {
    if !is_root() {
        return as_a_plain_user();
    }
    // Nobody may not look into the folder that tests are built in.
    let scratch = Scratch::new();
    let program = scratch.join("tests");
    fs_err::copy(std::env::current_exe().unwrap(), &program).unwrap();
    fs_err::set_permissions(scratch.path(), Permissions::from_mode(0o755)).unwrap();
    let output = Command::new(&program)
        .args(["--exact", "unpack::as_a_plain_user", "--ignored"])
        .uid(65534)
        .gid(65534)
        .env("TMPDIR", "/tmp")
        .current_dir("/")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
#[ignore = "run by the test above, as a plain user"]
fn as_a_plain_user() {
    let scratch = Scratch::new();
    let tar = Layer::new()
        .entry(tar::EntryType::Directory, "closed", "", b"", |header| {
            header.set_uid(0);
            header.set_mode(0o000);
        })
        .file("closed/x", "x")
        .file("closed/.wh.y", "")
        .entry(tar::EntryType::Regular, "shadow", "", b"x", |header| {
            header.set_uid(0);
            header.set_gid(42);
            header.set_mode(0o640);
        });
    fs_err::write(scratch.join("tar"), tar.tar()).unwrap();
    let folder = scratch.join("layer");
    let length = fs_err::metadata(scratch.join("tar")).unwrap().len();
    let source = LayerSource { file: scratch.join("tar"), offset: 0, length };
    let job = UnpackJob { source, folder: folder.clone(), mode: XattrMode::User, diff_id: None };
    let unpacked = job.run(&Cancel::new()).unwrap();
    // Two files and two folders: the root is one.
    assert_eq!(unpacked.owners_lost, 4);
    assert_eq!(fs_err::metadata(folder.join("shadow")).unwrap().mode() & 0o7777, 0o640);
    assert_eq!(fs_err::metadata(folder.join("closed")).unwrap().mode() & 0o7777, 0);
    // A second try removes the first, though nothing may be done in `closed`.
    job.run(&Cancel::new()).unwrap();
}
