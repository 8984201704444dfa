//! Unified diffs.

use similar::DiffOp;
use similar::algorithms::{Capture, Compact, Replace, myers};

/// Lines of context around a change.
const CONTEXT: usize = 3;

/// The hunks that lead from one text to the other, byte for byte as `diff -u` prints them; empty when they are equal.
pub fn hunks(old: &str, new: &str) -> String {
    let (old, new) = (lines(old), lines(new));
    let (mut gone, mut come) = changed(&old, &new);
    settle(&old, &mut gone, &come);
    settle(&new, &mut come, &gone);
    written(&old, &new, &gone, &come)
}

/// As [`hunks`], with runs of changed lines where the search finds them, as Go's differs leave them.
pub fn unsettled_hunks(old: &str, new: &str) -> String {
    let (old, new) = (lines(old), lines(new));
    let (gone, come) = changed(&old, &new);
    written(&old, &new, &gone, &come)
}

fn written(old: &[&str], new: &[&str], gone: &[bool], come: &[bool]) -> String {
    let edits = edits(gone, come);
    let mut text = String::new();
    for group in edits.chunk_by(|a, b| b.old.0 - a.old.1 <= 2 * CONTEXT) {
        hunk(&mut text, group, old, new);
    }
    text
}

fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// Which lines are gone from the old text and which have come into the new one.
fn changed(old: &[&str], new: &[&str]) -> (Vec<bool>, Vec<bool>) {
    let (mut gone, mut come) = (vec![false; old.len()], vec![false; new.len()]);
    // One algorithm is called by its name: a choice among all of them would build each into the program.
    let mut found = Compact::new(Replace::new(Capture::new()), old, new);
    let Ok(()) = myers::diff(&mut found, old, 0..old.len(), new, 0..new.len());
    for op in found.into_inner().into_inner().into_ops() {
        if !matches!(op, DiffOp::Equal { .. }) {
            gone[op.old_range()].fill(true);
            come[op.new_range()].fill(true);
        }
    }
    (gone, come)
}

/// Slides each run of changed lines to where `diff` shows it: as far down as equal lines allow, joined with the runs
/// that it meets, but next to a change of the other text where there is one on the way.
fn settle(lines: &[&str], changed: &mut [bool], other: &[bool]) {
    let mut from = 0;
    while let Some(mut start) = (from..changed.len()).find(|at| changed[*at]) {
        let mut end = run_end(changed, start);
        loop {
            let length = end - start;
            while start > 0 && lines[start - 1] == lines[end - 1] {
                start -= 1;
                end -= 1;
                changed[start] = true;
                changed[end] = false;
                while start > 0 && changed[start - 1] {
                    start -= 1;
                }
            }
            while end < lines.len() && lines[start] == lines[end] {
                changed[start] = false;
                changed[end] = true;
                start += 1;
                end = run_end(changed, end);
            }
            if end - start == length {
                break;
            }
        }
        // Back up to the lowest place beside a change of the other text.
        let kept = changed[..start].iter().filter(|changed| !**changed).count();
        let slides = |up: usize| up <= start && (0..up).all(|by| lines[start - by - 1] == lines[end - by - 1]);
        let places = (0..=kept).take_while(|up| slides(*up));
        let up = places.into_iter().find(|up| changes_after(other, kept - up)).unwrap_or(0);
        for _ in 0..up {
            start -= 1;
            end -= 1;
            changed[start] = true;
            changed[end] = false;
        }
        from = end;
    }
}

fn run_end(changed: &[bool], at: usize) -> usize {
    (at..changed.len()).find(|at| !changed[*at]).unwrap_or(changed.len())
}

/// Whether a text has a change right behind its first `kept` lines that stay.
fn changes_after(changed: &[bool], kept: usize) -> bool {
    let mut seen = 0;
    let mut at = 0;
    while seen < kept && at < changed.len() {
        seen += usize::from(!changed[at]);
        at += 1;
    }
    changed.get(at).copied().unwrap_or(false)
}

/// Lines `old` of the old text stand where lines `new` of the new one do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Edit {
    old: (usize, usize),
    new: (usize, usize),
}

