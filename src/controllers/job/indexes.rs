//! Sets of completion indexes, written as `1,3-5,7`.

use std::fmt;

/// Indexes as ranges (first and last), ascending and apart from each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Indexes(Vec<(i64, i64)>);

impl Indexes {
    /// Reads the text of a status or a policy; what is not below `end` is left out.
    pub fn parse(text: &str, end: i64) -> Self {
        let mut ranges: Vec<(i64, i64)> = Vec::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (Ok(first), Ok(last)) = (first.parse::<i64>(), last.parse::<i64>()) else { continue };
            let last = last.min(end - 1);
            if first <= last {
                ranges.push((first, last));
            }
        }
        Self::joined(ranges)
    }

    fn joined(mut ranges: Vec<(i64, i64)>) -> Self {
        ranges.sort_unstable();
        let mut joined: Vec<(i64, i64)> = Vec::new();
        for (first, last) in ranges {
            match joined.last_mut() {
                Some(before) if first <= before.1 + 1 => before.1 = before.1.max(last),
                _ => joined.push((first, last)),
            }
        }
        Self(joined)
    }

    pub fn contains(&self, index: i64) -> bool {
        let after = self.0.partition_point(|(first, _)| *first <= index);
        after.checked_sub(1).and_then(|at| self.0.get(at)).is_some_and(|(_, last)| index <= *last)
    }

    /// How many indexes there are.
    pub fn total(&self) -> i64 {
        self.0.iter().map(|(first, last)| last - first + 1).sum()
    }

    /// These and more.
    pub fn with(&self, more: impl IntoIterator<Item = i64>) -> Self {
        let mut ranges = self.0.clone();
        ranges.extend(more.into_iter().map(|index| (index, index)));
        Self::joined(ranges)
    }

    /// How many indexes are in both.
    pub fn common(&self, other: &Self) -> i64 {
        let overlap = |a: &(i64, i64), b: &(i64, i64)| (a.1.min(b.1) - a.0.max(b.0) + 1).max(0);
        self.0.iter().map(|a| other.0.iter().map(|b| overlap(a, b)).sum::<i64>()).sum()
    }
}

impl fmt::Display for Indexes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (first, last)) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            match last - first {
                0 => write!(out, "{comma}{first}")?,
                1 => write!(out, "{comma}{first},{last}")?,
                _ => write!(out, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_join_and_write_themselves() {
        let indexes = Indexes::parse("0,2-4,9", 6);
        assert_eq!((indexes.to_string().as_str(), indexes.total()), ("0,2-4", 4));
        let more = indexes.with([1, 6, 7]);
        assert_eq!(more.to_string(), "0-4,6,7");
        assert!(more.contains(4) && !more.contains(5) && more.contains(7));
        assert_eq!(more.common(&Indexes::parse("3-6", 100)), 3);
    }
}
