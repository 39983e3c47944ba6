//! `wheelmill clean`: what takes room, what a budget lets go, and its removal.

use std::time::SystemTime;

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use wheelmill_engine::{EngineKind, Removal};
use wheelmill_mill::{
    CleanItem, CleanKind, CleanSettings, CleanState, Cleaner, DaemonPlace, NotLookedAt, Survey,
};
use wheelmill_model::ByteSize;
use wheelmill_recipe::EngineWish;

use super::cells::{EngineArg, engine_parser, own_program};
use super::confirm;
use crate::environment;
use crate::error::{CliError, Ending};
use crate::output::{Field, Page, Table, human, safe, style, talk};
use crate::settings::Session;
use crate::sockets::sockets;

/// Show what takes room on the disk, and remove what a budget does not allow
///
/// What was used longest ago goes first, and of things of one day what is fetched again before what
/// takes long to make. What a running build uses stays. Wheels and the history never go, and do not
/// count: see `wheelmill wheels rm`.
#[derive(Debug, Args)]
pub(crate) struct CleanArgs {
    /// What may stay, all together, as `50GB` [default: `[clean] budget` of wheelmill.toml]
    #[arg(long, value_name = "SIZE")]
    budget: Option<ByteSize>,

    /// Remove everything that can be had again: a budget of nothing
    #[arg(long, conflicts_with = "budget")]
    all: bool,

    /// Remove what cells have that are not built yet, and nothing else: their next builds start anew
    #[arg(long, conflicts_with_all = ["budget", "all", "engine"])]
    work: bool,

    /// Remove the compile cache, and nothing else
    #[arg(long, conflicts_with_all = ["budget", "all", "engine", "work"])]
    compiles: bool,

    /// Only show what would go
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,

    /// Do not ask
    #[arg(long, short)]
    yes: bool,

    /// Whose images are looked at: `docker`, `podman`, `embedded` for none, `auto` for both
    /// [env: WHEELMILL_ENGINE] [default: auto]
    #[arg(long, value_parser = engine_parser(), hide_possible_values = true)]
    engine: Option<EngineArg>,
}

