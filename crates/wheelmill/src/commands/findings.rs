//! What is printed of the findings about a wheel.

use owo_colors::OwoColorize as _;
use wheelmill_wheel::{Finding, Severity};

use crate::output::{safe, style};

/// A paragraph for each: `error[record.hash-mismatch]: …`, where it was seen, what to do.
pub(super) fn render(findings: &[Finding]) -> String {
    findings.iter().map(render_one).collect()
}

fn render_one(finding: &Finding) -> String {
    let (word, style) = match finding.severity {
        Severity::Error => ("error", style::bad()),
        Severity::Warning => ("warning", style::warning()),
        Severity::Note => ("note", style::strong()),
    };
    let mut text = format!(
        "{}: {}\n",
        format!("{word}[{}]", finding.code).style(style),
        safe(&finding.message)
    );
    for place in &finding.evidence {
        text.push_str(&format!("    {}\n", safe(place).style(style::dim())));
    }
    if let Some(hint) = &finding.hint {
        text.push_str(&format!("  {} {}\n", "hint:".style(style::active()), safe(hint)));
    }
    text
}
