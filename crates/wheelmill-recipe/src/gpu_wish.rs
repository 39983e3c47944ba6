//! Which GPUs builds are to see, as it is written.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Which GPUs builds are to see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum GpuWish {
    /// Those that a recipe asks for; for images with an installer all that there are.
    #[default]
    Auto,
    /// None.
    None,
    /// These, and no build without them: `all`, or numbers and UUIDs with commas between.
    Only(String),
}

impl FromStr for GpuWish {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_name = |name: &str| {
            let is_number = !name.is_empty() && name.chars().all(|letter| letter.is_ascii_digit());
            let is_identity = name.starts_with("GPU-") || name.starts_with("MIG-");
            let allowed =
                |letter: char| letter.is_ascii_alphanumeric() || "-_.:/=".contains(letter);
            is_number || (is_identity || name.contains('=')) && name.chars().all(allowed)
        };
        match text {
            "auto" => Ok(Self::Auto),
            "none" => Ok(Self::None),
            _ if text == "all" || text.split(',').all(is_name) => Ok(Self::Only(text.to_owned())),
            _ => Err(format!(
                "`{text}` names no GPUs: write `auto`, `none`, `all`, or numbers or UUIDs as `0,1`"
            )),
        }
    }
}

impl fmt::Display for GpuWish {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Auto => "auto",
            Self::None => "none",
            Self::Only(devices) => devices,
        })
    }
}

impl<'de> Deserialize<'de> for GpuWish {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl Serialize for GpuWish {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_numbers_and_uuids_are_taken_and_nothing_else() {
        for text in ["auto", "none", "all", "0,1", "GPU-8f22cd9a-0c4b", "nvidia.com/gpu=0"] {
            assert_eq!(text.parse::<GpuWish>().unwrap().to_string(), text);
        }
        for text in ["", "0,", "all 1", "foo", "$(id)", "GPU-$x"] {
            assert!(text.parse::<GpuWish>().unwrap_err().contains("names no GPUs"), "{text}");
        }
    }
}
