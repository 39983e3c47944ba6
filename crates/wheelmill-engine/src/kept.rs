//! What engines keep on disk, and can make again.

use std::time::SystemTime;

use crate::{DiskUse, EngineError, EngineKind};

/// One thing that an engine keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What it is.
    pub kind: KeptKind,
    /// By which the engine finds it: a folder, or an image's name.
    pub id: String,
    /// What it holds, in words; none where nobody has noted it.
    pub title: Option<String>,
    /// What it takes by itself, without what it shares with what it stands on.
    pub size: DiskUse,
    /// When it was last used, or made when nothing else is known.
    pub last_used: Option<SystemTime>,
    /// Whether somebody uses it now.
    pub in_use: bool,
    /// The `id` of what it stands on: that takes room for as long as this is there.
    pub below: Option<String>,
}

/// What a kept thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeptKind {
    /// A layer that a step of an environment made.
    Layer,
    /// A layer of an image that environments start from.
    BaseLayer,
    /// An image that a step of an environment made.
    Image,
    /// An image that was brought to a daemon from a file.
    BaseImage,
    /// What a program that is gone has left half made.
    Leftover,
}

/// What became of a thing that was to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// It is gone.
    Removed,
    /// It stays, since somebody uses it.
    InUse,
}

/// An engine that tells what it keeps, and removes it piece by piece.
pub trait Keeper: Send + Sync {
    /// Which engine this is.
    fn kind(&self) -> EngineKind;

    /// All that is kept. Nothing is changed.
    ///
    /// # Errors
    /// It cannot be found out: a folder cannot be read, a daemon does not answer.
    fn kept(&self) -> Result<Vec<Kept>, EngineError>;

    /// Removes one thing, unless somebody uses it. When that is cut short, what is left is a
    /// leftover, and never something that looks whole.
    ///
    /// # Errors
    /// It cannot be removed.
    fn remove(&self, kept: &Kept) -> Result<Removal, EngineError>;
}
