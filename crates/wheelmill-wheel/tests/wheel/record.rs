//! RECORD against what is in the wheel.

use sha2::{Digest as _, Sha512};

use crate::build::{Wheel, base64, codes, read};

fn with_record(change: impl Fn(&str) -> String) -> Vec<&'static str> {
    let wheel = Wheel::default();
    let record = change(&wheel.fitting_record());
    codes(&read(&wheel.record(record).bytes()).unwrap().findings)
}

#[test]
fn a_changed_file_is_found() {
    let wheel = Wheel::default();
    let record = wheel.fitting_record();
    let changed = wheel.file("demo/__init__.py", "VERSION = '6.6'\n".repeat(20)).record(record);
    let inspection = read(&changed.bytes()).unwrap();
    assert_eq!(codes(&inspection.findings), ["record.hash-mismatch"]);
    assert_eq!(inspection.findings[0].evidence, ["demo/__init__.py"]);
}

#[test]
fn files_beside_the_list_and_beyond_it_are_found() {
    let wheel = Wheel::default();
    let record = wheel.fitting_record();
    let more = wheel.clone().file("demo/more.py", "").record(record.clone());
    assert_eq!(codes(&read(&more.bytes()).unwrap().findings), ["record.unlisted-file"]);
    let fewer = wheel.without("demo/__init__.py").record(record);
    assert_eq!(codes(&read(&fewer.bytes()).unwrap().findings), ["record.absent-file"]);
}

#[test]
fn each_defect_of_the_list_has_its_code() {
    let of_init = |record: &str, line: &dyn Fn(&str) -> String| -> String {
        record
            .lines()
            .map(|text| if text.starts_with("demo/") { line(text) } else { text.to_owned() } + "\n")
            .collect()
    };
    let field = |line: &str, index: usize| line.split(',').nth(index).unwrap().to_owned();
    for (code, line) in [
        ("record.size-mismatch", &(|line: &str| line.to_owned() + "0") as &dyn Fn(&str) -> String),
        ("record.no-hash", &|line| format!("{},,{}", field(line, 0), field(line, 2))),
        ("record.weak-hash", &|line| line.replace("sha256=", "md5=")),
        ("record.syntax", &|line| format!("{line},x,y\nnonsense")),
        ("record.duplicate", &|line| format!("{line}\n{line}")),
    ] {
        assert_eq!(with_record(|record| of_init(record, line)), [code]);
    }
    let self_hash = with_record(|record| record.replace("RECORD,,", "RECORD,sha256=AA,2"));
    assert!(self_hash.contains(&"record.self-hash"), "{self_hash:?}");
    let none = Wheel::default().bare_zip().bytes;
    assert_eq!(codes(&read(&none).unwrap().findings), ["record.missing"]);
}

#[test]
fn stronger_hashes_are_checked_too() {
    let text = "VERSION = '1.0'\n".repeat(20);
    let digest = Sha512::digest(text.as_bytes());
    let good = base64(&digest);
    let line = |hash: &str| format!("demo/__init__.py,sha512={hash},{}", text.len());
    let change = |hash: &str| {
        let line = line(hash);
        with_record(|record| {
            let others = record.lines().filter(|line| !line.starts_with("demo/"));
            others.chain([line.as_str()]).collect::<Vec<_>>().join("\n")
        })
    };
    assert_eq!(change(&good), Vec::<&str>::new());
    assert_eq!(change(&format!("{good}==")), Vec::<&str>::new());
    assert_eq!(change(&good.replace(&good[..2], "__")), ["record.hash-mismatch"]);
}
