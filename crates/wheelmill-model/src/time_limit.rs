//! How long something may take.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// How long something may take: `90m`, `6h`, `1h 30m`; more than nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeLimit(pub Duration);

impl FromStr for TimeLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed: Option<SignedDuration> = text.trim().parse().ok();
        let limit = parsed.and_then(|limit| Duration::try_from(limit).ok());
        limit.filter(|limit| !limit.is_zero()).map(Self).ok_or_else(|| {
            format!("`{text}` is not a length of time: write it as `90m`, `6h` or `1h 30m`")
        })
    }
}

impl fmt::Display for TimeLimit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = SignedDuration::try_from(self.0).unwrap_or(SignedDuration::MAX);
        write!(formatter, "{limit:#}")
    }
}

impl Serialize for TimeLimit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TimeLimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_taken_as_people_write_them() {
        for (text, seconds) in [("6h", 21_600), ("90m", 5_400), ("1h 30m", 5_400), ("45s", 45)] {
            let limit: TimeLimit = text.parse().unwrap();
            assert_eq!(limit.0.as_secs(), seconds, "{text}");
            assert_eq!(limit.to_string().parse(), Ok(limit), "{text}");
        }
        for text in ["", "6", "0s", "-1h", "soon"] {
            assert!(text.parse::<TimeLimit>().unwrap_err().contains("length of time"), "{text}");
        }
    }
}
