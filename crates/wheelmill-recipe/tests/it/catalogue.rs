//! Every recipe of the catalogue is whole and makes sense.

use camino::Utf8Path;
use wheelmill_model::PackageName;
use wheelmill_recipe::{Axes, Catalogue, Machine, Origin, Recipe, Recipes, Source, expand, facts};

fn machine() -> Machine {
    Machine {
        arch: "x86_64".to_owned(),
        gpus: Vec::new(),
        gcc: Some(12),
        default_python: "3.11".parse().unwrap(),
    }
}

fn all() -> Vec<Recipe> {
    Recipes::builtin().all().unwrap()
}

#[test]
fn it_is_large_and_each_file_bears_its_package_name() {
    let names: Vec<&str> = Catalogue::builtin().names().collect();
    assert!(names.len() >= 25, "{names:?}");
    for name in names {
        let package: PackageName = name.parse().unwrap();
        assert_eq!(package.as_str(), name);
        let recipe = Catalogue::builtin().get(&package).unwrap().unwrap();
        assert_eq!(recipe.name, package);
        assert_eq!(recipe.origin, Origin::Catalogue);
    }
}

#[test]
fn each_says_what_it_is_and_what_it_was_read_from() {
    for recipe in all() {
        let name = &recipe.name;
        assert!(!recipe.summary.is_empty() && !recipe.summary.ends_with('.'), "{name}");
        let secure = |page: &String| page.starts_with("https://");
        assert!(recipe.homepage.as_ref().is_none_or(secure), "{name}");
        // What lies only in a repository may be written from its published instructions.
        let from_index = matches!(recipe.source, Source::Pypi { .. });
        assert!(recipe.read_from.is_some() || !from_index, "{name}");
        assert!(!matches!(recipe.source, Source::Path(_)), "{name}");
    }
}

#[test]
fn each_that_compiles_device_code_is_told_the_architectures() {
    for recipe in all().iter().filter(|recipe| recipe.build.cuda) {
        assert!(!recipe.architectures.is_empty(), "{}", recipe.name);
    }
}

#[test]
fn each_has_cells_that_can_be_built_by_default() {
    for recipe in all() {
        // A package for one machine only is judged on that machine.
        let arch = recipe.limits.machines.as_ref().map_or("x86_64", |machines| &machines[0]);
        let machine = Machine { arch: arch.to_owned(), ..machine() };
        let planned = expand(&recipe, &Axes::default(), None, &machine).unwrap();
        assert_eq!(planned.len(), 1, "{}", recipe.name);
        assert_eq!(planned[0].impossible, [], "{}", recipe.name);
    }
}

#[test]
fn limits_name_what_the_facts_know() {
    for recipe in all() {
        let name = &recipe.name;
        for arch in recipe.limits.architectures.iter().flatten() {
            assert!(facts::release_that_added(*arch).is_some(), "{name}: {arch}");
        }
        if !recipe.build.torch {
            assert_eq!(recipe.limits.torch, None, "{name} is not built against torch");
        }
    }
}

#[test]
fn each_survives_being_shown_and_read_again() {
    for recipe in all().into_iter().filter(|recipe| recipe.patches.is_empty()) {
        let shown = recipe.to_toml();
        let file = Utf8Path::new("shown.toml");
        let read = Recipe::parse(&shown, file).unwrap_or_else(|error| panic!("{error}\n{shown}"));
        assert_eq!(read, Recipe { origin: Origin::File(file.to_owned()), ..recipe });
    }
}
