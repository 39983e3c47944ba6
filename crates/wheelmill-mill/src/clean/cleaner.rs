//! Looks at all that wheelmill keeps, and removes what was chosen.

use std::collections::HashMap;
use std::time::SystemTime;

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_engine::{
    DaemonEngine, DaemonSettings, DiskMeter, EmbeddedEngine, EmbeddedSettings, EngineKind, Keeper,
    Kept, KeptKind, Removal,
};
use wheelmill_model::{ByteSize, NetworkSettings};

use super::choice::{Candidate, choose};
use super::folders::{self, Folders, moment};
use super::item::{CleanItem, CleanKind, CleanState, NotLookedAt, Survey, Way};
use crate::error::{MillError, brief};

/// Where things lie.
#[derive(Clone, Debug)]
pub struct CleanSettings {
    /// The store: wheels, history, logs, work folders.
    pub home: Utf8PathBuf,
    /// Downloads, layers, uv's cache.
    pub cache: Utf8PathBuf,
    /// The program that is started again to remove what belongs to users of containers: the
    /// caller's own.
    pub program: Utf8PathBuf,
    /// The daemons that are asked.
    pub daemons: Vec<DaemonPlace>,
}

/// A daemon that may keep images.
#[derive(Clone, Debug)]
pub struct DaemonPlace {
    /// Docker or Podman.
    pub kind: EngineKind,
    /// Where it may answer.
    pub sockets: Vec<Utf8PathBuf>,
    /// Whether the user chose it: then it is told when it does not answer, also where nothing says
    /// that it ever built something.
    pub chosen: bool,
}

/// Tells what takes room, and removes it.
pub struct Cleaner {
    settings: CleanSettings,
    keepers: Vec<Box<dyn Keeper>>,
}

impl Cleaner {
    /// A cleaner; looks at nothing yet.
    #[must_use]
    pub fn new(settings: CleanSettings) -> Self {
        let layers = settings.cache.join("layers");
        let embedded = EmbeddedEngine::new(EmbeddedSettings {
            program: settings.program.clone(),
            layers: layers.clone(),
            scratch: settings.cache.join("scratch"),
            isolation: None,
            hidden: Vec::new(),
            network: NetworkSettings::default(),
        });
        let mut keepers: Vec<Box<dyn Keeper>> = vec![Box::new(embedded)];
        for DaemonPlace { kind, sockets, .. } in &settings.daemons {
            keepers.push(Box::new(DaemonEngine::new(DaemonSettings {
                kind: *kind,
                sockets: sockets.clone(),
                images: layers.clone(),
                cdi: Vec::new(),
                network: NetworkSettings::default(),
            })));
        }
        Self { settings, keepers }
    }

    /// What takes room. Nothing is changed.
    ///
    /// # Errors
    /// A folder of wheelmill's own cannot be read.
    pub fn survey(&self) -> Result<Survey, MillError> {
        let CleanSettings { home, cache, .. } = &self.settings;
        let mut items = Folders { home, cache, meter: DiskMeter::default() }
            .items()
            .map_err(|(path, source)| MillError::Files { path, source })?;
        let (kept, not_looked_at) = self.ask()?;
        items.extend(kept);
        let mut sizes: HashMap<CleanKind, u64> = HashMap::new();
        for item in &items {
            *sizes.entry(item.kind).or_default() += item.size_bytes;
        }
        items
            .sort_by_key(|item| std::cmp::Reverse((sizes[&item.kind], item.kind, item.size_bytes)));
        Ok(Survey { items, not_looked_at })
    }

    /// The layers and images that engines keep, alone. Nothing is changed.
    ///
    /// # Errors
    /// A folder of wheelmill's own cannot be read.
    pub fn images(&self) -> Result<Survey, MillError> {
        let (mut items, not_looked_at) = self.ask()?;
        items.retain(|item| item.kind != CleanKind::Leftover);
        Ok(Survey { items, not_looked_at })
    }

    /// What engines keep, and those of them that could not be asked.
    fn ask(&self) -> Result<(Vec<CleanItem>, Vec<NotLookedAt>), MillError> {
        let mut items = Vec::new();
        let mut not_looked_at = self.never_asked();
        for (number, keeper) in self.keepers.iter().enumerate() {
            let engine = keeper.kind();
            match keeper.kept() {
                Ok(kept) => items.extend(kept.into_iter().map(|kept| item(number, engine, kept))),
                Err(source) if engine == EngineKind::Embedded => {
                    return Err(MillError::Engine(source));
                }
                Err(error) if self.is_expected(engine) => {
                    not_looked_at.push(NotLookedAt { engine, why: brief(&error) });
                }
                Err(_) => {}
            }
        }
        Ok((items, not_looked_at))
    }

