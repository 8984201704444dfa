//! Times as the API's JSON has them, with the errors of Go's `time.Parse`.

use chrono::{DateTime, Duration, NaiveDate, Utc};

/// Go's `time.RFC3339`.
pub(super) const RFC3339: &str = "2006-01-02T15:04:05Z07:00";
/// `metav1.RFC3339Micro`.
pub(super) const RFC3339_MICRO: &str = "2006-01-02T15:04:05.000000Z07:00";

struct Scan<'a> {
    layout: &'static str,
    text: &'a str,
    rest: &'a str,
}

impl<'a> Scan<'a> {
    fn bad(&self, element: &str) -> String {
        let quote = crate::object::go::quote;
        format!(
            "parsing time {} as {}: cannot parse {} as {}",
            quote(self.text),
            quote(self.layout),
            quote(self.rest),
            quote(element)
        )
    }

    fn out_of_range(&self, what: &str) -> String {
        format!("parsing time {}: {what} out of range", crate::object::go::quote(self.text))
    }

    fn number(&mut self, digits: usize, element: &str) -> Result<u32, String> {
        let found = self.rest.get(..digits).filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
        match found.and_then(|text| text.parse().ok()) {
            Some(number) => {
                self.rest = self.rest.get(digits..).unwrap_or_default();
                Ok(number)
            }
            None => Err(self.bad(element)),
        }
    }

    fn literal(&mut self, text: &str) -> Result<(), String> {
        self.rest = self.rest.strip_prefix(text).ok_or_else(|| self.bad(text))?;
        Ok(())
    }

    /// Digits after a decimal point as nanoseconds; none is fine unless `required` says how many.
    fn fraction(&mut self, required: Option<usize>) -> Result<u32, String> {
        let digits =
            self.rest.strip_prefix(['.', ',']).map_or(0, |tail| tail.bytes().take_while(u8::is_ascii_digit).count());
        match required {
            Some(wanted) if digits < wanted => return Err(self.bad(".000000")),
            None if digits == 0 => return Ok(0),
            _ => {}
        }
        let taken = required.unwrap_or(digits);
        let text: String = self.rest.chars().skip(1).take(taken.min(9)).collect();
        self.rest = self.rest.get(1 + taken..).unwrap_or_default();
        Ok(format!("{text:0<9}").parse().unwrap_or_default())
    }

    fn zone(&mut self) -> Result<i64, String> {
        if let Some(rest) = self.rest.strip_prefix('Z') {
            self.rest = rest;
            return Ok(0);
        }
        let bytes = self.rest.as_bytes();
        let two = |at: usize| self.rest.get(at..at + 2).and_then(|t| t.parse::<u8>().ok()).map(i64::from);
        let sign = match bytes.first() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Err(self.bad("Z07:00")),
        };
        match (two(1), bytes.get(3), two(4)) {
            (Some(hours), Some(b':'), Some(minutes)) => {
                if hours > 24 {
                    return Err(self.out_of_range("time zone offset hour"));
                }
                if minutes > 60 {
                    return Err(self.out_of_range("time zone offset minute"));
                }
                self.rest = self.rest.get(6..).unwrap_or_default();
                Ok(sign * (hours * 3600 + minutes * 60))
            }
            _ => Err(self.bad("Z07:00")),
        }
    }
}

/// Parses a time of the layout; the error is Go's.
pub(super) fn parse(layout: &'static str, text: &str) -> Result<DateTime<Utc>, String> {
    let mut scan = Scan { layout, text, rest: text };
    let year = scan.number(4, "2006")?;
    scan.literal("-")?;
    let month = scan.number(2, "01")?;
    if month == 0 || month > 12 {
        return Err(scan.out_of_range("month"));
    }
    scan.literal("-")?;
    let day = scan.number(2, "02")?;
    scan.literal("T")?;
    let hour = scan.number(2, "15")?;
    if hour > 23 {
        return Err(scan.out_of_range("hour"));
    }
    scan.literal(":")?;
    let minute = scan.number(2, "04")?;
    if minute > 59 {
        return Err(scan.out_of_range("minute"));
    }
    scan.literal(":")?;
    let second = scan.number(2, "05")?;
    if second > 59 {
        return Err(scan.out_of_range("second"));
    }
    let nanos = scan.fraction((layout == RFC3339_MICRO).then_some(6))?;
    let offset = scan.zone()?;
    if !scan.rest.is_empty() {
        let quote = crate::object::go::quote;
        return Err(format!("parsing time {}: extra text: {}", quote(text), quote(scan.rest)));
    }
    NaiveDate::from_ymd_opt(i32::try_from(year).unwrap_or_default(), month, day)
        .and_then(|date| date.and_hms_nano_opt(hour, minute, second, nanos))
        .and_then(|time| time.and_utc().checked_sub_signed(Duration::seconds(offset)))
        .ok_or_else(|| scan.out_of_range("day"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_those_of_go() {
        assert_eq!(
            parse(RFC3339, "2024-01-02x").unwrap_err(),
            r#"parsing time "2024-01-02x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "T""#
        );
        assert_eq!(
            parse(RFC3339, "2024-02-30T00:00:00Z").unwrap_err(),
            r#"parsing time "2024-02-30T00:00:00Z": day out of range"#
        );
        let time = parse(RFC3339, "2024-01-02T03:04:05.25+01:00").expect("a valid time");
        assert_eq!(time.format("%H:%M:%S%.3f").to_string(), "02:04:05.250");
    }
}
