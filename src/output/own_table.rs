//! The program's own small tables (clusters, explanations), by comfy-table. Tables that kubectl prints too have its exact
//! padding and come from [`super::table`].

use comfy_table::Table;
use comfy_table::presets::NOTHING;

/// A table without lines: columns two spaces apart, no space at the end of a line.
pub fn text(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(header.iter().copied());
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_are_as_wide_as_needed() {
        let rows = vec![vec!["default".to_owned(), "running".to_owned()], vec!["x".to_owned(), String::new()]];
        assert_eq!(super::text(&["NAME", "STATE"], &rows), "NAME     STATE\ndefault  running\nx\n");
    }
}
