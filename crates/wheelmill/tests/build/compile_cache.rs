//! What was compiled once is answered from the cache, for the package that compiled it alone.

use serde_json::{Value, json};

use crate::place::{Ended, Place};

/// A place whose source was never compiled before: tests share the folder of their package.
fn never_compiled(build: &str) -> Place {
    let place = Place::with(build);
    let source = place.path().join("tinycuda/tiny.cu");
    let text = fs_err::read_to_string(&source).unwrap();
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    let only = format!("extern const long only_{now}_{} = 1;\n", std::process::id());
    fs_err::write(&source, text + &only).unwrap();
    place
}

/// Builds with the cache, into an empty store.
fn build(place: &Place, more: &str) -> Ended {
    drop(fs_err::remove_dir_all(place.store()));
    let arguments = format!("build tinycuda --cuda 13.0 --arch 9.0 --json {more}");
    let mut command = place.command(&arguments);
    Ended::of(command.env("WHEELMILL_COMPILE_CACHE_SIZE", "1GiB").output().unwrap())
}

fn count(hits: usize, misses: usize) -> Value {
    json!({ "hits": hits, "misses": misses, "not-cacheable": 0 })
}

#[test]
fn a_second_build_compiles_nothing_and_makes_the_same_wheel() {
    let place = never_compiled("");
    let first = build(&place, "").expect(0).cell();
    assert_eq!(first["compile-cache"], count(0, 1), "{first}");
    let second = build(&place, "").expect(0).cell();
    assert_eq!(second["outcome"], "built", "{second}");
    assert_eq!(second["compile-cache"], count(1, 0), "{second}");
    assert_eq!(second["wheel"]["digest"], first["wheel"]["digest"]);
    assert_eq!(second["wheel"]["key"], first["wheel"]["key"]);
    let log = fs_err::read_to_string(second["log"].as_str().unwrap()).unwrap();
    assert!(log.contains("compile cache: 1 of 1 compile from the cache"), "{log}");
    let shown = place.run("runs show last").expect(0).stdout;
    assert!(shown.contains("1 of 1 compile from the cache"), "{shown}");
    let run = place.run("runs show last --json").expect(0).json();
    let attempt = &run["run"]["attempts"][0];
    assert_eq!(attempt["compile-cache"], count(1, 0), "{run}");
    assert_eq!(attempt["dearest-compiles"], json!([]), "a hit says nothing of a compile: {run}");

    let third = build(&place, "--no-cache").expect(0).cell();
    assert_eq!(third["outcome"], "built", "{third}");
    assert_eq!(third["compile-cache"], Value::Null, "{third}");
}

#[test]
fn compiles_are_kept_where_there_are_no_namespaces() {
    let place = never_compiled("");
    for expected in [count(0, 1), count(1, 0)] {
        let cell = build(&place, "--isolation landlock").expect(0).cell();
        assert_eq!(cell["compile-cache"], expected, "{cell}");
    }
}

#[test]
fn a_package_sees_no_compiles_of_another() {
    for more in ["", "--isolation landlock"] {
        let place = never_compiled(
            "command = [\"sh\", \"-euc\", \"cat $COMPILES/another/object && echo REACHED; \
             echo x >$COMPILES/another/object && echo WRITTEN; \
             cat /build/cache/another/object && echo REACHED; \
             cat /build/cache/compiles/../another/object && echo REACHED; \
             uv build --wheel --no-build-isolation --no-cache --out-dir {out} .\"]\n\
             environment = { COMPILES = \"/compiles-of-all\" }",
        );
        let compiles = place.cache().join("compiles");
        fs_err::create_dir_all(compiles.join("another")).unwrap();
        fs_err::write(compiles.join("another/object"), "of another package").unwrap();
        let file = place.path().join("wheelmill.toml");
        let recipe = fs_err::read_to_string(&file).unwrap();
        fs_err::write(&file, recipe.replace("/compiles-of-all", compiles.as_str())).unwrap();
        let cell = build(&place, more).expect(0).cell();
        assert_eq!(cell["compile-cache"], count(0, 1), "{cell}");
        let log = fs_err::read_to_string(cell["log"].as_str().unwrap()).unwrap();
        for word in ["REACHED", "WRITTEN", "of another package"] {
            assert!(!log.contains(word), "{log}");
        }
    }
}

#[test]
fn without_ccache_a_build_goes_on_and_says_so() {
    let mut place = never_compiled("");
    // A cache with everything but ccache, and no network to fetch that.
    let shared = place.cache().to_owned();
    place.build("").expect(0);
    let own = place.path().join("cache");
    fs_err::create_dir(&own).unwrap();
    for entry in shared.read_dir_utf8().unwrap() {
        let entry = entry.unwrap();
        if !["ccache", "compiles"].contains(&entry.file_name()) {
            std::os::unix::fs::symlink(entry.path(), own.join(entry.file_name())).unwrap();
        }
    }
    place.set_cache(&own);
    // What the cell resolved to stays known, so that nothing has to be asked.
    place.run("wheels rm --yes tinycuda").expect(0);
    let mut command = place.command("build tinycuda --cuda 13.0 --arch 9.0 --json --offline");
    let ended = Ended::of(command.env("WHEELMILL_COMPILE_CACHE_SIZE", "1GiB").output().unwrap());
    let ended = ended.expect(0);
    assert_eq!(ended.cell()["outcome"], "built");
    assert_eq!(ended.cell()["compile-cache"], Value::Null);
    assert_eq!(ended.stderr.matches("compiles are not cached").count(), 1, "{}", ended.stderr);
}
