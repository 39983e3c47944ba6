//! Tables in plain columns.

use owo_colors::{OwoColorize as _, Style};

use super::safe;

/// One field of a table.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    text: String,
    style: Option<Style>,
}

impl Field {
    /// A field in the terminal's own colour.
    pub(crate) fn plain(text: impl AsRef<str>) -> Self {
        Self { text: safe(text.as_ref()).into_owned(), style: None }
    }

    /// A field in a style.
    pub(crate) fn styled(text: impl AsRef<str>, style: Style) -> Self {
        Self { style: Some(style), ..Self::plain(text) }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

impl<T: AsRef<str>> From<T> for Field {
    fn from(text: T) -> Self {
        Self::plain(text)
    }
}

/// Rows under a heading; as wide as its widest fields, two blanks between columns. The last column
/// is as long as it wants to be.
#[derive(Debug)]
pub(crate) struct Table<const COLUMNS: usize> {
    heading: [&'static str; COLUMNS],
    right: [bool; COLUMNS],
    rows: Vec<[Field; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    /// A table without rows. A heading that starts with `>` sets its column flush right.
    pub(crate) fn new(heading: [&'static str; COLUMNS]) -> Self {
        Self {
            heading: heading.map(|word| word.trim_start_matches('>')),
            right: heading.map(|word| word.starts_with('>')),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, fields: [Field; COLUMNS]) {
        self.rows.push(fields);
    }

    /// The table as text, each line with its end.
    pub(crate) fn render(&self) -> String {
        let mut widths = self.heading.map(|word| word.chars().count());
        for row in &self.rows {
            for (width, field) in widths.iter_mut().zip(row) {
                *width = (*width).max(field.width());
            }
        }
        let line_length: usize = widths.iter().map(|width| width + 12).sum();
        let mut out = String::with_capacity((self.rows.len() + 1) * line_length);
        let heading = self.heading.map(|word| Field::styled(word, Style::new().bold()));
        for row in std::iter::once(&heading).chain(&self.rows) {
            self.line(&mut out, row, &widths);
        }
        out
    }

    fn line(&self, out: &mut String, row: &[Field; COLUMNS], widths: &[usize; COLUMNS]) {
        // Blanks wait here until something follows them, so that no line ends in blanks.
        let mut blanks = 0;
        for (column, field) in row.iter().enumerate() {
            let room = widths[column].saturating_sub(field.width());
            blanks += if self.right[column] { room } else { 0 };
            if !field.text.is_empty() {
                out.extend(std::iter::repeat_n(' ', blanks));
                blanks = 0;
                match field.style {
                    Some(style) => out.push_str(&field.text.style(style).to_string()),
                    None => out.push_str(&field.text),
                }
            }
            blanks += 2 + if self.right[column] { 0 } else { room };
        }
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_end_where_their_text_ends() {
        let mut table = Table::new(["CELL", ">TIME", "WHY"]);
        table.row(["a-long-cell".into(), "9s".into(), "because".into()]);
        table.row(["b".into(), "1m 02s".into(), "".into()]);
        let text = anstream::adapter::strip_str(&table.render()).to_string();
        assert_eq!(
            text,
            "\
CELL           TIME  WHY
a-long-cell      9s  because
b            1m 02s
"
        );
    }
}
