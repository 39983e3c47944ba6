//! What the end of a compiler means.

use crate::record::Outcome;

/// Whether the kernel killed a compiler, or a part of it. Where it counts what it kills, that tells;
/// of several compilers that fail in a moment, each is taken for the one. An error of its own comes
/// again.
pub(super) fn killed_for_memory(status: i32, before: Option<u64>, after: Option<u64>) -> bool {
    const KILLED_BY_SIGNAL: i32 = 9;
    if status == 0 {
        return false;
    }
    match (before, after) {
        (Some(before), Some(after)) => after > before,
        // Shells say 137 when what they ran was killed, nvcc says 9.
        _ => match outcome(status) {
            Outcome::Signalled { signal } => signal == KILLED_BY_SIGNAL,
            Outcome::Failed { code } => code == 128 + KILLED_BY_SIGNAL || code == KILLED_BY_SIGNAL,
            _ => false,
        },
    }
}

/// What a status of `wait4` means.
pub(super) const fn outcome(status: i32) -> Outcome {
    let signal = status & 0x7f;
    match (signal, (status >> 8) & 0xff) {
        (0, 0) => Outcome::Success,
        (0, code) => Outcome::Failed { code },
        _ => Outcome::Signalled { signal },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_are_told_by_the_kernels_count_where_there_is_one() {
        let failed = 1 << 8;
        assert!(killed_for_memory(failed, Some(1), Some(2)));
        assert!(!killed_for_memory(0, Some(1), Some(2)));
        assert!(!killed_for_memory(9, Some(1), Some(1)), "somebody else sent that signal");
        assert!(killed_for_memory(9, None, None));
        assert!(killed_for_memory(137 << 8, None, Some(1)));
        assert!(killed_for_memory(9 << 8, None, None));
        assert!(!killed_for_memory(failed, None, None));
    }
}
