//! Addresses of keys in tokens (RFC 7512): `pkcs11:token=…;object=…?module-path=…&pin-source=…`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use cryptoki::object::{Attribute, ObjectClass};
use zeroize::Zeroizing;

use super::KEY_TYPE;
use crate::ca::source::SourceError;

/// The address of a key pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The library.
    pub module: PathBuf,
    token: String,
    serial: Option<String>,
    object: Option<String>,
    id: Option<Vec<u8>>,
    pin: PinSource,
}

/// Where the PIN comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum PinSource {
    File(PathBuf),
    Variable(String),
    Credential(String),
}

/// Reads a file, guarded against others or not.
type ReadFile<'a> = &'a dyn Fn(&Path, bool) -> Result<Zeroizing<Vec<u8>>, SourceError>;

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not of this scheme.
    #[error("it does not start with `pkcs11:`")]
    Scheme,
    /// An attribute that is not known.
    #[error("the attribute `{0}` is not known")]
    Unknown(String),
    /// An attribute twice.
    #[error("the attribute `{0}` stands twice")]
    Twice(String),
    /// A value that does not decode.
    #[error("the value of `{0}` does not decode")]
    Value(String),
    /// An attribute is missing.
    #[error("the attribute `{0}` is missing")]
    Missing(&'static str),
    /// A PIN in clear.
    #[error("a PIN does not belong into an address")]
    PinValue,
}

impl AddressError {
    /// The way out.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::PinValue => {
                "addresses end up in logs: use pin-source=file:/path, env:NAME or credential:NAME"
            }
            _ => {
                "write pkcs11:token=LABEL;object=LABEL?module-path=/lib/p11.so&pin-source=file:/path (RFC 7512)"
            }
        }
    }
}

impl Address {
    /// The address of a key in a token, from that of the token.
    pub fn of_object(token: &str, object: &str) -> String {
        let (path, query) = token.split_once('?').unwrap_or((token, ""));
        format!("{path};object={object}?{query}")
    }

    /// The PIN. `environment` looks up a variable, `read` a guarded file.
    pub fn pin(
        &self,
        environment: &dyn Fn(&str) -> Option<String>,
        read: ReadFile<'_>,
    ) -> Result<Zeroizing<String>, SourceError> {
        let variable = |name: &str| environment(name).ok_or_else(|| SourceError::Unset(name.into()));
        let bytes = match &self.pin {
            PinSource::Variable(name) => return Ok(Zeroizing::new(variable(name)?)),
            PinSource::File(path) => read(path, true)?,
            PinSource::Credential(name) => {
                read(&Path::new(&variable("CREDENTIALS_DIRECTORY")?).join(name), false)?
            }
        };
        let pin = std::str::from_utf8(bytes.trim_ascii());
        let pin = pin.map_err(|_| SourceError::Address(AddressError::Value("pin-source".into())))?;
        Ok(Zeroizing::new(pin.into()))
    }

    /// Whether a token of this label and serial number is meant.
    pub(super) fn is_of(&self, label: &str, serial: &str) -> bool {
        self.token == label && self.serial.as_ref().is_none_or(|wanted| wanted == serial)
    }

    /// What an object at this address looks like.
    pub(super) fn template(&self, class: ObjectClass) -> Vec<Attribute> {
        let mut template =
            vec![Attribute::Class(class), Attribute::KeyType(KEY_TYPE), Attribute::Token(true)];
        template.extend(self.named());
        template
    }

