//! Images in files and folders.

use camino::{Utf8Path, Utf8PathBuf};
use tar::EntryType;
use wheelmill_engine::image::pin;
use wheelmill_engine::{Base, EngineError};
use wheelmill_model::Digest;

use crate::build::{Image, Layer, gzip, tar_of, write_folder, zstd};
use crate::support::{Scratch, chain, config_of, layers_of, listing, offline};

fn two_layers(compress: fn(&[u8]) -> Vec<u8>) -> Image {
    let lower = Layer::new().folder("usr", 0o755).file("usr/tool", "lower").tar();
    let upper = Layer::new().file("upper", "upper").tar();
    Image::new(&[lower, upper], compress)
}

fn pinned(path: &Utf8Path) -> Base {
    pin(&Base::Archive { path: path.to_owned(), digest: None }, &offline()).unwrap()
}

fn contents(folders: &[Utf8PathBuf]) -> Vec<Vec<String>> {
    folders.iter().map(|folder| listing(folder)).collect()
}

#[test]
fn every_kind_of_file_gives_the_same_layers_and_configuration() {
    let scratch = Scratch::new();
    let (plain, small) = (two_layers(<[u8]>::to_vec), two_layers(gzip));
    let layout_folder = scratch.folder("layout");
    write_folder(&small.layout(), &layout_folder);
    let mut paths = vec![layout_folder];
    for (name, bytes) in [
        ("docker.tar", tar_of(&plain.saved(&["a:1"]))),
        ("docker.tar.gz", gzip(&tar_of(&plain.saved(&["a:1"])))),
        ("docker.tar.zst", zstd(&tar_of(&plain.saved(&["a:1"])))),
        ("podman-oci.tar", tar_of(&small.layout())),
        ("oci-zstd.tar", tar_of(&two_layers(zstd).layout())),
        // Docker since version 25 writes a layout that has a `manifest.json` too.
        ("docker-25.tar", tar_of(&[plain.layout(), plain.saved(&["a:1"])].concat())),
    ] {
        fs_err::write(scratch.join(name), bytes).unwrap();
        paths.push(scratch.join(name));
    }
    for (index, path) in paths.iter().enumerate() {
        let store = scratch.folder(&format!("store {index}"));
        let base = pinned(path);
        let folders = layers_of(&base, &store, &offline()).unwrap();
        let expected = [vec!["usr/", "usr/tool: lower"], vec!["upper: upper"]];
        assert_eq!(contents(&folders), expected, "{path}");
        for (folder, diff_id) in folders.iter().zip(&plain.diff_ids) {
            assert_eq!(folder.file_name(), Some(diff_id.to_string().as_str()), "{path}");
        }
        let config = config_of(&base, &store, &offline()).unwrap();
        let cuda = ("CUDA_HOME".to_owned(), "/usr/local/cuda".to_owned());
        assert!(config.env.contains(&cuda), "{path}");
        assert_eq!(config.working_dir.as_deref(), Some("/work"), "{path}");
        // Nothing but the layers themselves is kept.
        assert_eq!(listing(&store.join("images/blobs")), [""; 0], "{path}");
    }
}

#[test]
fn a_plain_tar_is_one_layer_named_by_its_content() {
    let scratch = Scratch::new();
    let tar = Layer::new().folder("./", 0o755).file("./etc/issue", "root").tar();
    let store = scratch.folder("store");
    for (name, bytes) in
        [("root.tar", tar.clone()), ("root.tar.gz", gzip(&tar)), ("root.tar.zst", zstd(&tar))]
    {
        fs_err::write(scratch.join(name), bytes).unwrap();
        let base = pinned(&scratch.join(name));
        let folders = layers_of(&base, &store, &offline()).unwrap();
        assert_eq!(contents(&folders), [["etc/", "etc/issue: root"]], "{name}");
        assert_eq!(folders[0].file_name(), Some(Digest::of(&tar).to_string().as_str()));
        assert_eq!(config_of(&base, &store, &offline()).unwrap().env, []);
    }
}

#[test]
fn what_was_unpacked_once_needs_the_file_no_more() {
    let scratch = Scratch::new();
    let store = scratch.folder("store");
    let root = Layer::new().file("x", "x").tar();
    for (name, bytes) in
        [("image.tar", tar_of(&two_layers(gzip).layout())), ("root.tar.gz", gzip(&root))]
    {
        let path = scratch.join(name);
        fs_err::write(&path, bytes).unwrap();
        let base = pinned(&path);
        let first = layers_of(&base, &store, &offline()).unwrap();
        fs_err::remove_file(&path).unwrap();
        assert_eq!(layers_of(&base, &store, &offline()).unwrap(), first);
        // A layer that was cleaned away has to be read again, and is missed now.
        fs_err::remove_dir_all(&first[0]).unwrap();
        assert!(layers_of(&base, &store, &offline()).is_err());
    }
}

