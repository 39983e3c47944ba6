//! Breaks lines at word boundaries, and cuts what may not be broken.

use anstream::adapter::strip_str;

/// Names of fields are not longer than this; what is behind the blanks further right is text.
const NAMES: usize = 20;
/// The least that is worth its own indentation.
const LEAST: usize = 16;

/// The text with every line that is too wide broken between words. What follows lines up with the
/// beginning of the value, where a line has the form of a field, and else is indented a little more
/// than its line. Words are never broken, so paths stay whole. Drawings stay as they are.
pub(crate) fn wrap(text: &str, width: Option<usize>) -> String {
    let Some(width) = width else { return text.to_owned() };
    text.split_inclusive('\n').map(|line| wrap_line(line, width)).collect()
}

fn wrap_line(line: &str, width: usize) -> String {
    let is_drawn = line.contains(|character| matches!(character, '\u{2500}'..='\u{257f}'));
    if is_drawn || visible(line.trim_end()) <= width {
        return line.to_owned();
    }
    break_line(line, width, hang(line, width))
}

/// One line, broken between words; those after the first begin `hang` characters to the right.
pub(super) fn break_line(line: &str, width: usize, hang: usize) -> String {
    let mut out = String::with_capacity(line.len() + 16);
    let mut used = 0;
    for word in words(line) {
        let (blanks, letters) = word.split_at(word.len() - word.trim_start_matches(' ').len());
        let wide = visible(letters.trim_end());
        let fits_below = wide > 0 && hang + wide <= width;
        if used > hang && used + blanks.len() + wide > width && fits_below {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', hang));
            used = hang;
        } else {
            out.push_str(blanks);
            used += blanks.len();
        }
        out.push_str(letters);
        used += wide;
    }
    out
}

/// Where the lines after the first begin.
fn hang(line: &str, width: usize) -> usize {
    let plain = strip_str(line).to_string();
    let indent = plain.len() - plain.trim_start_matches(' ').len();
    let value = plain[indent..].find("  ").map(|end| {
        let gap = &plain[indent + end..];
        let value = indent + end + (gap.len() - gap.trim_start_matches(' ').len());
        plain[..value].chars().count()
    });
    match value {
        Some(value) if value <= NAMES && value + LEAST <= width => value,
        _ => (indent + 2).min(width / 2),
    }
}

/// The words of a line, each with the blanks before it.
fn words(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let blanks = rest.len() - rest.trim_start_matches(' ').len();
        let end = rest[blanks..].find(' ').map_or(rest.len(), |end| blanks + end);
        let (word, later) = rest.split_at(end);
        rest = later;
        (!word.is_empty()).then_some(word)
    })
}

fn visible(text: &str) -> usize {
    strip_str(text).to_string().chars().count()
}

/// The text, with its end left out where it is too wide: `torchsort-0.1.10-cu1…`.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(width.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words_and_line_up() {
        let text = "\
\u{1b}[1merror:\u{1b}[0m cell failed in compile: no compiler was found
  started      2026-11-22 10:46:37, it seems
  fix: name one in the recipe: system-packages
  path  /a/path/that/is/longer/than/the/line/may/ever/be
short

";
        assert_eq!(
            wrap(text, Some(36)),
            "\
\u{1b}[1merror:\u{1b}[0m cell failed in compile: no
  compiler was found
  started      2026-11-22 10:46:37,
               it seems
  fix: name one in the recipe:
    system-packages
  path  /a/path/that/is/longer/than/the/line/may/ever/be
short

"
        );
        assert_eq!(wrap(text, None), text);
    }

    #[test]
    fn drawings_are_left_alone_and_narrow_is_no_reason_to_panic() {
        let drawn = "   ╭─[wheelmill.toml:3:1] and a longer text\n";
        assert_eq!(wrap(drawn, Some(10)), drawn);
        assert_eq!(wrap("a  b c", Some(1)), "a\nb\nc");
        assert_eq!((cut("torchsort", 5).as_str(), cut("torch", 5).as_str()), ("torc…", "torch"));
    }
}
