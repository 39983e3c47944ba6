//! Images of Dockerfiles that lie outside of their context, and volumes.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::time::{Duration, SystemTime};

use camino::Utf8Path;
use testkit::Daemon;
use wheelmill_engine::{
    Base, BuildContext, Cancel, Engine as _, EngineError, Exit, ImageBuild, ImageBuilder,
    ImageContainer, Limits, OutputSink, Volume,
};
use wheelmill_model::Digest;

use crate::support::{CancelOnOutput, Collector, engine, prepare};

/// Fails unless images are built and named, and volumes outlive their containers.
pub(crate) fn images(daemon: &Daemon, base: &Base) {
    let engine = engine(daemon);
    let from = prepare(&engine, base, Vec::new()).0.unwrap().layers[0].clone();
    let (file, folder) = (daemon.path().join("Dockerfile_cuda90_builder"), daemon.path().join("c"));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("words"), "of the context\n").unwrap();
    let build_text = |text: &str, output: &mut Collector| {
        std::fs::write(&file, text).unwrap();
        let context = BuildContext::read(&file, &folder).unwrap();
        let name = "toy90builder".to_owned();
        let build =
            ImageBuild { name, context, arguments: Vec::new(), network: false, fresh: false };
        engine.builder().unwrap().build_image(&build, output, &Cancel::new())
    };
    let build = |instructions: &str, output: &mut Collector| {
        build_text(&format!("FROM {from}\n{instructions}\n"), output)
    };
    let good = "LABEL dev.wheelmill.installer=/opt/x.sh\nCOPY . /opt\nENV WORDS=said\n\
                RUN echo built > /opt/made";
    let mut output = Collector::default();
    let image = build(good, &mut output).unwrap();
    assert!(image.id.contains(|letter: char| letter.is_ascii_hexdigit()), "{image:?}");
    assert_eq!(image.labels["dev.wheelmill.installer"], "/opt/x.sh");
    assert!(String::from_utf8_lossy(&output.0).contains("COPY . /opt"));
    assert_eq!(build(good, &mut output).unwrap().id, image.id, "nothing changed");
    let names = daemon.says(&["images", "--format", "{{.Repository}}:{{.Tag}}"]);
    assert!(names.iter().any(|name| name.ends_with("toy90builder:latest")), "{names:?}");

    match build("RUN exit 7", &mut output).unwrap_err() {
        EngineError::Step { title, exit, .. } => {
            assert_eq!((title.as_str(), exit.code), ("build the image toy90builder", 7));
        }
        other => panic!("{other:?}"),
    }
    let error = build("COPY none-such /opt/", &mut output).unwrap_err();
    assert!(matches!(error, EngineError::Build { .. }), "{error:?}");

    let error = build_text("", &mut output).unwrap_err().to_string();
    assert!(!error.contains(".wheelmill") && error.contains("Dockerfile"), "{error}");

    volume(daemon, engine.builder().unwrap());

    // Names and times arrive as they are; a new time alone makes no new image.
    let since_1970 = Duration::from_secs(1_000_000_000);
    let set_time = |name: &str, time: SystemTime| {
        std::fs::File::open(folder.join(name)).unwrap().set_modified(time).unwrap();
    };
    std::fs::write(folder.as_std_path().join(OsStr::from_bytes(b"na\xefve")), "").unwrap();
    set_time("words", SystemTime::UNIX_EPOCH + since_1970);
    let look = "COPY . /opt\nRUN test -f \"$(echo /opt/na*ve)\" && test /opt/na*ve -nt /opt/words && \
                ls -l --time-style=+%s /opt";
    let mut said = Collector::default();
    let image = build(look, &mut said).unwrap();
    let said = String::from_utf8_lossy(&said.0).into_owned();
    assert!(said.contains(" 1000000000 words"), "{said}");
    set_time("words", SystemTime::UNIX_EPOCH + since_1970 / 2);
    assert_eq!(build(look, &mut output).unwrap().id, image.id, "only a time changed");
}

