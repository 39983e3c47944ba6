//! Small searches in lines of output.

/// Whether a line begins with one of the texts.
pub(super) fn starts_with_any(line: &str, starts: &[&str]) -> bool {
    starts.iter().any(|start| line.starts_with(start))
}

/// What stands between two texts, the first of each.
pub(super) fn between<'a>(line: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(before)?;
    let (inside, _) = rest.split_once(after)?;
    Some(inside)
}

/// The word behind a text: up to white space, without quotes and punctuation around it.
pub(super) fn word_after<'a>(line: &'a str, before: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(before)?;
    let word = rest.split_whitespace().next()?;
    let word = word.trim_matches(|character: char| "'\"`‘’,;:()[]".contains(character));
    let word = word.trim_end_matches('.');
    (!word.is_empty()).then_some(word)
}

/// The host of the first address in a line.
pub(super) fn host_of_address(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("://")?;
    let end = rest
        .find(|character: char| "/'\")>`, ".contains(character) || character.is_whitespace())
        .unwrap_or(rest.len());
    let authority = &rest[..end];
    // A password stands before the `@`, and must not be repeated.
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let host = host.split_once(':').map_or(host, |(host, _)| host);
    (!host.is_empty()).then_some(host)
}

/// A text cut to a number of characters, with an ellipsis where something is lost.
pub(super) fn cut(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        None => text.to_owned(),
        Some(_) => {
            let kept: String = text.chars().take(characters.saturating_sub(1)).collect();
            format!("{kept}…")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_an_address_is_not_repeated() {
        assert_eq!(
            host_of_address("for url (https://user:secret@wheels.example:8443/simple/)"),
            Some("wheels.example")
        );
        assert_eq!(host_of_address("no address"), None);
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        assert_eq!(cut("ähnlich", 4), "ähn…");
        assert_eq!(cut("ähnlich", 7), "ähnlich");
    }
}
