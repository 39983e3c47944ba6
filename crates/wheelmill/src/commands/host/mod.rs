//! `wheelmill host`: what the `[host]` section changes on this machine; its doing and undoing.

mod explain;
mod page;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use camino::Utf8PathBuf;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use wheelmill_engine::{DaemonAdministration, EngineKind};
use wheelmill_host::apply::{
    AppliedChange, Consent, HostChange, HostError, HostSettings, Outcome, Step,
};
use wheelmill_host::plan::{HostPlan, RefusalKind};
use wheelmill_recipe::HostSection;

use super::confirm;
use crate::error::{CliError, Ending};
use crate::output::{Page, human, talk};
use crate::settings::Session;
use crate::sockets::sockets;

/// Set up this machine's Docker for GPU builds, as `[host]` of wheelmill.toml says
///
/// Ends with 2 when what is asked for is refused, or needs a word that was not said
/// (`--stop-containers`, `--hide-images`, `--yes`), or there is nothing to take back; with 3 when
/// the machine does not allow it, or a change failed.
#[derive(Debug, Args)]
pub(crate) struct HostArgs {
    #[command(subcommand)]
    command: HostCommand,
}

#[derive(Debug, Subcommand)]
enum HostCommand {
    Plan(PlanArgs),
    Apply(ApplyArgs),
    Undo(UndoArgs),
    Explain(explain::ExplainArgs),
}

/// Show what would change: files, what the daemon needs for it, what would stop or vanish
///
/// Changes nothing.
#[derive(Debug, Args)]
struct PlanArgs {}

/// Make the machine as `[host]` says
///
/// Files are kept as they were, checked, replaced as a whole, and the daemon is asked whether it
/// follows. When anything fails, everything becomes as it was.
#[derive(Debug, Args)]
struct ApplyArgs {
    #[command(flatten)]
    consent: ConsentArgs,

    /// Install what is missing, with the commands that `plan` shows
    #[arg(long)]
    install: bool,
}

/// Take back the last `apply`; said again, the one before
///
/// What somebody else has written into the same files since stays. The daemon is asked whether it is
/// as before.
#[derive(Debug, Args)]
struct UndoArgs {
    #[command(flatten)]
    consent: ConsentArgs,
}

#[derive(Debug, Args)]
struct ConsentArgs {
    /// Do not ask
    #[arg(long, short)]
    yes: bool,

    /// Running containers may stop
    #[arg(long)]
    stop_containers: bool,

    /// Images and volumes may vanish from sight, where they are to lie elsewhere
    #[arg(long)]
    hide_images: bool,

    /// The daemon's file of settings, for a daemon that is down [default: as it was started with,
    /// else /etc/docker/daemon.json]
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    daemon_json: Option<Utf8PathBuf>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Document<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
    plan: &'a HostPlan,
}

/// Does what was asked for.
pub(crate) fn host(args: &HostArgs, session: &Session) -> Result<Ending, CliError> {
    match &args.command {
        HostCommand::Plan(PlanArgs {}) => plan(session),
        HostCommand::Apply(args) => apply(args, session),
        HostCommand::Undo(args) => undo(args, session),
        HostCommand::Explain(args) => explain::explain(args, session),
    }
}

fn plan(session: &Session) -> Result<Ending, CliError> {
    let wish = wish(session)?;
    let plan = settings(None, session)?.plan(&wish)?;
    if session.printer.json {
        session.printer.document(Document { outcome: None, plan: &plan })?;
    } else {
        page::show(&plan, session)?;
        if plan.is_nothing() {
            session.printer.say("the machine is as `[host]` says");
        }
    }
    Ok(ending(&plan))
}

fn apply(args: &ApplyArgs, session: &Session) -> Result<Ending, CliError> {
    let printer = session.printer;
    let wish = wish(session)?;
    let settings = settings(args.consent.daemon_json.as_ref(), session)?;
    let change = settings.begin()?;
    tell_recovered(&change, session);
    let plan = change.plan(&wish)?;
    // What is refused is told as an error.
    if !printer.json && !plan.is_nothing() && plan.refusals.is_empty() {
        page::show(&plan, session)?;
    }
    let ask = !plan.is_nothing() && plan.refusals.is_empty() && !args.consent.yes;
    if ask && !agreed("Change this machine?", session)? {
        return Ok(Ending::Done);
    }
    let consent = Consent {
        stop_containers: args.consent.stop_containers,
        hide_images: args.consent.hide_images,
        install: args.install,
    };
    finish_what_is_begun()?;
    let outcome = change.apply(&wish, consent, &mut |step| printer.say(said(&step)));
    let outcome = outcome.inspect_err(tell_log)?;
    if printer.json {
        printer.document(Document { outcome: Some(outcome), plan: &plan })?;
    }
    printer.say(match outcome {
        Outcome::Nothing => "the machine is as `[host]` says; nothing was changed",
        // A volume that was made stays.
        Outcome::Changed if plan.files.is_empty() => "done",
        Outcome::Changed => "done; `wheelmill host undo` takes it back",
    });
    Ok(Ending::Done)
}

