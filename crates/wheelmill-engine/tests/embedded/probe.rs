//! What the engine says of this machine.

use wheelmill_engine::{Engine as _, Severity};

use crate::support::{Machine, engine, everywhere};

#[test]
fn a_machine_that_works_has_no_problem() {
    everywhere("probe::a_machine_that_works_has_no_problem", |machine| {
        let probe = machine.engine.probe();
        assert!(
            probe.findings.iter().all(|found| found.severity != Severity::Problem),
            "{probe:?}"
        );
        assert!(probe.summary.contains("overlay"), "{probe:?}");
    });
}

#[test]
fn a_folder_that_cannot_be_used_is_a_problem() {
    everywhere("probe::a_folder_that_cannot_be_used_is_a_problem", unusable_folder);
}

fn unusable_folder(machine: &Machine) {
    let file = machine.state.join("file");
    std::fs::write(&file, "").unwrap();
    let probe = engine(&file).probe();
    assert_eq!(probe.findings[0].severity, Severity::Problem);
    assert!(probe.findings[0].message.contains(file.as_str()), "{probe:?}");
}
