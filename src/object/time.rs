//! Points in time: `metav1.Time` (whole seconds) and `metav1.MicroTime`, always written in UTC.

use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat, TimeDelta, Utc};

use super::Value;
use super::duration::{self, GoDuration, quote};

/// A point in time in UTC.
pub type Time = DateTime<Utc>;

/// Why a text is no time; the texts are those of Go's `time.Parse` with the RFC 3339 layout.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Not of the form of a time.
    #[error("parsing time {} as {}: cannot parse {} as {}", quote(.text), quote(.layout), quote(.rest), quote(.part))]
    Form {
        /// The whole text.
        text: String,
        /// The layout.
        layout: &'static str,
        /// What is left of the text where it goes wrong.
        rest: String,
        /// The part of the layout that should be there.
        part: &'static str,
    },
    /// A number is too large or too small for its place.
    #[error("parsing time {}: {} out of range", quote(.text), .what)]
    Range {
        /// The whole text.
        text: String,
        /// `month`, `day`, `hour`, `minute` or `second`.
        what: &'static str,
    },
    /// Something follows the time.
    #[error("parsing time {}: extra text: {}", quote(.text), quote(.rest))]
    Extra {
        /// The whole text.
        text: String,
        /// What follows.
        rest: String,
    },
}

const LAYOUT: &str = "2006-01-02T15:04:05Z07:00";
const MICRO_LAYOUT: &str = "2006-01-02T15:04:05.000000Z07:00";

/// Walks through a text in step with the layout.
struct Cursor<'a> {
    text: &'a str,
    rest: &'a str,
    layout: &'static str,
}

impl<'a> Cursor<'a> {
    fn form(&self, part: &'static str) -> TimeError {
        TimeError::Form { text: self.text.to_owned(), layout: self.layout, rest: self.rest.to_owned(), part }
    }

    fn range(&self, what: &'static str) -> TimeError {
        TimeError::Range { text: self.text.to_owned(), what }
    }

    fn literal(&mut self, part: &'static str) -> Result<(), TimeError> {
        self.rest = self.rest.strip_prefix(part).ok_or_else(|| self.form(part))?;
        Ok(())
    }

    /// Exactly `width` digits.
    fn number(&mut self, width: usize, part: &'static str) -> Result<u32, TimeError> {
        let digits = self.rest.get(..width).filter(|d| d.bytes().all(|b| b.is_ascii_digit()));
        let number = digits.and_then(|d| d.parse().ok()).ok_or_else(|| self.form(part))?;
        self.rest = &self.rest[width..];
        Ok(number)
    }

    fn ranged(&mut self, part: &'static str, what: &'static str, max: u32) -> Result<u32, TimeError> {
        let number = self.number(2, part)?;
        if number > max { Err(self.range(what)) } else { Ok(number) }
    }

    /// The nanoseconds of a fraction after the seconds, if there is one.
    fn fraction(&mut self) -> u32 {
        let Some(after) = self.rest.strip_prefix(['.', ',']) else { return 0 };
        let digits = after.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(after.len());
        if digits == 0 {
            return 0;
        }
        let (digits, rest) = after.split_at(digits);
        self.rest = rest;
        format!("{digits:0<9}").get(..9).and_then(|d| d.parse().ok()).unwrap_or_default()
    }

    /// The offset from UTC in seconds.
    fn offset(&mut self) -> Result<i64, TimeError> {
        if let Some(rest) = self.rest.strip_prefix('Z') {
            self.rest = rest;
            return Ok(0);
        }
        let sign = match self.rest.as_bytes() {
            [b'+', _, _, b':', _, _, ..] => 1,
            [b'-', _, _, b':', _, _, ..] => -1,
            _ => return Err(self.form("Z07:00")),
        };
        let parse = |range: std::ops::Range<usize>| {
            let digits = self.rest.get(range).filter(|d| d.bytes().all(|b| b.is_ascii_digit()));
            digits.and_then(|d| d.parse::<i64>().ok()).ok_or_else(|| self.form("Z07:00"))
        };
        let (hours, minutes) = (parse(1..3)?, parse(4..6)?);
        if hours > 24 {
            return Err(self.range("time zone offset hour"));
        }
        if minutes > 60 {
            return Err(self.range("time zone offset minute"));
        }
        self.rest = &self.rest[6..];
        Ok(sign * (hours * 3600 + minutes * 60))
    }
}

