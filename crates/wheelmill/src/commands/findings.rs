//! What is printed of the findings about a wheel.

use owo_colors::OwoColorize as _;
use wheelmill_wheel::{Finding, Severity};

use crate::output::{Page, safe, style};

/// Adds a paragraph for each: `error[record.hash-mismatch]: …`, where it was seen, what to do.
pub(super) fn add(page: &mut Page, findings: &[Finding]) {
    for finding in findings {
        let (word, style) = match finding.severity {
            Severity::Error => ("error", style::bad()),
            Severity::Warning => ("warning", style::warning()),
            Severity::Note => ("note", style::strong()),
        };
        let label = format!("{word}[{}]:", finding.code);
        page.line(format_args!("{} {}", label.style(style), safe(&finding.message)));
        for place in &finding.evidence {
            page.quote(place);
        }
        if let Some(hint) = &finding.hint {
            page.remark("hint:", style::active(), hint);
        }
    }
}
