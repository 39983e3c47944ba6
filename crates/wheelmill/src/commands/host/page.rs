//! A plan of changes, for people.

use owo_colors::OwoColorize as _;
use serde_json::Value;
use wheelmill_host::plan::{Action, HostPlan};

use crate::error::CliError;
use crate::output::{Field, Page, Table, human, safe, style};
use crate::settings::Session;

/// Prints what is refused, the changes of files, and what they cost.
pub(super) fn show(plan: &HostPlan, session: &Session) -> Result<(), CliError> {
    let printer = session.printer;
    for remark in &plan.remarks {
        printer.warn(&remark.message, remark.hint.as_deref());
    }
    let mut refused = Page::new();
    for refusal in &plan.refusals {
        let label = "refused:".style(style::bad());
        refused.line(format_args!("{label} {} ({})", safe(&refusal.message), refusal.code));
        refused.remark("instead:", style::active(), &refusal.instead);
    }
    printer.page(&refused.finish())?;
    let mut page = Page::new();
    for file in &plan.files {
        for line in file.diff().lines() {
            let style = match line.as_bytes().first() {
                Some(b'+') => style::good(),
                Some(b'-') => style::bad(),
                _ => style::dim(),
            };
            page.line(safe(line).style(style));
        }
    }
    // A table and a diff fit already, each in its own way.
    printer.data(&page.finish())?;
    if !plan.keys.is_empty() {
        printer.data("\n")?;
        printer.data(&keys(plan))?;
    }
    printer.page(&costs(plan))?;
    Ok(())
}

fn keys(plan: &HostPlan) -> String {
    let mut table = Table::new(["KEY", "FROM", "TO", "NEEDS"]);
    for change in &plan.keys {
        let text = |value: &Option<Value>| match value {
            Some(value) => value.to_string(),
            None => "-".to_owned(),
        };
        let needs = match change.action {
            Action::Nothing => "nothing",
            Action::Reload => "reload",
            Action::Restart => "restart",
        };
        // Somebody wrote it since the daemon started.
        let needs = match change.from == change.to {
            true => format!("{needs}: the daemon does not follow yet"),
            false => needs.to_owned(),
        };
        table.row([
            Field::styled(&change.key, style::strong()),
            Field::plain(text(&change.from)),
            Field::plain(text(&change.to)),
            Field::plain(needs),
        ]);
    }
    table.render()
}

/// What it costs, and what else is done.
fn costs(plan: &HostPlan) -> String {
    let mut page = Page::new();
    if plan.units {
        page.line("systemd reads its units anew (daemon-reload)");
    }
    for command in &plan.network {
        page.line(format_args!("for the bridge: {}", safe(&command.join(" "))));
    }
    let names = |names: &mut dyn Iterator<Item = &str>| {
        names.map(|name| safe(name).into_owned()).collect::<Vec<_>>().join(", ")
    };
    if !plan.stops.is_empty() {
        let count = human::count(plan.stops.len(), "container");
        let list = names(&mut plan.stops.iter().map(|container| container.name.as_str()));
        page.line(format_args!("{} {count}: {list}", "stops".style(style::warning())));
    }
    for (hidden, what) in [(&plan.hides_images, "image"), (&plan.hides_volumes, "volume")] {
        if !hidden.is_empty() {
            let list = names(&mut hidden.iter().map(String::as_str));
            let count = human::count(hidden.len(), what);
            page.line(format_args!("{} {count}: {list}", "hides".style(style::warning())));
        }
    }
    if let Some(volume) = &plan.volume {
        page.line(format_args!("makes the volume {}", safe(volume)));
    }
    if !plan.packages.is_empty() {
        page.line("NVIDIA's runtime is not installed; as root, or with `--install`:");
        for command in &plan.packages {
            page.line(format_args!("  {}", safe(command)));
        }
    }
    page.finish()
}
