//! What a build will likely take, learned from those that were done.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use wheelmill_model::{ByteSize, PackageName};

use crate::columns::{Bytes, Json, Span, Text};
use crate::history::{bytes, seconds};
use crate::{Store, StoreError};

/// The members of a cell's spec that decide how long it takes, most telling first.
const TELLING: [&str; 4] = ["cuda", "torch", "architectures", "python"];

/// The telling members of one spec.
type Telling<T> = [Option<T>; TELLING.len()];

/// How many of the newest builds of a package are considered.
const CONSIDERED: u32 = 64;

/// What a build will likely take.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Expectation {
    /// How long.
    #[serde(rename = "wall-seconds", serialize_with = "seconds")]
    pub wall: Option<Duration>,
    /// How much memory at most.
    #[serde(rename = "peak-memory-bytes", serialize_with = "bytes")]
    pub peak_memory: Option<ByteSize>,
    /// How many steps.
    pub compiles: Option<u32>,
}

/// What the newest builds of one package took. Asked for once, it answers for many cells.
#[derive(Clone, Debug, Default)]
pub struct Expectations {
    /// Newest first, each with its telling members.
    builds: Vec<(Telling<Value>, Expectation)>,
}

impl Expectations {
    /// What the cell with this spec will likely take: what the newest build took that is most like
    /// it. None when the package was never built.
    #[must_use]
    pub fn of(&self, spec: &Value) -> Option<&Expectation> {
        let wanted = TELLING.map(|member| spec.get(member));
        // `max_by_key` takes the last of equals, which is the newest from behind.
        self.builds
            .iter()
            .rev()
            .max_by_key(|(built, _)| {
                std::array::from_fn::<_, { TELLING.len() }, _>(|index| {
                    built[index].as_ref() == wanted[index]
                })
            })
            .map(|(_, expectation)| expectation)
    }
}

impl Store {
    /// What the newest builds of a package took.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn expectations(&self, package: &PackageName) -> Result<Expectations, StoreError> {
        self.database.read("read what builds took", |transaction| {
            let mut statement = transaction.prepare_cached(
                "SELECT spec, wall, peak_memory, compiles FROM attempts
                 WHERE outcome = 'built' AND package = ?1 ORDER BY id DESC LIMIT ?2",
            )?;
            let builds = statement
                .query_map((Text(package), CONSIDERED), |row| {
                    let Json(spec) = row.get(0)?;
                    let telling = TELLING.map(|member| spec.get(member).cloned());
                    let wall = row.get::<_, Option<_>>(1)?.map(|Span(wall)| wall);
                    let peak_memory = row.get::<_, Option<_>>(2)?.map(|Bytes(size)| ByteSize(size));
                    Ok((telling, Expectation { wall, peak_memory, compiles: row.get(3)? }))
                })?
                .collect::<Result<_, _>>()?;
            Ok(Expectations { builds })
        })
    }

    /// What one cell will likely take: [`Expectations::of`] for a single question.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn expected(
        &self,
        package: &PackageName,
        spec: &Value,
    ) -> Result<Option<Expectation>, StoreError> {
        Ok(self.expectations(package)?.of(spec).cloned())
    }
}
