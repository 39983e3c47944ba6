//! The images that a project file names.

use std::collections::BTreeMap;

use toml::Spanned;
use wheelmill_model::PackageName;

use super::LayoutCell;
use crate::RecipeError;
use crate::document::Document;
use crate::suggest::list;
use crate::written::LayoutTable;

/// The cells of `[layout]`, by name, then by CUDA release.
pub(crate) fn layout_cells(
    document: &Document,
    tables: &BTreeMap<String, Spanned<LayoutTable>>,
) -> Result<Vec<LayoutCell>, RecipeError> {
    let mut cells: Vec<LayoutCell> = Vec::new();
    for (name, table) in tables {
        let (span, table) = (table.span(), table.get_ref());
        let package: PackageName = name
            .parse()
            .map_err(|error| document.wrong_value(span.clone(), format!("{error}"), None))?;
        if let Some(other) = cells.iter().find(|cell| cell.package == package) {
            return Err(document.combination(
                span,
                format!("`{name}` and `{}` are one name", other.name),
                "the second is this",
                "keep one of them",
            ));
        }
        if table.dockerfile.is_empty() {
            let hint = "name one for each CUDA release: `dockerfile = { \"9.0\" = \"…\" }`";
            let message = format!("`{name}` has no Dockerfile");
            return Err(document.wrong_value(span, message, Some(hint.to_owned())));
        }
        if let Some(cuda) = table.image.keys().find(|cuda| !table.dockerfile.contains_key(cuda)) {
            let known: Vec<_> = table.dockerfile.keys().collect();
            return Err(document.combination(
                span,
                format!("`{name}` names an image for CUDA {cuda}, and no Dockerfile"),
                "this table",
                format!("it has Dockerfiles for CUDA {}", list(&known)),
            ));
        }
        for (cuda, dockerfile) in &table.dockerfile {
            let folder = document.folder();
            let (dockerfile, context) = (folder.join(dockerfile), folder.join(&table.context));
            let mut cell = LayoutCell::new(name, package.clone(), *cuda, dockerfile, context);
            let LayoutTable { volume, conda_env, script, network, image, .. } = table.clone();
            cell.volume = volume.map_or(cell.volume, |volume| volume.0);
            cell.conda_env = conda_env.unwrap_or(cell.conda_env);
            cell.network = network.unwrap_or(cell.network);
            cell.image = image.get(cuda).map_or(cell.image, |image| image.0.clone());
            cell.script = script.map(|script| script.0.into());
            cells.push(cell);
        }
    }
    Ok(cells)
}
