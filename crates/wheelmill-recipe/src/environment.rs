//! What a recipe becomes for one cell: its variables, requirements and command.

use std::collections::BTreeMap;

use camino::Utf8Path;

use crate::placeholder::CellValues;
use crate::{Cell, Recipe};

impl Recipe {
    /// The environment variables of a cell's build, sorted by name: the recipe's own, the
    /// architectures, and the number of compilers (`jobs`, never below one).
    #[must_use]
    pub fn environment(&self, cell: &Cell, jobs: usize) -> Vec<(String, String)> {
        let values = CellValues { cell, jobs, out: None };
        let mut variables: BTreeMap<String, String> = self
            .build
            .environment
            .iter()
            .map(|(name, value)| (name.clone(), values.replace(value)))
            .collect();
        for architecture in &self.architectures {
            variables
                .insert(architecture.variable.clone(), architecture.value(&cell.architectures));
        }
        for variable in &self.jobs.variables {
            variables.insert(variable.clone(), jobs.max(1).to_string());
        }
        // More threads in one nvcc would be compilers that nobody counts.
        if let Some(variable) = &self.jobs.nvcc_threads {
            variables.insert(variable.clone(), "1".to_owned());
        }
        variables.into_iter().collect()
    }

    /// The build requirements of a cell, beside those of the source.
    #[must_use]
    pub fn requirements(&self, cell: &Cell) -> Vec<String> {
        let values = CellValues { cell, jobs: 1, out: None };
        self.build.requires.iter().map(|requirement| values.replace(requirement)).collect()
    }

    /// The local label that the version of a cell's wheel gets.
    #[must_use]
    pub fn local_label(&self, cell: &Cell) -> Option<String> {
        let values = CellValues { cell, jobs: 1, out: None };
        self.wheel.local_label.as_ref().map(|label| values.replace(label))
    }

    /// What a cell's wheel requires beside what its own metadata says.
    #[must_use]
    pub fn wheel_requirements(&self, cell: &Cell) -> Vec<String> {
        let values = CellValues { cell, jobs: 1, out: None };
        self.wheel.requires.iter().map(|requirement| values.replace(requirement)).collect()
    }

    /// What is installed beside a cell's wheel when it is tried.
    #[must_use]
    pub fn test_requirements(&self, cell: &Cell) -> Vec<String> {
        let values = CellValues { cell, jobs: 1, out: None };
        self.test.requires.iter().map(|requirement| values.replace(requirement)).collect()
    }

    /// The command that builds a cell, with the wheel to go into `out`; `None` when the recipe has
    /// none.
    #[must_use]
    pub fn command(&self, cell: &Cell, jobs: usize, out: &Utf8Path) -> Option<Vec<String>> {
        let values = CellValues { cell, jobs, out: Some(out) };
        let command = self.build.command.as_ref()?;
        Some(command.iter().map(|argument| values.replace(argument)).collect())
    }
}
