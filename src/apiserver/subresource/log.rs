//! The options of a pod's log (`PodLogOptions`).

use chrono::{DateTime, Duration, Utc};

use crate::apiserver::query::Query;
use crate::kinds::decode;
use crate::object::field::{Error, ErrorList, Path};
use crate::object::go::quote;
use crate::object::{GroupKind, Status};

/// Which part of which log is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodLogOptions {
    /// Wait for more.
    pub follow: bool,
    /// The log of the container's last run rather than of the present one.
    pub previous: bool,
    /// The time before each line.
    pub timestamps: bool,
    /// Only lines of the last seconds.
    pub since_seconds: Option<i64>,
    /// Only lines that are not older.
    pub since_time: Option<DateTime<Utc>>,
    /// Only the last lines.
    pub tail_lines: Option<i64>,
    /// At most so many bytes.
    pub limit_bytes: Option<i64>,
    /// One of the two streams was asked for, which is not supported.
    pub stream: bool,
}

impl PodLogOptions {
    /// Reads and validates the options of a request for the log of the pod `name`.
    ///
    /// # Errors
    ///
    /// 400 for what is no number or time, 422 for what makes no sense.
    pub fn of(query: &Query, name: &str) -> Result<Self, Status> {
        let options = Self::read(query).map_err(Status::bad_request)?;
        let errors = options.errors();
        if errors.is_empty() {
            return Ok(options);
        }
        let kind = GroupKind { group: String::new(), kind: "PodLogOptions".into() };
        Err(Status::invalid(&kind, name, &errors))
    }

    fn read(query: &Query) -> Result<Self, String> {
        Ok(Self {
            follow: query.flag("follow"),
            previous: query.flag("previous"),
            timestamps: query.flag("timestamps"),
            since_seconds: number(query, "sinceSeconds")?,
            since_time: match query.get("sinceTime") {
                None | Some("null") => None,
                Some(text) => Some(decode::parse_time(text)?),
            },
            tail_lines: number(query, "tailLines")?,
            limit_bytes: number(query, "limitBytes")?,
            stream: query.has("stream"),
        })
    }

    fn errors(&self) -> ErrorList {
        let mut errors = ErrorList::new();
        if let Some(lines) = self.tail_lines.filter(|lines| *lines < 0) {
            errors.push(Error::invalid(&Path::new("tailLines"), lines, "must be greater than or equal to 0"));
        }
        if let Some(bytes) = self.limit_bytes.filter(|bytes| *bytes < 1) {
            errors.push(Error::invalid(&Path::new("limitBytes"), bytes, "must be greater than 0"));
        }
        match self.since_seconds {
            Some(_) if self.since_time.is_some() => {
                let message = "at most one of `sinceTime` or `sinceSeconds` may be specified";
                errors.push(Error::forbidden(&Path::unnamed(), message));
            }
            Some(seconds) if seconds < 1 => {
                errors.push(Error::invalid(&Path::new("sinceSeconds"), seconds, "must be greater than 0"));
            }
            _ => {}
        }
        if self.stream {
            errors.push(Error::forbidden(&Path::new("stream"), "may not be specified"));
        }
        errors
    }

    /// The time before which lines are left out.
    pub fn since(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let ago = self.since_seconds.and_then(Duration::try_seconds).and_then(|ago| now.checked_sub_signed(ago));
        self.since_time.or(ago)
    }
}

/// A number in a query, in the words of Go's `strconv`.
fn number(query: &Query, name: &str) -> Result<Option<i64>, String> {
    let Some(text) = query.values(name).next() else { return Ok(None) };
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let why = match text.parse() {
        Ok(number) => return Ok(Some(number)),
        Err(_) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => "value out of range",
        Err(_) => "invalid syntax",
    };
    Err(format!("strconv.ParseInt: parsing {}: {why}", quote(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(query: &str) -> String {
        PodLogOptions::of(&Query::parse(query), "p").err().map(|status| status.message).unwrap_or_default()
    }

    #[test]
    fn options_are_read_and_judged() {
        let options = PodLogOptions::of(&Query::parse("tailLines=3&follow=true&previous=0"), "p").expect("options");
        assert_eq!((options.tail_lines, options.follow, options.previous), (Some(3), true, false));
        assert_eq!(message("tailLines=x"), "strconv.ParseInt: parsing \"x\": invalid syntax");
        assert_eq!(
            message("limitBytes=99999999999999999999"),
            "strconv.ParseInt: parsing \"99999999999999999999\": value out of range"
        );
        assert!(message("sinceSeconds=0").ends_with("sinceSeconds: Invalid value: 0: must be greater than 0"));
        assert!(message("sinceSeconds=1&sinceTime=2020-01-01T00:00:00Z").contains("[]: Forbidden: at most one of"));
    }

    #[test]
    fn lines_are_counted_from_either_time() {
        let now: DateTime<Utc> = "2024-05-01T12:00:10Z".parse().expect("a time");
        let seconds = PodLogOptions { since_seconds: Some(10), ..PodLogOptions::default() };
        assert_eq!(seconds.since(now), "2024-05-01T12:00:00Z".parse().ok());
        assert_eq!(PodLogOptions::default().since(now), None);
    }
}
