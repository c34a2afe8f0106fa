//! Rules for bit fields: each named bit is demanded set, demanded clear, or ignored; bits without a name are a switch.
//!
//! ```toml
//! [snp.platform_info]
//! unknown = "refuse"                       # or "note"
//! bits = { smt = "clear", alias-check-complete = "set" }
//! ```

use alloc::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::reason::{Checks, Reason};
use crate::value::Value;

/// A bit that has a name.
pub trait Flag: Copy + Ord + 'static {
    /// Its value in the field.
    fn mask(self) -> u64;

    /// Its name.
    fn name(self) -> &'static str;
}

/// What is demanded of a bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Demand {
    /// It is one.
    Set,
    /// It is zero.
    Clear,
    /// It is either; the same as naming no rule, said aloud.
    Ignore,
}

/// What happens to a bit that is set and has no name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unknown {
    /// The evidence is refused.
    #[default]
    Refuse,
    /// The result says so.
    Note,
}

/// Demands by bit.
pub type Demands<F> = BTreeMap<F, Demand>;

/// Rules for one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, bound = "F: Ord + Serialize + for<'a> Deserialize<'a>")]
pub struct BitRules<F> {
    /// Bits without a name.
    pub unknown: Unknown,
    /// Bits with a name.
    pub bits: Demands<F>,
}

impl<F> Default for BitRules<F> {
    fn default() -> Self {
        Self { unknown: Unknown::default(), bits: BTreeMap::new() }
    }
}

impl<F: Flag> BitRules<F> {
    /// Judges a field; `known` has every bit that has a meaning.
    pub(crate) fn check(&self, reason: Reason, field: u64, known: u64, checks: &mut Checks) {
        demand(&self.bits, reason, field, checks);
        let unknown = field & !known;
        let excused = self.unknown == Unknown::Note;
        checks.require_unless(
            excused,
            reason,
            "bits without a name",
            unknown == 0,
            Value::Bits(0),
            Value::Bits(unknown),
        );
    }
}

/// Judges the named bits of a field.
pub(crate) fn demand<F: Flag>(demands: &Demands<F>, reason: Reason, field: u64, checks: &mut Checks) {
    for (flag, demand) in demands {
        let set = field & flag.mask() != 0;
        let (holds, expected) = match demand {
            Demand::Set => (set, "set"),
            Demand::Clear => (!set, "clear"),
            Demand::Ignore => continue,
        };
        checks.require(reason, flag.name(), holds, expected, if set { "set" } else { "clear" });
    }
}

/// An enum of the named bits of a field, written in policies by name.
macro_rules! flags {
    ($(#[$meta:meta])* $flags:ident { $($(#[$doc:meta])* $name:ident $bit:literal $text:literal;)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        pub enum $flags {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl $flags {
            /// Every bit that has a name.
            pub const KNOWN: u64 = 0 $(| 1 << $bit)*;
        }

        impl $crate::policy::bits::Flag for $flags {
            fn mask(self) -> u64 {
                match self { $(Self::$name => 1 << $bit,)* }
            }

            fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

pub(crate) use flags;
