//! One pattern of a `.dockerignore`, as Docker reads it.

use std::str::Chars;

/// A pattern, and what it means for a path.
#[derive(Debug)]
pub(super) struct Pattern {
    pieces: Vec<Piece>,
    /// What it fits is in after all.
    pub(super) exception: bool,
}

/// What a part of a pattern stands for.
#[derive(Debug, PartialEq, Eq)]
enum Piece {
    /// This character, whatever it means elsewhere: `{a,b}` is a name.
    Character(char),
    /// `?`: any character within a name.
    AnyCharacter,
    /// `[a-z]`, `[^a-z]`: one of some characters.
    Class { negated: bool, ranges: Vec<(char, char)> },
    /// `*`: any text within a name.
    Name,
    /// `**/`: any folders, or none.
    Folders,
    /// `**` at the end: any text.
    Rest,
}

impl Pattern {
    /// Reads a line of a `.dockerignore`; none where it says nothing. Patterns begin at the folder,
    /// whether they say so or not.
    pub(super) fn parse(line: &str) -> Result<Option<Self>, String> {
        let line = line.trim();
        let (exception, text) = match line.strip_prefix('!') {
            Some("") => return Err("`!` names nothing".to_owned()),
            Some(rest) => (true, rest.trim_start()),
            None => (false, line),
        };
        let text = cleaned(text);
        if text.is_empty() {
            return Ok(None);
        }
        let pieces = pieces(&text).map_err(|why| format!("`{line}` is not a pattern: {why}"))?;
        Ok(Some(Self { pieces, exception }))
    }

    /// Whether it fits a path itself.
    pub(super) fn fits(&self, path: &str) -> bool {
        let may_be_nothing =
            |piece: &Piece| matches!(piece, Piece::Name | Piece::Folders | Piece::Rest);
        walk(&self.pieces, path, &|left| left.iter().all(may_be_nothing))
    }

    /// Whether it can fit something below a folder.
    pub(super) fn reaches_into(&self, folder: &str) -> bool {
        walk(&self.pieces, &format!("{folder}/"), &|left| !left.is_empty())
    }
}

/// Whether pieces can stand for a text; where the text ends first, what is left of them decides.
fn walk(pieces: &[Piece], text: &str, at_end: &dyn Fn(&[Piece]) -> bool) -> bool {
    if text.is_empty() {
        return at_end(pieces);
    }
    let Some((first, others)) = pieces.split_first() else { return false };
    let go_on = |from: usize| walk(others, &text[from..], at_end);
    match first {
        Piece::Name => {
            let name = text.split('/').next().unwrap_or_default();
            name.char_indices().any(|(index, _)| go_on(index)) || go_on(name.len())
        }
        Piece::Folders => go_on(0) || text.match_indices('/').any(|(index, _)| go_on(index + 1)),
        Piece::Rest => text.char_indices().any(|(index, _)| go_on(index)) || at_end(pieces),
        one => {
            let mut characters = text.chars();
            let fits = characters.next().is_some_and(|character| one.is(character));
            fits && walk(others, characters.as_str(), at_end)
        }
    }
}

impl Piece {
    /// Whether it stands for this one character.
    fn is(&self, character: char) -> bool {
        match self {
            Self::Character(own) => *own == character,
            Self::AnyCharacter => character != '/',
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(first, last)| (*first..=*last).contains(&character)) != *negated
            }
            Self::Name | Self::Folders | Self::Rest => false,
        }
    }
}

fn pieces(text: &str) -> Result<Vec<Piece>, &'static str> {
    let mut pieces = Vec::new();
    let mut left = text.chars();
    while let Some(character) = left.next() {
        let piece = match character {
            '*' if skip(&mut left, '*') => {
                skip(&mut left, '/');
                if left.as_str().is_empty() { Piece::Rest } else { Piece::Folders }
            }
            '*' => Piece::Name,
            '?' => Piece::AnyCharacter,
            '[' => class(&mut left)?,
            '\\' => Piece::Character(left.next().ok_or("it ends with `\\`")?),
            character => Piece::Character(character),
        };
        pieces.push(piece);
    }
    // `**.log` is every name that ends so, in any folder.
    let is_suffix = text.starts_with("**") && !text.starts_with("**/");
    let plain = |piece: &Piece| matches!(piece, Piece::Character(_));
    if is_suffix && pieces.iter().skip(1).all(plain) {
        pieces[0] = Piece::Rest;
    }
    Ok(pieces)
}

