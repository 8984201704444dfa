//! Durations as Go and Kubernetes write and read them.
//!
//! A [`GoDuration`] counts nanoseconds in an `i64`, as Go's `time.Duration` does.

use std::fmt;

use super::{Value, json};

const MICROSECOND: u64 = 1_000;
const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// A duration in nanoseconds; prints as Go does (`1h30m0s`, `1.5s`, `2µs`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoDuration(pub i64);

/// Why a text or a value is no duration; the texts are those of Go.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Not of the form of a duration, or out of range.
    #[error("time: invalid duration {}", quote(.0))]
    Invalid(String),
    /// A number without a unit.
    #[error("time: missing unit in duration {}", quote(.0))]
    MissingUnit(String),
    /// A unit that is none.
    #[error("time: unknown unit {} in duration {}", quote(.unit), quote(.text))]
    UnknownUnit {
        /// The unit found.
        unit: String,
        /// The whole text.
        text: String,
    },
    /// A JSON value that is not text.
    #[error("json: cannot unmarshal {0} into Go value of type string")]
    Type(&'static str),
}

/// Go's own quoting in package `time`: everything outside of printable ASCII byte by byte.
pub(super) fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for b in text.bytes() {
        match b {
            b'"' | b'\\' => {
                out.push('\\');
                out.push(char::from(b));
            }
            b' '..=0x7f => out.push(char::from(b)),
            b => out.push_str(&format!("\\x{b:02x}")),
        }
    }
    out.push('"');
    out
}

fn unit_of(unit: &str) -> Option<u64> {
    match unit {
        "ns" => Some(1),
        "us" | "\u{b5}s" | "\u{3bc}s" => Some(MICROSECOND),
        "ms" => Some(MILLISECOND),
        "s" => Some(SECOND),
        "m" => Some(MINUTE),
        "h" => Some(HOUR),
        _ => None,
    }
}

/// Digits at the start of `text` and what follows them.
fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(text.len()))
}

/// The digits after a point as a number and the power of ten to divide it by; digits beyond 63 bits are dropped.
fn fraction(digits: &str) -> (u64, f64) {
    let (mut number, mut scale) = (0_u64, 1.0);
    for b in digits.bytes() {
        match number.checked_mul(10).and_then(|n| n.checked_add(u64::from(b - b'0'))) {
            Some(next) if number <= (1 << 63) / 10 && next <= 1 << 63 => (number, scale) = (next, scale * 10.0),
            _ => break,
        }
    }
    (number, scale)
}

impl GoDuration {
    /// Reads a duration such as `1h15m30.918s` (`time.ParseDuration`).
    ///
    /// # Errors
    /// [`DurationError`].
    pub fn parse(text: &str) -> Result<Self, DurationError> {
        let invalid = || DurationError::Invalid(text.to_owned());
        let negative = text.starts_with('-');
        let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
        if rest == "0" {
            return Ok(Self(0));
        }
        if rest.is_empty() {
            return Err(invalid());
        }
        let mut total = 0_u64;
        while !rest.is_empty() {
            let (part, after) = Self::parse_part(text, rest)?;
            rest = after;
            total = total.checked_add(part).filter(|t| *t <= 1 << 63).ok_or_else(invalid)?;
        }
        if negative {
            return Ok(Self((total as i64).wrapping_neg()));
        }
        i64::try_from(total).map(Self).map_err(|_| invalid())
    }

    /// One number with its unit, in nanoseconds, and what follows.
    fn parse_part<'a>(text: &str, rest: &'a str) -> Result<(u64, &'a str), DurationError> {
        let invalid = || DurationError::Invalid(text.to_owned());
        let (whole, after) = split_digits(rest);
        let (decimals, after) = match after.strip_prefix('.') {
            Some(after) => split_digits(after),
            None => ("", after),
        };
        if whole.is_empty() && decimals.is_empty() {
            return Err(invalid());
        }
        let number = if whole.is_empty() { 0 } else { whole.parse::<u64>().map_err(|_| invalid())? };
        if number > 1 << 63 {
            return Err(invalid());
        }
        let end = after.bytes().position(|b| b == b'.' || b.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        if unit.is_empty() {
            return Err(DurationError::MissingUnit(text.to_owned()));
        }
        let factor =
            unit_of(unit).ok_or_else(|| DurationError::UnknownUnit { unit: unit.to_owned(), text: text.to_owned() })?;
        let mut value = number.checked_mul(factor).filter(|v| *v <= 1 << 63).ok_or_else(invalid)?;
        let (number, scale) = fraction(decimals);
        if number > 0 {
            value += (number as f64 * (factor as f64 / scale)) as u64;
        }
        if value > 1 << 63 { Err(invalid()) } else { Ok((value, after)) }
    }

    /// Reads the JSON value of a `metav1.Duration`.
    ///
    /// # Errors
    /// [`DurationError`]; null reads as the empty text, which is no duration.
    pub fn from_value(value: &Value) -> Result<Self, DurationError> {
        match value {
            Value::String(text) => Self::parse(text),
            Value::Null => Self::parse(""),
            other => Err(DurationError::Type(json::type_name(other))),
        }
    }

    /// Whole seconds as a duration, within range.
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(SECOND as i64))
    }

    /// The duration in seconds, fractions cut off.
    pub fn as_secs(self) -> i64 {
        self.0 / SECOND as i64
    }

    /// The duration for the standard library, `None` when it is negative or zero.
    pub fn positive(self) -> Option<std::time::Duration> {
        u64::try_from(self.0).ok().filter(|nanos| *nanos > 0).map(std::time::Duration::from_nanos)
    }

    /// The duration for the standard library; negative ones are zero there.
    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_nanos(u64::try_from(self.0).unwrap_or_default())
    }
}

