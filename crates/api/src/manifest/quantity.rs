//! Sizes such as "64 MiB" and durations such as "30s", read and written.

use serde::Serializer;
use std::time::Duration;

/// What a size may look like, for error messages.
pub(super) const SIZE: &str = "a number of bytes or a size such as \"64 MiB\"";
/// What a duration may look like, for error messages.
pub(super) const DURATION: &str = "a duration such as \"30s\", \"500ms\", \"5m\" or \"1h\"";

/// Units of sizes, largest first, so that writing finds the shortest form.
const SIZE_UNITS: [(&str, u64); 8] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
];
/// Units of durations in milliseconds, largest first.
const DURATION_UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads a size; none if it is malformed or exceeds 64 bits.
pub(super) fn parse_size(text: &str) -> Option<u64> {
    let (number, unit) = split(text)?;
    match unit {
        "" | "B" => Some(number),
        _ => number.checked_mul(factor(&SIZE_UNITS, unit)?),
    }
}

/// Reads a duration; none if it is malformed or exceeds 64 bits of milliseconds.
pub(super) fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    number.checked_mul(factor(&DURATION_UNITS, unit)?).map(Duration::from_millis)
}

/// Writes a size as the largest binary unit that divides it.
pub(super) fn size<S: Serializer>(bytes: &u64, to: S) -> Result<S::Ok, S::Error> {
    let binary = SIZE_UNITS.iter().filter(|(unit, _)| unit.ends_with("iB"));
    to.serialize_str(&written(*bytes, binary, " ").unwrap_or_else(|| format!("{bytes} B")))
}

/// As [`size`], for a limit that may be absent.
pub(super) fn optional_size<S: Serializer>(bytes: &Option<u64>, to: S) -> Result<S::Ok, S::Error> {
    match bytes {
        Some(bytes) => size(bytes, to),
        None => to.serialize_none(),
    }
}

/// Writes a duration as the largest unit that divides it.
pub(super) fn duration<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    to.serialize_str(&written(millis, DURATION_UNITS.iter(), "").unwrap_or_else(|| "0ms".to_owned()))
}

/// As [`duration`], for a limit that may be absent.
pub(super) fn optional_duration<S: Serializer>(time: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => duration(time, to),
        None => to.serialize_none(),
    }
}

/// Parts a quantity into its decimal digits (underscores allowed between them) and its unit.
fn split(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    Some((digits.replace('_', "").parse().ok()?, unit.trim_start()))
}

fn factor(units: &[(&str, u64)], unit: &str) -> Option<u64> {
    units.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor)
}

fn written<'u>(value: u64, mut units: impl Iterator<Item = &'u (&'u str, u64)>, gap: &str) -> Option<String> {
    let (unit, factor) = units.find(|(_, factor)| value > 0 && value.is_multiple_of(*factor))?;
    Some(format!("{}{gap}{unit}", value / factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let cases = [
            ("0", Some(0)),
            ("1", Some(1)),
            ("1_000 B", Some(1000)),
            ("64 MiB", Some(64 << 20)),
            ("64MiB", Some(64 << 20)),
            (" 2 GiB ", Some(2 << 30)),
            ("3 kB", Some(3000)),
            ("16777215 TiB", Some(16_777_215 << 40)),
            ("16777216 TiB", None),
            ("18446744073709551616", None),
            ("", None),
            ("MiB", None),
            ("_1", None),
            ("-1", None),
            ("1.5 GiB", None),
            ("64 mib", None),
            ("64 MiBs", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_size(text), expected, "{text:?}");
        }
    }

    #[test]
    fn durations() {
        let cases = [
            ("30s", Some(30_000)),
            ("500ms", Some(500)),
            ("5 m", Some(300_000)),
            ("1h", Some(3_600_000)),
            ("0s", Some(0)),
            ("30", None),
            ("s", None),
            ("1d", None),
            ("18446744073709551615h", None),
        ];
        for (text, millis) in cases {
            assert_eq!(parse_duration(text), millis.map(Duration::from_millis), "{text:?}");
        }
    }
}
