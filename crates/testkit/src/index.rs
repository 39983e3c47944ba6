//! A package index on the loopback device, for what a real one cannot be made to do.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use camino::Utf8Path;
use sha2::{Digest, Sha256};

/// A package index with files of our own. Whatever it does not have, it redirects to PyPI.
///
/// It listens for as long as the test's process lives.
#[derive(Debug)]
pub struct PackageIndex {
    port: u16,
}

struct File {
    name: String,
    bytes: Vec<u8>,
    promised: String,
}

impl PackageIndex {
    /// Serves files by the project that they belong to.
    ///
    /// # Panics
    /// A file cannot be read, or no port is free.
    #[must_use]
    pub fn serve(files: &[(&str, &Utf8Path)]) -> Self {
        Self::start(files, |digest| digest)
    }

    /// Serves files and promises a wrong hash for each.
    ///
    /// # Panics
    /// As [`Self::serve`].
    #[must_use]
    pub fn serve_with_wrong_hashes(files: &[(&str, &Utf8Path)]) -> Self {
        Self::start(files, |digest| digest.chars().rev().collect())
    }

    /// The address of its simple API.
    #[must_use]
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}/simple", self.port)
    }

    fn start(files: &[(&str, &Utf8Path)], promise: impl Fn(String) -> String) -> Self {
        let mut projects: HashMap<String, Vec<File>> = HashMap::new();
        for (project, path) in files {
            let bytes = fs_err::read(path).expect("a file to serve");
            let mut digest = String::new();
            for byte in Sha256::digest(&bytes) {
                write!(digest, "{byte:02x}").expect("a string takes text");
            }
            let name = path.file_name().expect("a file name").to_owned();
            let file = File { name, bytes, promised: promise(digest) };
            projects.entry((*project).to_owned()).or_default().push(file);
        }
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let projects = Arc::new(projects);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let projects = Arc::clone(&projects);
                thread::spawn(move || {
                    // A client that goes away in the middle is its own business.
                    drop(answer(&stream, &projects));
                });
            }
        });
        Self { port }
    }
}

fn answer(stream: &TcpStream, projects: &HashMap<String, Vec<File>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut header = String::new();
    while reader.read_line(&mut header)? > 2 {
        header.clear();
    }
    let path = request.split_whitespace().nth(1).unwrap_or("/").to_owned();
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (status, kind, body) = match parts[..] {
        ["simple", project] => match projects.get(project) {
            Some(files) => ("200 OK".to_owned(), "text/html", page(files)),
            None => (
                format!("302 Found\r\nLocation: https://pypi.org/simple/{project}/"),
                "text/plain",
                Vec::new(),
            ),
        },
        ["files", project, name] => {
            let files = projects.get(project).map(Vec::as_slice).unwrap_or_default();
            match files.iter().find(|file| file.name == name) {
                Some(file) => ("200 OK".to_owned(), "application/octet-stream", file.bytes.clone()),
                None => ("404 Not Found".to_owned(), "text/plain", Vec::new()),
            }
        }
        _ => ("404 Not Found".to_owned(), "text/plain", Vec::new()),
    };
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(&body)
}

fn page(files: &[File]) -> Vec<u8> {
    let mut page = "<!DOCTYPE html><html><body>\n".to_owned();
    for File { name, promised, .. } in files {
        let project = name.split('-').next().unwrap_or_default();
        page.push_str(
            &[
                "<a href=\"../../files/",
                project,
                "/",
                name,
                "#sha256=",
                promised,
                "\">",
                name,
                "</a>\n",
            ]
            .concat(),
        );
    }
    (page + "</body></html>\n").into_bytes()
}
