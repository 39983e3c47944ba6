//! Pulls from a registry that misbehaves.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use camino::Utf8Path;
use wheelmill_engine::image::{REGISTRY_CREDENTIALS, layers, pin};
use wheelmill_engine::{Base, Cancel, EngineError};
use wheelmill_model::{NetworkSettings, Secret};

use crate::build::{Image, Layer, gzip, named};
use crate::server::{Answer, Request, Server};
use crate::support::{Scratch, chain, config_of, is_root, layers_of, listing, offline, own_mode};

fn two_layers() -> Image {
    let lower = Layer::new().file("lower", "lower").tar();
    let upper = Layer::new().file("upper", &"upper".repeat(1000)).tar();
    Image::new(&[lower, upper], gzip)
}

fn online() -> NetworkSettings {
    NetworkSettings::default()
}

fn pull(server: &Server, store: &Utf8Path) -> Result<Vec<Vec<String>>, EngineError> {
    let base = pin(&Base::Image(server.name()), &online())?;
    let folders = layers_of(&base, store, &online())?;
    Ok(folders.iter().map(|folder| listing(folder)).collect())
}

fn expected() -> Vec<Vec<String>> {
    vec![vec!["lower: lower".to_owned()], vec![format!("upper: {}", "upper".repeat(1000))]]
}

fn is_blob(request: &Request, digest: &wheelmill_model::Digest) -> bool {
    request.path.ends_with(&format!("blobs/{}", named(digest)))
}

#[test]
fn a_pulled_image_needs_its_registry_no_more() {
    let (scratch, image) = (Scratch::new(), two_layers());
    let server = Server::honest(&image);
    let base = pin(&Base::Image(server.name()), &online()).unwrap();
    let repository = server.name().replace(":1", "");
    assert_eq!(base, Base::Image(format!("{repository}@{}", named(&image.manifest))));
    assert_eq!(pin(&base, &offline()).unwrap(), base);

    let mut told = Vec::new();
    let mut progress = |done, total| told.push((done, total));
    let store = scratch.path();
    let first = layers(&base, store, own_mode(), &online(), &mut progress, &Cancel::new()).unwrap();
    let size: u64 = image.layers.iter().map(|layer| image.blobs[layer].len() as u64).sum();
    assert_eq!(told[told.len() - 1], (size, Some(size)));
    let config = config_of(&base, store, &offline()).unwrap();
    assert_eq!(config.user.as_deref(), Some("builder"));
    assert_eq!(layers_of(&base, store, &offline()).unwrap(), first);
    assert_eq!(server.asked("/blobs/"), 3);
    assert_eq!(listing(&scratch.join("images/blobs")), [""; 0]);
}

#[test]
fn of_an_index_the_image_for_this_machine_is_taken() {
    let (scratch, mut image) = (Scratch::new(), two_layers());
    let index = image.add(&image.index());
    image.manifest = index;
    let server = Server::honest(&image);
    assert_eq!(pull(&server, scratch.path()).unwrap(), expected());
}

#[test]
fn other_bytes_than_the_digest_says_are_refused() {
    let image = two_layers();
    let targets = [image.layers[1], image.config, image.manifest];
    for target in targets {
        let scratch = Scratch::new();
        let server = Server::start(&image, move |request| {
            let wanted = request.method == "GET" && request.path.ends_with(&named(&target));
            wanted.then(|| Answer::new(200, gzip(&Layer::new().file("evil", "x").tar())))
        });
        let error = pull(&server, scratch.path()).unwrap_err();
        let text = chain(&error);
        assert!(
            text.contains("other bytes than their digest") || text.contains("longer than"),
            "{text}"
        );
        let kept = listing(&scratch.join("images/layers"));
        assert!(!kept.iter().any(|line| line.contains("evil")), "{kept:?}");
    }
}

