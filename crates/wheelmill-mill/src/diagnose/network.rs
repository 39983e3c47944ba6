//! The network: not reachable, or reached for while it is off.

use wheelmill_model::Phase;

use super::account::Account;
use super::case::Case;
use super::evidence::Evidence;
use super::failure::Cause;
use super::rule::{Rule, Sign};
use super::text::{between, host_of_address, starts_with_any, word_after};

/// What resolvers, connections and TLS libraries say, each in its program's words.
const SIGNS: &[Sign] = &[
    // A name has no address.
    Sign::Has(&["Temporary failure in name resolution"]),
    Sign::Has(&["Name or service not known"]),
    Sign::Has(&["Could not resolve host"]),
    Sign::Has(&["Couldn't resolve host"]),
    Sign::Has(&["unable to resolve host address"]),
    Sign::Has(&["Failed to resolve '"]),
    Sign::Has(&["Temporary failure resolving '"]),
    Sign::Has(&["failed to lookup address information"]),
    Sign::Has(&["dial tcp: lookup ", "no such host"]),
    // An address does not answer.
    Sign::Has(&["Network is unreachable"]),
    Sign::Has(&["No route to host"]),
    Sign::Has(&["tcp connect error"]),
    Sign::Has(&["urlopen error", "Connection refused"]),
    Sign::Has(&["Connection refused", "http"]),
    Sign::Has(&["Failed to connect to ", " port "]),
    Sign::Has(&["Could not connect to ", ":"]),
    Sign::Has(&["NewConnectionError"]),
    Sign::Has(&["ConnectTimeoutError"]),
    Sign::Has(&["ReadTimeoutError"]),
    Sign::Has(&["urlopen error timed out"]),
    Sign::Has(&["tunnel error"]),
    Sign::Has(&["Tunnel connection failed"]),
    Sign::Has(&["ProxyError"]),
    Sign::Has(&["operation timed out", "http"]),
    // The answer is an error of the server.
    Sign::Has(&["HTTP status server error ("]),
    Sign::Has(&["500 Internal Server Error", "http"]),
    Sign::Has(&["Server Error: ", " for url: "]),
    // The certificate is not trusted.
    Sign::Has(&["invalid peer certificate"]),
    Sign::Has(&["CERTIFICATE_VERIFY_FAILED"]),
    Sign::Has(&["server certificate verification failed"]),
    Sign::Has(&["SSL certificate problem"]),
    // The user asked to stay away from it.
    Sign::Has(&["because the network was disabled"]),
];

/// How far above a sign its reason may stand.
const LEAD: usize = 6;
/// How far above a sign an address may stand: a traceback lies between.
const FAR: usize = 60;

pub(super) const RULES: &[Rule] = &[
    Rule {
        // Installers are told that there is no index, and say what they wanted of it.
        cause: Cause::NetworkWhileCompiling,
        when: is_off,
        parallel: false,
        signs: &[
            Sign::Has(&["ERROR: No matching distribution found for "]),
            Sign::Has(&[" was not found in the cache"]),
        ],
        account: wanted_a_package,
    },
    Rule {
        cause: Cause::NetworkWhileCompiling,
        when: is_off,
        parallel: false,
        signs: SIGNS,
        account: reached_out,
    },
    Rule {
        cause: Cause::NoNetwork,
        when: is_on,
        parallel: false,
        signs: SIGNS,
        account: unreachable,
    },
];

fn is_off(evidence: &Evidence<'_>) -> bool {
    evidence.phase == Phase::Compile && !evidence.network
}

fn is_on(evidence: &Evidence<'_>) -> bool {
    evidence.network || !matches!(evidence.phase, Phase::Compile | Phase::Verify)
}

fn wanted_a_package(case: &Case<'_>, places: &[usize]) -> Option<Account> {
    let line = case.line(*places.last()?);
    let package = word_after(line, "distribution found for ").or_else(|| {
        let (before, _) = line.split_once(" was not found in the cache")?;
        before.rsplit(' ').next()
    })?;
    let build = case.table("build");
    Some(
        Account::new(format!(
            "The build tried to install `{package}`, and the network is off while compiling."
        ))
        .fix(format!(
            "Have it there before the build: add `\"{package}\"` to `requires` in {build}; then {}",
            case.again("")
        ))
        .fix(format!(
            "If the recipe's own command installs build requirements: `--no-build-isolation` in \
             `command` in {build}"
        ))
        .fix(format!("If it truly needs the network: `network = true` in {build}"))
        .also(lead(case, places)),
    )
}

fn reached_out(case: &Case<'_>, places: &[usize]) -> Option<Account> {
    let host = host(case, places);
    let subject = host.map_or_else(|| "the network".to_owned(), |(_, host)| format!("`{host}`"));
    let variable = case.evidence.package.as_file_stem().to_ascii_uppercase();
    Some(
        Account::new(format!(
            "The build tried to reach {subject}, and the network is off while compiling."
        ))
        .fix(format!(
            "If it looks for a ready-made wheel, tell it to build: `environment = {{ \
             {variable}_FORCE_BUILD = \"TRUE\" }}`, or what its setup.py calls it, in {}",
            case.table("build")
        ))
        .fix(format!("If it fetches a part of its own source: {}", case.complete_source()))
        .fix(format!("If it truly needs the network: `network = true` in {}", case.table("build")))
        .also(lead(case, places))
        .also(host.map(|(place, _)| place)),
    )
}

