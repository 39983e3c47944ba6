//! A tiny registry that can be told to misbehave.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use wheelmill_model::Digest;

use crate::build::{Image, named};

/// A request, as far as it matters here.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: HashMap<String, String>,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The connection is closed after so many bytes of the body.
    pub(crate) cut: Option<usize>,
    /// The connection stays open so long before it is cut.
    pub(crate) stall: Duration,
}

impl Answer {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let (headers, cut, stall) = (Vec::new(), None, Duration::ZERO);
        Self { status, headers, body: body.into(), cut, stall }
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

type Handler = Box<dyn Fn(&Request) -> Option<Answer> + Send + Sync>;

/// Serves one image at `test/image`, tag `1`, on a port of this machine.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Every request is shown to `first`; what it does not answer is answered as it should be. The
    /// server ends with the test's process.
    pub(crate) fn start(
        image: &Image,
        first: impl Fn(&Request) -> Option<Answer> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let shared = Arc::new((image.clone(), Box::new(first) as Handler, Arc::clone(&requests)));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || {
                    let (image, first, requests) = &*shared;
                    let Some(request) = read(&stream) else { return };
                    requests.lock().unwrap().push(request.clone());
                    let answer = first(&request).unwrap_or_else(|| honest(image, &request));
                    // A client that has gone away is what some tests are about.
                    drop(write(&stream, &request, &answer));
                });
            }
        });
        Self { address, requests }
    }

    pub(crate) fn honest(image: &Image) -> Self {
        Self::start(image, |_| None)
    }

    pub(crate) fn name(&self) -> String {
        format!("{}/test/image:1", self.address)
    }

    /// How often something was asked for whose path holds this text.
    pub(crate) fn asked(&self, text: &str) -> usize {
        let requests = self.requests.lock().unwrap();
        requests.iter().filter(|request| request.path.contains(text)).count()
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let first = lines.next()?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let headers = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_lowercase(), value.trim().to_owned()))
        })
        .collect();
    Some(Request { method, path, headers })
}

fn honest(image: &Image, request: &Request) -> Answer {
    let Some(rest) = request.path.strip_prefix("/v2/") else { return Answer::new(404, "") };
    if rest.is_empty() {
        return Answer::new(200, "{}");
    }
    let digest: Option<Digest> = match rest.strip_prefix("test/image/") {
        Some("manifests/1") => Some(image.manifest),
        Some(rest) => rest
            .strip_prefix("manifests/sha256:")
            .or_else(|| rest.strip_prefix("blobs/sha256:"))
            .and_then(|text| text.parse().ok()),
        None => None,
    };
    match digest.and_then(|digest| Some((digest, image.blobs.get(&digest)?))) {
        Some((digest, bytes)) => Answer::new(200, bytes.clone())
            .header("Docker-Content-Digest", named(&digest))
            .header("Content-Type", "application/vnd.oci.image.manifest.v1+json"),
        None => Answer::new(404, r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"unknown"}]}"#),
    }
}

fn write(mut stream: &TcpStream, request: &Request, answer: &Answer) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} Status\r\nConnection: close\r\n", answer.status);
    for (name, value) in &answer.headers {
        head.push_str(&[name, ": ", value, "\r\n"].concat());
    }
    head.push_str(&["Content-Length: ", &answer.body.len().to_string(), "\r\n\r\n"].concat());
    stream.write_all(head.as_bytes())?;
    if request.method != "HEAD" {
        stream.write_all(&answer.body[..answer.cut.unwrap_or(answer.body.len())])?;
    }
    std::thread::sleep(answer.stall);
    stream.shutdown(Shutdown::Both)
}
