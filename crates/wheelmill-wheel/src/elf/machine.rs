//! The machines that native code is for.

use std::fmt;

use serde::{Serialize, Serializer};

/// A machine, by its ELF number (System V gABI, `e_machine`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Machine(pub u16);

impl Machine {
    /// 64-bit x86.
    pub const X86_64: Self = Self(62);
    /// 64-bit Arm.
    pub const AARCH64: Self = Self(183);
    /// NVIDIA GPUs: the file is a cubin.
    pub const CUDA: Self = Self(190);

    const NAMES: [(u16, &str); 9] = [
        (3, "i686"),
        (20, "ppc"),
        (21, "ppc64le"),
        (22, "s390x"),
        (40, "armv7l"),
        (62, "x86_64"),
        (183, "aarch64"),
        (243, "riscv64"),
        (258, "loongarch64"),
    ];

    /// Whether a platform tag is for Linux.
    pub(crate) fn is_of_linux(platform: &str) -> bool {
        ["linux_", "manylinux", "musllinux"].iter().any(|start| platform.starts_with(start))
    }

    /// The machine of a platform tag: `manylinux_2_28_x86_64`. `None` for `any` and for systems
    /// that use no ELF.
    #[must_use]
    pub fn of_platform(platform: &str) -> Option<Self> {
        if !Self::is_of_linux(platform) {
            return None;
        }
        Self::NAMES
            .iter()
            .find(|(_, name)| platform.strip_suffix(name).is_some_and(|rest| rest.ends_with('_')))
            .map(|(number, _)| Self(*number))
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::CUDA {
            return formatter.pad("cuda");
        }
        match Self::NAMES.iter().find(|(number, _)| *number == self.0) {
            Some((_, name)) => formatter.pad(name),
            None => formatter.pad(&format!("machine-{}", self.0)),
        }
    }
}

impl Serialize for Machine {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platform_tags_name_their_machine() {
        assert_eq!(Machine::of_platform("manylinux_2_28_x86_64"), Some(Machine::X86_64));
        assert_eq!(Machine::of_platform("manylinux2014_aarch64"), Some(Machine::AARCH64));
        assert_eq!(Machine::of_platform("linux_x86_64"), Some(Machine::X86_64));
        assert_eq!(Machine::of_platform("any"), None);
        assert_eq!(Machine::of_platform("win_amd64"), None);
        assert_eq!(Machine::AARCH64.to_string(), "aarch64");
    }
}
