//! From axes to cells, and why some are impossible.

use std::time::{Duration, Instant};

use camino::Utf8Path;
use insta::assert_snapshot;
use proptest::prelude::*;
use wheelmill_recipe::{
    ArchWish, Axes, Combination, Machine, MatrixError, MatrixSection, Planned, Project, Recipe,
    expand,
};

fn machine() -> Machine {
    Machine {
        arch: "x86_64".to_owned(),
        gpus: Vec::new(),
        gcc: Some(12),
        default_python: "3.11".parse().unwrap(),
    }
}

fn torch_recipe(more: &str) -> Recipe {
    let text = format!("name = \"torchsort\"\n[build]\ntorch = true\n{more}");
    Recipe::parse(&text, Utf8Path::new("x.toml")).unwrap()
}

fn matrix(text: &str) -> MatrixSection {
    let text = format!("[matrix]\n{text}");
    Project::parse(&text, Utf8Path::new("wheelmill.toml")).unwrap().matrix
}

fn list<T: std::str::FromStr<Err: std::fmt::Debug>>(values: &str) -> Vec<T> {
    values.split_whitespace().map(|value| value.parse().unwrap()).collect()
}

/// One line a cell, with the codes of what stands against it.
fn lines(planned: &[Planned]) -> String {
    let line = |planned: &Planned| {
        let codes: Vec<&str> = planned.impossible.iter().map(|reason| reason.code).collect();
        format!("{} {}", planned.cell.id(), codes.join(" ")).trim_end().to_owned()
    };
    planned.iter().map(line).collect::<Vec<String>>().join("\n")
}

fn reasons(planned: &[Planned]) -> String {
    let all = planned.iter().flat_map(|planned| &planned.impossible);
    all.map(|reason| {
        format!("{}: {} ({})", reason.code, reason.message, reason.hint.as_deref().unwrap_or("-"))
    })
    .collect::<Vec<String>>()
    .join("\n")
}

fn expanded(axes: &Axes, text: &str) -> String {
    let section = matrix(text);
    lines(&expand(&torch_recipe(""), axes, Some(&section), &machine()).unwrap())
}

#[test]
fn the_cell_of_a_fully_given_wish_has_the_name_that_was_promised() {
    let axes = Axes {
        versions: list("0.1.10"),
        cuda: list("13.0"),
        torch: list("2.11"),
        python: list("3.11"),
        architectures: Some("9.0".parse().unwrap()),
    };
    let planned = expand(&torch_recipe(""), &axes, None, &machine()).unwrap();
    assert_eq!(lines(&planned), "torchsort-0.1.10-cu130-torch2.11-cp311-sm90");
}

#[test]
fn defaults_are_the_newest_that_fits_what_is_given() {
    let recipe = torch_recipe("");
    let one = |axes: Axes| lines(&expand(&recipe, &axes, None, &machine()).unwrap());
    assert_snapshot!(one(Axes::default()), @"torchsort-latest-cu132-torch2.15-cp311-sm75-80-90-100-120");
    assert_snapshot!(one(Axes { torch: list("2.11"), ..Axes::default() }), @"torchsort-latest-cu130-torch2.11-cp311-sm75-80-90-100-120");
    assert_snapshot!(one(Axes { cuda: list("12.4"), ..Axes::default() }), @"torchsort-latest-cu124-torch2.6-cp311-sm50-60-70-80-90");
    // The machine's Python came long after CUDA 9.0.
    assert_snapshot!(one(Axes { cuda: list("9.0"), ..Axes::default() }), @"torchsort-latest-cu90-torch1.1-cp37-sm30-50-60-70");
    assert_snapshot!(
        one(Axes { architectures: Some("7.0".parse().unwrap()), ..Axes::default() }), @"torchsort-latest-cu126-torch2.14-cp311-sm70");
    // Newer than the table: unknown, not impossible.
    assert_snapshot!(one(Axes { torch: list("2.99"), ..Axes::default() }), @"torchsort-latest-cu132-torch2.99-cp311-sm75-80-90-100-120");
    let limited = torch_recipe("[limits]\ntorch = \">=2.2,<2.9\"\ncuda = \"<12.8\"");
    assert_snapshot!(
        lines(&expand(&limited, &Axes::default(), None, &machine()).unwrap()), @"torchsort-latest-cu126-torch2.8-cp311-sm50-60-70-80-90");
}

