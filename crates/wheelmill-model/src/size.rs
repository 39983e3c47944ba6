//! Amounts of memory and disk.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that is not an amount of bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a size: write a number and a unit, as in `8GB` (10^9) or `8GiB` (2^30)")]
pub struct SizeError(String);

/// An amount of bytes. Reads `8GB`, `1.5GiB`, `512M` (as Docker: a bare letter is binary) and plain
/// numbers; prints with a binary unit.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct ByteSize(pub u64);

const BINARY: [(&str, u64); 5] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

fn unit(text: &str) -> Option<u64> {
    let lower = text.trim().to_ascii_lowercase();
    Some(match lower.as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return None,
    })
}

impl FromStr for ByteSize {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let wrong = || SizeError(text.to_owned());
        let trimmed = text.trim();
        let split = trimmed
            .find(|character: char| !character.is_ascii_digit() && character != '.')
            .unwrap_or(trimmed.len());
        let (number, name) = trimmed.split_at(split);
        let unit = unit(name).ok_or_else(wrong)?;
        if let Ok(whole) = number.parse::<u64>() {
            return whole.checked_mul(unit).map(Self).ok_or_else(wrong);
        }
        let value: f64 = number.parse().map_err(|_| wrong())?;
        let bytes = value * unit as f64;
        if !bytes.is_finite() || bytes < 0.0 || bytes >= u64::MAX as f64 {
            return Err(wrong());
        }
        Ok(Self(bytes.round() as u64))
    }
}

impl TryFrom<String> for ByteSize {
    type Error = SizeError;

    fn try_from(text: String) -> Result<Self, SizeError> {
        text.parse()
    }
}

impl From<ByteSize> for String {
    /// Exact, unlike `Display`: the largest unit that divides the amount.
    fn from(size: ByteSize) -> Self {
        BINARY
            .iter()
            .find(|(_, unit)| size.0 >= *unit && size.0.is_multiple_of(*unit))
            .map_or_else(|| "0B".to_owned(), |(name, unit)| format!("{}{name}", size.0 / unit))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, unit) = BINARY.iter().find(|(_, unit)| self.0 >= *unit).unwrap_or(&("B", 1));
        let text = if *unit == 1 || self.0 / unit >= 100 {
            format!("{} {name}", self.0 / unit)
        } else {
            format!("{:.1} {name}", self.0 as f64 / *unit as f64)
        };
        formatter.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_docker_and_people_write_them() {
        let read = |text: &str| text.parse::<ByteSize>().unwrap().0;
        assert_eq!(read("8GB"), 8_000_000_000);
        assert_eq!(read("8g"), 8 << 30);
        assert_eq!(read("1.5 GiB"), 3 << 29);
        assert_eq!(read("4096"), 4096);
    }

    #[test]
    fn wrong_sizes_are_refused() {
        for text in ["", "GB", "-1GB", "8XB", "1.2.3G", "99999999999999T", "nan"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_stored_form_loses_nothing() {
        for bytes in [0, 1, 1023, 1 << 20, (1 << 30) + 1, 8_000_000_000] {
            assert_eq!(String::from(ByteSize(bytes)).parse(), Ok(ByteSize(bytes)));
        }
        assert_eq!(ByteSize(1_600_000_000).to_string(), "1.5 GiB");
        assert_eq!(ByteSize(512).to_string(), "512 B");
    }
}