#[test]
fn a_file_that_changed_since_it_was_pinned_is_refused() {
    let scratch = Scratch::new();
    let path = scratch.join("image.tar");
    fs_err::write(&path, tar_of(&two_layers(gzip).layout())).unwrap();
    let base = pinned(&path);
    fs_err::write(&path, tar_of(&two_layers(zstd).layout())).unwrap();
    let error = layers_of(&base, &scratch.folder("store"), &offline()).unwrap_err();
    assert!(error.to_string().contains("changed since it was pinned"), "{error}");
}

#[test]
fn a_base_that_is_not_pinned_is_refused() {
    let scratch = Scratch::new();
    for base in [
        Base::Archive { path: scratch.join("x"), digest: None },
        Base::Image("debian:12".to_owned()),
    ] {
        let error = layers_of(&base, scratch.path(), &offline()).unwrap_err();
        assert!(matches!(error, EngineError::NotPinned(_)), "{error}");
    }
}

#[test]
fn what_cannot_be_used_is_told_apart() {
    let scratch = Scratch::new();
    let image = two_layers(gzip);
    let mut without_layer = image.clone();
    without_layer.blobs.remove(&image.layers[1]);
    let mut wrong_manifest = image.clone();
    wrong_manifest.blobs.insert(image.manifest, b"{}".to_vec());
    let mut wrong_layer = image.clone();
    wrong_layer.blobs.insert(image.layers[1], Layer::new().file("evil", "x").tar());
    let foreign = Image::for_architecture(&[Layer::new().tar()], gzip, "s390x");
    let old = [("repositories".to_owned(), b"{}".to_vec())];
    for (bytes, expected) in [
        (tar_of(&image.saved(&["a:1", "b:2"])), "holds 2 images (a:1, b:2)"),
        (tar_of(&without_layer.layout()), "is missing"),
        (tar_of(&wrong_manifest.layout()), "other bytes than its digest says"),
        (tar_of(&wrong_layer.layout()), "but the image names"),
        (tar_of(&foreign.saved(&["a:1"])), "it is for linux/s390x"),
        (tar_of(&old), "Docker before 1.10"),
        (b"no archive at all, but long enough to be a header of one".repeat(20), "no tar"),
        (b"\xfd7zXZ\0".to_vec(), "compressed with xz"),
    ] {
        let path = scratch.join("image.tar");
        fs_err::write(&path, bytes).unwrap();
        let error = layers_of(&pinned(&path), &scratch.folder("store"), &offline()).unwrap_err();
        assert!(chain(&error).contains(expected), "{expected}: {}", chain(&error));
        assert!(chain(&error).contains("image.tar"), "{}", chain(&error));
    }
}

#[test]
fn equal_layers_that_docker_saved_as_links_are_followed() {
    let scratch = Scratch::new();
    let same = Layer::new().file("x", "x").tar();
    let image = Image::new(&[same.clone(), Layer::new().file("y", "y").tar()], <[u8]>::to_vec);
    let [first, second] = &image.diff_ids[..] else { panic!("two layers") };
    let manifest = format!(
        r#"[{{"Config":"{}.json","RepoTags":null,"Layers":["link/layer.tar","{second}/layer.tar"]}}]"#,
        image.config
    );
    let tar = Layer::new()
        .entry(
            EntryType::Regular,
            &format!("{}.json", image.config),
            "",
            &image.blobs[&image.config],
            |_| {},
        )
        .entry(EntryType::Regular, &format!("{}/layer.tar", first.short()), "", &same, |_| {})
        .symlink("link/layer.tar", &format!("../{}/layer.tar", first.short()))
        .entry(
            EntryType::Regular,
            &format!("{second}/layer.tar"),
            "",
            &image.blobs[&image.layers[1]],
            |_| {},
        )
        .file("manifest.json", &manifest)
        .tar();
    let path = scratch.join("image.tar");
    fs_err::write(&path, tar).unwrap();
    let folders = layers_of(&pinned(&path), &scratch.folder("store"), &offline()).unwrap();
    assert_eq!(contents(&folders), [["x: x"], ["y: y"]]);
}

#[test]
fn the_host_is_no_image() {
    let scratch = Scratch::new();
    let base = Base::Host { identity: "debian 12".to_owned() };
    assert_eq!(pin(&base, &offline()).unwrap(), base);
    assert_eq!(layers_of(&base, scratch.path(), &offline()).unwrap(), [""; 0]);
    assert_eq!(config_of(&base, scratch.path(), &offline()).unwrap().env, []);
}
