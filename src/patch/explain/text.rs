//! The explanation as people read it.

use std::fmt;

use super::{Change, Explanation, Reason};
use crate::object::{Value, json};

/// Longer values are cut.
const WIDTH: usize = 72;

/// What only the server sets, on every object.
const OF_THE_SERVER: [&str; 6] = [
    "metadata.creationTimestamp",
    "metadata.generation",
    "metadata.managedFields",
    "metadata.resourceVersion",
    "metadata.uid",
    "status",
];

fn shown(value: &Value) -> String {
    let mut text = json::to_compact(value);
    if let Some((at, _)) = text.char_indices().nth(WIDTH) {
        text.truncate(at);
        text.push_str("...");
    }
    text
}

/// What the other documents say, where that is not plain from the reason and the values before and after.
fn sources(change: &Change) -> String {
    let mut parts = Vec::new();
    if let Some(last) = &change.last_applied
        && Some(last) != change.live.as_ref()
    {
        parts.push(format!("last applied: {}", shown(last)));
    }
    if let Some(manifest) = &change.manifest
        && Some(manifest) != change.result.as_ref()
    {
        parts.push(format!("manifest: {}", shown(manifest)));
    }
    if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
}

/// Whether the row speaks of a list rather than of a value.
fn about_list(reason: &Reason) -> bool {
    matches!(reason, Reason::MergedBy(_) | Reason::MergedByValue | Reason::Reordered)
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "object" } else { &self.path };
        if about_list(&self.reason) {
            return write!(f, "  {path}\n      {}", self.reason);
        }
        match (&self.live, &self.result) {
            (None, Some(new)) => write!(f, "+ {path}: {}", shown(new))?,
            (Some(old), None) => write!(f, "- {path}: {}", shown(old))?,
            (Some(old), Some(new)) if old != new => write!(f, "~ {path}: {} -> {}", shown(old), shown(new))?,
            (Some(old), _) => write!(f, "  {path}: {}", shown(old))?,
            (None, None) => write!(f, "  {path}")?,
        }
        write!(f, "\n      {}{}", self.reason, sources(self))
    }
}

/// Changes first, one block each (`+` added, `-` removed, `~` changed); then the paths that stay as others set them.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = |change: &&Change| change.reason == Reason::Kept;
        let told = |change: &Change| change.changes() && !OF_THE_SERVER.contains(&change.path.as_str());
        if !self.changes.iter().any(told) {
            writeln!(f, "nothing changes")?;
        }
        let news = |change: &&Change| !OF_THE_SERVER.contains(&change.path.as_str());
        for change in self.changes.iter().filter(news).filter(|change| !kept(change)) {
            writeln!(f, "{change}")?;
        }
        let theirs = self.changes.iter().filter(news).filter(kept);
        let paths: Vec<&str> = theirs.map(|change| change.path.as_str()).collect();
        if !paths.is_empty() {
            writeln!(f, "{}", Reason::Kept)?;
        }
        paths.iter().try_for_each(|path| writeln!(f, "      {path}"))
    }
}
