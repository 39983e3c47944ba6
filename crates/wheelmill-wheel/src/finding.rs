//! What was found wrong or worth saying, in a form for people and for programs.

use serde::Serialize;

use crate::rules::Rule;

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing, no defect.
    Note,
    /// A defect that users may feel.
    Warning,
    /// The wheel would fail its users, or installers would refuse it.
    Error,
}

/// One thing found, with its evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// A name that stays the same between releases: `record.hash-mismatch`.
    pub code: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// One sentence.
    pub message: String,
    /// Where it was seen, one line a place; long lists are cut with a last line that says so.
    pub evidence: Vec<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Finding {
    /// A finding of a rule, in the rule's own words.
    pub(crate) fn of(rule: &Rule) -> Self {
        Self {
            code: rule.code,
            severity: rule.severity,
            message: rule.message.to_owned(),
            evidence: Vec::new(),
            hint: Some(rule.hint.to_owned()),
        }
    }

    pub(crate) fn message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    pub(crate) fn evidence<I>(mut self, lines: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let mut left_out = 0_usize;
        for line in lines {
            if self.evidence.len() < EVIDENCE_LINES {
                self.evidence.push(line.into());
            } else {
                left_out += 1;
            }
        }
        if left_out > 0 {
            self.evidence.push(format!("… and {left_out} more"));
        }
        self
    }
}

/// The most lines of evidence in one finding: enough to see a pattern, too few to drown in.
const EVIDENCE_LINES: usize = 20;

/// Gathers findings while a wheel is read; what breaks one rule in many places is one finding.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    seen: Vec<(&'static Rule, Vec<String>)>,
}

impl Findings {
    /// Notes one place where a rule is broken.
    pub(crate) fn add(&mut self, rule: &'static Rule, evidence: impl Into<String>) {
        let evidence = evidence.into();
        match self.seen.iter_mut().find(|(seen, _)| seen.code == rule.code) {
            Some((_, lines)) => lines.push(evidence),
            None => self.seen.push((rule, vec![evidence])),
        }
    }

    /// Takes over what was gathered elsewhere.
    pub(crate) fn append(&mut self, other: Self) {
        for (rule, lines) in other.seen {
            for line in lines {
                self.add(rule, line);
            }
        }
    }

    /// The findings, the gravest first, else in the order they were met.
    pub(crate) fn finish(self) -> Vec<Finding> {
        let mut findings: Vec<Finding> =
            self.seen.into_iter().map(|(rule, lines)| Finding::of(rule).evidence(lines)).collect();
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        findings
    }
}
