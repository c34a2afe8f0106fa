//! Digests of 32, 48 or 64 bytes, and registers that hold them.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::hex::Hex;

/// The values that each register may have, by the register's number.
pub type Registers = BTreeMap<Index, Vec<Digest>>;

/// A digest of 32, 48 or 64 bytes, written in hexadecimal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest(pub Vec<u8>);

/// The number of a register. Keys of a table are text, so it is written as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Index(pub usize);

/// Whether a digest is on a list; an empty list names every one.
pub fn listed(list: &[Digest], digest: &[u8]) -> bool {
    list.is_empty() || list.iter().any(|entry| entry.0 == digest)
}

impl Digest {
    /// Reads hexadecimal digits of either case.
    pub fn parse(text: &str) -> Option<Self> {
        let parsed = match text.len() {
            64 => Hex::<32>::parse(text)?.0.to_vec(),
            96 => Hex::<48>::parse(text)?.0.to_vec(),
            128 => Hex::<64>::parse(text)?.0.to_vec(),
            _ => return None,
        };
        Some(Self(parsed))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let expected = || alloc::format!("expected 32, 48 or 64 bytes in hexadecimal, found {text:?}");
        Self::parse(&text).ok_or_else(|| de::Error::custom(expected()))
    }
}

impl Serialize for Index {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Index {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let expected = || alloc::format!("expected the number of a register, 0 to 31, found {text:?}");
        let number = text.parse().ok().filter(|&number| number < 32 && alloc::format!("{number}") == text);
        number.map(Self).ok_or_else(|| de::Error::custom(expected()))
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::Policy;

    #[test]
    fn registers_are_strict() {
        fn check(key: &str, value: &str, good: bool) {
            let policy = Policy::from_toml(&alloc::format!("[nitro.pcrs]\n{key} = [\"{value}\"]"));
            assert_eq!(policy.is_ok(), good, "{key} = {value}: {policy:?}");
        }
        let digest = "ab".repeat(48);
        check("0", &digest, true);
        check("31", &digest, true);
        check("32", &digest, false);
        check("00", &digest, false);
        check("x", &digest, false);
        check("0", "ab", false);
        check("0", &"xy".repeat(48), false);
        let policy = Policy::from_toml(&alloc::format!("[vtpm.pcrs]\n7 = [\"{digest}\"]")).expect("valid");
        let json = serde_json::to_string(&*policy).expect("serializes");
        assert_eq!(Policy::from_json(&json), Ok(policy));
    }
}
