//! What a check expected or found.
//!
//! Values are kept as they are and written as text only when somebody reads them: a verification makes some sixty checks,
//! and formatting them would cost more than all of its parsing.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use crate::snp::tcb::Tcb;
use crate::time::{Time, Window};

/// A fact as it stands in a [`Check`](crate::reason::Check).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing to say.
    None,
    /// A word or a sentence.
    Text(Cow<'static, str>),
    /// The name of a certificate, shared with it.
    Name(Arc<str>),
    /// A count, a version, an index.
    Number(u64),
    /// A bit field; written in hexadecimal.
    Bits(u64),
    /// A digest or an identifier; written in hexadecimal.
    Bytes(Vec<u8>),
    /// A point in time.
    Time(Time),
    /// A time of validity.
    Window(Window),
    /// A TCB version of AMD SEV-SNP.
    Tcb(Tcb),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::None => f.write_str("nothing"),
            Value::Text(text) => f.write_str(text),
            Value::Name(name) => f.write_str(name),
            Value::Number(number) => write!(f, "{number}"),
            Value::Bits(bits) => write!(f, "{bits:#x}"),
            Value::Bytes(bytes) if bytes.is_empty() => f.write_str("no bytes"),
            Value::Bytes(bytes) => bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
            Value::Time(time) => write!(f, "{time}"),
            Value::Window(window) => write!(f, "{window}"),
            Value::Tcb(tcb) => write!(f, "{tcb}"),
        }
    }
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Value::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(Cow::Owned(text))
    }
}

impl From<Arc<str>> for Value {
    fn from(name: Arc<str>) -> Self {
        Value::Name(name)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Value::from(if flag { "yes" } else { "no" })
    }
}

impl From<u8> for Value {
    fn from(number: u8) -> Self {
        Value::Number(number.into())
    }
}

impl From<u16> for Value {
    fn from(number: u16) -> Self {
        Value::Number(number.into())
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Value::Number(number.into())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Value::Number(number)
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Value::Bytes(bytes.into())
    }
}

impl<const N: usize> From<&[u8; N]> for Value {
    fn from(bytes: &[u8; N]) -> Self {
        Value::Bytes(bytes.into())
    }
}

impl From<Time> for Value {
    fn from(time: Time) -> Self {
        Value::Time(time)
    }
}

impl From<Window> for Value {
    fn from(window: Window) -> Self {
        Value::Window(window)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::None, Into::into)
    }
}