    /// Daemons that have built something here and are not to be asked.
    fn never_asked(&self) -> Vec<NotLookedAt> {
        let asked = |kind| self.settings.daemons.iter().any(|daemon| daemon.kind == kind);
        [EngineKind::Docker, EngineKind::Podman]
            .into_iter()
            .filter(|kind| !asked(*kind) && self.has_built(*kind))
            .map(|engine| NotLookedAt { engine, why: "another engine was chosen".to_owned() })
            .collect()
    }

    fn is_expected(&self, kind: EngineKind) -> bool {
        let daemon = self.settings.daemons.iter().find(|daemon| daemon.kind == kind);
        self.has_built(kind)
            || daemon.is_some_and(|daemon| {
                daemon.chosen || daemon.sockets.iter().any(|socket| socket.exists())
            })
    }

    /// Whether the locks of a daemon's images are in the cache.
    fn has_built(&self, kind: EngineKind) -> bool {
        self.settings.cache.join("layers/steps").join(kind.as_str()).is_dir()
    }

    /// Removes one thing, unless somebody has begun to use it.
    ///
    /// # Errors
    /// It cannot be removed. What is left of it never looks whole.
    pub fn remove(&self, item: &CleanItem) -> Result<Removal, MillError> {
        match &item.way {
            Way::Keeper(number, kept) => {
                self.keepers[*number].remove(kept).map_err(MillError::Engine)
            }
            way => folders::remove(way, &self.settings.cache)
                .map_err(|source| MillError::Files { path: item.place.clone().into(), source }),
        }
    }
}

impl Survey {
    /// What a budget lets go, in the order in which it is to be removed. Wheels and history do not
    /// count, and never go.
    #[must_use]
    pub fn over(&self, budget: ByteSize, now: SystemTime) -> Vec<&CleanItem> {
        let spare: Vec<&CleanItem> =
            self.items.iter().filter(|item| item.kind.is_spare()).collect();
        let places: HashMap<&str, usize> =
            spare.iter().enumerate().map(|(index, item)| (item.place.as_str(), index)).collect();
        let candidate = |item: &&CleanItem| Candidate {
            size: item.size_bytes,
            last_used: item.last_used.map(SystemTime::from),
            cost: item.kind.cost(),
            free: item.state == CleanState::Free,
            below: item.below.as_deref().and_then(|below| places.get(below).copied()),
        };
        let candidates: Vec<Candidate> = spare.iter().map(candidate).collect();
        choose(&candidates, budget.0, now).into_iter().map(|index| spare[index]).collect()
    }

    /// What all takes together that counts against a budget.
    #[must_use]
    pub fn spare(&self) -> ByteSize {
        let spare = self.items.iter().filter(|item| item.kind.is_spare());
        ByteSize(spare.map(|item| item.size_bytes).sum())
    }
}

fn item(number: usize, engine: EngineKind, kept: Kept) -> CleanItem {
    let kind = match kept.kind {
        KeptKind::Layer => CleanKind::Layer,
        KeptKind::BaseLayer | KeptKind::BaseImage => CleanKind::Base,
        KeptKind::Image => CleanKind::Image,
        KeptKind::Leftover => CleanKind::Leftover,
    };
    let what = kept.title.clone().unwrap_or_else(|| match kept.kind {
        KeptKind::Layer | KeptKind::Image => "step of an environment".to_owned(),
        KeptKind::BaseLayer => "layer of an image".to_owned(),
        KeptKind::BaseImage => "image from a file".to_owned(),
        KeptKind::Leftover => format!("half made: {}", short(&kept.id)),
    });
    CleanItem {
        kind,
        engine: Some(engine),
        what,
        place: kept.id.clone(),
        size_bytes: kept.size.bytes,
        last_used: kept.last_used.and_then(moment),
        state: if kept.in_use { CleanState::InUse } else { CleanState::Free },
        unread: kept.size.unread.clone(),
        below: kept.below.clone(),
        way: Way::Keeper(number, Box::new(kept)),
    }
}

fn short(place: &str) -> &str {
    Utf8Path::new(place).file_name().unwrap_or(place)
}