    /// What it is called by.
    pub(super) fn named(&self) -> Vec<Attribute> {
        let label = self.object.as_ref().map(|label| Attribute::Label(label.clone().into_bytes()));
        let id = self.id.clone().map(Attribute::Id);
        label.into_iter().chain(id).collect()
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let rest = text.strip_prefix("pkcs11:").ok_or(AddressError::Scheme)?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut found: Vec<(&str, Vec<u8>)> = Vec::new();
        let parts = path.split(';').chain(query.split('&')).filter(|part| !part.is_empty());
        for part in parts {
            let (name, value) = part.split_once('=').ok_or_else(|| AddressError::Unknown(part.into()))?;
            match name {
                "pin-value" => return Err(AddressError::PinValue),
                "token" | "serial" | "object" | "id" | "type" | "module-path" | "pin-source" => {}
                _ => return Err(AddressError::Unknown(name.into())),
            }
            if found.iter().any(|(known, _)| *known == name) {
                return Err(AddressError::Twice(name.into()));
            }
            found.push((name, unescape(value).ok_or_else(|| AddressError::Value(name.into()))?));
        }
        let bytes =
            |name: &str| found.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
        let text = |name: &'static str| {
            let decode = |value| String::from_utf8(value).map_err(|_| AddressError::Value(name.into()));
            bytes(name).map(decode).transpose()
        };
        if text("type")?.is_some_and(|kind| kind != "private") {
            return Err(AddressError::Value("type".into()));
        }
        let (object, id) = (text("object")?, bytes("id"));
        if object.is_none() && id.is_none() {
            return Err(AddressError::Missing("object"));
        }
        Ok(Self {
            module: text("module-path")?.ok_or(AddressError::Missing("module-path"))?.into(),
            token: text("token")?.ok_or(AddressError::Missing("token"))?,
            serial: text("serial")?,
            object,
            id,
            pin: text("pin-source")?.ok_or(AddressError::Missing("pin-source"))?.as_str().into(),
        })
    }
}

impl From<&str> for PinSource {
    fn from(text: &str) -> Self {
        match text.split_once(':') {
            Some(("env", name)) => Self::Variable(name.into()),
            Some(("credential", name)) => Self::Credential(name.into()),
            Some(("file", path)) => Self::File(path.strip_prefix("//").unwrap_or(path).into()),
            _ => Self::File(text.into()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pkcs11:token={}", self.token)?;
        if let Some(object) = &self.object {
            write!(f, ";object={object}")?;
        }
        let id = self.id.iter().flatten();
        id.enumerate()
            .try_for_each(|(place, byte)| write!(f, "{}%{byte:02X}", if place == 0 { ";id=" } else { "" }))
    }
}

/// Percent-decodes (RFC 3986 section 2.1).
fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let digit =
                    |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                digit(bytes.next()?)? << 4 | digit(bytes.next()?)?
            }
            plain => plain,
        });
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_strictly() {
        fn check(text: &str, expected: Result<&str, AddressError>) {
            let read = text.parse::<Address>().map(|address| address.to_string());
            assert_eq!(read, expected.map(String::from), "{text}");
        }
        let rest = "?module-path=/m.so&pin-source=env:PIN";
        check(
            &format!("pkcs11:token=My%20CA;object=k;type=private{rest}"),
            Ok("pkcs11:token=My CA;object=k"),
        );
        check(&format!("pkcs11:token=a;id=%01%FF{rest}"), Ok("pkcs11:token=a;id=%01%FF"));
        check("file:x", Err(AddressError::Scheme));
        check(&format!("pkcs11:token=a{rest}"), Err(AddressError::Missing("object")));
        check(&format!("pkcs11:object=a{rest}"), Err(AddressError::Missing("token")));
        check("pkcs11:token=a;object=b?module-path=/m.so", Err(AddressError::Missing("pin-source")));
        check("pkcs11:token=a;object=b?pin-source=/p", Err(AddressError::Missing("module-path")));
        check(&format!("pkcs11:token=a;object=b{rest}&pin-value=1234"), Err(AddressError::PinValue));
        check(&format!("pkcs11:token=a;token=b;object=c{rest}"), Err(AddressError::Twice("token".into())));
        check(&format!("pkcs11:token=%4;object=c{rest}"), Err(AddressError::Value("token".into())));
        check(&format!("pkcs11:tokn=a;object=c{rest}"), Err(AddressError::Unknown("tokn".into())));
        check(&format!("pkcs11:token=a;object=c;type=cert{rest}"), Err(AddressError::Value("type".into())));
    }
}
