//! The text that is edited: its heading of comments, and what counts of it.

use crate::manifest;

/// Why the file is opened again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// What is wrong.
    pub head: String,
    /// The causes.
    pub causes: Vec<String>,
}

const HEADING: &str = "\
# Please edit the object below. Lines beginning with a '#' will be ignored,
# and an empty file will abort the edit. If an error occurs while saving this file will be
# reopened with the relevant failures.
#
";

/// The comments at the top of the file.
pub fn heading(reasons: &[Reason]) -> String {
    let mut text = HEADING.to_owned();
    for Reason { head, causes } in reasons {
        let end = if causes.is_empty() { "" } else { ":" };
        text.push_str(&format!("# {}{end}\n", commented(head)));
        text.extend(causes.iter().map(|cause| format!("# * {}\n", commented(cause))));
        text.push_str("#\n");
    }
    text
}

/// Further lines of a text become comments too.
fn commented(text: &str) -> String {
    let mut lines = text.split('\n');
    let mut all = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        all.push_str(if line.is_empty() || line.starts_with('#') { "\n" } else { "\n# " });
        all.push_str(line);
    }
    all
}

/// The text without its lines of comments.
pub fn without_comments(text: &str) -> String {
    let is_comment = |line: &&str| {
        let line = line.trim();
        line.starts_with('#') && !line.starts_with("#!")
    };
    text.split_inclusive('\n').filter(|line| !is_comment(line)).collect()
}

/// What two texts are compared by: their JSON where they have one.
pub fn meaning(text: &str) -> String {
    if text.trim_start().starts_with('{') {
        return text.to_owned();
    }
    manifest::yaml_to_json(text, false).unwrap_or_else(|_| without_comments(text))
}

/// Whether a line says something.
pub fn says_something(text: &str) -> bool {
    text.lines().map(str::trim).any(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_comments() {
        let reason = Reason { head: "no\ngood".into(), causes: vec!["a: b".into()] };
        let text = heading(&[reason]);
        assert!(text.ends_with("# no\n# good:\n# * a: b\n#\n"), "{text}");
        assert!(!says_something(&text));
        assert_eq!(without_comments(&format!("{text}a: 1\n  # x\nb: 2")), "a: 1\nb: 2");
    }

    #[test]
    fn comments_and_order_mean_nothing() {
        assert_eq!(meaning("# x\na: 1\nb: 2\n"), meaning("b: 2\na: 1\n"));
        assert_ne!(meaning("a: 1\n"), meaning("a: 2\n"));
    }
}
