//! The file name, the `.dist-info` folder, METADATA, WHEEL and the layout against one another.

use wheelmill_wheel::{Wishes, judge};

use crate::build::{Elf, NAME, Wheel, codes, read, read_as};

fn of(wheel: &Wheel) -> Vec<&'static str> {
    codes(&read(&wheel.bytes()).unwrap().findings)
}

#[test]
fn the_file_name_must_be_that_of_the_contents() {
    let bytes = Wheel::default().bytes();
    let named = |name: &str| codes(&read_as(name, &bytes).unwrap().findings);
    assert_eq!(
        named("other-1.0-cp311-cp311-linux_x86_64.whl"),
        ["name.dist-info", "metadata.name-mismatch"]
    );
    assert_eq!(
        named("demo-1.1-cp311-cp311-linux_x86_64.whl"),
        ["name.dist-info", "metadata.version-mismatch"]
    );
    assert_eq!(
        named("demo-1.0+cu130torch2.9-cp311-cp311-linux_x86_64.whl"),
        ["name.dist-info", "metadata.version-mismatch"]
    );
    assert_eq!(named("demo-1.0-cp311-cp311-manylinux_2_28_x86_64.whl"), ["tag.wheel-vs-filename"]);
    assert_eq!(named("demo-1.0-2-cp311-cp311-linux_x86_64.whl"), ["wheel-file.build-mismatch"]);
    assert_eq!(named("Demo-1.0-cp311-cp311-linux_x86_64.whl"), ["name.spelling"]);
    assert_eq!(named("demo-1.0.0-cp311-cp311-linux_x86_64.whl"), Vec::<&str>::new());
    assert_eq!(named("demo-v1.0-cp311-cp311-linux_x86_64.whl"), ["name.version-form"]);
    let error = read_as("demo.whl", &bytes).unwrap_err();
    assert!(error.to_string().contains("demo.whl"), "{error}");
}

#[test]
fn a_local_label_belongs_to_the_version() {
    let bytes = Wheel::of_version("1.0+cu130torch2.9").bytes();
    let name = "demo-1.0+cu130torch2.9-cp311-cp311-linux_x86_64.whl";
    let inspection = read_as(name, &bytes).unwrap();
    assert_eq!(inspection.findings, []);
    let wanted = |version: &str| {
        let version = Some(version.parse().unwrap());
        judge(&inspection, &Wishes { version, ..Wishes::default() }).passed
    };
    assert!(wanted("1.0") && wanted("1.0+cu130torch2.9"));
    assert!(!wanted("1.0+cu128torch2.9"));
}

#[test]
fn metadata_that_installers_choke_on_is_found() {
    let base = "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n";
    for (line, code) in [
        ("Requires-Dist: torch>=", "metadata.requirement"),
        ("Requires-Dist: torch ==2.9 ; python_version >= '3.10", "metadata.requirement"),
        ("Requires-Python: 3.10 or so", "metadata.requires-python"),
        ("Version: 2.0", "metadata.repeated-field"),
        ("no colon here", "metadata.syntax"),
    ] {
        assert_eq!(
            of(&Wheel::default().info("METADATA", &format!("{base}{line}\n"))),
            [code],
            "{line}"
        );
    }
    let inspection = read(&Wheel::default().bytes()).unwrap();
    let torch = inspection.metadata.requirements().next().unwrap();
    assert_eq!((torch.name.as_str(), &*torch.versions.to_string()), ("torch", ">=2.9"));
}

#[test]
fn a_wheel_without_its_papers_is_refused() {
    for wheel in [
        Wheel::default().without("demo-1.0.dist-info/METADATA"),
        Wheel::default().info("METADATA", "Metadata-Version: 2.1\nName: demo\n"),
        Wheel::default().info("METADATA", "Name: demo\nVersion: one\n"),
        Wheel::default().file("other-1.0.dist-info/METADATA", "Name: other\nVersion: 1.0\n"),
    ] {
        let error = read(&wheel.bytes()).unwrap_err().to_string();
        assert!(error.contains(NAME) && error.contains("is not a wheel"), "{error}");
    }
}

#[test]
fn the_wheel_file_is_judged() {
    let text = |version: &str, rest: &str| format!("Wheel-Version: {version}\n{rest}");
    let good = "Root-Is-Purelib: false\nTag: cp311-cp311-linux_x86_64\n";
    for (text, code) in [
        (text("2.0", good), "wheel-file.version"),
        (text("1.9", good), "wheel-file.minor-version"),
        (text("1.0", "Tag: cp311-cp311-linux_x86_64\n"), "wheel-file.root-is-purelib"),
        (text("1.0", "Root-Is-Purelib: false\n"), "wheel-file.syntax"),
        (text("1.0", &good.replace("Tag: cp311-", "Tag: ")), "wheel-file.syntax"),
        (text("1.0", &good.replace("cp311-linux", "cp311-musllinux")), "tag.wheel-vs-filename"),
    ] {
        let found = of(&Wheel::default().info("WHEEL", &text));
        assert!(found.contains(&code), "{code} is not among {found:?} of {text}");
    }
    assert_eq!(of(&Wheel::default().without("demo-1.0.dist-info/WHEEL")), ["wheel-file.missing"]);
}

#[test]
fn native_code_must_not_pose_as_python() {
    let native = || Wheel::default().file("demo/_C.so", Elf::default().write());
    let text = |purelib: &str, tag: &str| {
        format!("Wheel-Version: 1.0\nRoot-Is-Purelib: {purelib}\nTag: {tag}\n")
    };
    let pure = native().info("WHEEL", &text("true", "cp311-cp311-linux_x86_64"));
    assert_eq!(of(&pure), ["tag.native-in-purelib"]);
    let any = native().info("WHEEL", &text("false", "py3-none-any")).bytes();
    let inspection = read_as("demo-1.0-py3-none-any.whl", &any).unwrap();
    assert_eq!(codes(&inspection.findings), ["tag.native-in-any"]);
}

#[test]
fn papers_must_be_utf_8() {
    let metadata = b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nSummary: \xe9\n";
    let wheel = Wheel::default().file("demo-1.0.dist-info/METADATA", metadata);
    assert_eq!(of(&wheel), ["metadata.encoding"]);
}

#[test]
fn files_that_go_where_they_should_not_are_found() {
    for (file, text, code) in [
        ("demo-1.0.data/roots/x", "x", "layout.data-scheme"),
        ("demo.pth", "import demo", "layout.pth"),
        ("demo-1.0.data/purelib/demo.pth", "import demo", "layout.pth"),
        ("torch/extra.py", "", "layout.shadows"),
        ("json.py", "", "layout.shadows"),
        (
            "demo-1.0.dist-info/entry_points.txt",
            "[console_scripts]\n../x = demo:main\n",
            "layout.entry-point",
        ),
        (
            "demo-1.0.dist-info/entry_points.txt",
            "[console_scripts]\nx\n",
            "layout.entry-points-syntax",
        ),
    ] {
        assert_eq!(of(&Wheel::default().file(file, text)), [code], "{file}");
    }
    for (file, text) in [
        ("demo-1.0.data/scripts/demo", "#!python"),
        ("demo/torch/x.py", ""),
        ("demo/demo.pth", "weights"),
        ("torch_demo/x.py", ""),
        ("demo-1.0.dist-info/entry_points.txt", "[torch.backends]\na/b = demo:main\n"),
    ] {
        assert_eq!(of(&Wheel::default().file(file, text)), Vec::<&str>::new(), "{file}");
    }
}