impl CleanArgs {
    /// The only kind that is to go, where one is named.
    fn only(&self) -> Option<CleanKind> {
        match (self.work, self.compiles) {
            (true, _) => Some(CleanKind::Work),
            (_, true) => Some(CleanKind::CompileCache),
            _ => None,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Document<'a> {
    items: &'a [CleanItem],
    not_looked_at: &'a [NotLookedAt],
    /// Of all items that count against a budget.
    size_bytes: u64,
    budget_bytes: Option<u64>,
    /// The places of what is over the budget, in the order of removal.
    goes: Vec<&'a str>,
    frees_bytes: u64,
    removed: Vec<&'a str>,
}

/// Shows, asks, removes.
pub(crate) fn clean(args: &CleanArgs, session: &Session) -> Result<Ending, CliError> {
    let printer = session.printer;
    let budget = budget(args, session)?;
    // Of that, no daemon has anything.
    let only = args.only();
    let engine = only.map(|_| EngineArg(EngineWish::Embedded)).or(args.engine);
    let cleaner = cleaner(engine, session)?;
    let mut survey = cleaner.survey()?;
    survey.items.retain(|item| only.is_none_or(|only| item.kind == only));
    warn(&survey, session);
    let goes = budget.map(|budget| survey.over(budget, SystemTime::now())).unwrap_or_default();
    let frees = ByteSize(goes.iter().map(|item| item.size_bytes).sum());
    if !printer.json {
        let text = match printer.quiet {
            true => places(if budget.is_some() { &goes } else { &[] }, &survey, budget),
            false if only.is_some() => page_of_kind(&goes, frees),
            false => page(&survey, budget, &goes, printer.verbose),
        };
        printer.data(&text)?;
    }
    let named = args.budget.is_some() || args.all || only.is_some();
    let wanted = !goes.is_empty() && !args.dry_run;
    if wanted && !args.yes && named && !confirm::somebody_is_there() {
        return Err(confirm::nobody("them"));
    }
    let count = human::count(goes.len(), "thing");
    let agreed = wanted
        && (args.yes
            || confirm::somebody_is_there() && confirm::ask(&format!("Remove {count}, {frees}?"))?);
    let mut removed = Vec::new();
    let mut ending = Ending::Done;
    for item in goes.iter().filter(|_| agreed) {
        match cleaner.remove(item) {
            Ok(Removal::Removed) => {
                printer.say(format_args!("removed {}: {}", item.kind.as_str(), safe(&item.what)));
                removed.push(*item);
            }
            Ok(Removal::InUse) => {
                printer.say(format_args!("in use, and stays: {}", safe(&item.place)));
            }
            Err(error) => {
                talk(CliError::from(error).render().trim_end());
                ending = Ending::NotReady;
            }
        }
    }
    if printer.json {
        let names = |items: &[&'_ CleanItem]| -> Vec<String> {
            items.iter().map(|item| item.place.clone()).collect()
        };
        let (goes, removed) = (names(&goes), names(&removed));
        printer.document(Document {
            items: &survey.items,
            not_looked_at: &survey.not_looked_at,
            size_bytes: survey.spare().0,
            budget_bytes: budget.map(|budget| budget.0),
            goes: goes.iter().map(String::as_str).collect(),
            frees_bytes: frees.0,
            removed: removed.iter().map(String::as_str).collect(),
        })?;
    } else if agreed {
        let freed = ByteSize(removed.iter().map(|item| item.size_bytes).sum());
        let count = human::count(removed.len(), "thing");
        printer.say(format_args!("removed {count}, which frees {freed}"));
    } else if wanted {
        printer.say("nothing was removed");
    }
    Ok(ending)
}

/// What looks at everything, and at the images of the daemons that are meant.
///
/// # Errors
/// A setting is wrong.
pub(super) fn cleaner(engine: Option<EngineArg>, session: &Session) -> Result<Cleaner, CliError> {
    Ok(Cleaner::new(CleanSettings {
        home: session.home()?,
        cache: session.cache()?,
        program: own_program()?,
        daemons: daemons(engine, session)?,
    }))
}

/// What may stay: as typed, else as the first file says.
fn budget(args: &CleanArgs, session: &Session) -> Result<Option<ByteSize>, CliError> {
    if args.all || args.only().is_some() {
        return Ok(Some(ByteSize(0)));
    }
    if args.budget.is_some() {
        return Ok(args.budget);
    }
    let budget = session.files()?.into_iter().find_map(|file| file.clean.budget);
    if args.yes && budget.is_none() {
        return Err(CliError::usage("nothing says what may stay")
            .hint("name a budget, as in `wheelmill clean --budget 20GB`, or `--all`"));
    }
    Ok(budget)
}

/// The daemons that are asked for images.
fn daemons(engine: Option<EngineArg>, session: &Session) -> Result<Vec<DaemonPlace>, CliError> {
    let EngineArg(wish) = session
        .setting(engine, environment::ENGINE, |build| build.engine.map(EngineArg))?
        .unwrap_or(EngineArg(EngineWish::Auto));
    let place = |kind, chosen| {
        let sockets = sockets(kind, &session.environment);
        // One that is elsewhere was passed over by builds, too.
        let sockets = if chosen { sockets? } else { sockets.unwrap_or_default() };
        Ok::<_, CliError>(DaemonPlace { kind, sockets, chosen })
    };
    match wish {
        EngineWish::Embedded => Ok(Vec::new()),
        EngineWish::Docker => Ok(vec![place(EngineKind::Docker, true)?]),
        EngineWish::Podman => Ok(vec![place(EngineKind::Podman, true)?]),
        EngineWish::Auto => {
            Ok(vec![place(EngineKind::Docker, false)?, place(EngineKind::Podman, false)?])
        }
    }
}

/// Tells what could not be looked at, or not wholly.
pub(super) fn warn(survey: &Survey, session: &Session) {
    for NotLookedAt { engine, why } in &survey.not_looked_at {
        let hint = format!("its images may take room: `wheelmill clean --engine {engine}`");
        session.printer.warn(&format!("{engine} was not looked at: {why}"), Some(&hint));
    }
    for item in &survey.items {
        if let Some(why) = &item.unread {
            let message = format!("`{}` takes more than is shown: {why}", item.place);
            session.printer.warn(&message, None);
        }
    }
}

fn places(goes: &[&CleanItem], survey: &Survey, budget: Option<ByteSize>) -> String {
    let line = |item: &CleanItem| format!("{}\n", safe(&item.place));
    match budget {
        Some(_) => goes.iter().map(|item| line(item)).collect(),
        None => survey.items.iter().map(line).collect(),
    }
}

/// What would go of one kind.
fn page_of_kind(goes: &[&CleanItem], frees: ByteSize) -> String {
    let mut page = Page::new();
    if goes.is_empty() {
        page.line("nothing of that is there, or a build uses it");
        return page.finish();
    }
    page.block(&table(goes, Timestamp::now()));
    let count = human::count(goes.len(), "thing");
    page.line(format_args!("\n{count} would go, which frees {frees}"));
    page.finish()
}

fn page(survey: &Survey, budget: Option<ByteSize>, goes: &[&CleanItem], all: bool) -> String {
    let now = Timestamp::now();
    let mut page = Page::new();
    if survey.items.is_empty() {
        page.line("nothing takes room");
        return page.finish();
    }
    let each: Vec<&CleanItem> = survey.items.iter().collect();
    page.block(&if all { table(&each, now) } else { sums(&each, now) });
    page.line(format_args!("\n{} in all, without wheels and history", survey.spare()));
    let Some(budget) = budget else {
        page.line("free some: `wheelmill clean --budget 20GB`, or `--all`");
        return page.finish();
    };
    if goes.is_empty() {
        page.line(format_args!("nothing has to go for a budget of {budget}"));
        return page.finish();
    }
    let frees: u64 = goes.iter().map(|item| item.size_bytes).sum();
    let count = human::count(goes.len(), "thing");
    page.line(format_args!(
        "for a budget of {budget}, {count} would go, which frees {}\n",
        ByteSize(frees)
    ));
    page.block(&table(goes, now));
    let rest = survey.spare().0.saturating_sub(frees);
    if rest > budget.0 {
        page.line(format_args!("\n{} stay: they are in use", ByteSize(rest)));
    }
    page.finish()
}

const HEADING: [&str; 4] = ["KIND", ">SIZE", "?LAST USED", "WHAT"];

/// A row for each kind: the largest first, as the items are.
fn sums(items: &[&CleanItem], now: Timestamp) -> String {
    let mut table = Table::new(HEADING);
    for group in items.chunk_by(|one, other| one.kind == other.kind) {
        let first = group[0];
        let size = ByteSize(group.iter().map(|item| item.size_bytes).sum());
        let mut what = match group.len() {
            1 => first.what.clone(),
            count => format!("{} and {} more", first.what, count - 1),
        };
        let used = group.iter().filter(|item| item.state == CleanState::InUse).count();
        match first.kind {
            CleanKind::Wheels => what.push_str("; removed by name only"),
            CleanKind::History => what.push_str("; never removed"),
            _ if used > 0 => what = format!("{what}; {used} in use"),
            _ => {}
        }
        let last = group.iter().filter_map(|item| item.last_used).max();
        table.row(row(first.kind, size, last, &what, now));
    }
    table.render()
}

/// A row for each thing.
fn table(items: &[&CleanItem], now: Timestamp) -> String {
    let mut table = Table::new(HEADING);
    for item in items {
        let used = if item.state == CleanState::InUse { "; in use" } else { "" };
        let what = format!("{}{used}", item.what);
        table.row(row(item.kind, ByteSize(item.size_bytes), item.last_used, &what, now));
    }
    table.render()
}

fn row(
    kind: CleanKind,
    size: ByteSize,
    last_used: Option<Timestamp>,
    what: &str,
    now: Timestamp,
) -> [Field; 4] {
    [
        Field::styled(kind.as_str(), style::strong()),
        Field::plain(size.to_string()),
        Field::plain(last_used.map(|used| human::ago(used, now)).unwrap_or_default()),
        Field::plain(what),
    ]
}