#[test]
fn a_package_without_torch_has_cells_without_torch() {
    let recipe = Recipe::parse("name = \"cupy\"", Utf8Path::new("x.toml")).unwrap();
    let axes = Axes { cuda: list("12.8 13.0"), torch: list("2.9 2.11"), ..Axes::default() };
    assert_snapshot!(lines(&expand(&recipe, &axes, None, &machine()).unwrap()), @r"
    cupy-latest-cu128-cp311-sm50-60-70-80-90-100-120
    cupy-latest-cu130-cp311-sm75-80-90-100-120
    ");
}

#[test]
fn axes_are_multiplied_in_a_fixed_order_without_repetition() {
    assert_snapshot!(expanded(&Axes::default(), r#"
        cuda = ["12.8", "12.6", "12.8"]
        torch = ["2.9", "2.10"]
        python = ["3.12", "3.11"]
        architectures = "9.0"
    "#), @r"
    torchsort-latest-cu128-torch2.9-cp312-sm90
    torchsort-latest-cu128-torch2.9-cp311-sm90
    torchsort-latest-cu128-torch2.10-cp312-sm90
    torchsort-latest-cu128-torch2.10-cp311-sm90
    torchsort-latest-cu126-torch2.9-cp312-sm90
    torchsort-latest-cu126-torch2.9-cp311-sm90
    torchsort-latest-cu126-torch2.10-cp312-sm90
    torchsort-latest-cu126-torch2.10-cp311-sm90
    ");
}

#[test]
fn together_couples_exclude_takes_away_include_adds() {
    assert_snapshot!(expanded(&Axes::default(), r#"
        version = ["0.1.9", "0.1.10"]
        cuda = ["12.8", "13.0"]
        torch = ["2.9", "2.11"]
        python = ["3.11", "3.12"]
        together = [{ cuda = "12.8", torch = "2.9" }, { cuda = "13.0", torch = "2.11" }]
        exclude = [{ python = "3.12", cuda = "12.8" }, { version = "0.1.9" }]
        include = [{ cuda = "13.0", torch = "2.10", python = "3.11", version = "0.1.10" }]
        architectures = "9.0"
    "#), @r"
    torchsort-0.1.10-cu128-torch2.9-cp311-sm90
    torchsort-0.1.10-cu130-torch2.11-cp311-sm90
    torchsort-0.1.10-cu130-torch2.11-cp312-sm90
    torchsort-0.1.10-cu130-torch2.10-cp311-sm90
    ");
}

#[test]
fn axes_that_only_together_names_take_their_values_from_it() {
    assert_snapshot!(expanded(&Axes::default(), r#"
        together = [{ cuda = "12.8", torch = "2.9" }, { cuda = "13.0", torch = "2.11" }]
        architectures = "9.0"
    "#), @r"
    torchsort-latest-cu128-torch2.9-cp311-sm90
    torchsort-latest-cu130-torch2.11-cp311-sm90
    ");
}

#[test]
fn an_included_combination_takes_every_value_of_the_axes_it_leaves_open() {
    assert_snapshot!(expanded(&Axes::default(), r#"
        cuda = ["12.8"]
        torch = ["2.9"]
        python = ["3.11", "3.12"]
        include = [{ cuda = "13.0", torch = "2.11" }]
        architectures = "9.0"
    "#), @r"
    torchsort-latest-cu128-torch2.9-cp311-sm90
    torchsort-latest-cu128-torch2.9-cp312-sm90
    torchsort-latest-cu130-torch2.11-cp311-sm90
    torchsort-latest-cu130-torch2.11-cp312-sm90
    ");
}

#[test]
fn the_command_line_narrows_what_the_file_says() {
    let text = r#"
        cuda = ["12.8", "13.0"]
        torch = ["2.9", "2.11"]
        python = ["3.11"]
        together = [{ cuda = "12.8", torch = "2.9" }, { cuda = "13.0", torch = "2.11" }]
        include = [{ cuda = "13.0", torch = "2.10" }]
        architectures = "9.0"
    "#;
    let narrowed = Axes { cuda: list("12.8"), ..Axes::default() };
    assert_snapshot!(expanded(&narrowed, text), @"torchsort-latest-cu128-torch2.9-cp311-sm90");
    // A value that the file does not know is coupled to nothing.
    let other = Axes { cuda: list("13.2"), torch: list("2.12"), ..Axes::default() };
    assert_snapshot!(expanded(&other, text), @"torchsort-latest-cu132-torch2.12-cp311-sm90");
    // Nor is the one combination that the command line names.
    let apart = Axes { cuda: list("12.8"), torch: list("2.11"), ..Axes::default() };
    assert_snapshot!(expanded(&apart, text), @"torchsort-latest-cu128-torch2.11-cp311-sm90");
    let apart = Axes { cuda: list("12.8"), torch: list("2.11 2.11"), ..Axes::default() };
    let error = expand(&torch_recipe(""), &apart, Some(&matrix(text)), &machine()).unwrap_err();
    assert_snapshot!(format!("{error}\n{}", error.hint().unwrap()), @r"
    no combination is left for torchsort: `together` in the project file has no entry for these values
    add an entry to `together`, or give one value for each axis that it couples
    ");
}

#[test]
fn architectures_may_differ_by_cuda_release() {
    assert_snapshot!(expanded(&Axes { python: list("3.11"), ..Axes::default() }, r#"
        cuda = ["12.6", "12.8", "13.0"]
        torch = ["2.11"]
        [matrix.architectures]
        "12.6" = "7.0;8.0"
        "12.8" = "all-major+PTX"
        default = "9.0"
    "#), @r"
    torchsort-latest-cu126-torch2.11-cp311-sm70-80
    torchsort-latest-cu128-torch2.11-cp311-sm50-60-70-80-90-100-120ptx
    torchsort-latest-cu130-torch2.11-cp311-sm90
    ");
}

#[test]
fn native_needs_a_gpu_and_builds_for_the_gpus_that_are_there() {
    let recipe = torch_recipe("");
    let axes = Axes {
        cuda: list("13.0"),
        torch: list("2.11"),
        architectures: Some(ArchWish::Native { ptx: true }),
        ..Axes::default()
    };
    assert_eq!(expand(&recipe, &axes, None, &machine()), Err(MatrixError::NoGpu));
    let with_gpus = Machine { gpus: list("9.0 8.6 8.6"), ..machine() };
    assert_snapshot!(lines(&expand(&recipe, &axes, None, &with_gpus).unwrap()), @"torchsort-latest-cu130-torch2.11-cp311-sm86-90ptx");
}

#[test]
fn each_reason_says_what_is_wrong_and_what_to_take_instead() {
    let axes = |cuda: &str, torch: &str, python: &str, archs: &str| Axes {
        versions: Vec::new(),
        cuda: list(cuda),
        torch: list(torch),
        python: list(python),
        architectures: Some(archs.parse().unwrap()),
    };
    let why = |more: &str, axes: &Axes| {
        reasons(&expand(&torch_recipe(more), axes, None, &machine()).unwrap())
    };
    assert_snapshot!(why("", &axes("12.7", "2.11", "3.11", "9.0")), @"cuda-unknown: there is no CUDA 12.7 that wheelmill knows (known nearby: CUDA 12.6 and 12.8)");
    assert_snapshot!(why("", &axes("14.0", "2.11", "3.11", "9.0")), @"cuda-unknown: there is no CUDA 14.0 that wheelmill knows (known nearby: CUDA 13.5)");
    assert_snapshot!(why("", &axes("13.0", "2.11", "3.11", "6.1;7.0")), @r"
    arch-dropped-by-cuda: CUDA 13.0 dropped sm_61; its oldest is sm_75 (CUDA 12.9 is the last that makes code for it)
    arch-dropped-by-cuda: CUDA 13.0 dropped sm_70; its oldest is sm_75 (CUDA 12.9 is the last that makes code for it)
    ");
    assert_snapshot!(why("", &axes("12.6", "2.11", "3.11", "10.0;10.1;8.8")), @r"
    arch-unknown-to-cuda: CUDA 12.6 makes no code for sm_88 (sm_88 came with CUDA 13.0)
    arch-unknown-to-cuda: CUDA 12.6 makes no code for sm_100 (sm_100 came with CUDA 12.8)
    arch-unknown-to-cuda: CUDA 12.6 makes no code for sm_101 (sm_101 came with CUDA 12.8)
    ");
    assert_snapshot!(why("", &axes("13.0", "2.11", "3.11", "10.1;14.0")), @r"
    arch-unknown-to-cuda: CUDA 13.0 makes no code for sm_101 (CUDA 12.9 is the last that knows it)
    arch-unknown-to-cuda: CUDA 13.0 makes no code for sm_140 (its newest is sm_121)
    ");
    assert_snapshot!(why("", &axes("13.2", "2.11", "3.11", "9.0")), @"torch-has-no-build-for-cuda: torch 2.11 has no official build for CUDA 13.2 (torch 2.11 has builds for CUDA 12.6, 12.8 and 13.0; the newest for CUDA 13.2 is torch 2.15)");
    assert_snapshot!(why("", &axes("12.2", "2.1", "3.11", "9.0")), @"torch-has-no-build-for-cuda: torch 2.1 has no official build for CUDA 12.2 (torch 2.1 has builds for CUDA 11.8 and 12.1; no torch has one for CUDA 12.2)");
    assert_snapshot!(why("", &axes("13.0", "2.11", "3.9", "9.0")), @"python-too-old: torch 2.11 has no build for Python 3.9 (its oldest is Python 3.10)");
    assert_snapshot!(why("", &axes("13.0", "2.11", "3.15", "9.0")), @"python-too-new: torch 2.11 has no build for Python 3.15 (its newest is Python 3.14)");
    assert_snapshot!(why("", &axes("9.1", "0.4.1", "3.6", "7.0")), @"torch-has-no-build-for-cuda: torch 0.4.1 has no official build for CUDA 9.1 (torch 0.4.1 has builds for CUDA 9.0 and 9.2; the newest for CUDA 9.1 is torch 0.4.0)");
    assert_snapshot!(why("", &axes("9.0", "0.2", "3.6", "7.0")), @"torch-unknown: there is no torch 0.2 that wheelmill knows (known nearby: torch 0.3)");
    assert_snapshot!(why("[limits]\ncuda = \">=12.8\"\ntorch = \"<2.9\"\npython = \">=3.12\"",
        &axes("12.6", "2.11", "3.11", "9.0")), @r"
    recipe-limits: torchsort does not build with CUDA 12.6 (its recipe allows CUDA >=12.8; `[recipes.torchsort.limits]` in a project file changes that)
    recipe-limits: torchsort does not build with Python 3.11 (its recipe allows Python >=3.12; `[recipes.torchsort.limits]` in a project file changes that)
    recipe-limits: torchsort does not build with torch 2.11 (its recipe allows torch <2.9; `[recipes.torchsort.limits]` in a project file changes that)
    ");
    assert_snapshot!(why("[limits]\narchitectures = [\"8.0\", \"9.0\"]",
        &axes("12.6", "2.11", "3.11", "8.6;9.0a")), @r"
    arch-not-supported-by-recipe: torchsort does not support sm_86 (its sources know sm_80 and sm_90)
    arch-not-supported-by-recipe: torchsort does not support sm_90a (its sources know sm_80 and sm_90)
    ");
    assert_snapshot!(why("[limits]\nminimum-architecture = \"8.0\"\nmachines = [\"aarch64\"]",
        &axes("12.6", "2.11", "3.11", "7.5")), @r"
    arch-not-supported-by-recipe: torchsort does not support sm_75 (its oldest is sm_80)
    machine-not-supported: torchsort does not build on x86_64 (its recipe allows aarch64)
    ");
}

#[test]
fn ten_thousand_cells_are_a_matter_of_moments() {
    let text = format!(
        "version = [{}]\ncuda = [\"12.6\", \"12.8\", \"13.0\", \"13.2\", \"9.0\"]\n\
         torch = [\"2.8\", \"2.9\", \"2.10\", \"2.11\", \"2.12\"]\n\
         python = [\"3.10\", \"3.11\", \"3.12\", \"3.13\"]\n",
        (0..100).map(|number| format!("\"1.{number}\"")).collect::<Vec<String>>().join(", ")
    );
    let section = matrix(&text);
    let recipe = torch_recipe("[limits]\ncuda = \">=11.0\"\npython = \">=3.11\"");
    let start = Instant::now();
    let planned = expand(&recipe, &Axes::default(), Some(&section), &machine()).unwrap();
    let taken = start.elapsed();
    assert_eq!(planned.len(), 10_000);
    assert!(planned.iter().any(|cell| cell.impossible.is_empty()));
    assert_eq!(
        planned,
        expand(&recipe, &Axes::default(), Some(&section), &machine()).unwrap(),
        "the same twice"
    );
    // A thirtieth of it is usual where nothing is optimised; a step per pair of cells is far above.
    assert!(taken < Duration::from_secs(5), "{taken:?}");
}

/// A matrix of few values, so that rules and axes meet often.
fn any_matrix() -> impl Strategy<Value = (String, Axes)> {
    let cuda = prop::sample::subsequence(vec!["12.6", "12.8", "13.0"], 1..=3);
    let torch = prop::sample::subsequence(vec!["2.9", "2.10", "2.11"], 1..=3);
    let pair = (r"12\.6|12\.8|13\.0", r"2\.9|2\.10|2\.11");
    let pairs = || prop::collection::vec((pair.0, pair.1), 0..3);
    let typed = prop::sample::subsequence(vec!["12.8", "13.0", "13.2"], 0..=2);
    (cuda, torch, pairs(), pairs(), typed).prop_map(|(cuda, torch, together, include, typed)| {
        let quoted = |values: &[&str]| format!("[\"{}\"]", values.join("\", \""));
        let entries = |pairs: Vec<(String, String)>| {
            let entry = |(cuda, torch)| format!("{{ cuda = \"{cuda}\", torch = \"{torch}\" }}");
            pairs.into_iter().map(entry).collect::<Vec<String>>().join(", ")
        };
        // Only values of the axes may be coupled.
        let known = |pair: &(String, String)| {
            cuda.contains(&pair.0.as_str()) && torch.contains(&pair.1.as_str())
        };
        let text = format!(
            "cuda = {}\ntorch = {}\ntogether = [{}]\ninclude = [{}]\narchitectures = \"9.0\"",
            quoted(&cuda),
            quoted(&torch),
            entries(together.into_iter().filter(known).collect()),
            entries(include),
        );
        (text, Axes { cuda: list(&typed.join(" ")), ..Axes::default() })
    })
}

proptest! {
    #[test]
    fn cells_are_unique_and_each_has_a_reason_to_be_there((text, axes) in any_matrix()) {
        let section = matrix(&text);
        let Ok(planned) = expand(&torch_recipe(""), &axes, Some(&section), &machine()) else {
            return Ok(());
        };
        let ids: Vec<String> = planned.iter().map(|planned| planned.cell.id()).collect();
        let unique: std::collections::BTreeSet<&String> = ids.iter().collect();
        prop_assert_eq!(unique.len(), ids.len());
        for Planned { cell, .. } in &planned {
            if !axes.cuda.is_empty() {
                prop_assert!(axes.cuda.contains(&cell.cuda), "{}", cell.id());
            }
            let fits = |entry: &Combination| {
                entry.cuda == Some(cell.cuda) && entry.torch == cell.torch
            };
            let on_axes = section.cuda.contains(&cell.cuda) || axes.cuda.contains(&cell.cuda);
            let coupled = section.together.is_empty()
                || section.together.iter().any(fits)
                || section.together.iter().all(|entry| entry.cuda != Some(cell.cuda));
            prop_assert!((on_axes && coupled) || section.include.iter().any(fits), "{}", cell.id());
        }
    }
}
