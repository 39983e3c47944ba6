//! The things that take room.

use camino::Utf8PathBuf;
use jiff::Timestamp;
use serde::Serialize;
use wheelmill_engine::{EngineKind, Kept};

/// Everything that was found.
#[derive(Clone, Debug)]
pub struct Survey {
    /// What takes room, by kind, the largest first.
    pub items: Vec<CleanItem>,
    /// Where it could not be looked.
    pub not_looked_at: Vec<NotLookedAt>,
}

/// An engine that was not asked what it keeps, or did not answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotLookedAt {
    /// The engine.
    pub engine: EngineKind,
    /// Why not.
    pub why: String,
}

/// One thing that takes room.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CleanItem {
    /// What it is.
    pub kind: CleanKind,
    /// The engine that keeps it, where one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineKind>,
    /// Which one, in words: `CUDA 13.0 and torch 2.11`.
    pub what: String,
    /// Where it lies: a path, or the name of an image.
    pub place: String,
    /// What it takes of the disk.
    pub size_bytes: u64,
    /// When it was last used, where that is known.
    pub last_used: Option<Timestamp>,
    /// Whether it may go.
    pub state: CleanState,
    /// Why its true size is larger than what is told, when not all of it could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread: Option<String>,
    /// How it is removed.
    #[serde(skip)]
    pub(crate) way: Way,
    /// The place of what it stands on.
    #[serde(skip)]
    pub(crate) below: Option<String>,
}

/// The kinds of things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CleanKind {
    /// Half made or half removed by a program that is gone.
    Leftover,
    /// The folder of a cell that failed.
    Work,
    /// A source, uv, ccache, or a list of versions.
    Download,
    /// uv's cache of packages.
    UvCache,
    /// The compiles of a package, for its next build.
    CompileCache,
    /// An image that environments start from, or a layer of one.
    Base,
    /// A layer that a step of an environment made.
    Layer,
    /// A daemon's image that a step of an environment made.
    Image,
    /// The history and its logs, which nothing can make again.
    History,
    /// The wheels, which go by name only.
    Wheels,
}

impl CleanKind {
    /// The word for it in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Leftover => "leftovers",
            Self::Work => "work folders",
            Self::Download => "downloads",
            Self::UvCache => "uv's cache",
            Self::CompileCache => "compile cache",
            Self::Base => "bases",
            Self::Layer => "layers",
            Self::Image => "images",
            Self::History => "history",
            Self::Wheels => "wheels",
        }
    }

    /// Whether it counts against a budget, and a budget may remove it.
    #[must_use]
    pub const fn is_spare(self) -> bool {
        !matches!(self, Self::History | Self::Wheels)
    }

    /// What it takes to have it again.
    pub(crate) const fn cost(self) -> Cost {
        match self {
            Self::Leftover => Cost::Nothing,
            Self::Work | Self::Download | Self::UvCache | Self::Base => Cost::Download,
            Self::CompileCache | Self::Layer | Self::Image | Self::History | Self::Wheels => {
                Cost::Making
            }
        }
    }
}

/// What it takes to have a thing again; the cheapest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cost {
    /// Nobody wants it again.
    Nothing,
    /// It is fetched, as it is.
    Download,
    /// It is fetched, unpacked and put together, which takes minutes.
    Making,
}

/// Whether a thing may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CleanState {
    /// It may.
    Free,
    /// Not now: a build uses it.
    InUse,
    /// Never, unless it is named.
    Kept,
}

/// How a thing is removed.
#[derive(Clone, Debug)]
pub(crate) enum Way {
    /// By the keeper of this number.
    Keeper(usize, Box<Kept>),
    /// While no build goes on.
    Quiet(Utf8PathBuf),
    /// As its lock beside it allows.
    Locked(Utf8PathBuf),
    /// uv's cache, under uv's own lock.
    Uv(Utf8PathBuf),
    /// At any time.
    Anytime(Utf8PathBuf),
    /// Not here.
    Never,
}
