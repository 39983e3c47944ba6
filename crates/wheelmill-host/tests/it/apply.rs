//! Changes of a real daemon, and their return.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::Command;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use testkit::{Daemon, DaemonProgram, DaemonSetup};
use wheelmill_engine::DaemonAdministration;
use wheelmill_host::apply::{Consent, HostError, HostSettings, Outcome, Step};
use wheelmill_recipe::{HostSection, Project};

use crate::machine::not_tested;

/// Consent to everything but to install something.
pub(crate) const ALL: Consent =
    Consent { stop_containers: true, hide_images: true, install: false };

/// The pools of the tests; the daemon must be started again for them.
pub(crate) const POOLS: &str = "address-pools = [{ base = \"10.201.0.0/16\", size = 24 }]";

/// A daemon of the test's own, with a runtime that writes down what it was given.
pub(crate) struct Fixture {
    pub(crate) daemon: Daemon,
}

impl Fixture {
    pub(crate) fn start(settings: &str) -> Option<Self> {
        let setup = DaemonSetup { settings: settings.to_owned(), ..DaemonSetup::default() };
        let daemon = Daemon::start_with(DaemonProgram::Docker, setup)?;
        let fixture = Self { daemon };
        let runtime = format!(
            "#!/bin/sh\necho \"$@\" >> {}\nexec runc \"$@\"\n",
            fixture.daemon.path().join("runtime.log")
        );
        fs_err::write(fixture.runtime(), runtime).expect("a runtime");
        fs_err::set_permissions(fixture.runtime(), std::fs::Permissions::from_mode(0o755))
            .expect("it is ours");
        Some(fixture)
    }

    fn runtime(&self) -> Utf8PathBuf {
        self.daemon.path().join("nvidia-container-runtime")
    }

    pub(crate) fn host(&self) -> HostSettings {
        let daemon = DaemonAdministration::at(&self.daemon.socket());
        HostSettings { daemon, settings: Some(self.daemon.settings()) }
    }

    /// The keys of `[host]` that register the runtime.
    fn register(&self) -> String {
        format!("nvidia-runtime = \"{}\"", self.runtime())
    }

    pub(crate) fn apply(&self, keys: &str, consent: Consent) -> Result<Outcome, HostError> {
        self.host().begin()?.apply(&wish(keys), consent, &mut |_| {})
    }

    pub(crate) fn undo(&self) -> Result<Outcome, HostError> {
        self.host().begin()?.undo(ALL, &mut |_| {})
    }

