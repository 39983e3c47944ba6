//! Cuts what may not be broken.

/// The text, with its end left out where it is too wide: `torchsort-0.1.10-cu1…`.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(width.saturating_sub(1)).collect();
    cut.push('…');
    cut
}
