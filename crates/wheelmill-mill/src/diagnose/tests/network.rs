//! The network's part: indexes, what they hold, and whether they answer.

use super::super::Cause;
use super::{COMPILE, FETCH, Setting, of_folder};

#[test]
fn an_unreachable_network_is_told_by_what_is_wrong_with_it() {
    let no_network = |log: &str, message: &str, fix: &str, line: &str| {
        FETCH.tells(log, Cause::NoNetwork, message, fix, line);
    };
    no_network(
        log!("no-network-uv"),
        "`pypi.org` could not be resolved",
        "`getent hosts pypi.org`",
        "dns error",
    );
    no_network(log!("no-network-pip"), "`pypi.org` could not", "getent", "Failed to resolve");
    no_network(log!("no-network-apt"), "`deb.debian.org` could not", "getent", "resolving");
    no_network(log!("no-network-apt-install"), "`deb.debian.org`", "getent", "resolving");
    no_network(log!("no-network-git"), "`github.com` could not", "getent", "resolve host");
    no_network(log!("no-network-proxy-uv"), "through the proxy", "_proxy`", "tunnel error");
    no_network(
        log!("no-network-tls-uv"),
        "`localhost` shows a certificate",
        "SSL_CERT_FILE=",
        "invalid peer",
    );
    no_network(
        log!("no-network-tls-pip"),
        "`localhost` shows a certificate",
        "SSL_CERT_FILE=",
        "CERTIFICATE_VERIFY",
    );
    no_network(
        log!("no-network-503-uv"),
        "`localhost` is reachable and answers with 503",
        "Try again later",
        "503",
    );
    no_network(
        log!("no-network-offline"),
        "not in the cache",
        "Once with the network",
        "network was disabled",
    );
}

#[test]
fn a_build_that_reaches_out_names_the_host() {
    let reached = |log: &str, host: &str, line: &str| {
        let message = format!("The build tried to reach `{host}`");
        COMPILE.tells(
            log,
            Cause::NetworkWhileCompiling,
            &message,
            "`environment = { TINY_KERNELS_FORCE_BUILD",
            line,
        );
    };
    COMPILE.tells(
        log!("network-while-compiling-urllib"),
        Cause::NetworkWhileCompiling,
        "The build tried to reach the network",
        "`environment = {",
        "Temporary failure in name resolution",
    );
    reached(log!("network-while-compiling-wheel"), "github.com", "Guessing wheel URL");
    reached(log!("network-while-compiling-git"), "github.com", "Could not resolve host");
    reached(log!("network-while-compiling-cmake"), "github.com", "resolve host");

    let wanted = |log: &str, package: &str, line: &str| {
        let message = format!("The build tried to install `{package}`");
        let fix = format!("add `\"{package}\"` to `requires`");
        COMPILE.tells(log, Cause::NetworkWhileCompiling, &message, &fix, line);
    };
    wanted(log!("network-while-compiling-pip"), "einops", "No matching distribution");
    wanted(log!("network-while-compiling-no-index"), "einops", "No matching distribution");
    wanted(log!("network-while-compiling-uv"), "einops", "was not found in the cache");
    wanted(log!("network-while-compiling-isolated"), "setuptools", "No matching distribution");

    let failure = of_folder().diagnose(log!("network-while-compiling-git"));
    let part = failure.fixes.iter().find(|fix| fix.contains("a part of its own source"));
    assert!(part.is_some_and(|fix| fix.ends_with("put it into `/home/me/tiny`")), "{failure:#?}");

    let allowed = Setting { network: true, ..COMPILE };
    let failure = allowed.diagnose(log!("network-while-compiling-git"));
    assert_eq!(
        failure.cause,
        Cause::NoNetwork,
        "a network that is on and fails is not the build's fault"
    );
}

#[test]
fn what_the_index_does_not_have_is_named() {
    FETCH.tells(
        log!("unknown-package-uv"),
        Cause::UnknownPackage,
        "The index knows no package `torchsort-no-such-package-xyz`",
        "Correct it in `requires`",
        "was not found in the package registry",
    );
    FETCH.tells(
        log!("unknown-package-pip"),
        Cause::UnknownPackage,
        "The index knows no package `torchsort-no-such-package-xyz`",
        "Correct it in `requires`",
        "No matching distribution",
    );
    FETCH.tells(
        log!("unknown-version-uv"),
        Cause::UnknownPackage,
        "The index has no `torchsort==9.9.9`",
        "Correct it in `requires`",
        "there is no version of torchsort==9.9.9",
    );
    FETCH.tells(
        log!("unknown-version-pip"),
        Cause::UnknownPackage,
        "The index has no `torchsort==9.9.9`",
        "Correct it in `requires`",
        "No matching distribution",
    );
}

#[test]
fn requirements_that_contradict_each_other_are_quoted() {
    FETCH.tells(
        log!("unsolvable-uv"),
        Cause::Unsolvable,
        "xformers==0.0.28 depends on torch==2.4.1 and you require torch==2.11.*",
        "`wheelmill plan tiny-kernels --python 3.11 --cuda 13.0`",
        "No solution found",
    );
    FETCH.tells(
        log!("unsolvable-pip"),
        Cause::Unsolvable,
        "numba==0.60.0 and numpy==2.4.*",
        "Loosen `requires`",
        "numba 0.60.0 depends on numpy<2.1",
    );
    FETCH.tells(
        "  × No solution found when resolving dependencies:\n  ╰─▶ Because only numpy<=2.4.4 is \
         available and you require numpy>=99, we can conclude that your requirements are \
         unsatisfiable.",
        Cause::Unsolvable,
        "only numpy<=2.4.4 is available and you require numpy>=99",
        "Loosen `requires`",
        "No solution found",
    );
    FETCH.tells(
        log!("unsolvable-python-uv"),
        Cause::Unsolvable,
        "no build of `numpy==1.19.5` for this Python",
        "Loosen it in `requires`",
        "has no usable wheels",
    );
}

#[test]
fn a_download_with_another_hash_is_named() {
    for log in [log!("hash-mismatch-uv"), log!("hash-mismatch-pip")] {
        FETCH.tells(
            log,
            Cause::HashMismatch,
            "`tqdm==4.67.1` is not what was promised",
            "--refresh`",
            "26445eca388f82e72884e0d580d5464cd801a3ea01e63e5601bdff9ba6a48de2",
        );
    }
}
