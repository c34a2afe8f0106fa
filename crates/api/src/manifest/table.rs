//! A table of the text, read key by key with the place of every fault.

use super::error::{Fault, ManifestError};
use super::quantity::{self, parse_duration, parse_size};
use std::ops::Range;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// How like a known key an unknown one must be to be taken for a slip (0: not at all, 1: the same).
const RESEMBLANCE: f64 = 0.7;

/// One table of a manifest's text, whose keys are all known.
pub(super) struct Table<'t> {
    text: &'t str,
    entries: &'t DeTable<'t>,
    span: Range<usize>,
}

/// A value with its place.
pub(super) struct Value<'t> {
    text: &'t str,
    key: String,
    value: &'t Spanned<DeValue<'t>>,
}

impl<'t> Table<'t> {
    /// Opens a table, refusing the first key that is not among `known`.
    pub(super) fn open(
        text: &'t str,
        table: &'t Spanned<DeTable<'t>>,
        known: &'static [&'static str],
    ) -> Result<Self, ManifestError> {
        Self { text, entries: table.get_ref(), span: table.span() }.checked(known)
    }

    /// Refuses a key that a file of this kind does not have.
    pub(super) fn only(
        &self,
        kind: &'static str,
        known: &'static [&'static str],
    ) -> Result<(), ManifestError> {
        match self.first_outside(known) {
            Some((key, span)) => Err(self.fault(span, Fault::ForeignKey { key, kind, known })),
            None => Ok(()),
        }
    }

    /// The value of a key, if it is there.
    pub(super) fn get(&self, key: &'static str) -> Option<Value<'t>> {
        let value = self.entries.get(key)?;
        Some(Value { text: self.text, key: key.to_owned(), value })
    }

    /// The value of a key that must be there.
    pub(super) fn require(&self, key: &'static str, place: &str) -> Result<Value<'t>, ManifestError> {
        let missing = || self.fault(self.span.clone(), Fault::MissingKey { key, place: place.to_owned() });
        self.get(key).ok_or_else(missing)
    }

    fn checked(self, known: &'static [&'static str]) -> Result<Self, ManifestError> {
        let Some((key, span)) = self.first_outside(known) else { return Ok(self) };
        let nearest = known
            .iter()
            .map(|candidate| (strsim::jaro_winkler(&key.to_lowercase(), candidate), *candidate))
            .filter(|(likeness, _)| *likeness >= RESEMBLANCE)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, candidate)| candidate);
        Err(self.fault(span, Fault::UnknownKey { key, nearest, known }))
    }

    /// The first key in the order of the text that is not among `known`.
    fn first_outside(&self, known: &[&str]) -> Option<(String, Range<usize>)> {
        let keys = self.entries.keys().filter(|key| !known.contains(&key.get_ref().as_ref()));
        let first = keys.min_by_key(|key| key.span().start)?;
        Some((first.get_ref().to_string(), first.span()))
    }

    fn fault(&self, span: Range<usize>, fault: Fault) -> ManifestError {
        ManifestError::at(self.text, span, fault)
    }
}

impl<'t> Value<'t> {
    /// A string.
    pub(super) fn string(&self) -> Result<&'t str, ManifestError> {
        match self.value.get_ref() {
            DeValue::String(string) => Ok(string),
            _ => Err(self.wrong_type("a string")),
        }
    }

    /// A string without the zero byte, which neither arguments nor variables can hold.
    pub(super) fn c_string(&self) -> Result<String, ManifestError> {
        let string = self.string()?;
        if string.contains('\0') {
            return Err(self.refuse("a string without a zero byte"));
        }
        Ok(string.to_owned())
    }

    /// An integer between two bounds, both included.
    pub(super) fn integer(&self, least: u64, most: u64) -> Result<u64, ManifestError> {
        let DeValue::Integer(integer) = self.value.get_ref() else {
            return Err(self.wrong_type("an integer"));
        };
        let number = u64::from_str_radix(integer.as_str(), integer.radix()).ok();
        number
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| self.refuse(&format!("an integer from {least} to {most}")))
    }

    /// A size in bytes between two bounds, both included.
    pub(super) fn size(&self, least: u64, most: u64) -> Result<u64, ManifestError> {
        let bytes = match self.value.get_ref() {
            DeValue::Integer(_) => return self.integer(least, most),
            DeValue::String(string) => parse_size(string).ok_or_else(|| self.refuse(quantity::SIZE))?,
            _ => return Err(self.wrong_type(quantity::SIZE)),
        };
        if !(least..=most).contains(&bytes) {
            return Err(self.refuse(&format!("from {least} to {most} bytes")));
        }
        Ok(bytes)
    }

    /// A duration longer than nothing.
    pub(super) fn duration(&self) -> Result<Duration, ManifestError> {
        let DeValue::String(string) = self.value.get_ref() else {
            return Err(self.wrong_type(quantity::DURATION));
        };
        let time = parse_duration(string).ok_or_else(|| self.refuse(quantity::DURATION))?;
        if time.is_zero() {
            return Err(self.refuse("longer than nothing"));
        }
        Ok(time)
    }

    /// The elements of an array.
    pub(super) fn array(&self) -> Result<Vec<Value<'t>>, ManifestError> {
        let DeValue::Array(array) = self.value.get_ref() else {
            return Err(self.wrong_type("an array"));
        };
        let element = |value| Value { text: self.text, key: self.key.clone(), value };
        Ok(array.iter().map(element).collect())
    }

    /// A table of known keys.
    pub(super) fn table(&self, known: &'static [&'static str]) -> Result<Table<'t>, ManifestError> {
        let DeValue::Table(entries) = self.value.get_ref() else {
            return Err(self.wrong_type("a table"));
        };
        Table { text: self.text, entries, span: self.value.span() }.checked(known)
    }

    /// A table of any keys.
    pub(super) fn map(&self) -> Result<Vec<(&'t str, Value<'t>)>, ManifestError> {
        let DeValue::Table(entries) = self.value.get_ref() else {
            return Err(self.wrong_type("a table of strings"));
        };
        let entry = |(key, value): (&'t Spanned<_>, &'t Spanned<DeValue<'t>>)| {
            let key: &'t std::borrow::Cow<'t, str> = key.get_ref();
            (key.as_ref(), Value { text: self.text, key: format!("{}.{key}", self.key), value })
        };
        Ok(entries.iter().map(entry).collect())
    }

    /// The fault that this value is not what `expected` says.
    pub(super) fn refuse(&self, expected: &str) -> ManifestError {
        let found = self.text.get(self.value.span()).unwrap_or_default().to_owned();
        self.fault(Fault::Value { key: self.key.clone(), expected: expected.to_owned(), found })
    }

    /// A fault at the place of this value.
    pub(super) fn fault(&self, fault: Fault) -> ManifestError {
        ManifestError::at(self.text, self.value.span(), fault)
    }

    fn wrong_type(&self, expected: &'static str) -> ManifestError {
        let found = match self.value.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a float",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "an array",
            DeValue::Table(_) => "a table",
        };
        self.fault(Fault::Type { key: self.key.clone(), expected, found })
    }
}