impl From<std::time::Duration> for GoDuration {
    fn from(duration: std::time::Duration) -> Self {
        Self(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
    }
}

impl std::str::FromStr for GoDuration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        Self::parse(text)
    }
}

/// `nanoseconds / unit` with as many decimals as needed.
fn decimal(nanoseconds: u64, unit: u64) -> String {
    let whole = nanoseconds / unit;
    let rest = nanoseconds % unit;
    if rest == 0 {
        return whole.to_string();
    }
    let width = unit.ilog10() as usize;
    format!("{whole}.{}", format!("{rest:0width$}").trim_end_matches('0'))
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.0.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        match n {
            0 => f.write_str("0s"),
            n if n < MICROSECOND => write!(f, "{sign}{n}ns"),
            n if n < MILLISECOND => write!(f, "{sign}{}µs", decimal(n, MICROSECOND)),
            n if n < SECOND => write!(f, "{sign}{}ms", decimal(n, MILLISECOND)),
            n => {
                let seconds = decimal(n % MINUTE, SECOND);
                let minutes = n / MINUTE % 60;
                match (n / HOUR, minutes) {
                    (0, 0) => write!(f, "{sign}{seconds}s"),
                    (0, minutes) => write!(f, "{sign}{minutes}m{seconds}s"),
                    (hours, minutes) => write!(f, "{sign}{hours}h{minutes}m{seconds}s"),
                }
            }
        }
    }
}

impl From<GoDuration> for Value {
    fn from(duration: GoDuration) -> Self {
        Value::String(duration.to_string())
    }
}

/// A duration with two or three significant figures, as `AGE` columns show it (`HumanDuration`).
///
/// Up to two seconds into the past count as zero, so that clocks may differ a little.
pub fn human(duration: GoDuration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let (days, years) = (hours / 24, hours / 24 / 365);
    let two = |big: i64, big_unit: &str, small: i64, small_unit: &str| match small {
        0 => format!("{big}{big_unit}"),
        small => format!("{big}{big_unit}{small}{small_unit}"),
    };
    match seconds {
        s if s < -1 => "<invalid>".to_owned(),
        s if s < 0 => "0s".to_owned(),
        s if s < 120 => format!("{s}s"),
        _ if minutes < 10 => two(minutes, "m", seconds % 60, "s"),
        _ if minutes < 180 => format!("{minutes}m"),
        _ if hours < 8 => two(hours, "h", minutes % 60, "m"),
        _ if hours < 48 => format!("{hours}h"),
        _ if hours < 192 => two(days, "d", hours % 24, "h"),
        _ if hours < 24 * 365 * 2 => format!("{days}d"),
        _ if hours < 24 * 365 * 8 => two(years, "y", days % 365, "d"),
        _ => format!("{years}y"),
    }
}

/// A duration in its largest unit alone (`ShortHumanDuration`).
///
/// The original computes in floats, so a nanosecond short of a year is a year.
pub fn short_human(duration: GoDuration) -> String {
    let count = |unit: u64| {
        let unit = unit as i64;
        (duration.0 / unit) as f64 + (duration.0 % unit) as f64 / unit as f64
    };
    let (seconds, minutes, hours) = (count(SECOND) as i64, count(MINUTE) as i64, count(HOUR) as i64);
    match seconds {
        s if s < -1 => "<invalid>".to_owned(),
        s if s < 0 => "0s".to_owned(),
        s if s < 60 => format!("{s}s"),
        _ if minutes < 60 => format!("{minutes}m"),
        _ if hours < 24 => format!("{hours}h"),
        _ if hours < 24 * 365 => format!("{}d", hours / 24),
        _ => format!("{}y", (count(HOUR) / 24.0 / 365.0) as i64),
    }
}

/// The JSON text of a duration.
pub fn to_json(duration: GoDuration) -> String {
    json::to_compact(&duration.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_and_prints_like_go() {
        for (input, want) in [
            ("1h", "1h0m0s"),
            ("1.5h", "1h30m0s"),
            ("100ms", "100ms"),
            ("1us", "1µs"),
            ("-1m0.25s", "-1m0.25s"),
            ("", "time: invalid duration \"\""),
            ("3", "time: missing unit in duration \"3\""),
            ("3x", "time: unknown unit \"x\" in duration \"3x\""),
            ("9223372036854775808ns", "time: invalid duration \"9223372036854775808ns\""),
        ] {
            let got = GoDuration::parse(input).map_or_else(|e| e.to_string(), |d| d.to_string());
            assert_eq!(got, want, "{input}");
        }
        assert_eq!(GoDuration::parse("-9223372036854775808ns"), Ok(GoDuration(i64::MIN)));
    }

    #[test]
    fn ages() {
        assert_eq!(human(GoDuration::from_secs(61)), "61s");
        assert_eq!(human(GoDuration::from_secs(7 * 3600 + 60)), "7h1m");
        assert_eq!(human(GoDuration::from_secs(-2)), "<invalid>");
        assert_eq!(short_human(GoDuration::from_secs(86400 * 3)), "3d");
    }
}
