//! How attempts and runs end.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Gives an enumeration the one word per variant that columns, JSON and people see. Words behind it
/// are of older stores, and only read.
macro_rules! words {
    ($type:ident, $what:literal, { $($variant:ident => $word:literal $(| $old:literal)?),+ $(,)? }) => {
        impl $type {
            /// Every outcome.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word for it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($word $(| $old)? => Ok(Self::$variant),)+
                    _ => Err(format!(concat!("`{}` is not ", $what), text)),
                }
            }
        }
    };
}

/// How an attempt at a cell ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// A new wheel is in the store.
    Built,
    /// The store had the wheel.
    Stored,
    /// It went wrong; the cause says why.
    Failed,
    /// The user stopped it.
    Cancelled,
    /// No such wheel can be built; the cause says why.
    Impossible,
    /// Its process died in the middle.
    Interrupted,
}

words!(Outcome, "the outcome of an attempt", {
    Built => "built",
    Stored => "stored" | "cached",
    Failed => "failed",
    Cancelled => "cancelled",
    Impossible => "impossible",
    Interrupted => "interrupted",
});

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunOutcome {
    /// Every cell has its wheel.
    Done,
    /// At least one cell has none.
    Failed,
    /// The user stopped it.
    Cancelled,
    /// Its process died in the middle.
    Interrupted,
}

words!(RunOutcome, "the outcome of a run", {
    Done => "done",
    Failed => "failed",
    Cancelled => "cancelled",
    Interrupted => "interrupted",
});

/// Who stopped a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CancelledBy {
    /// The user at the terminal: Ctrl-C, or another SIGINT.
    #[serde(rename = "sigint")]
    Interrupt,
    /// The machine, or whoever looks after its processes: SIGTERM.
    #[serde(rename = "sigterm")]
    Terminate,
    /// Somebody in another terminal: `wheelmill runs cancel`.
    RunsCancel,
}

words!(CancelledBy, "a way to stop a run", {
    Interrupt => "sigint",
    Terminate => "sigterm",
    RunsCancel => "runs-cancel",
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_columns_share_their_words() {
        for outcome in Outcome::ALL {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.as_str());
            assert_eq!(outcome.as_str().parse(), Ok(*outcome));
        }
        for outcome in RunOutcome::ALL {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.as_str());
            assert_eq!(outcome.as_str().parse(), Ok(*outcome));
        }
        for by in CancelledBy::ALL {
            assert_eq!(serde_json::to_value(by).unwrap(), by.as_str());
            assert_eq!(by.as_str().parse(), Ok(*by));
        }
        assert_eq!("cached".parse(), Ok(Outcome::Stored), "older stores say so");
    }
}
