//! Aligned columns exactly as Go's `text/tabwriter` makes them, with the extension that remembers widths.
//!
//! A tab ends a cell. Cells of one column that stand in consecutive lines form a block of one width; what follows the
//! last tab of a line belongs to no column. comfy-table pads every cell of a table to one width and knows no blocks,
//! so its result differs as soon as a line is shorter than its neighbours: hence an own writer.

/// One cell: where its text lies in the buffer and which block gives its width.
#[derive(Clone, Copy)]
struct Cell {
    start: usize,
    end: usize,
    width: usize,
    block: usize,
}

/// Collects text and writes it aligned when flushed.
pub struct TabWriter {
    min_width: usize,
    padding: usize,
    remember: bool,
    remembered: Vec<usize>,
    buffer: String,
}

impl TabWriter {
    /// The settings of kubectl's tables: at least six wide, three blanks between columns, widths remembered.
    pub fn for_tables() -> Self {
        Self::new(6, 3, true)
    }

    /// The settings of `kubectl describe`: two blanks between columns.
    pub fn for_describe() -> Self {
        Self::new(0, 2, false)
    }

    /// Any settings; `remember` makes a column at least as wide as it was in what was flushed before.
    pub fn new(min_width: usize, padding: usize, remember: bool) -> Self {
        Self { min_width, padding, remember, remembered: Vec::new(), buffer: String::new() }
    }

    /// The buffer to append text to.
    pub fn buffer(&mut self) -> &mut String {
        &mut self.buffer
    }

    /// Forgets the widths of what was flushed before.
    pub fn forget_widths(&mut self) {
        self.remembered.clear();
    }

    /// Appends the aligned text to `out` and empties the buffer.
    pub fn flush(&mut self, out: &mut String) {
        let text = std::mem::take(&mut self.buffer);
        let mut blocks: Vec<(usize, usize)> = Vec::new();
        let lines = self.cells(&text, &mut blocks);
        self.remember_widths(&mut blocks);
        out.reserve(text.len() * 2);
        for (i, (cells, rest)) in lines.iter().enumerate() {
            if i > 0 {
                out.push('\n');
            }
            for cell in cells {
                out.push_str(&text[cell.start..cell.end]);
                let width = blocks.get(cell.block).map_or(0, |(_, width)| *width);
                out.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.width)));
            }
            out.push_str(rest);
        }
    }

    /// Cuts the text into lines of terminated cells and the rest after the last tab; fills in columns and widths of
    /// blocks in the order in which they begin.
    fn cells<'a>(&self, text: &'a str, blocks: &mut Vec<(usize, usize)>) -> Vec<(Vec<Cell>, &'a str)> {
        let mut open: Vec<usize> = Vec::new();
        let mut start = 0;
        let mut lines = Vec::new();
        for line in text.split('\n') {
            let mut cells: Vec<Cell> = Vec::new();
            let mut at = start;
            for (offset, _) in line.match_indices(['\t', '\u{b}']) {
                let end = start + offset;
                let column = cells.len();
                if column >= open.len() {
                    open.push(blocks.len());
                    blocks.push((column, self.min_width));
                }
                let block = open[column];
                let width = text[at..end].chars().count();
                blocks[block].1 = blocks[block].1.max(width + self.padding);
                cells.push(Cell { start: at, end, width, block });
                at = end + 1;
            }
            open.truncate(cells.len());
            lines.push((cells, &text[at..start + line.len()]));
            start += line.len() + 1;
        }
        lines
    }

    fn remember_widths(&mut self, blocks: &mut [(usize, usize)]) {
        if !self.remember {
            return;
        }
        for (column, width) in blocks {
            match self.remembered.get_mut(*column) {
                Some(known) => {
                    *width = (*width).max(*known);
                    *known = *width;
                }
                None => self.remembered.push(*width),
            }
        }
    }
}

/// Aligns a whole text with the settings of kubectl's tables.
pub fn align(text: &str) -> String {
    let mut writer = TabWriter::for_tables();
    writer.buffer().push_str(text);
    let mut out = String::new();
    writer.flush(&mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_end_where_a_line_is_shorter() {
        assert_eq!(align("a\tb\nlonger name\tc\n"), "a             b\nlonger name   c\n");
        let mut writer = TabWriter::new(0, 1, false);
        writer.buffer().push_str("aaaa\tb\nx\na\tb\n");
        let mut out = String::new();
        writer.flush(&mut out);
        assert_eq!(out, "aaaa b\nx\na b\n");
    }

    #[test]
    fn widths_are_remembered() {
        let mut writer = TabWriter::for_tables();
        let mut out = String::new();
        writer.buffer().push_str("a long name\tb\n");
        writer.flush(&mut out);
        writer.buffer().push_str("c\td\n");
        writer.flush(&mut out);
        assert_eq!(out, "a long name   b\nc             d\n");
    }
}