/// Takes a character, if it is the next.
fn skip(left: &mut Chars<'_>, character: char) -> bool {
    let rest = left.as_str().strip_prefix(character);
    if let Some(rest) = rest {
        *left = rest.chars();
    }
    rest.is_some()
}

/// What stands between brackets.
fn class(left: &mut Chars<'_>) -> Result<Piece, &'static str> {
    let negated = skip(left, '^');
    let mut ranges = Vec::new();
    while ranges.is_empty() || !skip(left, ']') {
        let first = member(left)?;
        let last = if skip(left, '-') { member(left)? } else { first };
        ranges.push((first, last));
    }
    Ok(Piece::Class { negated, ranges })
}

fn member(left: &mut Chars<'_>) -> Result<char, &'static str> {
    match left.next() {
        Some('\\') => left.next().ok_or("it ends with `\\`"),
        Some('-' | ']') => Err("a character is missing between `[` and `]`"),
        Some(character) => Ok(character),
        None => Err("its `[` has no `]`"),
    }
}

/// A path without `.`, `..`, doubled slashes, and slashes at its ends.
fn cleaned(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if path.starts_with('/') => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(line: &str) -> Pattern {
        Pattern::parse(line).unwrap().unwrap()
    }

    /// What Docker's own tests say of these patterns.
    #[test]
    fn patterns_fit_what_they_fit_for_docker() {
        for (line, path, fits) in [
            ("**", "file", true),
            ("**/", "dir/file", true),
            ("**/**", "dir/file", true),
            ("dir/**", "dir/dir2/file", true),
            ("dir/**", "dir", false),
            ("**/dir2/*", "dir/dir2/file", true),
            ("**/dir2/*", "dir/dir2/dir2/file", true),
            ("**/file", "dir/dir/file", true),
            ("**/file", "file", true),
            ("**/*.txt", "dir/file.txt", true),
            ("**file", "dir/other-file", true),
            ("**/foo/*bar", "foobar", false),
            ("a**/*.txt", "a/file.txt", true),
            ("a**/*.txt", "a/dir/dir/file.txt", true),
            ("a/*.txt", "a/dir/file.txt", false),
            ("foo**", "foobar/x", true),
            ("*.log", "a/b.log", false),
            ("f?o", "foo", true),
            ("f?o", "f/o", false),
            ("a[b-d]e", "ace", true),
            ("a[^b-d]e", "ace", false),
            ("a\\*b", "a*b", true),
            ("a\\*b", "axb", false),
            ("a[\\]]b", "a]b", true),
            ("{a,b}.txt", "a.txt", false),
            ("{a,b}.txt", "{a,b}.txt", true),
            ("a(b|c)+$", "a(b|c)+$", true),
            ("scripts/../data", "data", true),
            ("./a//b/", "a/b", true),
            ("/../a", "a", true),
            ("../a", "a", false),
            ("?", "é", true),
        ] {
            assert_eq!(pattern(line).fits(path), fits, "{line} {path}");
        }
    }

    #[test]
    fn what_a_pattern_can_fit_below_a_folder_is_known() {
        for (line, folder, reaches) in [
            ("data/keep/deep", "data", true),
            ("data/keep/deep", "data/keep", true),
            ("data/keep/deep", "data/other", false),
            ("data/keep/deep", "data/keep/deep", false),
            ("data/*/deep", "data/other", true),
            ("*.md", "data", false),
            ("**/deep", "data/other", true),
            ("src/**", "data", false),
            ("src/**", "src/a", true),
            ("data", "database", false),
        ] {
            assert_eq!(pattern(line).reaches_into(folder), reaches, "{line} {folder}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_its_line() {
        for wrong in ["[", "[a", "[]", "a[-x]", "a\\", "!"] {
            let said = Pattern::parse(wrong).unwrap_err();
            assert!(said.contains(&format!("`{wrong}`")), "{said}");
        }
        for nothing in ["", " ", ".", "/", "a/.."] {
            assert!(Pattern::parse(nothing).unwrap().is_none(), "{nothing}");
        }
    }
}