    /// A daemon that was just started needs a moment.
    pub(crate) fn wait_until_it_answers(&self) {
        let start = Instant::now();
        while !self.host().daemon.answers(Duration::from_secs(1)) {
            assert!(start.elapsed() < Duration::from_secs(60), "{}", self.daemon.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn settings(&self) -> String {
        fs_err::read_to_string(self.daemon.settings()).expect("there are settings")
    }

    fn write(&self, settings: &str) {
        fs_err::write(self.daemon.settings(), settings).expect("it is ours");
    }

    pub(crate) fn has_runtime(&self) -> bool {
        let report = self.host().daemon.report().expect("it answers");
        report.runtimes.contains_key("nvidia")
    }

    pub(crate) fn has_pools(&self) -> bool {
        let report = self.host().daemon.report().expect("it answers");
        report.address_pools == [("10.201.0.0/16".to_owned(), 24)]
    }

    /// Makes an image of one program and what it is linked with.
    pub(crate) fn image(&self) {
        let linked = Command::new("ldd").arg("/bin/sleep").output().expect("ldd runs");
        let linked = String::from_utf8(linked.stdout).expect("it is text");
        let files = linked.split_whitespace().filter(|word| word.starts_with('/'));
        let archive = self.daemon.path().join("image.tar");
        let mut tar = Command::new("tar");
        tar.args(["--dereference", "--absolute-names", "-cf", archive.as_str(), "/bin/sleep"]);
        assert!(tar.args(files).status().expect("tar runs").success());
        drop(self.daemon.says(&["import", archive.as_str(), "tiny:1"]));
    }

    pub(crate) fn run(&self, name: &str, runtime: &str) {
        drop(self.daemon.says(&[
            "run",
            "--detach",
            "--network=none",
            "--name",
            name,
            "--runtime",
            runtime,
            "tiny:1",
            "/bin/sleep",
            "600",
        ]));
    }
}

pub(crate) fn wish(keys: &str) -> HostSection {
    let text = format!("[host]\n{keys}\n");
    Project::parse(&text, "wheelmill.toml".into()).expect("it is a project file").host
}

/// Settings in a hand of their own.
pub(crate) const SETTINGS: &str =
    "{\n\t\"labels\" : [ \"rack=7\" ],\r\n\t\"max-concurrent-uploads\":  5\n}";

#[test]
fn a_runtime_is_registered_without_a_restart_and_taken_back() {
    let Some(fixture) = Fixture::start(SETTINGS) else { return };
    fixture.image();
    fixture.run("before", "runc");
    // As careful people have it: in another place, and for root alone.
    let real = fixture.daemon.path().join("kept.json");
    fs_err::rename(fixture.daemon.settings(), &real).unwrap();
    fs_err::set_permissions(&real, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::os::unix::fs::symlink("kept.json", fixture.daemon.settings()).unwrap();
    let process = fixture.daemon.process();

    let keys = fixture.register();
    assert_eq!(fixture.apply(&keys, Consent::default()).unwrap(), Outcome::Changed);
    assert!(fixture.has_runtime());
    assert_eq!(fixture.daemon.process(), process);
    assert!(fixture.daemon.settings().is_symlink());
    assert_eq!(real.metadata().unwrap().permissions().mode() & 0o7777, 0o600);
    let after = fixture.settings();
    assert!(after.starts_with(SETTINGS.trim_end_matches("\n}")), "{after}");

    // The runtime is given what asks for it.
    fixture.run("with", "nvidia");
    let log = fs_err::read_to_string(fixture.daemon.path().join("runtime.log")).unwrap();
    assert!(log.contains(" create "), "{log}");
    drop(fixture.daemon.says(&["rm", "--force", "with"]));

    // A second time does nothing.
    let inode = real.metadata().unwrap().ino();
    assert_eq!(fixture.apply(&keys, Consent::default()).unwrap(), Outcome::Nothing);
    assert_eq!(real.metadata().unwrap().ino(), inode);

    assert_eq!(fixture.undo().unwrap(), Outcome::Changed);
    assert_eq!(fixture.settings(), SETTINGS);
    assert!(!fixture.has_runtime());
    assert_eq!(fixture.daemon.process(), process);
    assert_eq!(fixture.daemon.says(&["ps", "--format", "{{.Names}}"]), ["before"]);
    assert!(matches!(fixture.undo(), Err(HostError::NothingToUndo { .. })));
    drop(fixture.daemon.says(&["rm", "--force", "before"]));
}

#[test]
fn containers_stop_only_when_somebody_agrees() {
    let Some(fixture) = Fixture::start("{}") else { return };
    fixture.image();
    fixture.run("web", "runc");
    let process = fixture.daemon.process();
    let keys = format!("{POOLS}\nbuild-volume = \"build-vol\"");
    let error = fixture.apply(&keys, Consent::default()).unwrap_err();
    assert_eq!(error.to_string(), "1 container would stop: web");
    assert_eq!(fixture.settings(), "{}");

    assert_eq!(fixture.apply(&keys, ALL).unwrap(), Outcome::Changed);
    assert!(fixture.has_pools());
    assert_ne!(fixture.daemon.process(), process);
    assert_eq!(fixture.daemon.says(&["volume", "ls", "--quiet"]), ["build-vol"]);
    assert_eq!(fixture.apply(&keys, Consent::default()).unwrap(), Outcome::Nothing);

    assert_eq!(fixture.undo().unwrap(), Outcome::Changed);
    assert_eq!(fixture.settings(), "{}");
    assert!(!fixture.has_pools());
    // What is in it is the user's.
    assert_eq!(fixture.daemon.says(&["volume", "ls", "--quiet"]), ["build-vol"]);
}

#[test]
fn images_vanish_from_sight_only_when_somebody_agrees() {
    let Some(fixture) = Fixture::start("{}") else { return };
    fixture.image();
    let images = || fixture.daemon.says(&["images", "--format", "{{.Repository}}"]);
    let vfs = "storage-driver = \"vfs\"";
    let alone = Consent { stop_containers: true, ..Consent::default() };
    let error = fixture.apply(vfs, alone).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the change would hide 1 of the daemon's images and 0 of its volumes"
    );
    assert_eq!(fixture.apply(vfs, ALL).unwrap(), Outcome::Changed);
    assert_eq!(images(), [""; 0]);
    // What was made since is not seen on the way back.
    fixture.image();
    let error = fixture.host().begin().unwrap().undo(alone, &mut |_| {}).unwrap_err();
    assert!(matches!(error, HostError::WouldHide { images: 1, volumes: 0 }), "{error:?}");
    fixture.undo().unwrap();
    assert_eq!(images(), ["tiny"]);
    assert_eq!(fixture.settings(), "{}");
}

#[test]
fn a_daemon_that_does_not_start_is_back_within_a_minute() {
    let Some(fixture) = Fixture::start("{}") else { return };
    fixture.image();
    fixture.run("held", "runc");
    let start = Instant::now();
    // The driver needs a folder there.
    fs_err::write(fixture.daemon.path().join("data/vfs"), "").unwrap();
    let mut steps = Vec::new();
    let wish = wish("storage-driver = \"vfs\"");
    let host = fixture.host();
    let change = host.begin().unwrap();
    let error = change.apply(&wish, ALL, &mut |step| steps.push(step)).unwrap_err();
    drop(change);
    assert!(start.elapsed() < Duration::from_secs(60));
    let HostError::TakenBack { source, .. } = &error else { panic!("{error:?}") };
    let HostError::Ended { why: Some(why) } = &**source else { panic!("{source:?}") };
    assert!(why.starts_with("failed to start daemon: ") && why.contains("data/vfs"), "{why}");
    // It was started again once, on the way back.
    let told: Vec<&Step> = steps.iter().skip_while(|step| **step != Step::Restarting).collect();
    assert_eq!(told, [&Step::Restarting, &Step::Restored, &Step::Restarting, &Step::Restarted]);
    // It has no restart policy.
    assert_eq!(fixture.daemon.says(&["ps", "--format", "{{.Names}}"]), ["held"]);
    assert_eq!(error.hints(), [""; 0]);
    let log = error.log().join("\n");
    assert!(log.contains("failed to start daemon"), "{log}");
    assert_eq!(fixture.settings(), "{}");
    drop(fixture.daemon.says(&["rm", "--force", "held"]));
    assert!(fixture.host().daemon.answers(Duration::from_secs(5)));
    assert!(matches!(fixture.undo(), Err(HostError::NothingToUndo { .. })));
}

#[test]
fn settings_that_the_daemon_does_not_take_are_refused_before() {
    let Some(fixture) = Fixture::start("{}") else { return };
    // Somebody wrote it since the daemon started.
    for (theirs, said) in [
        ("{\"nvidia-x\": true}", "don't match any configuration option: nvidia-x"),
        ("{\"debug\": \"yes\"}", "cannot unmarshal string into Go struct field Config.debug"),
        ("{\"features\": {\"cdi\": 1}}", "Config.features of type bool"),
        ("\u{feff}{}", "invalid character"),
        ("{\"hosts\": [\"fd://\"]}", "both as a flag and in the configuration file: hosts"),
    ] {
        fixture.write(theirs);
        let error = fixture.apply(&fixture.register(), ALL).unwrap_err();
        let HostError::Refused(refusals) = &error else { panic!("{error:?}") };
        // What our own check knows is told by it.
        let [refusal] = &refusals[..] else { panic!("{refusals:?}") };
        assert!(
            refusal.code == "option-twice"
                || refusal.message.contains(said) && refusal.message.contains("as it is"),
            "{theirs}: {refusal:?}"
        );
        assert_eq!(fixture.settings(), theirs);
    }
    assert!(!fixture.has_runtime());
    assert!(!fixture.daemon.path().join("wheelmill").exists());
}

#[test]
fn settings_that_the_daemon_does_not_take_are_taken_back() {
    let Some(fixture) = Fixture::start("{}") else { return };
    let host = fixture.host();
    let change = host.begin().unwrap();
    let error = change.apply(&wish(&fixture.register()), ALL, &mut |step| {
        // Somebody writes just before the daemon reads.
        if let Step::Replaced(_) = step {
            fixture.write(&fixture.settings().replacen('{', "{\"nvidia-x\": true,", 1));
        }
    });
    let error = error.unwrap_err();
    assert!(matches!(error, HostError::TakenBack { .. }), "{error:?}");
    let log = error.log().join("\n");
    assert!(log.contains("don't match any configuration option"), "{log}");
    assert_eq!(fixture.settings().replace(char::is_whitespace, ""), "{\"nvidia-x\":true}");
    assert!(!fixture.has_runtime());
}

#[test]
fn changes_are_taken_back_one_by_one_and_nothing_piles_up() {
    let Some(fixture) = Fixture::start(SETTINGS) else { return };
    fixture.apply(&fixture.register(), ALL).unwrap();
    let first = fixture.settings();
    fixture.apply(POOLS, ALL).unwrap();
    let keys = || {
        let host = fixture.host();
        let applied = host.begin().unwrap().applied().unwrap();
        applied.into_iter().flat_map(|change| change.keys).collect::<Vec<_>>()
    };
    assert_eq!(keys(), ["default-address-pools", "runtimes.nvidia.path"]);
    fixture.undo().unwrap();
    assert_eq!(fixture.settings(), first);
    assert!(fixture.has_runtime() && !fixture.has_pools());
    assert_eq!(keys(), ["runtimes.nvidia.path"]);
    fixture.undo().unwrap();
    assert_eq!(fixture.settings(), SETTINGS);
    assert!(!fixture.has_runtime());
    assert!(matches!(fixture.undo(), Err(HostError::NothingToUndo { .. })));
    assert!(!fixture.daemon.path().join("wheelmill").exists());
    assert!(!fixture.daemon.path().join("daemon.sock.wheelmill").exists());
}

#[test]
fn runtimes_that_are_null_do_not_crash_the_daemon() {
    let settings = "{\"runtimes\": null}";
    let Some(fixture) = Fixture::start(settings) else { return };
    let process = fixture.daemon.process();
    fixture.apply(&fixture.register(), Consent::default()).unwrap();
    assert!(fixture.has_runtime());
    assert_eq!(fixture.undo().unwrap(), Outcome::Changed);
    assert_eq!(fixture.settings(), settings);
    assert!(!fixture.has_runtime());
    assert_eq!(fixture.daemon.process(), process);
}

#[test]
fn a_registration_is_taken_away_and_those_who_need_it_are_named() {
    let Some(fixture) = Fixture::start("{}") else { return };
    fixture.image();
    fixture.apply(&fixture.register(), ALL).unwrap();
    fixture.run("gpu", "nvidia");
    let host = fixture.host();
    let away = wish("nvidia-runtime = false");
    let plan = host.plan(&away).unwrap();
    assert!(plan.remarks.iter().any(|remark| remark.message.ends_with(": gpu")), "{plan:?}");
    {
        let change = host.begin().unwrap();
        let [remark] = &change.undo_remarks().unwrap()[..] else { panic!("there is one") };
        assert!(remark.message.ends_with(": gpu"), "{remark:?}");
    }
    assert_eq!(fixture.apply("nvidia-runtime = false", ALL).unwrap(), Outcome::Changed);
    assert!(!fixture.has_runtime());
    assert_eq!(fixture.apply("nvidia-runtime = false", ALL).unwrap(), Outcome::Nothing);
    fixture.undo().unwrap();
    assert!(fixture.has_runtime());
    drop(fixture.daemon.says(&["rm", "--force", "gpu"]));
    fixture.undo().unwrap();
    assert_eq!(fixture.settings(), "{}");
}

#[test]
fn labels_and_access_lists_of_a_file_stay() {
    let Some(fixture) = Fixture::start("{}") else { return };
    let file = fixture.daemon.settings();
    let has = || {
        let file = std::fs::File::open(&file).unwrap();
        let mut value = [0; 64];
        let length = rustix::fs::fgetxattr(&file, "trusted.label", &mut value).unwrap_or_default();
        String::from_utf8(value[..length].to_vec()).unwrap()
    };
    let flags = rustix::fs::XattrFlags::empty();
    if rustix::fs::setxattr(file.as_str(), "trusted.label", b"etc_t", flags).is_err() {
        return not_tested("this file system has no extended attributes");
    }
    fixture.apply(&fixture.register(), ALL).unwrap();
    assert_eq!(has(), "etc_t");
    // Also when it has to be made anew.
    fs_err::remove_file(&file).unwrap();
    fixture.undo().unwrap();
    assert_eq!(has(), "etc_t");
    assert_eq!(fixture.settings(), "{}");
}

#[test]
fn a_full_disk_leaves_everything_as_it_was() {
    let Some(fixture) = Fixture::start("{}") else { return };
    // The settings on a disk of their own.
    let disk = fixture.daemon.path().join("disk");
    fs_err::create_dir(&disk).unwrap();
    let tmpfs = Some("tmpfs");
    let none = nix::mount::MsFlags::empty();
    nix::mount::mount(tmpfs, disk.as_str(), tmpfs, none, Some("size=16k")).unwrap();
    let real = disk.join("daemon.json");
    fs_err::write(&real, "{}").unwrap();
    fs_err::remove_file(fixture.daemon.settings()).unwrap();
    std::os::unix::fs::symlink(&real, fixture.daemon.settings()).unwrap();
    fs_err::write(disk.join("filler"), vec![0; 65_536]).unwrap_err();
    let error = fixture.apply(&fixture.register(), ALL).unwrap_err();
    assert!(matches!(error, HostError::Files { .. }), "{error:?}");
    assert_eq!(fixture.settings(), "{}");
    assert!(!fixture.daemon.path().join("wheelmill").exists());
    assert_eq!(disk.read_dir_utf8().unwrap().count(), 2);
    nix::mount::umount(disk.as_str()).unwrap();
}

#[test]
fn what_others_have_built_upon_is_not_taken_away() {
    let Some(fixture) = Fixture::start("{}") else { return };
    fixture.apply(&fixture.register(), ALL).unwrap();
    // As many a guide goes on.
    let theirs = fixture.settings().replacen('{', "{\"default-runtime\": \"nvidia\",", 1);
    fixture.write(&theirs);
    let error = fixture.undo().unwrap_err();
    let HostError::Refused(refusals) = &error else { panic!("{error:?}") };
    assert_eq!(refusals[0].code, "default-runtime");
    assert_eq!(fixture.settings(), theirs);
    assert!(fixture.has_runtime());
    fixture.write(&theirs.replacen("\"default-runtime\": \"nvidia\",", "", 1));
    assert_eq!(fixture.undo().unwrap(), Outcome::Changed);
    assert!(!fixture.has_runtime());
}

#[test]
fn a_change_of_somebody_else_is_not_written_over() {
    let Some(fixture) = Fixture::start("{}") else { return };
    let theirs = "{\"debug\": true}";
    let host = fixture.host();
    let change = host.begin().unwrap();
    assert!(matches!(host.begin(), Err(HostError::Busy { .. })));
    let error = change.apply(&wish(&fixture.register()), ALL, &mut |step| {
        if step == Step::Noted {
            fixture.write(theirs);
        }
    });
    let Err(HostError::TakenBack { source, .. }) = error else { panic!("{error:?}") };
    assert!(matches!(*source, HostError::Changed { .. }), "{source:?}");
    drop(change);
    assert_eq!(fixture.settings(), theirs);

    // Ours are taken out of what they wrote since.
    fixture.apply(&fixture.register(), ALL).unwrap();
    let with_ours = fixture.settings();
    fixture.write(&with_ours.replace("\"debug\": true", "\"debug\": false"));
    let mut steps = Vec::new();
    fixture.host().begin().unwrap().undo(ALL, &mut |step| steps.push(step)).unwrap();
    assert_eq!(steps[0], Step::TakenOut(fixture.daemon.settings()));
    assert_eq!(fixture.settings(), "{\"debug\": false}");
    assert!(!fixture.has_runtime());

    // Where they left no JSON, theirs is not touched.
    fixture.apply(&fixture.register(), ALL).unwrap();
    fixture.write("{");
    assert!(matches!(fixture.undo(), Err(HostError::Theirs { .. })));
    assert_eq!(fixture.settings(), "{");
}

#[test]
fn a_file_that_was_not_there_is_gone_again() {
    let Some(fixture) = Fixture::start("{}") else { return };
    fs_err::remove_file(fixture.daemon.settings()).unwrap();
    fixture.apply(&fixture.register(), ALL).unwrap();
    assert!(fixture.has_runtime());
    fixture.undo().unwrap();
    assert!(!fixture.daemon.settings().exists());
    assert!(!fixture.has_runtime());
}

/// A daemon whose default runtime goes, which its settings do not name any more.
fn with_default_of_before() -> Option<Fixture> {
    let fixture = Fixture::start("{}")?;
    fixture.apply(&fixture.register(), ALL).expect("it can be done");
    let registered = fixture.settings();
    fixture.write(&registered.replacen('{', "{\"default-runtime\": \"nvidia\",", 1));
    // The daemon reads it, and keeps it.
    fixture.daemon.hang_up();
    let start = Instant::now();
    while fixture.host().daemon.report().expect("it answers").default_runtime != "nvidia" {
        assert!(start.elapsed() < Duration::from_secs(20), "{}", fixture.daemon.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    fixture.write(&registered);
    Some(fixture)
}

#[test]
fn a_daemon_that_has_the_runtime_by_default_is_started_again_without_it() {
    let Some(fixture) = with_default_of_before() else { return };
    let process = fixture.daemon.process();
    assert_eq!(fixture.apply("nvidia-runtime = false", ALL).unwrap(), Outcome::Changed);
    assert_ne!(fixture.daemon.process(), process);
    assert!(!fixture.has_runtime());
    assert!(!fixture.daemon.log().contains("panic"));
}

#[test]
fn the_way_back_of_a_runtime_that_is_the_default_starts_the_daemon_again() {
    let Some(fixture) = with_default_of_before() else { return };
    let process = fixture.daemon.process();
    assert_eq!(fixture.undo().unwrap(), Outcome::Changed);
    assert_ne!(fixture.daemon.process(), process);
    assert!(!fixture.has_runtime());
    assert!(!fixture.daemon.log().contains("panic"));
}

#[test]
fn a_daemon_that_dies_of_a_change_is_started_again() {
    let Some(fixture) = Fixture::start("{}") else { return };
    let host = fixture.host();
    let change = host.begin().unwrap();
    let process = fixture.daemon.process();
    let ended = change.apply(&wish(&fixture.register()), ALL, &mut |step| {
        // Its starter does not ask how it ended: it stays as a zombie, with its number.
        if step == Step::Replaced(fixture.daemon.settings()) {
            nix::sys::signal::kill(process, nix::sys::signal::SIGKILL).unwrap();
        }
    });
    assert!(matches!(ended, Err(HostError::TakenBack { .. })), "{ended:?}");
    assert_ne!(fixture.daemon.process(), process);
    assert_eq!(fixture.settings(), "{}");
    assert!(!fixture.has_runtime());
}
