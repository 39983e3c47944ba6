//! Pulls from the registry that Docker itself runs: Debian's package `docker-registry`.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_engine::Base;
use wheelmill_engine::image::pin;
use wheelmill_model::{Digest, NetworkSettings};

use crate::build::{Image, Layer, gzip, named, zstd};
use crate::support::{Scratch, chain, config_of, is_root, layers_of, listing, shell, skip};

#[test]
fn an_image_is_pulled_from_a_real_registry() {
    let scratch = Scratch::new();
    let Some(program) = program(&scratch) else {
        return skip("Debian's package docker-registry cannot be had");
    };
    let registry = Registry::start(&program, &scratch);
    let lower = Layer::new().folder("usr", 0o755).file("usr/tool", "lower").tar();
    let upper = Layer::new().file("usr/.wh.tool", "").file("upper", "upper").tar();
    for (tag, compress) in [("gzip", gzip as fn(&[u8]) -> Vec<u8>), ("zstd", zstd)] {
        let mut image = Image::new(&[lower.clone(), upper.clone()], compress);
        registry.push(&image, tag);
        // The registry takes no index that leads to what it does not have.
        let mut index = image.index();
        index["manifests"].as_array_mut().unwrap().remove(0);
        index["manifests"][0]["size"] = image.blobs[&image.manifest].len().into();
        let index = image.add(&index);
        let media_type = "application/vnd.oci.image.index.v1+json";
        registry.push_manifest(&format!("{tag}-index"), &image.blobs[&index], media_type);

        for (tag, digest) in [(tag.to_owned(), image.manifest), (format!("{tag}-index"), index)] {
            let store = scratch.folder(&format!("store {tag}"));
            let network = NetworkSettings::default();
            let name = format!("{}/team/image", registry.address);
            let base = pin(&Base::Image(format!("{name}:{tag}")), &network).unwrap();
            assert_eq!(base, Base::Image(format!("{name}@{}", named(&digest))));
            let folders = layers_of(&base, &store, &network).unwrap();
            assert_eq!(listing(&folders[0]), ["usr/", "usr/tool: lower"]);
            assert_eq!(listing(&folders[1]), ["upper: upper", "usr/", "usr/tool (special)"]);
            let config = config_of(&base, &store, &network).unwrap();
            assert_eq!(config.working_dir.as_deref(), Some("/work"));
        }
    }
}

#[test]
fn a_certificate_is_trusted_once_it_is_named() {
    let scratch = Scratch::new();
    let Some(program) = program(&scratch) else {
        return skip("Debian's package docker-registry cannot be had");
    };
    let image = Image::new(&[Layer::new().file("x", "x").tar()], gzip);
    Registry::start(&program, &scratch).push(&image, "1");
    let folder = scratch.folder("certificates");
    shell(&format!(
        "cd {folder}; exec 2>&1; new='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
        openssl req -x509 $new -keyout ca.key -out ca.pem -subj /CN=authority -days 2
        openssl req $new -keyout key.pem -out request.pem -subj /CN=registry
        echo subjectAltName=IP:127.0.0.1 > names
        openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial \
            -extfile names -out certificate.pem -days 2"
    ));
    let tls =
        format!("  tls: {{certificate: '{folder}/certificate.pem', key: '{folder}/key.pem'}}\n");
    let registry = Registry::start_with(&program, &scratch, &tls);
    let tag = Base::Image(format!("{}/team/image:1", registry.address));

    let error = pin(&tag, &NetworkSettings::default()).unwrap_err();
    assert!(error.to_string().contains("is not trusted"), "{}", chain(&error));
    let certificates = Some(folder.join("ca.pem"));
    let network = NetworkSettings { certificates, ..NetworkSettings::default() };
    let base = pin(&tag, &network).unwrap();
    let folders = layers_of(&base, &scratch.folder("store"), &network).unwrap();
    assert_eq!(listing(&folders[0]), ["x: x"]);
}

/// The registry's program: installed, or taken from its package without installing it.
fn program(scratch: &Scratch) -> Option<Utf8PathBuf> {
    let installed = Utf8Path::new("/usr/bin/docker-registry");
    if installed.exists() {
        return Some(installed.to_owned());
    }
    let folder = scratch.folder("package");
    let download = || {
        let apt = Command::new("apt-get")
            .args(["download", "docker-registry"])
            .current_dir(&folder)
            .stdout(Stdio::null())
            .status();
        apt.is_ok_and(|status| status.success())
    };
    if !download() {
        // A fresh machine has no lists of packages.
        let update = || Command::new("apt-get").args(["update", "-qq"]).status();
        if !(is_root() && update().is_ok_and(|status| status.success()) && download()) {
            return None;
        }
    }
    let package = fs_err::read_dir(&folder).unwrap().next()?.unwrap().path();
    let unpacked = Command::new("dpkg-deb").arg("-x").arg(package).arg(&folder).status().unwrap();
    assert!(unpacked.success());
    Some(folder.join("usr/bin/docker-registry"))
}

/// A running registry; it ends with the test.
struct Registry {
    process: Child,
    address: SocketAddr,
}

impl Registry {
    fn start(program: &Utf8Path, scratch: &Scratch) -> Self {
        Self::start_with(program, scratch, "")
    }

    /// With more lines for the section `http` of its settings.
    fn start_with(program: &Utf8Path, scratch: &Scratch, http: &str) -> Self {
        // Between this and the registry's own bind the port could be lost; then the start fails.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let settings = format!(
            "version: 0.1\nlog: {{level: error}}\nhttp:\n  addr: '{address}'\n{http}\
             storage: {{filesystem: {{rootdirectory: '{}'}}}}\n",
            scratch.folder("registry")
        );
        let file = scratch.join("registry.yml");
        fs_err::write(&file, settings).unwrap();
        let mut process = Command::new(program)
            .args(["serve", file.as_str()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(address).is_err() {
            assert!(process.try_wait().unwrap().is_none(), "the registry ended");
            assert!(Instant::now() < deadline, "the registry does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { process, address }
    }

    fn push(&self, image: &Image, tag: &str) {
        for digest in image.layers.iter().chain([&image.config]) {
            self.push_blob(*digest, &image.blobs[digest]);
        }
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        self.push_manifest(tag, &image.blobs[&image.manifest], media_type);
    }

    fn push_blob(&self, digest: Digest, bytes: &[u8]) {
        let answer = self.send("POST", "/v2/team/image/blobs/uploads/", "", b"");
        let location = answer
            .lines()
            .find_map(|line| line.strip_prefix("Location: "))
            .unwrap_or_else(|| panic!("{answer}"));
        let path = &location[location.find("/v2/").unwrap()..];
        let path = format!("{path}&digest={}", named(&digest));
        let answer = self.send("PUT", &path, "application/octet-stream", bytes);
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    }

    fn push_manifest(&self, tag: &str, bytes: &[u8], media_type: &str) {
        let path = format!("/v2/team/image/manifests/{tag}");
        let answer = self.send("PUT", &path, media_type, bytes);
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    }

    fn send(&self, method: &str, path: &str, media_type: &str, body: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
             Content-Type: {media_type}\r\nContent-Length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
