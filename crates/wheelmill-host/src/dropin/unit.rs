//! Reads what matters of a unit file.

/// The lines of a unit file, those that end with a backslash joined with their next, without
/// comments.
pub(super) fn lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut open = String::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with('#') || line.starts_with(';') {
            continue;
        }
        match line.strip_suffix('\\') {
            Some(part) => open = format!("{open}{} ", part.trim_end()),
            None => {
                let whole = std::mem::take(&mut open) + line;
                lines.extend((!whole.is_empty()).then_some(whole));
            }
        }
    }
    lines
}

/// The words of a command, as systemd parts them: quotes hold around a whole word
/// (`systemd.service(5)`).
pub(super) fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = command.trim_start();
    while let Some(first) = rest.chars().next() {
        let quoted = matches!(first, '"' | '\'').then(|| rest[1..].split_once(first)).flatten();
        let (word, behind) = match quoted {
            Some(parts) => parts,
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        words.push(word.to_owned());
        rest = behind.trim_start();
    }
    words
}

/// Whether a quote in a word has no end: around a whole one it was taken off.
pub(super) fn has_open_quote(word: &str) -> bool {
    ['"', '\''].iter().any(|quote| word.matches(*quote).count() % 2 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_joined_and_words_are_parted() {
        let text = "# old\n[Service]\nExecStart=/usr/bin/dockerd \\\n  -H unix:// \\\n  -D\n\n";
        assert_eq!(lines(text), ["[Service]", "ExecStart=/usr/bin/dockerd -H unix:// -D"]);
        assert_eq!(words("a  \"b c\" --x=\"y\" 'd'"), ["a", "b c", "--x=\"y\"", "d"]);
        let open = words("-H \"fd:// --label='a'");
        assert_eq!(open, ["-H", "\"fd://", "--label='a'"]);
        let has: Vec<bool> = open.iter().map(|word| has_open_quote(word)).collect();
        assert_eq!(has, [false, true, false]);
    }
}
