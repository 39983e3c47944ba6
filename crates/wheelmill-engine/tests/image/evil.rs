//! Layers that were made to harm: nothing outside the folder may change.

use std::time::Instant;

use camino::Utf8PathBuf;
use tar::EntryType;
use wheelmill_engine::Cancel;
use wheelmill_engine::image::{UnpackError, UnpackOptions, Unpacked, unpack};

use crate::build::{Layer, gzip};
use crate::support::{Scratch, chain, listing, own_mode};

/// A layer folder with something beside it that must stay as it is.
struct Trap {
    scratch: Scratch,
    layer: Utf8PathBuf,
}

impl Trap {
    fn new() -> Self {
        let scratch = Scratch::new();
        let layer = scratch.folder("store/layer");
        fs_err::write(scratch.folder("outside").join("secret"), "secret").unwrap();
        Self { scratch, layer }
    }

    /// Unpacks, and checks that nothing beside the layer changed.
    fn spring(&self, bytes: &[u8]) -> Result<Unpacked, UnpackError> {
        let options = UnpackOptions { mode: own_mode(), diff_id: None };
        let result = unpack(bytes, self.layer.as_std_path(), &options, &Cancel::new());
        let mut outside = listing(self.scratch.path());
        outside.retain(|line| !line.starts_with("store/layer/"));
        assert_eq!(outside, ["outside/", "outside/secret: secret", "store/"]);
        result
    }
}

#[test]
fn names_that_lead_out_are_refused() {
    for name in ["../x", "../../outside/x", "a/../../x", "/../x", "..", ".wh...", "a/.wh.."] {
        let error = Trap::new().spring(&Layer::new().file(name, "x").tar()).unwrap_err();
        assert!(matches!(error, UnpackError::Entry { .. }), "{name}: {error}");
    }
}

#[test]
fn an_absolute_name_lands_inside() {
    let trap = Trap::new();
    trap.spring(&Layer::new().file("/etc/passwd", "inside").tar()).unwrap();
    assert_eq!(listing(&trap.layer), ["etc/", "etc/passwd: inside"]);
}

#[test]
fn a_symlink_never_leads_out() {
    let trap = Trap::new();
    let outside = trap.scratch.join("outside");
    let tar = Layer::new()
        .symlink("absolute", outside.as_str())
        .file("absolute/secret", "stays inside")
        .symlink("relative", "../../outside")
        .file("relative/secret", "stays inside")
        .symlink("twice", "relative")
        .file("twice/again", "stays inside")
        // The last part of a name is replaced, never followed.
        .symlink("last", outside.join("secret").as_str())
        .file("last", "a file of its own")
        .symlink("folder", outside.as_str())
        .folder("folder", 0o700)
        .file("folder/x", "in a folder of its own");
    trap.spring(&tar.tar()).unwrap();
    let found = listing(&trap.layer);
    for line in [
        "last: a file of its own",
        "folder/x: in a folder of its own",
        "outside/again: stays inside",
        "outside/secret: stays inside",
        &format!("{}: stays inside", &outside.join("secret").as_str()[1..]),
    ] {
        assert!(found.iter().any(|found| found == line), "{line} is missing in {found:#?}");
    }
}

#[test]
fn symlinks_in_a_circle_end() {
    let tar = Layer::new().symlink("a", "b").symlink("b", "a").file("a/x", "x").tar();
    let message = Trap::new().spring(&tar).unwrap_err().to_string();
    assert!(message.contains("too many symlinks"), "{message}");
}

#[test]
fn a_hard_link_reaches_only_what_the_layer_has() {
    let trap = Trap::new();
    let secret = trap.scratch.join("outside/secret");
    for target in ["/etc/shadow", secret.as_str(), "missing"] {
        let message =
            trap.spring(&Layer::new().hard_link("x", target).tar()).unwrap_err().to_string();
        assert!(message.contains("hard link to nothing"), "{message}");
    }
    let through_symlink = Layer::new()
        .symlink("out", trap.scratch.join("outside").as_str())
        .hard_link("x", "out/secret");
    assert!(trap.spring(&through_symlink.tar()).is_err());
    assert!(trap.spring(&Layer::new().hard_link("x", "../outside/secret").tar()).is_err());
    assert!(trap.spring(&Layer::new().folder("d", 0o755).hard_link("y", "d").tar()).is_err());
}

#[test]
fn a_hard_link_to_a_symlink_links_the_symlink() {
    let trap = Trap::new();
    let secret = trap.scratch.join("outside/secret");
    let tar = Layer::new()
        .symlink("a", secret.as_str())
        .hard_link("b", "a")
        // Were `b` the secret itself, this would be written to it.
        .file("b", "overwritten");
    trap.spring(&tar.tar()).unwrap();
    assert_eq!(listing(&trap.layer), [format!("a -> {secret}"), "b: overwritten".to_owned()]);
}