/// What is wrong with the network.
#[derive(Clone, Copy)]
enum Trouble {
    Offline,
    Certificate,
    Status,
    Proxy,
    Name,
    Silence,
}

impl Trouble {
    /// By words of the lines, the surest first: a chain of causes names several layers.
    const WORDS: &[(Self, &[&str])] = &[
        (Self::Offline, &["because the network was disabled"]),
        (Self::Certificate, &["certificate", "CERTIFICATE"]),
        (Self::Status, &["status server error", "Server Error", "Internal Server", "Unavailable"]),
        (Self::Proxy, &["tunnel", "Tunnel", "ProxyError"]),
        (Self::Name, &["resolve", "resolving", "resolution", "lookup", "Name or service"]),
    ];

    fn of(case: &Case<'_>, places: &[usize]) -> Self {
        let says = |words: &[&str]| {
            places.iter().any(|&place| words.iter().any(|word| case.line(place).contains(word)))
        };
        Self::WORDS
            .iter()
            .find(|(_, words)| says(words))
            .map_or(Self::Silence, |&(trouble, _)| trouble)
    }
}

fn unreachable(case: &Case<'_>, places: &[usize]) -> Option<Account> {
    let host = host(case, places).map(|(_, host)| host);
    let named = host.map_or_else(|| "The index".to_owned(), |host| format!("`{host}`"));
    let again = case.again("");
    let account = match Trouble::of(case, places) {
        Trouble::Offline => Account::new(
            "What the build needs is not in the cache, and the network may not be used.",
        )
        .fix(format!("Once with the network: {again}")),
        Trouble::Certificate => {
            let file = "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt";
            Account::new(format!(
                "{named} shows a certificate that is not trusted here. A proxy that inspects TLS \
                 has one of its own."
            ))
            .fix(format!(
                "Name the file that holds the trusted certificates: {}",
                again.replacen('`', &format!("`{file} "), 1)
            ))
        }
        Trouble::Status => {
            let status = places.iter().find_map(|&place| {
                let line = case.line(place);
                between(line, "server error (", ")")
                    .or_else(|| between(line, "Server Error: ", " for"))
            });
            let status = status.map(|status| format!(" with {status}")).unwrap_or_default();
            Account::new(format!("{named} is reachable and answers{status}."))
                .fix(format!("Try again later: {again}"))
        }
        Trouble::Proxy => Account::new(format!("{named} cannot be reached through the proxy."))
            .fix("See which proxy is set: `env | grep -i _proxy`"),
        Trouble::Name => {
            let name =
                host.map_or_else(|| "A name".to_owned(), |host| format!("The name `{host}`"));
            Account::new(format!(
                "{name} could not be resolved: there is no network, or no name server."
            ))
            .fix(format!("See whether it resolves: `getent hosts {}`", host.unwrap_or("pypi.org")))
        }
        Trouble::Silence => Account::new(format!("{named} does not answer.")).fix(format!(
            "Where a proxy is needed, name it: {}",
            again.replacen('`', "`HTTPS_PROXY=http://proxy.example:3128 ", 1)
        )),
    };
    Some(account.also(lead(case, places)))
}

/// The lines above the first sign that lead to it: uv's chain of causes, pip's and git's addresses.
fn lead<'c>(case: &'c Case<'_>, places: &[usize]) -> impl Iterator<Item = usize> + 'c {
    let first = places.first().copied().unwrap_or_default();
    (first.saturating_sub(LEAD)..first).filter(|&place| {
        let line = case.line(place).trim_start();
        starts_with_any(line, &["error: ", "cause: ", "Cloning into "]) || line.contains("://")
    })
}

/// The host that was wanted, and the line that names it: one of those with a sign, or one above
/// them, where programs put the address.
fn host<'a>(case: &Case<'a>, places: &[usize]) -> Option<(usize, &'a str)> {
    let first = *places.first()?;
    let near = (first.saturating_sub(LEAD)..first).rev();
    let far = (first.saturating_sub(FAR)..first).rev().filter(|&place| {
        // Far above, an address may be anything; documentation is named in warnings.
        let line = case.line(place).to_ascii_lowercase();
        line.contains("://") && ["url", "download", "fetch"].iter().any(|word| line.contains(word))
    });
    places
        .iter()
        .copied()
        .chain(near)
        .chain(far)
        .find_map(|place| Some((place, host_in(case.line(place))?)))
}

fn host_in(line: &str) -> Option<&str> {
    between(line, "Failed to resolve '", "'")
        .or_else(|| between(line, "resolving '", "'"))
        .or_else(|| word_after(line, "resolve host address "))
        .or_else(|| word_after(line, "resolve host: "))
        .or_else(|| between(line, "host='", "'"))
        .or_else(|| between(line, "lookup ", " on "))
        .or_else(|| between(line, "Failed to connect to ", " port"))
        .or_else(|| host_of_address(line))
}
