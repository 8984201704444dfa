//! Schedules in the standard five-field form, with the errors of `robfig/cron`.

use chrono::{DateTime, Datelike, Days, NaiveDate, Utc};

use crate::object::zone::{self, Zone};

/// A parsed schedule: one bit per value that a field allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Minutes 0 to 59.
    pub minutes: u64,
    /// Hours 0 to 23.
    pub hours: u64,
    /// Days of the month, 1 to 31.
    pub days: u64,
    /// Months 1 to 12.
    pub months: u64,
    /// Days of the week, 0 (Sunday) to 6.
    pub weekdays: u64,
    /// Whether the day of the month is `*` or `?`.
    pub any_day: bool,
    /// Whether the day of the week is `*` or `?`.
    pub any_weekday: bool,
    /// Seconds between runs of `@every`, instead of the fields.
    pub every: Option<u64>,
}

/// A schedule that names no date that ever comes is given up after so many days (five years, as `robfig/cron` does).
const SEARCHED_DAYS: u64 = 5 * 366;

impl Schedule {
    /// The first moment after `after` at which the schedule is due, read by the clock of `zone`. Local times that a
    /// clock change leaves out are left out; of those that it repeats, the first counts.
    pub fn next(&self, after: DateTime<Utc>, zone: &Zone) -> Option<DateTime<Utc>> {
        if let Some(every) = self.every {
            let whole = after.timestamp() + i64::try_from(every).ok()?;
            return DateTime::from_timestamp(whole, 0);
        }
        let today = zone.at(after).date_naive();
        (0..SEARCHED_DAYS)
            .filter_map(|days| today.checked_add_days(Days::new(days)))
            .filter(|day| self.has_day(*day))
            .find_map(|day| self.first_of_day(day, after, zone))
    }

    fn has_day(&self, day: NaiveDate) -> bool {
        let bit = |set: u64, at: u32| set & (1 << at) != 0;
        let by_month_day = bit(self.days, day.day());
        let by_weekday = bit(self.weekdays, day.weekday().num_days_from_sunday());
        // When both are restricted, either will do.
        let matches =
            if self.any_day || self.any_weekday { by_month_day && by_weekday } else { by_month_day || by_weekday };
        bit(self.months, day.month()) && matches
    }

    fn first_of_day(&self, day: NaiveDate, after: DateTime<Utc>, zone: &Zone) -> Option<DateTime<Utc>> {
        let due = |set: u64, count: u32| (0..count).filter(move |at| set & (1 << at) != 0);
        due(self.hours, 24).find_map(|hour| {
            due(self.minutes, 60)
                .filter_map(|minute| day.and_hms_opt(hour, minute, 0))
                .filter_map(|local| zone.first(local))
                .find(|time| *time > after)
        })
    }
}

struct Bounds {
    low: u64,
    high: u64,
    names: &'static [&'static str],
}

