//! Parts of timestamps and durations.

use chrono::{DateTime, Datelike, FixedOffset, Offset, Timelike};

use crate::expressions::eval::Outcome;
use crate::expressions::value::Value;
use crate::object::zone::Zone;

/// Reads a point in time as RFC 3339 has it.
pub(super) fn parse(text: &str) -> Option<DateTime<FixedOffset>> {
    DateTime::parse_from_rfc3339(text).ok()
}

/// The same point in time, in a zone: a name, or an offset such as `-08:00`.
fn in_zone(time: &DateTime<FixedOffset>, zone: &str) -> Option<DateTime<FixedOffset>> {
    if let Some((hours, minutes)) = zone.split_once(':') {
        let sign = if hours.starts_with('-') { -1 } else { 1 };
        let hours: i32 = hours.trim_start_matches(['-', '+']).parse().ok()?;
        let minutes: i32 = minutes.parse().ok()?;
        return Some(time.with_timezone(&FixedOffset::east_opt(sign * (hours * 3600 + minutes * 60))?));
    }
    Some(Zone::named(zone)?.at(time.to_utc()))
}

pub(super) fn call(name: &str, args: &[Value]) -> Option<Outcome> {
    match args {
        [Value::Duration(nanos)] => {
            let unit = match name {
                "getHours" => 3_600_000_000_000,
                "getMinutes" => 60_000_000_000,
                "getSeconds" => 1_000_000_000,
                "getMilliseconds" => 1_000_000,
                _ => return None,
            };
            Some(Ok(Value::Int(nanos / unit)))
        }
        [Value::Timestamp(time)] => {
            part(name, &time.with_timezone(&chrono::Utc.fix())).map(|part| Ok(Value::Int(part)))
        }
        [Value::Timestamp(time), Value::String(zone)] if name.starts_with("get") => Some(match in_zone(time, zone) {
            Some(time) => Ok(Value::Int(part(name, &time)?)),
            None => Err(format!("unknown time zone {zone}").into()),
        }),
        _ => None,
    }
}

fn part(name: &str, time: &DateTime<FixedOffset>) -> Option<i64> {
    Some(match name {
        "getFullYear" => time.year().into(),
        "getMonth" => time.month0().into(),
        "getDayOfYear" => time.ordinal0().into(),
        "getDayOfMonth" => time.day0().into(),
        "getDate" => time.day().into(),
        "getDayOfWeek" => time.weekday().num_days_from_sunday().into(),
        "getHours" => time.hour().into(),
        "getMinutes" => time.minute().into(),
        "getSeconds" => time.second().into(),
        "getMilliseconds" => i64::from(time.nanosecond() / 1_000_000),
        _ => return None,
    })
}
