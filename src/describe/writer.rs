//! Indented, tab-aligned text as `kubectl describe` lays it out: two spaces per level, columns by tabs, padded by two.

use std::fmt::Display;

use crate::output::table::escape_terminal;
use crate::output::tabwriter::TabWriter;

/// Collects text and aligns it in columns.
///
/// Text with tabs waits until [`Writer::flush`] or [`Writer::finish`]: a run of lines that have a cell in the same
/// column share its width, as in Go's `text/tabwriter`.
pub struct Writer {
    done: String,
    pending: TabWriter,
    nesting: usize,
}

impl Default for Writer {
    fn default() -> Self {
        Self { done: String::new(), pending: TabWriter::for_describe(), nesting: 0 }
    }
}

impl Writer {
    /// An empty text.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends text at a level; only its start is indented. Escape sequences for terminals are made harmless.
    pub fn put(&mut self, level: usize, text: impl Display) {
        for _ in 0..level + self.nesting {
            self.pending.buffer().push_str("  ");
        }
        self.push(&text.to_string());
    }

    fn push(&mut self, text: &str) {
        escape_terminal(self.pending.buffer(), text);
    }

    /// Appends text without any indentation.
    pub fn raw(&mut self, text: impl Display) {
        self.push(&text.to_string());
    }

    /// Appends a line at a level.
    pub fn line(&mut self, level: usize, text: impl Display) {
        self.put(level, text);
        self.pending.buffer().push('\n');
    }

    /// Appends `title:`, a tab and a value as one line.
    pub fn field(&mut self, level: usize, title: &str, value: impl Display) {
        self.line(level, format_args!("{title}:\t{value}"));
    }

    /// Runs `body` with everything indented by some levels more.
    pub fn nested(&mut self, levels: usize, body: impl FnOnce(&mut Self)) {
        self.nesting += levels;
        body(self);
        self.nesting -= levels;
    }

    /// Ends the alignment: later lines get columns of their own.
    pub fn flush(&mut self) {
        self.pending.flush(&mut self.done);
    }

    /// The text with its tabs as they are; what has been flushed already is aligned.
    pub fn unaligned(mut self) -> String {
        self.done + self.pending.buffer()
    }

    /// The aligned text.
    pub fn finish(mut self) -> String {
        self.flush();
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_end_where_a_line_has_no_cell_in_them() {
        let mut writer = Writer::new();
        writer.field(0, "Name", "a");
        writer.field(0, "Namespace", "");
        writer.line(0, "Rules:");
        writer.line(1, "K\tValue\tRest");
        writer.line(1, "Key\tV\tÜber");
        writer.nested(1, |w| w.field(1, "Deep", "\u{1b}[1m"));
        let want =
            "Name:       a\nNamespace:  \nRules:\n  K      Value  Rest\n  Key    V      Über\n    Deep:  ^[[1m\n";
        // The first column runs on from the table to the nested line, as Go's tabwriter has it.
        assert_eq!(writer.finish(), want.replace("K      Value", "K        Value").replace("Key    V", "Key      V"));
    }

    #[test]
    fn flushing_ends_the_columns() {
        let mut writer = Writer::new();
        writer.field(0, "A", 1);
        writer.flush();
        writer.field(0, "Long name", 2);
        assert_eq!(writer.finish(), "A:  1\nLong name:  2\n");
    }
}