const MINUTES: Bounds = Bounds { low: 0, high: 59, names: &[] };
const HOURS: Bounds = Bounds { low: 0, high: 23, names: &[] };
const DAYS: Bounds = Bounds { low: 1, high: 31, names: &[] };
const MONTHS: Bounds = Bounds {
    low: 1,
    high: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
const WEEKDAYS: Bounds = Bounds { low: 0, high: 6, names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"] };

/// Parses a schedule.
///
/// # Errors
///
/// The text of the first thing that is wrong.
pub fn parse(spec: &str) -> Result<Schedule, String> {
    if spec.is_empty() {
        return Err("empty spec string".to_owned());
    }
    let mut rest = spec;
    if let Some(zoned) = spec.strip_prefix("TZ=").or_else(|| spec.strip_prefix("CRON_TZ=")) {
        let (zone, after) = zoned.split_once(' ').unwrap_or((zoned, ""));
        if !zone::is_known(zone) && !zone.is_empty() && zone != "Local" {
            return Err(format!("provided bad location {zone}: unknown time zone {zone}"));
        }
        rest = after.trim();
    }
    if rest.starts_with('@') {
        return descriptor(rest);
    }
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = fields.as_slice() else {
        return Err(format!("expected exactly 5 fields, found {}: [{}]", fields.len(), fields.join(" ")));
    };
    let star = |field: &str| {
        field.split(',').any(|part| matches!(part.split('/').next(), Some("*" | "?")) && !part.contains('/'))
    };
    Ok(Schedule {
        minutes: bits(minute, &MINUTES)?,
        hours: bits(hour, &HOURS)?,
        days: bits(day, &DAYS)?,
        months: bits(month, &MONTHS)?,
        weekdays: bits(weekday, &WEEKDAYS)?,
        any_day: star(day),
        any_weekday: star(weekday),
        every: None,
    })
}

fn descriptor(text: &str) -> Result<Schedule, String> {
    let plain = match text {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        _ => {
            let Some(every) = text.strip_prefix("@every ") else {
                return Err(format!("unrecognized descriptor: {text}"));
            };
            let duration = crate::object::duration::GoDuration::parse(every)
                .map_err(|error| format!("failed to parse duration {text}: {error}"))?;
            let seconds = u64::try_from(duration.as_secs()).unwrap_or(1).max(1);
            let none = Schedule {
                minutes: 0,
                hours: 0,
                days: 0,
                months: 0,
                weekdays: 0,
                any_day: false,
                any_weekday: false,
                every: Some(seconds),
            };
            return Ok(none);
        }
    };
    parse(plain)
}

fn bits(field: &str, bounds: &Bounds) -> Result<u64, String> {
    field.split(',').filter(|part| !part.is_empty()).try_fold(0, |all, part| Ok(all | range(part, bounds)?))
}

fn range(text: &str, bounds: &Bounds) -> Result<u64, String> {
    let range_and_step: Vec<&str> = text.split('/').collect();
    let low_and_high: Vec<&str> = range_and_step.first().copied().unwrap_or_default().split('-').collect();
    let single = low_and_high.len() == 1;
    let first = low_and_high.first().copied().unwrap_or_default();
    let (start, mut end) = if matches!(first, "*" | "?") {
        (bounds.low, bounds.high)
    } else {
        let start = number_or_name(first, bounds)?;
        match low_and_high.as_slice() {
            [_] => (start, start),
            [_, high] => (start, number_or_name(high, bounds)?),
            _ => return Err(format!("too many hyphens: {text}")),
        }
    };
    let step = match range_and_step.as_slice() {
        [_] => 1,
        [_, step] => {
            let step = number(step)?;
            if single {
                end = bounds.high;
            }
            step
        }
        _ => return Err(format!("too many slashes: {text}")),
    };
    if start < bounds.low {
        return Err(format!("beginning of range ({start}) below minimum ({}): {text}", bounds.low));
    }
    if end > bounds.high {
        return Err(format!("end of range ({end}) above maximum ({}): {text}", bounds.high));
    }
    if start > end {
        return Err(format!("beginning of range ({start}) beyond end of range ({end}): {text}"));
    }
    if step == 0 {
        return Err(format!("step of range should be a positive number: {text}"));
    }
    let step = usize::try_from(step).unwrap_or(usize::MAX);
    Ok((start..=end).step_by(step).fold(0, |all, value| all | 1 << value))
}

fn number_or_name(text: &str, bounds: &Bounds) -> Result<u64, String> {
    let lower = text.to_lowercase();
    match bounds.names.iter().position(|name| *name == lower) {
        Some(at) => Ok(bounds.low + u64::try_from(at).unwrap_or_default()),
        None => number(text),
    }
}

fn number(text: &str) -> Result<u64, String> {
    match text.parse::<i64>() {
        Ok(number) => u64::try_from(number).map_err(|_| format!("negative number ({number}) not allowed: {text}")),
        Err(error) => {
            let why = match error.kind() {
                std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow => "value out of range",
                _ => "invalid syntax",
            };
            let quoted = crate::object::go::quote(text);
            Err(format!("failed to parse int from {text}: strconv.Atoi: parsing {quoted}: {why}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_become_bits_and_errors_are_those_of_cron() {
        let schedule = parse("*/20 1-3 * jan sun").expect("a valid schedule");
        assert_eq!(schedule.minutes, 1 | 1 << 20 | 1 << 40);
        assert_eq!((schedule.hours, schedule.months, schedule.weekdays), (0b1110, 0b10, 1));
        assert_eq!(parse("bad").unwrap_err(), "expected exactly 5 fields, found 1: [bad]");
        assert_eq!(parse("60 * * * *").unwrap_err(), "end of range (60) above maximum (59): 60");
    }
    #[test]
    fn the_next_time_follows_the_clock_of_the_zone() {
        let at = |text: &str| DateTime::parse_from_rfc3339(text).expect("a time").to_utc();
        let next = |spec: &str, after: &str, zone: &Zone| parse(spec).expect("a schedule").next(at(after), zone);
        let (utc, berlin) = (Zone::utc(), Zone::named("Europe/Berlin").expect("a zone"));
        assert_eq!(next("* * * * *", "2026-01-01T00:00:30Z", &utc), Some(at("2026-01-01T00:01:00Z")));
        assert_eq!(next("0 0 1 1 *", "2026-01-01T00:00:00Z", &utc), Some(at("2027-01-01T00:00:00Z")));
        assert_eq!(next("30 4 * * mon", "2026-01-01T00:00:00Z", &berlin), Some(at("2026-01-05T03:30:00Z")));
        // Either the 13th or a Friday, whichever comes first.
        assert_eq!(next("0 0 13 * 5", "2026-01-03T00:00:00Z", &utc), Some(at("2026-01-09T00:00:00Z")));
        // Half past two does not exist on the day of the change.
        assert_eq!(next("30 2 * * *", "2026-03-28T12:00:00Z", &berlin), Some(at("2026-03-30T00:30:00Z")));
        assert_eq!(next("0 0 30 2 *", "2026-01-01T00:00:00Z", &utc), None);
        assert_eq!(next("@every 90s", "2026-01-01T00:00:10Z", &utc), Some(at("2026-01-01T00:01:40Z")));
    }
}
