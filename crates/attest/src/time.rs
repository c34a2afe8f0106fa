//! Points in time, as the caller and the endorsers state them.
//!
//! The crate never reads a clock: `now` is an argument everywhere.

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);

/// A closed interval of validity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first second of validity.
    pub from: Time,
    /// The last second of validity.
    pub to: Time,
}

impl Time {
    /// Builds a point in time from civil UTC fields; `None` when a field is out of range or before 1970.
    pub fn from_civil(year: u32, month: u32, day: u32, hour: u32, minute: u32, second: u32) -> Option<Self> {
        let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let last = match month {
            2 => 28 + u32::from(leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let in_range = (1970..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=last).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60;
        in_range.then(|| {
            let days = days_from_civil(u64::from(year), u64::from(month), u64::from(day));
            Self(days * 86_400 + u64::from(hour) * 3600 + u64::from(minute) * 60 + u64::from(second))
        })
    }

    /// Reads `YYYY-MM-DDTHH:MM:SSZ`, the only form of RFC 3339 that Intel's collateral uses.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'Z')];
        if bytes.len() != 20 || separators.iter().any(|&(at, separator)| bytes[at] != separator) {
            return None;
        }
        let number = |from: usize, to: usize| digits(&bytes[from..to]);
        Self::from_civil(
            number(0, 4)?,
            number(5, 7)?,
            number(8, 10)?,
            number(11, 13)?,
            number(14, 16)?,
            number(17, 19)?,
        )
    }

    /// The seconds from `earlier` to this point, zero when it is not earlier.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_rfc3339(&text).ok_or_else(|| de::Error::custom("not a time as YYYY-MM-DDTHH:MM:SSZ"))
    }
}

impl Window {
    /// Whether the point lies inside.
    pub fn contains(&self, time: Time) -> bool {
        self.from <= time && time <= self.to
    }

    /// What both windows have in common; may be empty, and then contains nothing.
    pub fn intersect(self, other: Self) -> Self {
        Self { from: self.from.max(other.from), to: self.to.min(other.to) }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(self.0 / 86_400);
        let second = self.0 % 86_400;
        let (hour, minute) = (second / 3600, second / 60 % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}Z", second % 60)
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.from, self.to)
    }
}

/// Reads ASCII digits.
pub(crate) fn digits(text: &[u8]) -> Option<u32> {
    text.iter().try_fold(0_u32, |value, byte| {
        byte.is_ascii_digit().then(|| value.checked_mul(10)?.checked_add(u32::from(byte - b'0'))).flatten()
    })
}

// Both conversions count from 0000-03-01, so that the leap day is the last of its year.
fn days_from_civil(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let shifted = (month + 9) % 12;
    let day_of_year = (153 * shifted + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - EPOCH_DAYS
}

fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let days = days.min(MAX_DAYS) + EPOCH_DAYS;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_DAYS: u64 = 719_468;

/// Days from 1970-01-01 to 9999-12-31, the last day that a certificate can name.
const MAX_DAYS: u64 = 2_932_896;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, seconds: u64) {
        assert_eq!(Time::from_rfc3339(text), Some(Time(seconds)), "{text}");
        assert_eq!(std::format!("{}", Time(seconds)), text);
    }

    #[test]
    fn civil_time_and_seconds_agree() {
        check("1970-01-01T00:00:00Z", 0);
        check("2000-02-29T23:59:59Z", 951_868_799);
        check("2026-11-21T02:20:03Z", 1_795_227_603);
        check("9999-12-31T23:59:59Z", 253_402_300_799);
        for wrong in [
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-01T00:00:00+",
            "x",
            "1969-12-31T23:59:59Z",
        ] {
            assert_eq!(Time::from_rfc3339(wrong), None, "{wrong}");
        }
    }
}