#[test]
fn more_bytes_than_announced_are_not_written() {
    let (scratch, image) = (Scratch::new(), two_layers());
    let target = image.layers[0];
    let server = Server::start(&image, move |request| {
        is_blob(request, &target).then(|| Answer::new(200, vec![0; 64 << 20]))
    });
    let error = pull(&server, scratch.path()).unwrap_err();
    assert!(chain(&error).contains("longer than was announced"), "{}", chain(&error));
    let kept = fs_err::read_dir(scratch.join("images/blobs")).unwrap();
    let kept: u64 = kept.map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert!(kept < 1 << 20, "{kept}");
}

#[test]
fn an_interrupted_pull_goes_on_with_the_layer_that_is_missing() {
    let (scratch, image) = (Scratch::new(), two_layers());
    let (lower, upper) = (image.layers[0], image.layers[1]);
    let broken = Server::start(&image, move |request| {
        is_blob(request, &upper)
            .then(|| Answer::new(404, r#"{"errors":[{"code":"BLOB_UNKNOWN","message":""}]}"#))
    });
    let error = pull(&broken, scratch.path()).unwrap_err();
    assert!(error.to_string().contains("does not have it, or not all of it"), "{error}");

    let server = Server::honest(&image);
    assert_eq!(pull(&server, scratch.path()).unwrap(), expected());
    assert_eq!((server.asked(&named(&lower)), server.asked(&named(&upper))), (0, 1));
}

#[test]
fn a_connection_that_breaks_is_tried_again() {
    let (scratch, image) = (Scratch::new(), two_layers());
    let (target, tries) = (image.layers[1], AtomicUsize::new(0));
    let bytes = image.blobs[&target].clone();
    let server = Server::start(&image, move |request| {
        if !is_blob(request, &target) {
            return None;
        }
        match tries.fetch_add(1, Ordering::SeqCst) {
            0 => Some(Answer { cut: Some(bytes.len() / 2), ..Answer::new(200, bytes.clone()) }),
            1 => Some(Answer::new(503, "busy")),
            _ => None,
        }
    });
    assert_eq!(pull(&server, scratch.path()).unwrap(), expected());
    assert_eq!(server.asked(&named(&target)), 3);
}

#[test]
fn a_raised_flag_ends_a_pull_that_stalls() {
    let (scratch, image) = (Scratch::new(), two_layers());
    let target = image.layers[1];
    let cancel = Cancel::new();
    let (raise, bytes) = (cancel.clone(), image.blobs[&target].clone());
    let server = Server::start(&image, move |request| {
        if !is_blob(request, &target) {
            return None;
        }
        raise.cancel();
        let (cut, stall) = (Some(10), Duration::from_secs(60));
        Some(Answer { cut, stall, ..Answer::new(200, bytes.clone()) })
    });
    let base = pin(&Base::Image(server.name()), &online()).unwrap();
    let started = Instant::now();
    let store = scratch.path();
    let result = layers(&base, store, own_mode(), &online(), &mut |_, _| {}, &cancel);
    assert!(matches!(result, Err(EngineError::Cancelled)), "{result:?}");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

/// Asks for a token, and gives one to `user` with `pass`.
fn guarded(image: &Image) -> Server {
    Server::start(image, |request| {
        let authorization = request.headers.get("authorization").map(String::as_str);
        if request.path.starts_with("/token") {
            assert!(request.path.contains("scope=repository%3Atest%2Fimage%3Apull"));
            return Some(match authorization {
                // user:pass
                Some("Basic dXNlcjpwYXNz") => Answer::new(200, r#"{"token":"good"}"#),
                _ => Answer::new(401, r#"{"details":"incorrect username or password"}"#),
            });
        }
        if authorization == Some("Bearer good") {
            return None;
        }
        let host = &request.headers["host"];
        Some(Answer::new(401, r#"{"errors":[{"code":"UNAUTHORIZED","message":""}]}"#).header(
            "WWW-Authenticate",
            format!(r#"Bearer realm="http://{host}/token",service="registry""#),
        ))
    })
}

#[test]
fn a_registry_with_a_token_service_takes_credentials_from_a_file() {
    let (scratch, image) = (Scratch::new(), two_layers());
    let server = guarded(&image);
    let network = |auth: &str| {
        let file = scratch.join("auth.json");
        let json = format!(r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, server.address);
        fs_err::write(&file, json).unwrap();
        let variables = vec![(REGISTRY_CREDENTIALS.to_owned(), Secret::new(file))];
        NetworkSettings { variables, ..NetworkSettings::default() }
    };
    let image = Base::Image(server.name());
    for settings in [online(), network("dXNlcjp3cm9uZw==")] {
        let error = pin(&image, &settings).unwrap_err();
        assert!(error.to_string().contains("refuses access"), "{error}");
        assert!(error.to_string().contains(REGISTRY_CREDENTIALS), "{error}");
    }
    let settings = network("dXNlcjpwYXNz");
    let base = pin(&image, &settings).unwrap();
    let folders = layers_of(&base, &scratch.folder("store"), &settings).unwrap();
    assert_eq!(folders.len(), 2);
}

#[test]
fn what_a_registry_does_not_have_is_said() {
    let image = two_layers();
    let server = Server::honest(&image);
    let missing = server.name().replace("test/image", "test/other");
    let error = pin(&Base::Image(missing.clone()), &online()).unwrap_err();
    assert!(error.to_string().contains("does not have it"), "{error}");
    assert!(error.to_string().contains(&missing), "{error}");
}

#[test]
fn an_image_for_another_machine_is_refused() {
    let scratch = Scratch::new();
    let foreign = Image::for_architecture(&[Layer::new().tar()], gzip, "s390x");
    let error = pull(&Server::honest(&foreign), scratch.path()).unwrap_err();
    assert!(error.to_string().contains("it is for linux/s390x"), "{error}");
}

#[test]
fn without_a_network_nothing_is_asked() {
    let server = Server::honest(&two_layers());
    let error = pin(&Base::Image(server.name()), &offline()).unwrap_err();
    assert!(error.to_string().contains("the network is not to be used"), "{error}");
    assert_eq!(server.asked(""), 0);
}

#[test]
fn a_registry_that_is_not_there_is_said() {
    // A port that was free a moment ago.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = pin(&Base::Image(format!("{address}/a/b:1")), &online()).unwrap_err();
    assert!(error.to_string().contains("cannot be reached"), "{}", chain(&error));
    assert!(matches!(error, EngineError::Unreachable { source: Some(_), .. }), "{error:?}");
}

#[test]
fn layers_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let (scratch, image) = (Scratch::new(), two_layers());
    pull(&Server::honest(&image), scratch.path()).unwrap();
    let mode = fs_err::metadata(scratch.join("images/layers")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "root: {}", is_root());
}

#[test]
fn proxies_of_the_settings_are_used_but_not_for_this_machine() {
    let (scratch, image) = (Scratch::new(), two_layers());
    let proxy = Server::start(&image, |_| Some(Answer::new(502, "")));
    let variables = ["HTTPS_PROXY", "HTTP_PROXY"]
        .map(|name| (name.to_owned(), Secret::new(format!("http://{}", proxy.address))));
    let network = NetworkSettings { variables: variables.to_vec(), ..NetworkSettings::default() };
    // The proxy has to be asked, since nobody else knows this name.
    let error = pin(&Base::Image("registry.invalid/a/b:1".to_owned()), &network).unwrap_err();
    assert!(error.to_string().contains("cannot be reached"), "{}", chain(&error));
    assert_eq!(proxy.asked("registry.invalid:443"), 1);

    let server = Server::honest(&image);
    let base = pin(&Base::Image(server.name()), &network).unwrap();
    assert_eq!(layers_of(&base, scratch.path(), &network).unwrap().len(), 2);
    assert_eq!(proxy.asked(""), 1);
}
