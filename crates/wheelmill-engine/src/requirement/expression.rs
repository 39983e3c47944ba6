//! Reads expressions.

use std::fmt;
use std::str::FromStr;

use super::condition::{Condition, Operator, Property, Wanted};

/// Conditions, of which one group must hold as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    /// The groups. None: nothing is asked for.
    pub alternatives: Vec<Vec<Condition>>,
}

/// A text that is no expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{expression}` cannot be read at character {column}: {reason}")]
pub struct ExpressionError {
    /// The whole text.
    pub expression: String,
    /// Where it goes wrong, in characters from 1.
    pub column: usize,
    /// What is wrong there.
    pub reason: String,
}

impl FromStr for Expression {
    type Err = ExpressionError;

    fn from_str(text: &str) -> Result<Self, ExpressionError> {
        let mut alternatives = Vec::new();
        for (start, term) in pieces(text, |character| character.is_ascii_whitespace()) {
            if term.is_empty() {
                continue;
            }
            let conditions = pieces(term, |character| character == ',').into_iter();
            let conditions = conditions.map(|(offset, factor)| {
                condition(factor).map_err(|(place, reason)| ExpressionError {
                    expression: text.to_owned(),
                    column: text[..start + offset + place].chars().count() + 1,
                    reason,
                })
            });
            alternatives.push(conditions.collect::<Result<_, _>>()?);
        }
        Ok(Self { alternatives })
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, conditions) in self.alternatives.iter().enumerate() {
            formatter.write_str(if position == 0 { "" } else { " " })?;
            for (position, condition) in conditions.iter().enumerate() {
                write!(formatter, "{}{condition}", if position == 0 { "" } else { "," })?;
            }
        }
        Ok(())
    }
}

/// The pieces between separators, each with its offset in bytes.
fn pieces(text: &str, separates: impl Fn(char) -> bool) -> Vec<(usize, &str)> {
    let start = text.as_ptr().addr();
    text.split(separates).map(|piece| (piece.as_ptr().addr() - start, piece)).collect()
}

/// Reads one condition; the error has its offset in bytes.
fn condition(text: &str) -> Result<Condition, (usize, String)> {
    if text.is_empty() {
        return Err((0, "a condition is missing".to_owned()));
    }
    let at = text.find(['=', '!', '<', '>']).unwrap_or(text.len());
    let (name, rest) = text.split_at(at);
    let property = Property::ALL
        .into_iter()
        .find(|property| property.as_str().eq_ignore_ascii_case(name))
        .ok_or_else(|| {
            let known = Property::ALL.map(Property::as_str).join("`, `");
            let reason = match name {
                "" => format!("a property is missing before the operator: one of `{known}`"),
                _ => format!("`{name}` is not a property: they are `{known}`"),
            };
            (0, reason)
        })?;
    let operator =
        Operator::ALL.into_iter().find(|operator| rest.starts_with(operator.as_str())).ok_or_else(
            || (at, "an operator is wanted: `=`, `!=`, `<`, `<=`, `>` or `>=`".to_owned()),
        )?;
    let value_at = at + operator.as_str().len();
    let value = &text[value_at..];
    let wrong = |reason: String| (value_at, reason);
    if value.is_empty() {
        let reason = "a value is missing; there are no spaces around operators";
        return Err(wrong(reason.to_owned()));
    }
    let wanted = match property {
        Property::Brand if !matches!(operator, Operator::Equal | Operator::NotEqual) => {
            return Err((at, "a brand is compared with `=` or `!=` only".to_owned()));
        }
        Property::Brand => Wanted::Brand(value.to_ascii_lowercase()),
        _ => Wanted::Version(value.parse().map_err(|()| {
            wrong(format!("`{value}` is not a version: write digits with dots between them"))
        })?),
    };
    Ok(Condition { property, operator, wanted })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn error(text: &str) -> (usize, String) {
        let error = text.parse::<Expression>().unwrap_err();
        (error.column, error.reason)
    }

    #[test]
    fn spaces_part_alternatives_and_commas_bind_tighter() {
        // As the images `nvidia/cuda:12.8.1-*` have it, shortened.
        let text = "cuda>=12.8 brand=tesla,driver>=535,driver<536  brand=GeForce,arch!=7.5";
        let expression: Expression = text.parse().unwrap();
        let sizes: Vec<usize> = expression.alternatives.iter().map(Vec::len).collect();
        assert_eq!(sizes, [1, 3, 2]);
        assert_eq!(
            expression.to_string(),
            "cuda>=12.8 brand=tesla,driver>=535,driver<536 brand=geforce,arch!=7.5"
        );
        assert_eq!("CUDA>=9.0".parse::<Expression>().unwrap().to_string(), "cuda>=9.0");
        assert_eq!(" \t".parse::<Expression>().unwrap().alternatives.len(), 0);
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        assert_eq!(error("cuda>=9.0 cdua>=9.0").0, 11);
        assert!(error("cdua>=9.0").1.contains("`cdua` is not a property"));
        assert_eq!(error("cuda >= 9.0").0, 5);
        assert!(error("cuda >= 9.0").1.contains("operator"));
        assert_eq!(error("cuda>= 9.0").0, 7);
        assert!(error("cuda>= 9.0").1.contains("spaces"));
        assert_eq!(error("cuda==9.0").0, 6);
        assert_eq!(error("driver>=450,,cuda>=9").0, 13);
        assert!(error("driver>=450,").1.contains("missing"));
        assert!(error("brand>tesla").1.contains("only"));
        assert_eq!(error("brand=é,cuda>=x"), (15, error("cuda>=x").1));
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_again(text in r"[a-z<>=!., é0-9]{0,40}") {
            if let Ok(expression) = text.parse::<Expression>() {
                prop_assert_eq!(expression.to_string().parse::<Expression>(), Ok(expression));
            }
        }

        #[test]
        fn conditions_are_read_as_they_are_printed(
            groups in prop::collection::vec(
                prop::collection::vec(
                    (
                        prop::sample::select(vec!["cuda", "driver", "arch"]),
                        prop::sample::select(vec!["=", "!=", "<", "<=", ">", ">="]),
                        r"[0-9]{1,4}(\.[0-9]{1,4}){0,3}",
                    ),
                    1..4,
                ),
                1..4,
            )
        ) {
            let groups: Vec<String> = groups
                .iter()
                .map(|group| {
                    let parts: Vec<String> =
                        group.iter().map(|(name, sign, value)| format!("{name}{sign}{value}")).collect();
                    parts.join(",")
                })
                .collect();
            let text = groups.join(" ");
            prop_assert_eq!(text.parse::<Expression>().unwrap().to_string(), text);
        }
    }
}
