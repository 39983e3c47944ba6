//! Several processes that want the same image at once, and one that is interrupted.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use wheelmill_engine::image::{LayerRequest, layers_with, pin};
use wheelmill_engine::{Base, Cancel, EngineError};

use crate::build::{Image, Layer, gzip, tar_of};
use crate::support::{Scratch, listing, offline, own_mode};

fn archive(scratch: &Scratch) -> Base {
    let layers: Vec<_> =
        (0..4).map(|index| Layer::new().file(&format!("layer {index}"), "x").tar()).collect();
    let path = scratch.join("image.tar.gz");
    fs_err::write(&path, gzip(&tar_of(&Image::new(&layers, gzip).layout()))).unwrap();
    pin(&Base::Archive { path, digest: None }, &offline()).unwrap()
}

#[test]
fn many_at_once_unpack_each_layer_once() {
    const WORKERS: usize = 6;
    let scratch = Scratch::new();
    let base = archive(&scratch);
    let store = scratch.folder("store");
    // The locks belong to open files, so threads keep each other out as processes do.
    let (barrier, jobs) = (Barrier::new(WORKERS), AtomicUsize::new(0));
    let work = || {
        let (network, cancel) = (offline(), Cancel::new());
        let request = LayerRequest {
            base: &base,
            store: &store,
            mode: own_mode(),
            network: &network,
            cancel: &cancel,
        };
        barrier.wait();
        layers_with(&request, &mut |_, _| {}, &mut |job| {
            jobs.fetch_add(1, Ordering::SeqCst);
            Ok(job.run(&cancel)?)
        })
        .unwrap()
    };
    let found = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(found.iter().all(|folders| folders == &found[0] && folders.len() == 4));
    assert_eq!(jobs.load(Ordering::SeqCst), 4);
    assert_eq!(listing(&store.join("images/blobs")), [""; 0]);
}

#[test]
fn an_interrupted_run_keeps_finished_layers_and_leaves_no_half_ones() {
    let scratch = Scratch::new();
    let base = archive(&scratch);
    let store = scratch.folder("store");
    let (network, cancel) = (offline(), Cancel::new());
    let request = LayerRequest {
        base: &base,
        store: &store,
        mode: own_mode(),
        network: &network,
        cancel: &cancel,
    };
    let mut jobs = 0;
    let result = layers_with(&request, &mut |_, _| {}, &mut |job| {
        jobs += 1;
        if jobs == 3 {
            cancel.cancel();
        }
        Ok(job.run(&cancel)?)
    });
    assert!(matches!(result, Err(EngineError::Cancelled)), "{result:?}");
    let folder = store.join("images/layers").join(own_mode().as_str());
    assert_eq!(fs_err::read_dir(&folder).unwrap().count(), 2);

    let (fresh, mut rest, mut told) = (Cancel::new(), 0, Vec::new());
    let request = LayerRequest { cancel: &fresh, ..request };
    let folders = layers_with(&request, &mut |done, total| told.push((done, total)), &mut |job| {
        rest += 1;
        Ok(job.run(&fresh)?)
    });
    assert_eq!((folders.unwrap().len(), rest), (4, 2));
    // Told of what was left to do, and that it is done in the end.
    let (done, total) = told[told.len() - 1];
    assert_eq!(Some(done), total);
}
