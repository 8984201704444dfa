//! Durations as Go reads and writes them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::object::go::quote;

/// A signed duration in nanoseconds, read by the rules of Go's `time.ParseDuration`: `1h30m`, `1.5s`, `0`, `-1s`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct GoDuration(i64);

/// Units with their nanoseconds; the longer name first where one begins another.
const UNITS: [(&str, f64); 8] =
    [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9)];

impl GoDuration {
    /// Whole seconds.
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Whole seconds, cut towards zero.
    pub const fn secs(self) -> i64 {
        self.0 / 1_000_000_000
    }

    /// The duration, `None` when it is negative or zero.
    pub fn positive(self) -> Option<Duration> {
        u64::try_from(self.0).ok().filter(|nanos| *nanos > 0).map(Duration::from_nanos)
    }
}

impl FromStr for GoDuration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let invalid = || format!("time: invalid duration {}", quote(text));
        let (sign, mut rest) = match text.as_bytes().first() {
            Some(b'-') => (-1.0, &text[1..]),
            Some(b'+') => (1.0, &text[1..]),
            _ => (1.0, text),
        };
        if rest == "0" {
            return Ok(Self(0));
        }
        if rest.is_empty() {
            return Err(invalid());
        }
        let mut nanos = 0.0_f64;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            let (number, after) = rest.split_at(digits);
            let number: f64 = number.parse().map_err(|_| invalid())?;
            let letters = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
            let (unit, after) = after.split_at(letters);
            if unit.is_empty() {
                return Err(format!("time: missing unit in duration {}", quote(text)));
            }
            let Some((_, size)) = UNITS.iter().find(|(name, _)| *name == unit) else {
                return Err(format!("time: unknown unit {} in duration {}", quote(unit), quote(text)));
            };
            nanos += number * size;
            rest = after;
        }
        #[expect(clippy::cast_precision_loss, reason = "a bound, not a value")]
        if nanos > i64::MAX as f64 {
            return Err(invalid());
        }
        #[expect(clippy::cast_possible_truncation, reason = "checked against the bound above")]
        Ok(Self((sign * nanos).round() as i64))
    }
}

/// Prints Go's form: `1m30s`, `0s`, `1.5s`, `20ms`.
impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let nanos = self.0.unsigned_abs();
        let fraction = |value: u64, unit: u64| -> String {
            let digits = unit.ilog10() as usize;
            let rest = format!("{:0digits$}", value % unit);
            let rest = rest.trim_end_matches('0');
            if rest.is_empty() { format!("{}", value / unit) } else { format!("{}.{rest}", value / unit) }
        };
        if nanos == 0 {
            return f.write_str("0s");
        }
        if nanos < 1_000 {
            return write!(f, "{sign}{nanos}ns");
        }
        if nanos < 1_000_000 {
            return write!(f, "{sign}{}µs", fraction(nanos, 1_000));
        }
        if nanos < 1_000_000_000 {
            return write!(f, "{sign}{}ms", fraction(nanos, 1_000_000));
        }
        let seconds = nanos / 1_000_000_000;
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        f.write_str(sign)?;
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if hours > 0 || minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        write!(f, "{}s", fraction(nanos % 60_000_000_000, 1_000_000_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints_as_go() {
        for (text, printed) in
            [("1h", "1h0m0s"), ("90s", "1m30s"), ("1.5s", "1.5s"), ("20ms", "20ms"), ("0", "0s"), ("-1s", "-1s")]
        {
            assert_eq!(text.parse::<GoDuration>().map(|d| d.to_string()), Ok(printed.to_owned()), "{text}");
        }
        assert_eq!("5".parse::<GoDuration>(), Err("time: missing unit in duration \"5\"".into()));
        assert_eq!("5x".parse::<GoDuration>(), Err("time: unknown unit \"x\" in duration \"5x\"".into()));
        assert_eq!("abc".parse::<GoDuration>(), Err("time: invalid duration \"abc\"".into()));
    }
}
