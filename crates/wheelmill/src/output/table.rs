//! Tables in plain columns.

use owo_colors::{OwoColorize as _, Style};

use super::wrap::{break_line, wrap};
use super::{Page, safe, width};

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

    fn painted(&self) -> String {
        match self.style {
            Some(style) => self.text.style(style).to_string(),
            None => self.text.clone(),
        }
    }
}

impl<T: AsRef<str>> From<T> for Field {
    fn from(text: T) -> Self {
        Self::plain(text)
    }
}

/// The least room in which the words of a last column are broken into lines.
const LEAST: usize = 24;

/// Rows under a heading; as wide as its widest fields, two blanks between columns. Where that is
/// too wide, the last column is broken into lines; else columns that may be are left out; else each
/// row becomes a paragraph of all its fields.
#[derive(Debug)]
pub(crate) struct Table<const COLUMNS: usize> {
    heading: [&'static str; COLUMNS],
    right: [bool; COLUMNS],
    optional: [bool; COLUMNS],
    rows: Vec<[Field; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    /// A table without rows. A `>` before a heading sets its column flush right; with a `?` the
    /// column may be left out, those at the right first.
    pub(crate) fn new(heading: [&'static str; COLUMNS]) -> Self {
        let marks = heading.map(|word| word.len() - word.trim_start_matches(['>', '?']).len());
        let marked = |mark: char| {
            std::array::from_fn(|column| heading[column][..marks[column]].contains(mark))
        };
        Self {
            right: marked('>'),
            optional: marked('?'),
            heading: std::array::from_fn(|column| &heading[column][marks[column]..]),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, fields: [Field; COLUMNS]) {
        self.rows.push(fields);
    }

    /// The table as text for stdout, each line with its end.
    pub(crate) fn render(&self) -> String {
        self.render_within(width::stdout())
    }

    fn render_within(&self, width: Option<usize>) -> String {
        let widths = self.widths();
        let mut shown: Vec<usize> = (0..COLUMNS).filter(|column| widths[*column] > 0).collect();
        let Some(width) = width else { return self.columns(&shown, &widths) };
        while let Some(last) = shown.last().copied() {
            let before: usize = shown[..shown.len() - 1].iter().map(|it| widths[*it] + 2).sum();
            if before + widths[last] <= width {
                return self.columns(&shown, &widths);
            }
            let room = width.saturating_sub(before);
            if room >= LEAST && self.longest_word(last) <= room {
                return self.broken(last, room).columns(&shown, &widths);
            }
            match shown.iter().rposition(|column| self.optional[*column]) {
                Some(place) => drop(shown.remove(place)),
                None => break,
            }
        }
        self.paragraphs(width)
    }

    fn widths(&self) -> [usize; COLUMNS] {
        let mut widths = self.heading.map(|word| word.chars().count());
        for row in &self.rows {
            for (width, field) in widths.iter_mut().zip(row) {
                *width = (*width).max(field.width());
            }
        }
        widths
    }

    fn longest_word(&self, column: usize) -> usize {
        let words = self.rows.iter().flat_map(|row| row[column].text.split(' '));
        words.map(|word| word.chars().count()).max().unwrap_or_default()
    }

    /// The same table, with the fields of a column broken into rows of their own.
    fn broken(&self, column: usize, room: usize) -> Self {
        let Self { heading, right, optional, .. } = *self;
        let mut table = Self { heading, right, optional, rows: Vec::new() };
        for row in &self.rows {
            let text = break_line(&row[column].text, room, 0);
            for (index, line) in text.lines().enumerate() {
                let mut fields = match index {
                    0 => row.clone(),
                    _ => std::array::from_fn(|_| Field::plain("")),
                };
                fields[column] = Field { text: line.to_owned(), style: row[column].style };
                table.row(fields);
            }
            if text.is_empty() {
                table.row(row.clone());
            }
        }
        table
    }

    fn columns(&self, shown: &[usize], widths: &[usize; COLUMNS]) -> String {
        let line_length: usize = widths.iter().map(|width| width + 12).sum();
        let mut out = String::with_capacity((self.rows.len() + 1) * line_length);
        let heading = self.heading.map(|word| Field::styled(word, Style::new().bold()));
        for row in std::iter::once(&heading).chain(&self.rows) {
            self.line(&mut out, row, shown, widths);
        }
        out
    }

    fn line(
        &self,
        out: &mut String,
        row: &[Field; COLUMNS],
        shown: &[usize],
        widths: &[usize; COLUMNS],
    ) {
        // Blanks wait here until something follows them, so that no line ends in blanks.
        let mut blanks = 0;
        for &column in shown {
            let field = &row[column];
            let room = widths[column].saturating_sub(field.width());
            blanks += if self.right[column] { room } else { 0 };
            if !field.text.is_empty() {
                out.extend(std::iter::repeat_n(' ', blanks));
                blanks = 0;
                out.push_str(&field.painted());
            }
            blanks += 2 + if self.right[column] { 0 } else { room };
        }
        out.push('\n');
    }

    /// Each row as a paragraph: its first field, and below it the others with their names.
    fn paragraphs(&self, width: usize) -> String {
        let name_width = self.heading.iter().skip(1).map(|word| word.len()).max().unwrap_or(0);
        let mut page = Page::new();
        for row in &self.rows {
            page.line(row[0].painted());
            for (name, field) in self.heading.iter().zip(row).skip(1) {
                if !field.text.is_empty() {
                    let name = name.to_lowercase();
                    page.line(format_args!("  {name:<name_width$}  {}", field.painted()));
                }
            }
        }
        wrap(&page.finish(), Some(width))
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

    #[test]
    fn a_table_adapts_to_the_width_and_no_line_exceeds_it() {
        let mut table = Table::new(["CELL", "?STARTED", "?>TIME", "WHY"]);
        table.row([
            "torchsort-cp311".into(),
            "5 minutes ago".into(),
            "1m 48s".into(),
            "no compiler was found on this machine".into(),
        ]);
        table.row(["torchsort-cp312".into(), "just now".into(), "9s".into(), "".into()]);
        let at =
            |width| anstream::adapter::strip_str(&table.render_within(Some(width))).to_string();
        assert_eq!(at(200), anstream::adapter::strip_str(&table.render_within(None)).to_string());
        assert_eq!(
            at(70),
            "\
CELL             STARTED          TIME  WHY
torchsort-cp311  5 minutes ago  1m 48s  no compiler was found on this
                                        machine
torchsort-cp312  just now           9s
"
        );
        assert_eq!(
            at(45),
            "\
CELL             WHY
torchsort-cp311  no compiler was found on
                 this machine
torchsort-cp312
"
        );
        assert_eq!(
            at(30),
            "\
torchsort-cp311
  started  5 minutes ago
  time     1m 48s
  why      no compiler was
           found on this
           machine
torchsort-cp312
  started  just now
  time     9s
"
        );
        for width in 28..120 {
            assert!(at(width).lines().all(|line| line.chars().count() <= width), "{width}");
        }
    }
}
