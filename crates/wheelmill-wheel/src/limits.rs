//! How much a wheel may cost to read.

/// Bounds on what reading a wheel may cost; the defaults leave room for the largest honest wheels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Entries of the archive.
    pub entries: u64,
    /// Bytes of the zip's central directory.
    pub directory: u64,
    /// Bytes of one file when unpacked.
    pub file: u64,
    /// Bytes of all files when unpacked.
    pub total: u64,
    /// How many times larger than its packed form a file over [`Self::RATIO_FLOOR`] may be.
    pub ratio: u64,
    /// Bytes of a text that describes the wheel: METADATA, WHEEL, RECORD, entry points.
    pub text: u64,
    /// Bytes of one unpacked device image.
    pub image: u64,
    /// Device images of one module.
    pub images: usize,
}

impl Limits {
    /// Files smaller than this, in bytes, are not judged by their ratio: a table of zeros packs
    /// a thousandfold and hurts nobody.
    pub const RATIO_FLOOR: u64 = 64 << 20;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: 200_000,
            directory: 64 << 20,
            file: 8 << 30,
            total: 16 << 30,
            ratio: 200,
            text: 64 << 20,
            image: 512 << 20,
            images: 1 << 20,
        }
    }
}