#[test]
fn a_huge_size_is_refused_before_it_is_written() {
    for size in [1 << 40, u64::MAX >> 1] {
        let tar = Layer::new().entry(EntryType::Regular, "x", "", b"", |header| {
            header.set_size(size);
        });
        let started = Instant::now();
        let error = Trap::new().spring(&tar.tar()).unwrap_err();
        assert!(matches!(error, UnpackError::TooLarge { .. } | UnpackError::Read(_)), "{error}");
        assert!(started.elapsed().as_secs() < 5);
    }
}

#[test]
fn a_file_that_is_cut_off_is_noticed() {
    let tar = Layer::new().entry(EntryType::Regular, "x", "", b"short", |header| {
        header.set_size(1 << 20);
    });
    let message = chain(&Trap::new().spring(&tar.tar()).unwrap_err());
    assert!(message.contains("is cut off"), "{message}");
}

#[test]
fn a_huge_header_does_not_fill_the_memory() {
    let name = vec![b'x'; 16 << 20];
    for kind in [EntryType::GNULongName, EntryType::GNULongLink, EntryType::XHeader] {
        let tar = Layer::new().entry(kind, "long", "", &name, |_| {}).file("x", "x").tar();
        let message = chain(&Trap::new().spring(&gzip(&tar)).unwrap_err());
        assert!(message.contains("too long"), "{message}");
    }
}

#[test]
fn of_entries_with_one_name_the_last_counts() {
    let trap = Trap::new();
    let tar = Layer::new()
        .folder("a", 0o755)
        .file("a/b", "old")
        .file("a/b", "new")
        .file("c", "file")
        .folder("c", 0o755)
        .file("c/d", "below")
        .folder("e", 0o755)
        .file("e/f", "gone")
        .symlink("e", "a")
        .file("e/g", "through the link");
    trap.spring(&tar.tar()).unwrap();
    assert_eq!(
        listing(&trap.layer),
        ["a/", "a/b: new", "a/g: through the link", "c/", "c/d: below", "e -> a"]
    );
}

#[test]
fn devices_are_left_out_and_counted() {
    let trap = Trap::new();
    let device = |layer: Layer, kind, name| {
        layer.entry(kind, name, "", b"", |header| {
            header.set_device_major(1).unwrap();
            header.set_device_minor(3).unwrap();
        })
    };
    let tar = device(Layer::new(), EntryType::Char, "null");
    let tar = device(tar, EntryType::Block, "disk").file("x", "x").tar();
    assert_eq!(trap.spring(&tar).unwrap().devices_skipped, 2);
    assert_eq!(listing(&trap.layer), ["x: x"]);
}

#[test]
fn the_root_itself_cannot_be_replaced() {
    for kind in [EntryType::Symlink, EntryType::Fifo, EntryType::Continuous] {
        let trap = Trap::new();
        let tar = Layer::new().entry(kind, "./", "/", b"", |_| {}).tar();
        let message = trap.spring(&tar).unwrap_err().to_string();
        assert!(message.contains("would replace the root folder"), "{message}");
        assert!(trap.layer.is_dir() && !trap.layer.is_symlink());
    }
}

/// A small generator of numbers: the same on every machine, so that a failure can be had again.
struct Dice(u64);

impl Dice {
    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        choices[(self.0 >> 33) as usize % choices.len()]
    }
}

#[test]
fn no_mixture_of_entries_gets_out() {
    for seed in 0..500 {
        let (trap, mut dice) = (Trap::new(), Dice(seed));
        let outside = trap.scratch.join("outside");
        let names = [
            "a",
            "b",
            "c",
            "a/b",
            "b/a",
            "a/b/c",
            "c/a",
            "/a",
            "./b",
            "a/secret",
            "b/secret",
            "c/outside/secret",
            ".wh.a",
            "a/.wh.b",
            "b/.wh..wh..opq",
            ".wh..wh..opq",
            "c/.wh.secret",
        ];
        let targets = [
            "a",
            "b",
            "c",
            "/",
            ".",
            "..",
            "../..",
            "../../outside",
            "a/..",
            "b/../../outside",
            "/outside",
            outside.as_str(),
            "/etc",
        ];
        let mut layer = Layer::new();
        for _ in 0..12 {
            let name = dice.pick(&names);
            layer = match dice.pick(&["file", "file", "folder", "symlink", "symlink", "link"]) {
                "folder" => layer.folder(name, 0o755),
                "symlink" => layer.symlink(name, dice.pick(&targets)),
                "link" => layer.hard_link(name, dice.pick(&names)),
                _ => layer.file(name, "overwritten"),
            };
        }
        // Many of them are refused; what counts is what `spring` checks, and that nothing panics.
        if let Err(error) = trap.spring(&layer.tar()) {
            assert!(matches!(error, UnpackError::Entry { .. }), "seed {seed}: {}", chain(&error));
        }
    }
}
