//! What the containers of simulated nodes "printed": three lines each.

use chrono::{DateTime, SecondsFormat, Utc};

/// Which part of a log is wanted (`PodLogOptions`).
#[derive(Clone, Debug, Default)]
pub struct LogOptions {
    /// Only the last lines.
    pub tail_lines: Option<usize>,
    /// At most so many bytes.
    pub limit_bytes: Option<usize>,
    /// The time before each line.
    pub timestamps: bool,
}

/// The log of a container.
pub fn lines(container: &str, options: &LogOptions, now: DateTime<Utc>) -> String {
    const LINES: usize = 3;
    let first = LINES.saturating_sub(options.tail_lines.unwrap_or(LINES)) + 1;
    let mut text = String::new();
    for number in first..=LINES {
        if options.timestamps {
            text.push_str(&now.to_rfc3339_opts(SecondsFormat::Nanos, true));
            text.push(' ');
        }
        text.push_str(&format!("{container}: line {number}\n"));
    }
    let mut end = options.limit_bytes.unwrap_or(text.len()).min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_and_limits() {
        let now = Utc::now();
        assert_eq!(lines("web", &LogOptions::default(), now), "web: line 1\nweb: line 2\nweb: line 3\n");
        let tail = LogOptions { tail_lines: Some(1), ..LogOptions::default() };
        assert_eq!(lines("web", &tail, now), "web: line 3\n");
        let none = LogOptions { tail_lines: Some(0), ..LogOptions::default() };
        assert_eq!(lines("web", &none, now), "");
        let limit = LogOptions { limit_bytes: Some(5), ..LogOptions::default() };
        assert_eq!(lines("web", &limit, now), "web: ");
    }
}