fn undo(args: &UndoArgs, session: &Session) -> Result<Ending, CliError> {
    let printer = session.printer;
    let settings = settings(args.consent.daemon_json.as_ref(), session)?;
    let change = settings.begin()?;
    tell_recovered(&change, session);
    let applied = change.applied()?;
    for remark in change.undo_remarks()? {
        printer.warn(&remark.message, remark.hint.as_deref());
    }
    if let Some(latest) = applied.first().filter(|_| !args.consent.yes) {
        // Shown also where nobody is there to be asked.
        printer.say(format_args!("what is taken back: the change of {}", described(latest)));
        if !agreed("Take it back?", session)? {
            return Ok(Ending::Done);
        }
    }
    let ConsentArgs { stop_containers, hide_images, .. } = args.consent;
    let consent = Consent { stop_containers, hide_images, install: false };
    finish_what_is_begun()?;
    let outcome = change.undo(consent, &mut |step| printer.say(said(&step)));
    let outcome = outcome.inspect_err(tell_log)?;
    let left = change.applied()?;
    if printer.json {
        printer.document(json!({ "outcome": outcome, "left": left }))?;
    }
    printer.say(match left.first() {
        None => "done; nothing is left to take back".to_owned(),
        Some(next) => format!(
            "done; {} left to take back, the next is that of {}",
            human::count(left.len(), "earlier change"),
            described(next)
        ),
    });
    Ok(Ending::Done)
}

/// `2026-11-22 20:10:03 UTC (bip, runtimes.nvidia.path)`.
fn described(change: &AppliedChange) -> String {
    format!("{} ({})", moment(change.began), change.keys.join(", "))
}

fn moment(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn tell_recovered(change: &HostChange<'_>, session: &Session) {
    if let Some(began) = change.recovered() {
        session.printer.say(format_args!(
            "the change of {} was cut off before its end; its files are as they were before it",
            moment(began)
        ));
    }
}

/// What `[host]` says: of the project file, else of the user's own.
fn wish(session: &Session) -> Result<HostSection, CliError> {
    let wish = session.files()?.into_iter().map(|file| &file.host).find(|host| !host.is_empty());
    wish.cloned().ok_or_else(|| {
        CliError::usage("no `[host]` section says what this machine should be").hint(
            "write one into wheelmill.toml: `[host]` and below it `nvidia-runtime = true`; all \
             keys: docs/reference/recipe.md",
        )
    })
}

/// The daemon that is meant: the one that answers, else the first that could.
fn settings(file: Option<&Utf8PathBuf>, session: &Session) -> Result<HostSettings, CliError> {
    let sockets = sockets(EngineKind::Docker, &session.environment)?;
    let daemon = match (DaemonAdministration::find(&sockets), sockets.first()) {
        (Err(_), Some(first)) => DaemonAdministration::at(first),
        (found, _) => found.map_err(|error| CliError::new(Ending::NotReady, error))?,
    };
    Ok(HostSettings { daemon, settings: file.cloned() })
}

/// Asks; nobody there is a no, and an error.
fn agreed(question: &str, session: &Session) -> Result<bool, CliError> {
    if !confirm::somebody_is_there() {
        return Err(CliError::usage("nobody is there to be asked whether to change this machine")
            .hint("say it beforehand: `--yes`"));
    }
    let agreed = confirm::ask(question)?;
    if !agreed {
        session.printer.say("nothing was changed");
    }
    Ok(agreed)
}

/// From here on neither a Ctrl-C nor a lost connection leaves the machine between two states.
fn finish_what_is_begun() -> Result<(), CliError> {
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        // The flag is for nobody: that there is one keeps the signal from ending us.
        let registered = signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)));
        registered.map_err(|error| CliError::new(Ending::Defect, error))?;
    }
    Ok(())
}

/// What the daemon itself printed about a failure.
fn tell_log(error: &HostError) {
    let mut page = Page::new();
    for line in error.log() {
        page.quote(line);
    }
    let text = page.finish();
    if !text.is_empty() {
        talk("the daemon's last lines:");
        talk(text.trim_end());
    }
}

fn said(step: &Step) -> String {
    match step {
        Step::Installed => "installed what was missing".to_owned(),
        Step::Kept(file) => format!("kept `{file}` as it was"),
        Step::Validated { unasked: None } => "the daemon calls the settings good".to_owned(),
        Step::Validated { unasked: Some(why) } => {
            format!("checked the settings, but not by the daemon: {why}")
        }
        Step::Noted => "noted how to take it back".to_owned(),
        Step::Replaced(file) => format!("wrote `{file}`"),
        Step::Bridged => "made the bridge".to_owned(),
        Step::UnitsRead => "systemd has read its units".to_owned(),
        Step::Reloaded => "the daemon has read its settings".to_owned(),
        Step::Restarting => "starting the daemon again".to_owned(),
        Step::Restarted => "the daemon was started again, and answers".to_owned(),
        Step::Verified => "the daemon is as wanted".to_owned(),
        Step::VolumeMade(name) => format!("made the volume `{name}`"),
        Step::Restored => "the files are as they were".to_owned(),
        Step::TakenOut(file) => {
            format!("took out of `{file}` what is still ours; what was changed since stays")
        }
    }
}

/// What is dangerous was asked for wrongly; all else is the machine's.
fn ending(plan: &HostPlan) -> Ending {
    if plan.refusals.iter().any(|refusal| refusal.kind == RefusalKind::Wish) {
        return Ending::Usage;
    }
    if plan.refusals.is_empty() { Ending::Done } else { Ending::NotReady }
}
