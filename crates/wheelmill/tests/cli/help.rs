//! What the program says about itself.

use camino::Utf8Path;

use crate::fixture::Place;

/// The page holds the help of every command as it is meant to be; CI keeps it fresh.
fn reference() -> String {
    let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR"));
    fs_err::read_to_string(root.join("../../docs/reference/cli.md")).unwrap()
}

#[test]
fn every_command_shows_the_help_of_the_reference() {
    let place = Place::new();
    let page = reference();
    let mut commands = 0;
    for section in page.split("\n## wheelmill").skip(1) {
        let (words, rest) = section.split_once('\n').unwrap();
        let (_, block) = rest.split_once("```text\n").unwrap();
        let (help, _) = block.split_once("```").unwrap();
        let output =
            place.command(&format!("{words} --help")).env("COLUMNS", "100").output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<&str> = printed.lines().map(str::trim_end).collect();
        assert_eq!(lines.join("\n").trim_end(), help.trim_end(), "wheelmill{words} --help");
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{words}");
        commands += 1;
    }
    assert!(commands > 15, "the page has {commands} commands");
}

#[test]
fn without_a_command_the_help_is_an_error() {
    let output = Place::new().command("").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("Usage: wheelmill"));
}

#[test]
fn help_is_a_command_too() {
    let place = Place::new();
    for words in ["build", "runs show"] {
        let help = place.run(&format!("help {words}"));
        assert_eq!(help, place.run(&format!("{words} --help")), "{words}");
    }
}

#[test]
fn a_name_in_the_place_of_a_command_gets_the_command_that_takes_it() {
    let place = Place::new();
    for (typed, meant) in [
        ("wheels torchsort", "wheelmill wheels show torchsort"),
        ("runs last", "wheelmill runs show last"),
        ("runs 2026", "wheelmill runs show 2026"),
        ("runs sho", "'show'"),
    ] {
        let output = place.run(typed);
        assert!(output.starts_with("exit: 2") && output.contains(meant), "{typed}: {output}");
        assert_eq!(output.matches("tip:").count(), 1, "{typed}: {output}");
    }
}

#[test]
fn a_misspelled_level_of_the_log_is_no_secret() {
    let place = Place::new();
    for (level, told) in [("blah", true), ("debug", false), ("info,wheelmill_engine", false)] {
        let output = place.command("runs").env("WHEELMILL_LOG", level).output().unwrap();
        let talk = String::from_utf8(output.stderr).unwrap();
        assert_eq!(talk.contains("neither a level nor a part"), told, "{level}: {talk}");
        assert!(output.status.success(), "{level}: {talk}");
    }
}

#[test]
fn shells_get_completions_of_subcommands_and_values() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish"] {
        let output = place.command(&format!("completions {shell}")).output().unwrap();
        let script = String::from_utf8(output.stdout).unwrap();
        for word in ["wheels", "export", "arch", "always"] {
            assert!(script.contains(word), "{shell} lacks {word}");
        }
        assert!(!script.contains("generate-docs "), "{shell} shows what is hidden");
    }
}

#[test]
fn manual_pages_are_written_for_every_command() {
    let place = Place::new();
    let output = place.command("man --out pages").output().unwrap();
    assert!(output.status.success(), "{}", place.show(&output));
    let page =
        |name: &str| fs_err::read_to_string(place.path().join("project/pages").join(name)).unwrap();
    assert!(page("wheelmill.1").contains(".TH"));
    assert!(page("wheelmill-build.1").contains("cuda"));
    let logs = page("wheelmill-runs-logs.1");
    for text in [
        "follow",
        ".SH SYNOPSIS\nwheelmill runs logs [OPTIONS] [RUN] [CELL]\n",
        ".SH \"EXIT STATUS\"",
        "\\fB130\\fR\ninterrupted",
        "WHEELMILL_HOME",
    ] {
        assert!(logs.contains(text), "no {text} in:\n{logs}");
    }
    assert!(!place.path().join("project/pages/wheelmill-help.1").exists());
}
