//! Networks and addresses in them, of IPv4.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that is no network, or no address in one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubnetError {
    /// It has another form.
    #[error("`{text}` is not {what}: write it as `{example}`")]
    Unreadable {
        /// What was wanted.
        what: &'static str,
        /// What was given.
        text: String,
        /// A good spelling.
        example: &'static str,
    },
    /// An address where its network is meant.
    #[error("`{text}` is an address in the network `{network}`: write the network")]
    Host {
        /// What was given.
        text: String,
        /// The network of the address.
        network: Subnet,
    },
    /// A network where an address of a machine is meant.
    #[error("`{text}` is no address that a machine can have: write one inside, as `{example}`")]
    NoHost {
        /// What was given.
        text: String,
        /// The first address inside.
        example: String,
    },
}

/// A network: `10.201.0.0/16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Subnet {
    base: Ipv4Addr,
    prefix: u8,
}

impl Subnet {
    /// The network of an address; `prefix` is the number of its leading bits, at most 32.
    #[must_use]
    pub fn of(address: Ipv4Addr, prefix: u8) -> Self {
        let prefix = prefix.min(32);
        Self { base: Ipv4Addr::from_bits(address.to_bits() & mask(prefix)), prefix }
    }

    /// How many leading bits its addresses share.
    #[must_use]
    pub const fn prefix(self) -> u8 {
        self.prefix
    }

    /// Whether some address lies in both.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        let shorter = mask(self.prefix.min(other.prefix));
        self.base.to_bits() & shorter == other.base.to_bits() & shorter
    }
}

/// An address of a machine with its network: `192.168.5.1/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InterfaceAddress {
    address: Ipv4Addr,
    prefix: u8,
}

impl InterfaceAddress {
    /// The address alone.
    #[must_use]
    pub const fn address(self) -> Ipv4Addr {
        self.address
    }

    /// Its network.
    #[must_use]
    pub fn subnet(self) -> Subnet {
        Subnet::of(self.address, self.prefix)
    }
}

const fn mask(prefix: u8) -> u32 {
    match prefix {
        0 => 0,
        prefix => u32::MAX << (32 - prefix),
    }
}

fn parts(text: &str) -> Option<(Ipv4Addr, u8)> {
    let (address, prefix) = text.split_once('/')?;
    let plain = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
    let prefix = plain.then(|| prefix.parse().ok()).flatten().filter(|prefix| *prefix <= 32)?;
    Some((address.parse().ok()?, prefix))
}

impl FromStr for Subnet {
    type Err = SubnetError;

    fn from_str(text: &str) -> Result<Self, SubnetError> {
        let (address, prefix) = parts(text).ok_or_else(|| SubnetError::Unreadable {
            what: "a network of IPv4",
            text: text.to_owned(),
            example: "10.201.0.0/16",
        })?;
        let network = Self::of(address, prefix);
        match network.base == address {
            true => Ok(network),
            false => Err(SubnetError::Host { text: text.to_owned(), network }),
        }
    }
}

impl FromStr for InterfaceAddress {
    type Err = SubnetError;

    fn from_str(text: &str) -> Result<Self, SubnetError> {
        let (address, prefix) = parts(text).ok_or_else(|| SubnetError::Unreadable {
            what: "an address with its network",
            text: text.to_owned(),
            example: "192.168.5.1/24",
        })?;
        let own = address.to_bits() & !mask(prefix);
        // Neither the network itself nor all of its machines; and a network of two has no room.
        if prefix > 30 || own == 0 || own == !mask(prefix) {
            let base = Subnet::of(address, prefix.min(30)).base;
            let first = Ipv4Addr::from_bits(base.to_bits() | 1);
            return Err(SubnetError::NoHost {
                text: text.to_owned(),
                example: format!("{first}/{}", prefix.min(30)),
            });
        }
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.base, self.prefix)
    }
}

impl fmt::Display for InterfaceAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.address, self.prefix)
    }
}

macro_rules! text_form {
    ($($name:ident),*) => { $(
        impl TryFrom<String> for $name {
            type Error = SubnetError;

            fn try_from(text: String) -> Result<Self, SubnetError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    )* };
}

text_form!(Subnet, InterfaceAddress);

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(text: &str) -> Subnet {
        text.parse().unwrap()
    }

    #[test]
    fn networks_overlap_when_one_holds_the_other() {
        assert!(subnet("10.0.0.0/8").overlaps(subnet("10.201.0.0/16")));
        assert!(subnet("10.201.0.0/16").overlaps(subnet("10.0.0.0/8")));
        assert!(!subnet("10.200.0.0/16").overlaps(subnet("10.201.0.0/16")));
        assert!(subnet("0.0.0.0/0").overlaps(subnet("192.168.5.0/24")));
        assert!(!subnet("128.0.0.0/1").overlaps(subnet("10.0.0.0/8")));
    }

    #[test]
    fn what_is_meant_is_said_where_the_other_is_written() {
        let error = |text: &str| text.parse::<Subnet>().unwrap_err().to_string();
        assert_eq!(
            error("10.201.0.1/16"),
            "`10.201.0.1/16` is an address in the network `10.201.0.0/16`: write the network"
        );
        for text in ["10.201.0.0", "10.201.0.0/33", "10.201.0.0/+8", "10.201/16", "fd00::/8"] {
            assert!(error(text).contains("is not a network of IPv4"), "{text}");
        }
        let error = |text: &str| text.parse::<InterfaceAddress>().unwrap_err().to_string();
        assert!(error("192.168.5.1").contains("is not an address with its network"));
        for text in ["192.168.5.0/24", "192.168.5.255/24"] {
            assert!(error(text).ends_with("write one inside, as `192.168.5.1/24`"), "{text}");
        }
        assert!(error("192.168.5.9/32").ends_with("as `192.168.5.9/30`"));
        let address: InterfaceAddress = "192.168.5.1/24".parse().unwrap();
        assert_eq!(address.subnet(), subnet("192.168.5.0/24"));
    }
}
