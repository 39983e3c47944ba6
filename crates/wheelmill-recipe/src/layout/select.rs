//! Which images of a folder are meant.

use std::collections::BTreeSet;

use wheelmill_model::{CudaVersion, PackageName};

use super::{Layout, LayoutError, PlannedLayout};
use crate::PackageWish;
use crate::suggest::{closest, near};

impl Layout {
    /// The cells of these names and CUDA releases; of all, where none is named. Every name and every
    /// release that is named has a cell.
    ///
    /// # Errors
    /// There is none of a name or release, or a version is named.
    pub fn select(
        &self,
        names: &[PackageWish],
        cuda: &[CudaVersion],
    ) -> Result<Vec<PlannedLayout>, LayoutError> {
        if let Some(wish) = names.iter().find(|wish| wish.version.is_some()) {
            return Err(LayoutError::Version(wish.to_string()));
        }
        let of_name = |wish: &PackageWish| -> Vec<&PlannedLayout> {
            self.cells.iter().filter(|found| found.cell.package == wish.name).collect()
        };
        if let Some(wish) = names.iter().find(|wish| of_name(wish).is_empty()) {
            return Err(self.unknown(wish));
        }
        let named: Vec<&PlannedLayout> = self
            .cells
            .iter()
            .filter(|found| {
                names.is_empty() || names.iter().any(|wish| wish.name == found.cell.package)
            })
            .collect();
        let lacks = |cells: &[&PlannedLayout], release: CudaVersion| {
            cells.iter().all(|found| found.cell.cuda != release)
        };
        for wish in names {
            let own = of_name(wish);
            if let Some(first) = cuda.first()
                && cuda.iter().all(|release| lacks(&own, *release))
            {
                return Err(no_release(&own, *first));
            }
        }
        if let Some(release) = cuda.iter().find(|release| lacks(&named, **release)) {
            return Err(no_release(&named, *release));
        }
        let wanted = |found: &&PlannedLayout| cuda.is_empty() || cuda.contains(&found.cell.cuda);
        Ok(named.into_iter().filter(wanted).cloned().collect())
    }

    /// Whether there is an image of this name.
    #[must_use]
    pub fn has(&self, name: &PackageName) -> bool {
        self.cells.iter().any(|found| found.cell.package == *name)
    }

    /// Whether a name is nearly that of an image, and so perhaps meant for it.
    #[must_use]
    pub fn resembles(&self, name: &PackageName) -> bool {
        let known = self.cells.iter().map(|found| found.cell.package.as_str());
        closest(name.as_str(), known).is_some()
    }

    fn unknown(&self, wish: &PackageWish) -> LayoutError {
        let known: BTreeSet<&str> =
            self.cells.iter().map(|found| found.cell.name.as_str()).collect();
        let mut instead = near(wish.name.as_str(), known.iter().copied());
        if instead.is_empty() {
            instead = known.into_iter().map(str::to_owned).collect();
        }
        LayoutError::UnknownName { name: wish.name.to_string(), instead }
    }
}

fn no_release(cells: &[&PlannedLayout], cuda: CudaVersion) -> LayoutError {
    let names: BTreeSet<&str> = cells.iter().map(|found| found.cell.name.as_str()).collect();
    let known: BTreeSet<CudaVersion> = cells.iter().map(|found| found.cell.cuda).collect();
    LayoutError::UnknownCuda {
        cuda,
        names: names.into_iter().map(str::to_owned).collect(),
        known: known.into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LayoutCell;

    fn layout() -> Layout {
        let cell = |name: &str, cuda: &str| PlannedLayout {
            cell: LayoutCell::new(
                name,
                name.parse().unwrap(),
                cuda.parse().unwrap(),
                "d".into(),
                "c".into(),
            ),
            impossible: Vec::new(),
        };
        let cells = vec![cell("PyTorch", "9.0"), cell("PyTorch", "10.1"), cell("apex", "10.0")];
        Layout { cells, remarks: Vec::new() }
    }

    fn select(names: &[&str], cuda: &[&str]) -> Result<Vec<String>, LayoutError> {
        let names: Vec<PackageWish> = names.iter().map(|name| name.parse().unwrap()).collect();
        let cuda: Vec<CudaVersion> = cuda.iter().map(|text| text.parse().unwrap()).collect();
        let cells = layout().select(&names, &cuda)?;
        Ok(cells.into_iter().map(|found| found.cell.id()).collect())
    }

    #[test]
    fn names_and_releases_filter() {
        assert_eq!(select(&[], &[]).unwrap().len(), 3);
        assert_eq!(select(&["pytorch"], &[]).unwrap(), ["PyTorch-cu90", "PyTorch-cu101"]);
        assert_eq!(select(&["PYTORCH"], &["9.0"]).unwrap(), ["PyTorch-cu90"]);
        assert_eq!(select(&["pytorch", "apex"], &["9.0", "10.0"]).unwrap().len(), 2);
    }

    #[test]
    fn what_is_not_there_is_refused_with_what_is() {
        let said = |names: &[&str], cuda: &[&str]| {
            let error = select(names, cuda).unwrap_err();
            format!("{error}; {}", error.hint().unwrap())
        };
        assert_eq!(
            said(&["pytroch"], &[]),
            "there is no Dockerfile for `pytroch` in this folder; there is `PyTorch`"
        );
        assert_eq!(
            said(&["pytorch"], &["10.0"]),
            "there is no Dockerfile of PyTorch for CUDA 10.0; there is one for CUDA 9.0 and 10.1"
        );
        assert!(said(&[], &["9.0", "13.0"]).contains("PyTorch and apex for CUDA 13.0"));
        assert!(said(&["PyTorch==1.0"], &[]).contains("leave it out"));
    }
}
