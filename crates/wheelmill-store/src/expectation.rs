//! What a build will likely take, learned from those that were done.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use wheelmill_model::{ByteSize, PackageName};

use crate::columns::{Bytes, Json, Span, Text};
use crate::history::{bytes, seconds};
use crate::{Store, StoreError};

/// The members of a cell's spec that decide how long it takes beside its version and the number of
/// architectures, most telling first.
const TELLING: [&str; 4] = ["cuda", "torch", "architectures", "python"];

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
    /// Newest first.
    builds: Vec<Build>,
}

/// One build that was done.
#[derive(Clone, Debug)]
struct Build {
    spec: Value,
    took: Expectation,
}

impl Build {
    fn architectures(&self) -> usize {
        architectures(&self.spec)
    }
}

impl Expectations {
    /// What the cell with this spec will likely take: what the newest build of this version took
    /// that is most like it. Code for each architecture is compiled anew, so the time of a build
    /// for more or fewer of them is scaled. None when this version was never built.
    #[must_use]
    pub fn of(&self, spec: &Value) -> Option<Expectation> {
        let wanted = TELLING.map(|member| spec.get(member));
        let likeness = |built: &Build| -> [bool; TELLING.len() + 1] {
            let same =
                TELLING.iter().zip(wanted).map(|(member, wanted)| built.spec.get(member) == wanted);
            let mut likeness = [built.architectures() == architectures(spec); TELLING.len() + 1];
            same.enumerate().for_each(|(index, same)| likeness[index + 1] = same);
            likeness
        };
        let same_version = |build: &&Build| build.spec.get("version") == spec.get("version");
        // `max_by_key` takes the last of equals, which is the newest from behind.
        let build =
            self.builds.iter().rev().filter(same_version).max_by_key(|build| likeness(build))?;
        let scale = architectures(spec) as f64 / build.architectures() as f64;
        let wall = build.took.wall.map(|wall| wall.mul_f64(scale));
        Some(Expectation { wall, ..build.took.clone() })
    }
}

/// How many architectures a spec lists; at least one.
fn architectures(spec: &Value) -> usize {
    let list = spec.get("architectures").and_then(Value::as_str).unwrap_or_default();
    list.split(';').count()
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
                    let wall = row.get::<_, Option<_>>(1)?.map(|Span(wall)| wall);
                    let peak_memory = row.get::<_, Option<_>>(2)?.map(|Bytes(size)| ByteSize(size));
                    Ok(Build {
                        spec,
                        took: Expectation { wall, peak_memory, compiles: row.get(3)? },
                    })
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
        Ok(self.expectations(package)?.of(spec))
    }
}