fn volume(daemon: &Daemon, builder: &dyn ImageBuilder) {
    let volume = Volume { name: "kept".to_owned(), target: "/builds".into() };
    let left = Digest::of(b"what is left");
    let run = |script: &str, cancel: &Cancel, output: &mut dyn wheelmill_engine::OutputSink| {
        let container = ImageContainer {
            name: "a/toy".to_owned(),
            image: "toy90builder".to_owned(),
            command: ["sh", "-euc", script].map(str::to_owned).to_vec(),
            environment: vec![("MORE".to_owned(), "too".to_owned())],
            volume: volume.clone(),
            mounts: Vec::new(),
            network: false,
            limits: Limits::default(),
            gpus: None,
            as_root: false,
            remains: Some(left),
        };
        builder.run_image(&container, output, cancel).unwrap()
    };
    let mut said = Collector::default();
    let script = "ls -A /opt; cat /opt/words /opt/made /proc/self/status; echo $WORDS $MORE; id -u; \
                  echo kept > /builds/a.whl";
    let exit = run(script, &Cancel::new(), &mut said);
    let said = String::from_utf8(said.0).unwrap();
    assert!(exit.success(), "{exit:?} {said}");
    for part in ["made\nwords\n", "of the context\nbuilt\n", "said too\n0\n", "NoNewPrivs:\t1"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("Dockerfile"), "{said}");
    assert!(
        said.contains("CapBnd:\t00000000800000fb"),
        "more rights than installing takes: {said}"
    );
    assert_eq!(builder.remains(&left).unwrap(), None, "it has not failed");
    remains(daemon, builder, &left, &run);

    let copy = daemon.path().join("copy.whl");
    let copied = |file: &str| {
        builder.copy_from_volume(
            "toy90builder",
            &volume,
            Utf8Path::new(file),
            &copy,
            &Cancel::new(),
        )
    };
    copied("/builds/a.whl").unwrap();
    assert_eq!(std::fs::read_to_string(&copy).unwrap(), "kept\n");
    copied("/builds/b.whl").unwrap_err();

    let cancel = Cancel::new();
    let exit = run("echo ready; sleep 600", &cancel, &mut CancelOnOutput(cancel.clone()));
    assert!(exit.cancelled, "{exit:?}");
    assert_eq!(daemon.says(&["volume", "ls", "--quiet"]), ["kept"]);
    drop(daemon.says(&["volume", "rm", "kept"]));
}

/// Fails unless the files of a container that failed can be looked at, until they are removed.
fn remains(
    daemon: &Daemon,
    builder: &dyn ImageBuilder,
    left: &Digest,
    run: &dyn Fn(&str, &Cancel, &mut dyn OutputSink) -> Exit,
) {
    let mut said = Collector::default();
    assert_eq!(run("echo half > /opt/done; exit 3", &Cancel::new(), &mut said).code, 3);
    let image = builder.remains(left).unwrap().unwrap();
    let started_with = daemon.says(&["inspect", "--format", "{{.Config.Env}}", &image]);
    assert!(!started_with[0].contains("MORE=too"), "{started_with:?}");
    let mut container = ImageContainer {
        name: String::new(),
        image,
        command: ["cat", "/opt/done"].map(str::to_owned).to_vec(),
        environment: Vec::new(),
        volume: Volume { name: "kept".to_owned(), target: "/builds".into() },
        mounts: Vec::new(),
        network: false,
        limits: Limits::default(),
        gpus: None,
        as_root: false,
        remains: None,
    };
    builder.run_image(&container, &mut said, &Cancel::new()).unwrap();
    assert_eq!(String::from_utf8_lossy(&said.0), "half\n");
    // The next try leaves none without a name.
    builder.remove_remains(left).unwrap();
    assert_eq!(builder.remains(left).unwrap(), None);
    let nameless = daemon.says(&["images", "--quiet", "--filter", "dangling=true"]);
    assert_eq!(nameless, [""; 0], "images without a name are left");
    container.image = "no-such-image".to_owned();
    builder.run_image(&container, &mut said, &Cancel::new()).unwrap_err();
}