fn edits(gone: &[bool], come: &[bool]) -> Vec<Edit> {
    let mut edits = Vec::new();
    let (mut a, mut b) = (0, 0);
    while a < gone.len() || b < come.len() {
        let (to_a, to_b) = (run_end(gone, a), run_end(come, b));
        if to_a > a || to_b > b {
            edits.push(Edit { old: (a, to_a), new: (b, to_b) });
        }
        (a, b) = (to_a + 1, to_b + 1);
    }
    edits
}

/// `FIRST,COUNT` of a hunk's header.
fn range(from: usize, to: usize) -> String {
    match to - from {
        0 => format!("{from},0"),
        1 => format!("{}", from + 1),
        count => format!("{},{count}", from + 1),
    }
}

fn hunk(text: &mut String, group: &[Edit], old: &[&str], new: &[&str]) {
    let (Some(first), Some(last)) = (group.first(), group.last()) else { return };
    let before = CONTEXT.min(first.old.0);
    let after = CONTEXT.min(old.len() - last.old.1);
    text.push_str(&format!(
        "@@ -{} +{} @@\n",
        range(first.old.0 - before, last.old.1 + after),
        range(first.new.0 - before, last.new.1 + after)
    ));
    let mut at = first.old.0 - before;
    for edit in group {
        put(text, ' ', &old[at..edit.old.0]);
        put(text, '-', &old[edit.old.0..edit.old.1]);
        put(text, '+', &new[edit.new.0..edit.new.1]);
        at = edit.old.1;
    }
    put(text, ' ', &old[at..at + after]);
}

fn put(text: &mut String, mark: char, lines: &[&str]) {
    for line in lines {
        text.push(mark);
        text.push_str(line);
        if !line.ends_with('\n') {
            text.push_str("\n\\ No newline at end of file\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts of few different lines, so that changes can slide.
    fn text(seed: &mut u64) -> String {
        let mut next = |below: u64| {
            *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (*seed >> 33) % below
        };
        (0..next(12)).map(|_| format!("{}\n", ["a", "b", "c"][usize::try_from(next(3)).unwrap_or_default()])).collect()
    }

    /// Applies hunks to a text.
    fn patched(old: &str, hunks: &str) -> String {
        let old = lines(old);
        let mut new = String::new();
        let mut at = 0;
        for line in hunks.lines() {
            if let Some(header) = line.strip_prefix("@@ -") {
                let range = header.split(' ').next().unwrap_or_default();
                let (first, count) = range.split_once(',').unwrap_or((range, "1"));
                let first: usize = first.parse().expect("a number");
                let from = if count == "0" { first } else { first - 1 };
                new.extend(old[at..from].iter().copied());
                at = from;
            } else if let Some(line) = line.strip_prefix('+') {
                new.push_str(&format!("{line}\n"));
            } else {
                let kept = line.strip_prefix(' ').map(|line| format!("{line}\n")).unwrap_or_default();
                new.push_str(&kept);
                at += 1;
            }
        }
        new.extend(old[at..].iter().copied());
        new
    }

    #[test]
    fn hunks_lead_from_one_text_to_the_other() {
        let mut seed = 7;
        for _ in 0..2000 {
            let (old, new) = (text(&mut seed), text(&mut seed));
            assert_eq!(patched(&old, &hunks(&old, &new)), new, "{old:?} {new:?}");
        }
    }

    #[test]
    fn distant_changes_are_hunks_of_their_own() {
        let old: String = (1..=20).map(|n| format!("{n}\n")).collect();
        let new = old.replace("\n5\n", "\nfive\n").replace("\n16\n", "\n");
        assert_eq!(
            hunks(&old, &new),
            "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n@@ -13,7 +13,6 @@\n 13\n 14\n 15\n-16\n 17\n 18\n 19\n"
        );
        assert_eq!(hunks("", "a\n"), "@@ -0,0 +1 @@\n+a\n");
        assert_eq!(hunks("a\nb", ""), "@@ -1,2 +0,0 @@\n-a\n-b\n\\ No newline at end of file\n");
    }

    #[test]
    fn runs_slide_down() {
        assert_eq!(hunks("a\nb\n", "a\nb\na\nb\n"), "@@ -1,2 +1,4 @@\n a\n b\n+a\n+b\n");
        // The removal stays beside what comes in its place.
        assert_eq!(hunks("x\ni\ni\ny\n", "x\nc\ni\ny\n"), "@@ -1,4 +1,4 @@\n x\n-i\n+c\n i\n y\n");
    }
}