fn parse_layout(text: &str, layout: &'static str) -> Result<Time, TimeError> {
    let mut cursor = Cursor { text, rest: text, layout };
    let year = cursor.number(4, "2006")?;
    cursor.literal("-")?;
    let month = cursor.number(2, "01")?;
    if !(1..=12).contains(&month) {
        return Err(cursor.range("month"));
    }
    cursor.literal("-")?;
    let day = cursor.number(2, "02")?;
    cursor.literal("T")?;
    let hour = cursor.ranged("15", "hour", 23)?;
    cursor.literal(":")?;
    let minute = cursor.ranged("04", "minute", 59)?;
    cursor.literal(":")?;
    let second = cursor.ranged("05", "second", 59)?;
    let nanosecond = match layout {
        MICRO_LAYOUT => {
            let micros = cursor.rest.strip_prefix('.').and_then(|d| d.get(..6));
            let micros = micros.filter(|d| d.bytes().all(|b| b.is_ascii_digit())).and_then(|d| d.parse::<u32>().ok());
            let micros = micros.ok_or_else(|| cursor.form(".000000"))?;
            cursor.rest = &cursor.rest[7..];
            micros * 1000
        }
        _ => cursor.fraction(),
    };
    let offset = cursor.offset()?;
    if !cursor.rest.is_empty() {
        return Err(TimeError::Extra { text: text.to_owned(), rest: cursor.rest.to_owned() });
    }
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).unwrap_or_default(), month, day);
    let time = date.and_then(|date| date.and_hms_nano_opt(hour, minute, second, nanosecond));
    let time = time.ok_or_else(|| cursor.range("day"))?;
    Ok(time.and_utc() - TimeDelta::seconds(offset))
}

/// Reads an RFC 3339 time of any offset and precision (`metav1.Time`).
///
/// # Errors
/// [`TimeError`].
pub fn parse(text: &str) -> Result<Time, TimeError> {
    parse_layout(text, LAYOUT)
}

/// Reads a `metav1.MicroTime`, which must have exactly six decimals.
///
/// # Errors
/// [`TimeError`].
pub fn parse_micro(text: &str) -> Result<Time, TimeError> {
    parse_layout(text, MICRO_LAYOUT)
}

/// The time that a field holds as text, if it holds one.
pub fn from_value(value: Option<&Value>) -> Option<Time> {
    value.and_then(Value::as_str).and_then(|text| parse(text).ok())
}

/// `2024-03-01T10:20:30Z`: what `metav1.Time` fields hold.
pub fn format(time: Time) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// `2024-03-01T10:20:30.000000Z`: what `metav1.MicroTime` fields hold.
pub fn format_micro(time: Time) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// `Fri, 01 Mar 2024 10:20:30 +0000`: how `describe` prints times (RFC 1123 with a numeric zone).
pub fn format_rfc1123z(time: Time) -> String {
    time.format("%a, %d %b %Y %H:%M:%S %z").to_string()
}

/// What passed from `time` to `now`.
pub fn since(time: Time, now: Time) -> GoDuration {
    let delta = now - time;
    GoDuration(delta.num_nanoseconds().unwrap_or(if delta < TimeDelta::zero() { i64::MIN } else { i64::MAX }))
}

/// The age that tables show for a timestamp: `<unknown>` when there is none (`translateTimestampSince`).
pub fn age(timestamp: Option<&str>, now: Time) -> String {
    match timestamp.and_then(|text| parse(text).ok()) {
        // Go's zero time stands for none.
        Some(time) if time.year() > 1 => duration::human(since(time, now)),
        _ => "<unknown>".to_owned(),
    }
}

/// The time until a timestamp, as tables show it: `<unknown>` when there is none (`translateTimestampUntil`).
pub fn until(timestamp: Option<&str>, now: Time) -> String {
    match timestamp.and_then(|text| parse(text).ok()) {
        Some(time) if time.year() > 1 => duration::human(since(now, time)),
        _ => "<unknown>".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        let round = |text: &str| parse(text).map_or_else(|e| e.to_string(), format);
        assert_eq!(round("2024-03-01T10:20:30Z"), "2024-03-01T10:20:30Z");
        assert_eq!(round("2024-03-01T10:20:30.5+02:00"), "2024-03-01T08:20:30Z");
        assert_eq!(round("2024-13-01T10:20:30Z"), "parsing time \"2024-13-01T10:20:30Z\": month out of range");
        assert_eq!(round("2024-02-30T10:20:30Z"), "parsing time \"2024-02-30T10:20:30Z\": day out of range");
        assert_eq!(
            round("abc"),
            "parsing time \"abc\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"abc\" as \"2006\""
        );
        assert_eq!(
            round("2024-03-01"),
            "parsing time \"2024-03-01\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"\" as \"T\""
        );
        let micro = parse_micro("2024-03-01T10:20:30.000012Z").map(format_micro);
        assert_eq!(micro, Ok("2024-03-01T10:20:30.000012Z".to_owned()));
    }

    #[test]
    fn ages() {
        let Ok(now) = parse("2024-03-01T10:20:30Z") else { panic!("a time") };
        assert_eq!(age(Some("2024-03-01T10:18:00Z"), now), "2m30s");
        assert_eq!(age(None, now), "<unknown>");
        assert_eq!(format_rfc1123z(now), "Fri, 01 Mar 2024 10:20:30 +0000");
    }
}
