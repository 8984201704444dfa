//! Wrapping and indenting of descriptions.

/// Breaks lines before the word that would go beyond `limit` characters; blanks between words stay as they are, those
/// at a break fall away. A word longer than a line is not broken.
pub fn wrap(text: &str, limit: usize) -> String {
    text.split('\n').map(|line| wrap_line(line, limit)).collect::<Vec<_>>().join("\n")
}

fn wrap_line(line: &str, limit: usize) -> String {
    let mut out = String::with_capacity(line.len() + 8);
    let mut column = 0;
    let mut rest = line;
    while !rest.is_empty() {
        let is_blank = |c: char| c.is_whitespace() && c != '\u{a0}';
        let word_at = rest.find(|c: char| !is_blank(c)).unwrap_or(rest.len());
        let (blanks, after) = rest.split_at(word_at);
        let (word, after) = after.split_at(after.find(is_blank).unwrap_or(after.len()));
        let (gap, length) = (blanks.chars().count(), word.chars().count());
        // A word counts only up to the limit: beyond that a break would not help.
        if column + gap + length.min(limit.saturating_sub(1)) > limit {
            if !word.is_empty() {
                out.push('\n');
            }
            column = 0;
        } else {
            out.push_str(blanks);
            column += gap;
        }
        out.push_str(word);
        column += length;
        rest = after;
    }
    out
}

/// Every line with `by` blanks before it.
pub fn indent(text: &str, by: usize) -> String {
    let pad = " ".repeat(by);
    format!("{pad}{}", text.replace('\n', &format!("\n{pad}")))
}

/// Joins and breaks lines as the older explanations do: paragraphs and items of lists begin anew.
pub fn fill(text: &str, limit: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut current = String::new();
    for line in text.split('\n') {
        let flush = |current: &mut String, lines: &mut Vec<String>| {
            if !current.is_empty() {
                lines.push(std::mem::take(current));
            }
        };
        if line.starts_with("    ") {
            flush(&mut current, &mut lines);
            lines.push(line.to_owned());
            continue;
        }
        let blank = line.trim().is_empty();
        if blank && !(lines.is_empty() && current.is_empty()) {
            flush(&mut current, &mut lines);
            lines.push(String::new());
            continue;
        }
        if current.ends_with(':') || is_item(line.trim()) {
            flush(&mut current, &mut lines);
        }
        for word in line.split_whitespace() {
            if !current.is_empty() && current.len() + 1 + word.len() > limit {
                flush(&mut current, &mut lines);
            }
            if !current.is_empty() {
                current.push(' ');
            }
            current.push_str(word);
        }
    }
    if !current.is_empty() {
        lines.push(current);
    }
    lines
}

/// `- x`, `* x`, `1. x`.
fn is_item(line: &str) -> bool {
    let Some((mark, _)) = line.split_once(char::is_whitespace) else { return false };
    let digits = mark.strip_suffix('.').unwrap_or(mark);
    matches!(mark, "-" | "*") || (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_before_the_word_that_does_not_fit() {
        assert_eq!(wrap("aaa bbb  ccc", 7), "aaa bbb\nccc");
        assert_eq!(wrap("aaa  bbb", 8), "aaa  bbb");
        assert_eq!(wrap("a\n\nb ", 5), "a\n\nb ");
        assert_eq!(wrap("short averyverylongword x", 6), "short\naveryverylongword\nx");
        assert_eq!(indent("a\nb\n", 2), "  a\n  b\n  ");
    }

    #[test]
    fn paragraphs_and_items_begin_anew() {
        assert_eq!(fill("one two\nthree\n\nfour", 9), ["one two", "three", "", "four"]);
        assert_eq!(fill("list:\n- a\n- b", 20), ["list:", "- a", "- b"]);
    }
}
