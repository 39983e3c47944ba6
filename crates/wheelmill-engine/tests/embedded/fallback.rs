//! Machines that refuse namespaces or overlays.

use wheelmill_engine::{
    Base, Cancel, Container, Engine as _, EngineError, Environment, Isolation, Mount, Severity,
};

use crate::support::{HELPER, Listener, environment, everywhere, however_isolated, shell, step};

#[test]
fn steps_are_made_once_and_found_again() {
    however_isolated("fallback::steps_are_made_once_and_found_again", |machine| {
        let steps = || {
            vec![
                step("mkdir -p /made/bin; pwd; echo one > /made/bin/file"),
                step("cat /made/bin/file; echo two >> /made/bin/file"),
            ]
        };
        let prepare = || {
            let mut listener = Listener::default();
            let prepared =
                machine.engine.prepare(&environment(steps()), &mut listener, &Cancel::new());
            (prepared.unwrap(), listener)
        };
        let (prepared, first) = prepare();
        assert_eq!(first.cached, [false, false]);
        assert_eq!(machine.run_in(&prepared, &shell("cat /made/bin/file")).text(), "one\ntwo\n");
        let (again, second) = prepare();
        assert_eq!((again, second.cached), (prepared, vec![true, true]));
    });
}

#[test]
fn an_environment_of_which_a_step_failed_is_made_anew() {
    however_isolated("fallback::an_environment_of_which_a_step_failed_is_made_anew", |machine| {
        let flag = machine.folder("flag");
        let mut failing = step("echo x >> /made/count; test -e /flag/on");
        failing.mounts =
            vec![Mount { source: flag.clone(), target: "/flag".into(), writable: false }];
        let steps = || vec![step("mkdir -p /made; : > /made/count"), failing.clone()];
        let error = machine.prepare(steps()).unwrap_err();
        assert!(matches!(error, EngineError::Step { .. }), "{error:?}");
        std::fs::write(flag.join("on"), "").unwrap();
        let prepared = machine.prepare(steps()).unwrap();
        assert_eq!(machine.run_in(&prepared, &shell("cat /made/count")).text(), "x\n");
    });
}

#[test]
fn paths_mean_the_same_in_every_isolation() {
    however_isolated("fallback::paths_mean_the_same_in_every_isolation", |machine| {
        let source = machine.folder("source");
        std::fs::write(source.join("text"), "hello").unwrap();
        let tool = machine.state.join("tool");
        std::fs::write(&tool, "a tool").unwrap();
        let mount = |source: &camino::Utf8Path, target: &str, writable| Mount {
            source: source.to_owned(),
            target: target.into(),
            writable,
        };
        let container = Container {
            environment: vec![("PATHS".to_owned(), "/nowhere:/build/tools".to_owned())],
            directory: "/build/src".into(),
            mounts: vec![
                mount(&source, "/build/src", true),
                mount(&tool, "/build/tools/tool", false),
            ],
            ..shell(
                "cat text /build/src/text; cat \"${PATHS#*:}/tool\"; echo new > /build/src/new; \
                 echo > /tmp/x; cat /tmp/x; cd; echo > here",
            )
        };
        let said = machine.run(&container).text();
        assert_eq!(said, "hellohelloa tool\n");
        assert_eq!(std::fs::read_to_string(source.join("new")).unwrap(), "new\n");
    });
}

#[test]
fn what_needs_layers_is_refused() {
    however_isolated("fallback::what_needs_layers_is_refused", |machine| {
        let isolation = machine.isolation.unwrap();
        if isolation.has_layers() {
            return;
        }
        let mut packages = step("true");
        packages.system = true;
        let error = machine.prepare(vec![packages]).unwrap_err();
        assert!(matches!(error, EngineError::Unable { .. }), "{error:?}");
        let base = Base::Archive {
            path: "/image.tar".into(),
            digest: Some(wheelmill_model::Digest::of(b"")),
        };
        let image = Environment { base, ..environment(Vec::new()) };
        let error = machine.engine.prepare(&image, &mut Listener::default(), &Cancel::new());
        assert!(error.unwrap_err().to_string().contains("/image.tar"));
        let probe = machine.engine.probe();
        assert_eq!(probe.isolation, Some(isolation));
        assert_eq!(probe.findings[0].severity, Severity::Warning, "{probe:?}");
    });
}

#[test]
fn landlock_leaves_only_what_was_given() {
    however_isolated("fallback::landlock_leaves_only_what_was_given", |machine| {
        if machine.isolation != Some(Isolation::Landlock) {
            return;
        }
        let secret = machine.state.join("secret");
        std::fs::write(&secret, "secret").unwrap();
        let script = format!(
            "for file in {secret} {state}/new /usr/new; do \
             (cat $file || echo > $file) 2>/dev/null && echo got $file; done; \
             cat /etc/hostname >/dev/null && echo end",
            state = machine.state
        );
        assert_eq!(machine.says(&script), "end\n");
    });
}

/// A container refuses new user namespaces, so an engine in one finds a machine like that.
#[test]
fn where_namespaces_are_refused_the_next_best_is_taken() {
    everywhere("fallback::where_namespaces_are_refused_the_next_best_is_taken", |machine| {
        let own = std::env::current_exe().unwrap().with_file_name("helper");
        let helper = if own.exists() { own } else { HELPER.into() };
        let (helper, state) =
            (camino::Utf8PathBuf::try_from(helper).unwrap(), machine.folder("inner"));
        let container = Container {
            mounts: vec![
                Mount { source: helper, target: "/tool/helper".into(), writable: false },
                Mount { source: state, target: "/state".into(), writable: true },
            ],
            ..shell(
                "/tool/helper /state --step 'mkdir -p /opt/wheelmill' sh -c 'echo inside; ls /tool'",
            )
        };
        let ran = machine.run(&container);
        assert!(ran.text.contains("inside"), "{ran:?}");
        // Landlock, which every kernel that runs these tests has, shows less than that.
        assert!(!ran.exit.success(), "{ran:?}");
    });
}
