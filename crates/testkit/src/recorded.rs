//! A daemon that says what another one said: for versions that no test machine has.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex};
use std::thread;

use camino::{Utf8Path, Utf8PathBuf};
use tempfile::TempDir;

/// Answers of a daemon, by path: `/info`. Everything else does not exist.
#[derive(Debug)]
pub struct RecordedDaemon {
    folder: TempDir,
    answers: Arc<Mutex<BTreeMap<String, String>>>,
}

impl RecordedDaemon {
    /// Begins to answer. The thread ends with the process.
    ///
    /// # Panics
    /// No socket can be made.
    #[must_use]
    pub fn start<'a>(answers: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let answers: BTreeMap<String, String> =
            answers.into_iter().map(|(path, body)| (path.to_owned(), body)).collect();
        let daemon = Self { folder, answers: Arc::new(Mutex::new(answers)) };
        let listener = UnixListener::bind(daemon.socket()).expect("a socket");
        let answers = Arc::clone(&daemon.answers);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Who asked may be gone.
                drop(answer(stream, &answers));
            }
        });
        daemon
    }

    /// Changes what is said at a path.
    ///
    /// # Panics
    /// The thread that answers has failed.
    pub fn say(&self, path: &str, body: String) {
        self.answers.lock().expect("it answers").insert(path.to_owned(), body);
    }

    /// Where it answers.
    #[must_use]
    pub fn socket(&self) -> Utf8PathBuf {
        Utf8Path::from_path(self.folder.path()).expect("its path is text").join("daemon.sock")
    }
}

fn answer(
    mut stream: UnixStream,
    answers: &Mutex<BTreeMap<String, String>>,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    // The rest of the head; no question that is answered has a body.
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let path = first.split(' ').nth(1).unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    // The version that some clients put before the path.
    let path = match path.strip_prefix("/v1.").and_then(|rest| rest.find('/')) {
        Some(at) => &path["/v1.".len() + at..],
        None => path,
    };
    let body = answers.lock().ok().and_then(|answers| answers.get(path).cloned());
    let (status, body) = match body {
        Some(body) => ("200 OK", body),
        None => ("404 Not Found", r#"{"message":"page not found"}"#.to_owned()),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
}
