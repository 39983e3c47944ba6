//! Versions as conditions compare them.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// Numbers with dots between them: a driver's `535.129.03`, a CUDA release, a compute capability.
///
/// Components that are missing count as zero, so `12` equals `12.0`. It prints as it was written.
#[derive(Clone, Debug)]
pub struct Dotted {
    numbers: Vec<u64>,
    text: String,
}

impl FromStr for Dotted {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let number = |part: &str| {
            let plain = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| part.parse().ok()).flatten().ok_or(())
        };
        let numbers = text.split('.').map(number).collect::<Result<_, _>>()?;
        Ok(Self { numbers, text: text.to_owned() })
    }
}

impl fmt::Display for Dotted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Ord for Dotted {
    fn cmp(&self, other: &Self) -> Ordering {
        let length = self.numbers.len().max(other.numbers.len());
        let padded = |version: &Self| {
            let mut numbers = version.numbers.clone();
            numbers.resize(length, 0);
            numbers
        };
        padded(self).cmp(&padded(other))
    }
}

impl PartialOrd for Dotted {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Dotted {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Dotted {}

#[cfg(test)]
mod tests {
    use super::*;

    fn dotted(text: &str) -> Dotted {
        text.parse().unwrap()
    }

    #[test]
    fn missing_components_are_zero_and_numbers_are_numbers() {
        assert_eq!(dotted("12"), dotted("12.0.0"));
        assert!(dotted("9.2") < dotted("10"));
        assert!(dotted("535.129.03") > dotted("535.54.03"));
        assert_eq!(dotted("535.129.03").to_string(), "535.129.03");
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "12.", ".1", "12.x", "-1", "12 ", "99999999999999999999"] {
            assert!(text.parse::<Dotted>().is_err(), "{text}");
        }
    }
}
